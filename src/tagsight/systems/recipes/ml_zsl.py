"""Settings and recipes of ML-ZSL."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from tagsight.config import Recipe, SystemConfig, TrainConfig
from tagsight.systems.recipes.base import (
    CPU_SMOOTHING,
    CPU_TRAINING,
    RESNET101,
    UNTRIED,
    cpu_recipe,
)


class MLZSLConfig(SystemConfig):
    """ML-ZSL's settings."""

    relations: Literal["cooccurrence", "wordnet"] = "cooccurrence"
    """Counts and word vectors, or ``wordnet`` (the paper), which has to be installed."""

    positive: float = Field(0.4, ge=0, le=1)
    """Least probability of a label given another, for a positive edge by ``cooccurrence``."""

    negative: float = Field(0.5, ge=0)
    """How often labels meet, relative to chance, below which an edge is negative."""

    similar: float = Field(0.3, ge=-1, le=1)
    """Least cosine of the word vectors of labels that are similar."""

    wup_positive: float = Field(0.7, ge=0, le=1)
    """Least similarity in WordNet (Wu and Palmer) for a positive edge."""

    wup_negative: float = Field(0.4, ge=0, le=1)
    """Similarity in WordNet below which an edge is negative."""

    messages: Literal["mean", "sum"] = "mean"
    """Whether a label takes the mean over its neighbours in a relation, or their sum."""

    centred: bool = True
    """Whether the word vectors lose what those of the trained labels share."""

    normalised: bool = True
    """Whether a photo's features get mean 0 and variance 1 over their numbers. Without it, features
    that are never negative drive all states into saturation, where nothing is learned."""

    steps: int = Field(5, ge=1, le=50)
    """``T``: how often states travel along the edges."""

    state: int = Field(32, gt=0, le=1024)
    """Length of a label's state."""

    hidden: int = Field(128, gt=0, le=4096)
    """Width between photo and word vector, and a label's first state."""

    edge_hidden: int = Field(32, gt=0, le=1024)
    """Width of the networks that weigh the relations."""

    dropout: float = Field(0.1, ge=0, lt=1)
    """Share of that hidden layer that each training step leaves out."""

    @model_validator(mode="after")
    def _has_near_above_far(self) -> Self:
        if self.wup_negative > self.wup_positive:
            msg = (
                f"wup_negative: expected at most wup_positive {self.wup_positive}, "
                f"got {self.wup_negative}"
            )
            raise ValueError(msg)
        return self


ML_ZSL_PAPER = TrainConfig(
    image_size=224,
    epochs=60,
    batch_size=32,
    optimizer="adam",
    lr=1e-3,
    backbone_lr_factor=0.0,
    weight_decay=0.0,
    schedule="constant",
)
"""Adam at 1e-3 over features that stay as they are; how long is ours."""

SLOW_BACKBONE = CPU_TRAINING.model_copy(update={"lr": 1e-3, "backbone_lr_factor": 0.05})
"""States learn slowly, and until they do their gradients spoil a backbone that goes faster."""

RECIPES = (
    cpu_recipe("ml-zsl", MLZSLConfig(label_smoothing=CPU_SMOOTHING, hidden=512), SLOW_BACKBONE),
    Recipe(
        name="ml-zsl-paper",
        system="ml-zsl",
        settings=MLZSLConfig(
            backbone=RESNET101,
            messages="sum",
            centred=False,
            normalised=False,
            state=5,
            dropout=0.5,
        ),
        training=ML_ZSL_PAPER,
        source=(
            "ML-ZSL as recalled, but relations counted, as WordNet is not everywhere: "
            "5 steps, states of 5 numbers, Adam at 1e-3, dropout 0.5; "
            "widths, thresholds and length ours; ResNet-152 in the paper"
        ),
        expectation=(
            "published are decisions on the three best labels only, COCO CF1 69.0, of which "
            f"docs/decisions/0006-protocols.md says how they are counted; {UNTRIED}"
        ),
    ),
)
