"""Settings and recipes of A-GCN."""

from __future__ import annotations

from tagsight.config import LearnedGraphConfig, Pooling, Recipe, SystemConfig
from tagsight.systems.recipes.base import (
    CPU_SMOOTHING,
    ML_GCN_PAPER,
    RESNET101,
    UNTRIED,
    cpu_recipe,
)


class AGCNConfig(SystemConfig):
    """A-GCN's settings."""

    pooling: Pooling = "max"
    """From feature grid to embedding; the method builds on ML-GCN's ``max``."""

    graph: LearnedGraphConfig = LearnedGraphConfig()
    """The learned label graph and the network over it."""


RECIPES = (
    cpu_recipe(
        "a-gcn",
        AGCNConfig(
            label_smoothing=CPU_SMOOTHING,
            graph=LearnedGraphConfig(bias=True, lr_factor=0.1, similarity_lr_factor=0.4),
        ),
    ),
    Recipe(
        name="a-gcn-paper",
        system="a-gcn",
        settings=AGCNConfig(
            backbone=RESNET101,
            label_reduction="mean",
            graph=LearnedGraphConfig(similarity="dot", vectors="raw", sparsity=1.0),
        ),
        training=ML_GCN_PAPER,
        source=(
            "graph, its width, its weight of 1 and its rate of 4: code of another group that has "
            "the module; the rest: as ml-gcn-paper"
        ),
        expectation=f"published: COCO mAP 83.1 at 448 pixels; {UNTRIED}",
    ),
)
