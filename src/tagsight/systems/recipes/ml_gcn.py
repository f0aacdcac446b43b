"""Settings and recipes of ML-GCN."""

from __future__ import annotations

from tagsight.config import GraphConfig, Pooling, Recipe, SystemConfig
from tagsight.systems.recipes.base import (
    CPU_GRAPH,
    CPU_SMOOTHING,
    ML_GCN_PAPER,
    RESNET101,
    TRIED,
    UNTRIED,
    cpu_recipe,
)


class MLGCNConfig(SystemConfig):
    """ML-GCN's settings."""

    pooling: Pooling = "max"
    """From feature grid to embedding; most of the gain over ResNet-101 comes from ``max``."""

    graph: GraphConfig = GraphConfig()
    """The label graph and the network over it."""


RECIPES = (
    cpu_recipe("ml-gcn", MLGCNConfig(label_smoothing=CPU_SMOOTHING, graph=CPU_GRAPH), source=TRIED),
    Recipe(
        name="ml-gcn-paper",
        system="ml-gcn",
        settings=MLGCNConfig(
            backbone=RESNET101,
            label_reduction="mean",
            graph=GraphConfig(variant="released", vectors="raw"),
        ),
        training=ML_GCN_PAPER,
        source="ML-GCN's released code; 100 epochs and decay after 40 and 80: section 4.1",
        expectation=f"published: COCO mAP 83.0 at 448 pixels, VOC 2007 94.0; {UNTRIED}",
    ),
)
