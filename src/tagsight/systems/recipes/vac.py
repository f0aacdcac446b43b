"""Settings and recipes of VAC."""

from __future__ import annotations

from tagsight.config import ConsistencyConfig, Recipe, SystemConfig
from tagsight.systems.recipes.base import (
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


RELEASED_WEIGHTS = (1.0, 0.6, 0.8)
"""Of the label loss, of the two distances under a flip and of the one between sizes, for COCO."""

SHARES = 1.0 + RELEASED_WEIGHTS[1]
"""By how much all terms are larger in the released code than here, where the label loss and each
distance under a flip share 1: SGD takes the same steps at as many times the rate, with as many
times less decay."""

VAC_PAPER = GCAM_PAPER.model_copy(
    update={
        "image_size": 288,
        "epochs": 14,
        "batch_size": 24,
        "lr": SHARES * 1e-3,
        "weight_decay": 5e-4 / SHARES,
        "decay_every": 6,
        "decay_factor": 0.1,
    }
)
"""VAC's released code for COCO: 1e-3 and 5e-4 for terms that are `SHARES` times as large."""

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
            consistency=ConsistencyConfig(
                weight=RELEASED_WEIGHTS[1] / SHARES,
                scale=256 / 288,
                scale_weight=RELEASED_WEIGHTS[2] / RELEASED_WEIGHTS[1],
                alignment="nearest",
            ),
        ),
        training=VAC_PAPER,
        source="VAC's released COCO code: sizes, batch of 24, 14 epochs, weights 1 : .6 : .6 : .8, "
        "and the steps that SGD takes of them at 1e-3 with decay 5e-4",
        expectation=f"published: COCO mAP 77.5 at 288 pixels; {UNTRIED}",
    ),
)
