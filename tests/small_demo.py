"""The demo in seconds: few photos, small, trained for one epoch."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

import tagsight.demo.demo

SCENES, PICTURES = 28, 2


@contextmanager
def small_demo() -> Iterator[None]:
    """Make the demo small during the block; it must draw in this process, with one worker."""
    with pytest.MonkeyPatch.context() as patch:
        small = {"SCENES": SCENES, "PICTURES": PICTURES, "IMAGE_SIZE": 64, "EPOCHS": 1}
        for name, value in small.items():
            patch.setattr(tagsight.demo.demo, name, value)
        patch.setattr("tagsight.demo.scenes.scene.SIZES", ((96, 64), (64, 96)))
        yield
