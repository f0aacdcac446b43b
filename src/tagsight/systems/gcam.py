"""Classifiers from a label graph, and maps that follow the photo.

Wang, Xie, Liu and Fan. G-CAM: Graph Convolution Network Based Class Activation Mapping for
Multi-label Image Recognition. ICMR 2021. https://doi.org/10.1145/3460426.3463620

Maps: with average pooling each label's map (Eq. 10) is an exact account of its score: in logits,
and its mean is the logit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from tagsight.systems.base import Published
from tagsight.systems.ml_gcn import MLGCN
from tagsight.systems.recipes.gcam import GCAMConfig

if TYPE_CHECKING:
    from tagsight.config import ConsistencyConfig, SystemConfig


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
