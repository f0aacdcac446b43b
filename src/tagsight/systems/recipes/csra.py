"""Settings and recipes of CSRA."""

from __future__ import annotations

from pydantic import Field, field_validator

from tagsight.config import Recipe, SystemConfig, TrainConfig
from tagsight.systems.recipes.base import CPU_SMOOTHING, RESNET101, UNTRIED, cpu_recipe


class CSRAConfig(SystemConfig):
    """CSRA's settings."""

    heads: int = 1
    """1, 2, 4, 6 or 8, each with classifiers and a temperature of its own; their logits add up."""

    attention: float = Field(0.1, ge=0)
    """Lambda: how much the attended features count beside the average of all."""

    @field_validator("heads")
    @classmethod
    def _has_temperatures(cls, heads: int) -> int:
        if heads not in {1, 2, 4, 6, 8}:
            msg = f"heads: expected 1, 2, 4, 6 or 8, got {heads}"
            raise ValueError(msg)
        return heads


CSRA_PAPER = TrainConfig(
    image_size=448,
    epochs=30,
    batch_size=16,
    optimizer="sgd",
    decayed_parameters="all",
    lr=0.1,
    backbone_lr_factor=0.1,
    weight_decay=1e-4,
    schedule="step",
    warmup_epochs=2,
    decay_every=5,
    decay_factor=0.1,
    crop=0.7,
    random_flip=True,
    selection="last",
)
"""CSRA's released code for COCO."""

RECIPES = (
    cpu_recipe("csra", CSRAConfig(label_smoothing=CPU_SMOOTHING)),
    Recipe(
        name="csra-paper",
        system="csra",
        settings=CSRAConfig(
            backbone=RESNET101.model_copy(update={"normalization": "none"}),
            heads=4,
            attention=0.5,
            label_reduction="mean",
        ),
        training=CSRA_PAPER,
        source="CSRA's released code: heads, lambda, mean over labels, rates of 0.1 and 0.01, "
        "batch of 16, 30 epochs, warm-up over two, decay, crops, photos that are not normalised",
        expectation=f"published: COCO mAP 83.3 at 448 pixels; {UNTRIED}",
    ),
)
