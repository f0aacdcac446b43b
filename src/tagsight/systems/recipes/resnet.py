"""Settings and recipes of the linear baseline."""

from __future__ import annotations

from tagsight.config import Recipe, SystemConfig
from tagsight.systems.recipes.base import (
    CPU_SMOOTHING,
    ML_GCN_PAPER,
    RESNET101,
    TRIED,
    UNTRIED,
    cpu_recipe,
)


class ResNetConfig(SystemConfig):
    """The baseline's settings: those that every system has."""


RECIPES = (
    cpu_recipe("resnet", ResNetConfig(label_smoothing=CPU_SMOOTHING), source=TRIED),
    *(
        Recipe(
            name=name,
            system="resnet",
            settings=ResNetConfig.model_validate(
                {"backbone": RESNET101, "pooling": pooling, "label_reduction": "mean"}
            ),
            training=ML_GCN_PAPER.model_copy(update={"epochs": 50, "decay_every": 30}),
            source="ML-GCN's README, ResNet-101 rows; loss, rates and crops: its released code for "
            "ML-GCN; ours: 50 epochs, decay after 30",
            expectation=f"published: COCO mAP {score} at 448 pixels; {UNTRIED}",
        )
        for name, pooling, score in (
            ("resnet101-gap", "average", 77.3),
            ("resnet101-gmp", "max", 81.9),
        )
    ),
)
