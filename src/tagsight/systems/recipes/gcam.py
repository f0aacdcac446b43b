"""Settings and recipes of G-CAM."""

from __future__ import annotations

from tagsight.config import ConsistencyConfig, GraphConfig, Pooling, Recipe
from tagsight.systems.recipes.base import (
    CPU_CONSISTENCY,
    CPU_GRAPH,
    CPU_SMOOTHING,
    GCAM_PAPER,
    RESNET101,
    TRIED,
    UNTRIED,
    cpu_recipe,
)
from tagsight.systems.recipes.ml_gcn import MLGCNConfig


class GCAMConfig(MLGCNConfig):
    """G-CAM's settings."""

    pooling: Pooling = "average"
    """From feature grid to embedding; section 3.1 pools by average."""

    consistency: ConsistencyConfig = ConsistencyConfig()
    """How the maps of the views are held together."""


GCAM_SETTINGS = GCAMConfig(
    backbone=RESNET101,
    graph=GraphConfig(epsilon=0.4, delta=0.2, vectors="raw"),
    consistency=ConsistencyConfig(weight=0.4, scale=192 / 224),
)
LITERAL = ConsistencyConfig(
    weight=0.4, views="all", error="squared", alignment="nearest", scale=192 / 224
)
"""G-CAM's consistency with VAC's code where the paper is silent; it can fail outright."""

RECIPES = (
    cpu_recipe(
        "gcam",
        GCAMConfig(label_smoothing=CPU_SMOOTHING, graph=CPU_GRAPH, consistency=CPU_CONSISTENCY),
        source=TRIED,
    ),
    Recipe(
        name="gcam-paper",
        system="gcam",
        settings=GCAM_SETTINGS,
        training=GCAM_PAPER,
        source="G-CAM section 4.2; 60 epochs and bilinear alignment are ours",
        expectation=f"published: COCO mAP 84.1, plausible only at 448 pixels; {UNTRIED}",
    ),
    Recipe(
        name="gcam-literal",
        system="gcam",
        settings=GCAM_SETTINGS.model_copy(update={"consistency": LITERAL}),
        training=GCAM_PAPER,
        source="G-CAM section 4.2, and VAC's released code where the paper is silent; 60 epochs",
        expectation=f"see docs/decisions/0003-what-makes-gcam-train.md; {UNTRIED}",
    ),
    Recipe(
        name="gcam-paper-448",
        system="gcam",
        settings=GCAM_SETTINGS.model_copy(
            update={"consistency": ConsistencyConfig(weight=0.4, scale=384 / 448)}
        ),
        training=GCAM_PAPER.model_copy(update={"image_size": 448}),
        source="G-CAM section 4.2 at the resolution of the systems it is compared with",
        expectation=f"published: COCO mAP 84.1; {UNTRIED}",
    ),
)
