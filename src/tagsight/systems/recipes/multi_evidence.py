"""Settings and recipes of Multi-Evidence."""

from __future__ import annotations

from pydantic import Field

from tagsight.config import Pooling, Recipe, SystemConfig
from tagsight.systems.recipes.base import (
    CPU_SMOOTHING,
    ML_GCN_PAPER,
    RESNET101,
    UNTRIED,
    cpu_recipe,
)


class MultiEvidenceConfig(SystemConfig):
    """Multi-Evidence's settings."""

    pooling: Pooling = "max"
    """From feature grid to the embedding that the stream of the whole photo classifies."""

    lattice: int = Field(4, ge=1, le=8)
    """Parts of each side of the photo; boxes have their sides on such lines: 100 boxes for 4."""

    hidden: int = Field(256, gt=0, le=8192)
    """Length of the description of a box."""

    agreement: float = Field(0.5, ge=0, lt=1)
    """Overlap (IoU) above which two boxes agree."""

    evidence_from: float = Field(0.4, ge=0, le=1)
    """Fraction of the training after which evidence is looked for and trained on."""

    box_weight: float = Field(0.5, ge=0)
    """Weight of the cross-entropy of the boxes that are kept."""

    cell_weight: float = Field(0.5, ge=0)
    """Weight of the cross-entropy of cells, over labels a sum or a mean as ``label_reduction``."""


RECIPES = (
    cpu_recipe("multi-evidence", MultiEvidenceConfig(label_smoothing=CPU_SMOOTHING)),
    Recipe(
        name="multi-evidence-paper",
        system="multi-evidence",
        settings=MultiEvidenceConfig(backbone=RESNET101, label_reduction="mean", hidden=1024),
        training=ML_GCN_PAPER.model_copy(update={"epochs": 50, "decay_every": 30}),
        source=(
            "recall: ResNet-101 at 448 pixels and the three kinds of evidence; ours: all else, the "
            "reconstruction, its weights and widths; loss and rates as of the max pooled baseline"
        ),
        expectation=(
            "published: COCO mAP not given, CF1 74.9 and OF1 78.4 at 448 pixels, of a pipeline "
            f"that this is not; 82 to 83 mAP would not surprise; {UNTRIED}"
        ),
    ),
)
