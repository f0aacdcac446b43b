import math
from pathlib import Path

import pytest
import torch
from encoder_families import SMALL
from tiny import drawn, label_space, saved_photos

from tagsight.config import Recipe
from tagsight.loading.batches import PhotoStore, TrainingBatches
from tagsight.runtime.device import Runtime
from tagsight.systems.catalogue import RECIPES, SYSTEMS, build_system
from tagsight.training.loop import Training
from tagsight.training.run import augmentation_of

OF_PAPERS = [
    f"{name}-paper"
    for name, system in SYSTEMS.items()
    if f"{name}-paper" in RECIPES and not system.remembers
]
ENCODERS = {
    "gcam-convnext": "test_convnext",
    "gcam-dinov2-s": SMALL["vit_small_patch14_dinov2"],
    "gcam-dinov3-s": SMALL["vit_small_patch16_dinov3"],
    "gcam-siglip2-b": SMALL["vit_base_patch16_siglip_224"],
}
"""Encoders of other kinds than those of the papers; other recipes differ from these in numbers."""
NARROW: dict[str, dict[str, object]] = {
    "rnn-attention-paper": {"hidden": 256},
    "query2label-paper": {"decoder": {"width": 256, "heads": 4, "hidden": 512}},
}
"""Widths in place of 4096 and 8192, whose hundreds of millions of weights take ten seconds."""


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> list[Path]:
    return saved_photos(tmp_path_factory.mktemp("photos"), drawn(1, 480)[0])


def on_this_machine(recipe: Recipe) -> Recipe:
    """The recipe as it is, but for the weights of its encoder, which take a download, and widths.

    Papers have a ResNet-101. It is there in the first of their recipes; the others have a small
    encoder of the same kind, with the same stages and cells.
    """
    settings = recipe.settings.model_dump()
    settings["backbone"]["weights"] = "none"
    if recipe.name in OF_PAPERS[1:]:
        assert settings["backbone"]["name"].startswith("resnet101")
        settings["backbone"]["name"] = "test_resnet"
    elif recipe.name in ENCODERS:
        settings["backbone"]["name"] = ENCODERS[recipe.name]
    for name, value in NARROW.get(recipe.name, {}).items():
        settings[name] = {**settings[name], **value} if isinstance(value, dict) else value
    return recipe.model_copy(update={"settings": type(recipe.settings).model_validate(settings)})


@pytest.mark.parametrize(
    "name", [pytest.param(OF_PAPERS[0], marks=pytest.mark.slow), *OF_PAPERS[1:], *ENCODERS]
)
def test_a_recipe_of_a_paper_takes_a_finite_step_at_its_own_resolution(name, photos):
    """With one photo: all else is as the recipe says, crops, views, losses, optimiser and rate."""
    torch.manual_seed(0)
    recipe, targets = on_this_machine(RECIPES[name]), torch.tensor([[1, 0, 1, 0, -1]])
    system = build_system(recipe, label_space())
    augmentation = augmentation_of(recipe)
    side, square = augmentation.source_side, augmentation.takes_squares
    store = PhotoStore(photos, side, 0, resize="warp" if square else None)
    training = recipe.training
    batches = TrainingBatches(store, targets, augmentation, training.batch_size, workers=1)
    before = {key: value.detach().clone() for key, value in system.named_parameters()}
    step = next(iter(Training(system, batches, training, Runtime(torch.device("cpu"), "float32"))))
    assert step.losses
    assert all(math.isfinite(value) for value in step.losses.values())
    after = dict(system.named_parameters())
    assert all(bool(value.isfinite().all()) for value in after.values())
    moved = {key for key, value in after.items() if not torch.equal(value, before[key])}
    assert any(not key.startswith("backbone.") for key in moved)
    learns = training.backbone_lr_factor > 0
    assert any(key.startswith("backbone.") for key in moved) == learns
