"""Settings and recipes of WARP."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from tagsight.config import Recipe, SystemConfig, TrainConfig
from tagsight.systems.recipes.base import RESNET101, UNTRIED, cpu_recipe


class WARPConfig(SystemConfig):
    """WARP's settings."""

    ranking: Literal["exact", "sampled", "softmax", "hinge"] = "exact"
    """WARP with counted or with ``sampled`` ranks, or the paper's rivals ``softmax``, ``hinge``."""

    violators: Literal["sum", "mean"] = "sum"
    """Whether ``exact`` adds up a label's violators, as the equation, or averages, as sampling."""

    trials: int | None = Field(None, ge=1)
    """Most absent labels that ``sampled`` draws for a present one; none draws all."""

    label_reduction: Literal["sum", "mean"] = "sum"
    """Whether the loss of a photo is the sum over its present labels or their mean."""

    @property
    def probabilities(self) -> bool:
        """No: the order of labels is all that is trained."""
        return False

    @model_validator(mode="after")
    def _only_ranks(self) -> Self:
        unused = {
            "loss": self.loss != "binary",
            "label_weights": self.label_weights != "none",
            "label_smoothing": self.label_smoothing != 0,
        }
        if named := [name for name, given in unused.items() if given]:
            msg = f"{named[0]}: has no meaning for WARP, whose loss is on the order of the labels"
            raise ValueError(msg)
        return self


RECIPES = (
    cpu_recipe("warp", WARPConfig(violators="mean")),
    Recipe(
        name="warp-paper",
        system="warp",
        settings=WARPConfig(backbone=RESNET101, ranking="sampled"),
        training=TrainConfig(
            image_size=224,
            epochs=50,
            batch_size=32,
            optimizer="sgd",
            decayed_parameters="all",
            lr=1e-2,
            backbone_lr_factor=0.1,
            weight_decay=5e-4,
            schedule="step",
            decay_every=30,
            decay_factor=0.1,
            crop=0.75,
            random_flip=True,
        ),
        source="Gong et al. 2014 as remembered, not read again: batch, momentum, crops of 220 in "
        "256 pixels, sampled ranks; ours: the encoder, rates, decay, and epochs",
        expectation="published: no mAP; NUS-WIDE's best three labels CP 31.7, CR 35.6, OP 48.6, "
        f"OR 60.5 with another network; {UNTRIED}",
    ),
)
