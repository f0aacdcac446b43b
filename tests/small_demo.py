"""The demo in seconds: few photos, small, trained for one epoch on the tiny network."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tiny import TINY

import tagsight.demo.demo
from tagsight.config import Recipe
from tagsight.demo.demo import demo_recipe

SCENES, PICTURES = 28, 2


@contextmanager
def small_demo() -> Iterator[None]:
    """Make the demo small during the block; it must draw in this process, with one worker."""
    small = {"SCENES": SCENES, "PICTURES": PICTURES, "demo_recipe": tiny_recipe}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in small.items():
            patch.setattr(tagsight.demo.demo, name, value)
        patch.setattr("tagsight.demo.scenes.scene.SIZES", ((96, 64), (64, 96)))
        yield


def tiny_recipe(system: str, seed: int) -> Recipe:
    recipe = demo_recipe(system, seed)
    settings = recipe.settings.model_copy(update={"backbone": TINY})
    training = recipe.training.model_copy(update={"image_size": 64, "epochs": 1})
    return recipe.model_copy(update={"settings": settings, "training": training})
