"""Settings and recipes of VAC."""

from __future__ import annotations

from tagsight.config import ConsistencyConfig, Recipe, SystemConfig
from tagsight.recipes.base import (
    CPU_CONSISTENCY,
    CPU_SMOOTHING,
    GCAM_PAPER,
    RESNET101,
    TRIED,
    UNTRIED,
    cpu_recipe,
)


class VACConfig(SystemConfig):
    """VAC's settings."""

    consistency: ConsistencyConfig = ConsistencyConfig()
    """How the maps of the views are held together."""


VAC_PAPER = GCAM_PAPER.model_copy(
    update={"image_size": 288, "epochs": 14, "decay_every": 6, "decay_factor": 0.1}
)
"""VAC's released code for COCO, but for its batch of 24."""

RECIPES = (
    cpu_recipe(
        "vac", VACConfig(label_smoothing=CPU_SMOOTHING, consistency=CPU_CONSISTENCY), source=TRIED
    ),
    Recipe(
        name="vac-paper",
        system="vac",
        settings=VACConfig(
            backbone=RESNET101,
            label_weights="vac",
            consistency=ConsistencyConfig(weight=0.4, scale=256 / 288, alignment="nearest"),
        ),
        training=VAC_PAPER,
        source="VAC's released COCO code; its weights .6 .6 .8 share one convex weight here",
        expectation=f"published: COCO mAP 77.5 at 288 pixels; {UNTRIED}",
    ),
)
