"""Classifiers generated from a label graph.

Chen, Wei, Wang and Guo. Multi-Label Image Recognition with Graph Convolutional Networks. CVPR 2019.
https://arxiv.org/abs/1904.03582

Maps: the feature grid weighed by each label's generated classifier, plus the bias if there is one,
in logits. With the max pooling that the method uses they do not add up to the logit; with average
pooling they do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import torch
from torch import nn

from tagsight.graph import GraphClassifiers
from tagsight.recipes.ml_gcn import MLGCNConfig
from tagsight.systems.base import Published
from tagsight.systems.grid import GridSystem

if TYPE_CHECKING:
    from torch import Tensor

    from tagsight.config import SystemConfig
    from tagsight.labels import LabelSpace
    from tagsight.systems.base import ParameterGroup

RAREST = 1e-3
"""Frequency that a label's first bias is made for at least, and 1 minus it at most."""


class MLGCN(GridSystem):
    """Two graph convolutions turn the labels' word vectors into their classifiers.

    Eqs. 2-8 of the paper; the adjacency is fixed, the two layers are trained.

    Deviations:
        The released code drives the graph's messages against the direction of the paper's Eq. 6
        and normalises twice; ``graph.direction`` and ``graph.variant`` choose. Its max pooling is
        wired to 14 x 14 cells; ours takes any grid. Targets marked difficult count as present in
        its loss; here they are unknown and have no part. ``graph.bias`` adds what neither paper
        nor code has: without it the classifiers must also say how rare a label is. With
        ``graph.variant = "none"``, an ablation, the classifiers are learned without a graph.
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
    needs_vectors: ClassVar[bool] = True
    label_parameters: ClassVar[frozenset[str]] = frozenset({"bias", "learned"})
    config: MLGCNConfig
    bias: nn.Parameter | None
    learned: nn.Parameter | None
    label_graph: GraphClassifiers | None

    def __init__(self, config: MLGCNConfig, labels: LabelSpace) -> None:
        super().__init__(config, labels)
        channels = self.backbone.channels
        self.register_parameter("learned", None)
        # Not `graph`: a graph module, what `torch.export` makes of a system, has one of its own.
        self.label_graph = None
        if config.graph.variant != "none":
            self.label_graph = GraphClassifiers(labels, channels, config.graph)
        else:
            self.learned = nn.Parameter(torch.empty(len(labels), channels))
            nn.init.uniform_(self.learned, -(channels**-0.5), channels**-0.5)
        self.register_parameter("bias", None)
        if config.graph.bias:
            self.bias = nn.Parameter(labels.frequency.clamp(RAREST, 1 - RAREST).logit())

    def classifiers(self) -> tuple[Tensor, Tensor | None]:
        if self.label_graph is not None:
            return self.label_graph(), self.bias
        assert self.learned is not None  # one of the two is there
        return self.learned, self.bias

    def parameter_groups(self, lr: float, backbone_factor: float) -> list[ParameterGroup]:
        _, backbone = super().parameter_groups(lr, backbone_factor)
        graph = [] if self.label_graph is None else list(self.label_graph.parameters())
        rows = [parameter for parameter in (self.learned, self.bias) if parameter is not None]
        return [
            {"params": graph, "lr": lr * self.config.graph.lr_factor},
            {"params": rows, "lr": lr},
            backbone,
        ]
