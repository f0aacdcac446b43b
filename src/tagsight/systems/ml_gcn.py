"""Classifiers generated from a label graph.

Chen, Wei, Wang and Guo. Multi-Label Image Recognition with Graph Convolutional Networks. CVPR 2019.
https://arxiv.org/abs/1904.03582

Maps: the feature grid weighed by each label's generated classifier, plus the bias if there is one,
in logits. With the max pooling that the method uses they do not add up to the logit; with average
pooling they do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from tagsight.graph import GraphClassifiers
from tagsight.recipes.ml_gcn import MLGCNConfig
from tagsight.systems.base import Published
from tagsight.systems.label_graph import LabelGraphSystem

if TYPE_CHECKING:
    from tagsight.config import GraphLayersConfig, SystemConfig
    from tagsight.labels import LabelSpace


class MLGCN(LabelGraphSystem):
    """Two graph convolutions turn the labels' word vectors into their classifiers.

    Eqs. 2-8 of the paper; the adjacency is fixed, the two layers are trained.

    Deviations:
        The released code drives the graph's messages against the direction of the paper's Eq. 6
        and normalises twice; ``graph.direction`` and ``graph.variant`` choose. Its max pooling is
        wired to 14 x 14 cells; ours takes any grid. Targets marked difficult count as present in
        its loss; here they are unknown and have no part. ``graph.bias`` adds what neither paper
        nor code has: without it the classifiers must also say how rare a label is.
    """

    Config: ClassVar[type[SystemConfig]] = MLGCNConfig
    paper: ClassVar[str] = "https://arxiv.org/abs/1904.03582"
    published: ClassVar[tuple[Published, ...]] = (
        Published(
            "COCO 2014",
            83.0,
            "448, ResNet-101, max pooling, non-interpolated AP",
            "ML-GCN; G-CAM Table 2",
        ),
        Published("VOC 2007", 94.0, "448, ResNet-101, max pooling, non-interpolated AP", "ML-GCN"),
        Published("NUS-WIDE", 62.5, "448, ResNet-101, non-interpolated AP", "ML-GCN README"),
        Published(
            "NUS-WIDE",
            64.9,
            "ResNet-101, resolution not given",
            "G-CAM Table 3, rerun by its authors",
        ),
        Published(
            "MIRFLICKR-25K",
            79.9,
            "ResNet-101, resolution not given",
            "G-CAM Table 1, rerun by its authors",
        ),
    )
    config: MLGCNConfig
    label_graph: GraphClassifiers

    @property
    def layers(self) -> GraphLayersConfig:
        return self.config.graph

    def make_network(self, labels: LabelSpace) -> GraphClassifiers:
        return GraphClassifiers(labels, self.backbone.channels, self.config.graph)
