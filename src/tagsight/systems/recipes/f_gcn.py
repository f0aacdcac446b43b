"""Settings and recipes of F-GCN."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from tagsight.config import GraphConfig, Recipe, Settings
from tagsight.systems.recipes.base import (
    CPU_GRAPH,
    CPU_SMOOTHING,
    ML_GCN_PAPER,
    RESNET101,
    UNTRIED,
    cpu_recipe,
)
from tagsight.systems.recipes.ml_gcn import MLGCNConfig


class FusionConfig(Settings):
    """How a photo's features and a label's classifier become a logit (MFB)."""

    width: int = Field(358, gt=0, le=8192)
    """Length ``J`` of both projections."""

    sums: int = Field(1, gt=0, le=8192)
    """Into how many sums the ``J`` products of a label are taken; one sum is its logit."""

    bias: bool = False
    """Whether both projections add a bias, as in the code that we know."""

    signed_root: bool = False
    """Whether a sum ``s`` becomes ``sign(s) sqrt(|s|)``, as in MFB."""

    unit_length: bool = False
    """Whether the sums of a label are divided by their length, as in MFB."""

    freeze_projections: bool = False
    """Whether both projections stay random, as in the code that we know, whose optimiser lacks
    them."""

    @model_validator(mode="after")
    def _has_equal_sums(self) -> Self:
        if self.width % self.sums:
            msg = f"fusion.sums: expected a divisor of fusion.width {self.width}, got {self.sums}"
            raise ValueError(msg)
        if self.unit_length and self.sums == 1:
            msg = (
                "fusion.sums: expected more than 1 with fusion.unit_length, which leaves of one "
                "sum nothing but its sign"
            )
            raise ValueError(msg)
        return self


class FGCNConfig(MLGCNConfig):
    """F-GCN's settings."""

    fusion: FusionConfig = FusionConfig()
    """From features and classifiers to logits."""

    dropout: float = Field(0.1, ge=0, lt=1)
    """Share of the products that each training step leaves out."""


RECIPES = (
    cpu_recipe("f-gcn", FGCNConfig(label_smoothing=CPU_SMOOTHING, graph=CPU_GRAPH)),
    Recipe(
        name="f-gcn-paper",
        system="f-gcn",
        settings=FGCNConfig(
            backbone=RESNET101,
            label_reduction="mean",
            graph=GraphConfig(variant="released", vectors="raw"),
            fusion=FusionConfig(bias=True),
        ),
        training=ML_GCN_PAPER,
        source=(
            "fusion, its biases, dropout: code that its authors' group released with another "
            "paper; the rest: as ml-gcn-paper"
        ),
        expectation=(
            "see docs/decisions/0003-what-makes-gcam-train.md; its published figures are not known "
            f"to us; {UNTRIED}"
        ),
    ),
)
