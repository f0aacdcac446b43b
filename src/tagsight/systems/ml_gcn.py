"""Classifiers generated from a label graph.

Chen, Wei, Wang and Guo. Multi-Label Image Recognition with Graph Convolutional Networks. CVPR 2019.
https://arxiv.org/abs/1904.03582

Maps: the feature grid weighed by each label's generated classifier, plus the bias if there is one,
in logits. With the max pooling that the method uses they do not add up to the logit; with average
pooling they do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from tagsight.config import GraphConfig, Pooling, Recipe, SystemConfig
from tagsight.nn.graph import graph_classifiers, label_bias
from tagsight.systems.base import Published, with_own_rate
from tagsight.systems.grid import GridSystem
from tagsight.systems.recipes import (
    CPU_GRAPH,
    CPU_SMOOTHING,
    ML_GCN_PAPER,
    PAPER_USE,
    RESNET101,
    TRIED,
    UNTRIED,
    cpu_recipe,
)

if TYPE_CHECKING:
    from torch import Tensor, nn

    from tagsight.labels.space import LabelSpace
    from tagsight.systems.base import ParameterGroup


class MLGCNConfig(SystemConfig):
    """ML-GCN's settings."""

    pooling: Pooling = "max"
    """From feature grid to embedding; most of the gain over ResNet-101 comes from ``max``."""

    graph: GraphConfig = GraphConfig()
    """The label graph and the network over it."""


RECIPES = (
    cpu_recipe(
        "ml-gcn",
        MLGCNConfig(label_smoothing=CPU_SMOOTHING, graph=CPU_GRAPH),
        source=TRIED,
        use="a counted label graph without consistent maps, to compare with gcam",
        minutes=1.7,
    ),
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
        use=PAPER_USE,
    ),
)


class MLGCN(GridSystem):
    """Two graph convolutions turn the labels' word vectors into their classifiers.

    Eqs. 2-8 of the paper; the adjacency is fixed, the two layers are trained.

    Deviations:
        The released code drives the graph's messages against the direction of the paper's Eq. 6
        and normalises twice; ``graph.direction`` and ``graph.variant`` choose. Its max pooling is
        wired to 14 x 14 cells; ours takes any grid. Targets marked difficult count as present in
        its loss (``--difficult present``); here they are unknown and have no part.
        ``graph.bias`` adds what neither paper nor code has: without it the classifiers must also
        say how rare a label is. With ``graph.variant = "none"``, an ablation, the classifiers are
        learned without a graph.

        ``ml-gcn-paper``: rates of 0.1 and 0.01 (backbone) are the released ones; 100 epochs with a
        decay by 10 after 40 and 80 are section 4.1's as we remember it. The code makes 20 epochs,
        which end before its only decay, after 30. Batches are of 32 as in its README's commands (by
        default 16). The backbone begins with ImageNet's weights; that of the released demos is
        random, since they do not ask for weights. A crop whose side is within 2 pixels of 448 is
        448 wide there, and as wide as it is here.
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
    label_parameters: ClassVar[frozenset[str]] = frozenset({"bias", "label_graph.weight"})
    config: MLGCNConfig
    bias: nn.Parameter | None

    def __init__(self, config: MLGCNConfig, labels: LabelSpace) -> None:
        super().__init__(config, labels)
        # Eqs. 2-8. Not `graph`: what `torch.export` makes of a system has one of its own.
        self.label_graph = graph_classifiers(labels, self.backbone.channels, config.graph)
        self.register_parameter("bias", label_bias(labels, config.graph))

    def classifiers(self) -> tuple[Tensor, Tensor | None]:
        return self.label_graph(), self.bias

    def parameter_groups(self, lr: float, backbone_factor: float) -> list[ParameterGroup]:
        groups = super().parameter_groups(lr, backbone_factor)
        graph = self.config.graph
        if graph.variant == "none":  # nothing has a rate of its own
            return groups
        return with_own_rate(groups, self.label_graph.parameters(), lr * graph.lr_factor)
