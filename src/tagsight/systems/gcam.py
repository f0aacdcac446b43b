"""Classifiers from a label graph, and maps that follow the photo.

Wang, Xie, Liu and Fan. G-CAM: Graph Convolution Network Based Class Activation Mapping for
Multi-label Image Recognition. ICMR 2021. https://doi.org/10.1145/3460426.3463620

Maps: with average pooling each label's map (Eq. 10) is an exact account of its score: in logits,
and its mean is the logit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from tagsight.config import ConsistencyConfig, GraphConfig, Pooling, Recipe
from tagsight.systems.base import Published
from tagsight.systems.ml_gcn import MLGCN, MLGCNConfig
from tagsight.systems.recipes import (
    CPU_CONSISTENCY,
    CPU_GRAPH,
    CPU_SMOOTHING,
    GCAM_PAPER,
    RESNET101,
    TRIED,
    UNTRIED,
    cpu_recipe,
)

if TYPE_CHECKING:
    from tagsight.config import ConsistencyConfig, SystemConfig


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


class GCAM(MLGCN):
    """ML-GCN's generated classifiers trained with VAC's attention consistency (Eq. 13).

    Deviations:
        Eq. 5 thresholds the transposed probability, Eq. 6 sums over channels, Eq. 7 puts a ReLU
        behind the last layer (no score could fall below 0.5), Eq. 9 lacks its minus sign, Eq. 12
        is not squared: see ``docs/notation.md`` for what is done instead. The consistency loss
        does not move the classifiers (``consistency.detach_classifiers``), since shrinking them is
        its trivial minimum. With ``consistency.weight = 0`` the system is ML-GCN, but with the
        average pooling of section 3.1 unless ``pooling`` says otherwise.
    """

    Config: ClassVar[type[SystemConfig]] = GCAMConfig
    paper: ClassVar[str] = "https://doi.org/10.1145/3460426.3463620"
    published: ClassVar[tuple[Published, ...]] = (
        Published(
            "COCO 2014",
            84.1,
            "stated as 224 and 192, ResNet-101; plausible at 448 only",
            "G-CAM Table 2",
        ),
        Published("NUS-WIDE", 66.2, "stated as 224 and 192, ResNet-101", "G-CAM Table 3"),
        Published(
            "MIRFLICKR-25K",
            81.4,
            "stated as 224 and 192, ResNet-101, random split of the authors",
            "G-CAM Table 1",
        ),
    )
    config: GCAMConfig

    @property
    def consistency(self) -> ConsistencyConfig | None:
        return self.config.consistency if self.config.consistency.weight else None
