"""Settings and recipes of SRN."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from tagsight.config import Recipe, SystemConfig, TrainConfig
from tagsight.systems.recipes.base import CPU_SMOOTHING, RESNET101, UNTRIED, cpu_recipe


class SRNConfig(SystemConfig):
    """SRN's settings."""

    channels: int = Field(512, gt=0, le=8192)
    """Width of the layers that attend, and of those that regularise before the full kernels."""

    kernels: int = Field(4, gt=0, le=64)
    """Full-size kernels on each channel of the regularisation."""

    grid: int = Field(14, gt=0, le=64)
    """Side of the full-size kernels, in cells; attention of another grid is resized to it."""

    alpha: float = Field(0.5, ge=0, le=1)
    """Share of the main network in the logits; the regularisation has the rest."""

    attention_from: float = Field(0.25, ge=0, le=1)
    """Fraction of the training from which attention is trained, and the main network is not."""

    regularisation_from: float = Field(0.5, ge=0, le=1)
    """Fraction from which the regularisation alone is trained."""

    together_from: float = Field(0.75, ge=0, le=1)
    """Fraction from which everything is trained."""

    @model_validator(mode="after")
    def _stages_follow_one_another(self) -> Self:
        stages = (self.attention_from, self.regularisation_from, self.together_from)
        if list(stages) != sorted(stages):
            msg = (
                "attention_from, regularisation_from, together_from: expected fractions that do "
                f"not fall, got {stages}"
            )
            raise ValueError(msg)
        return self


SRN_PAPER = TrainConfig(
    image_size=224,
    epochs=60,
    batch_size=96,
    optimizer="sgd",
    decayed_parameters="all",
    lr=1e-3,
    weight_decay=5e-4,
    schedule="step",
    decay_every=20,
    decay_factor=0.1,
    crop=0.25,
    random_flip=True,
)

RECIPES = (
    cpu_recipe(
        "srn",
        SRNConfig(
            label_smoothing=CPU_SMOOTHING,
            channels=128,
            attention_from=0.4,
            regularisation_from=0.5,
            together_from=0.6,
        ),
    ),
    Recipe(
        name="srn-paper",
        system="srn",
        settings=SRNConfig(backbone=RESNET101),
        training=SRN_PAPER,
        source=(
            "SRN, from memory: 224 pixels, SGD at 1e-3 with decay 5e-4, batch of 96, alpha 0.5, "
            "four stages; 60 epochs, decay every 20 (theirs at plateaus) and stages of equal "
            "length are ours"
        ),
        expectation=f"published: COCO mAP 77.1 at 224 pixels; {UNTRIED}",
    ),
)
