"""Classifiers generated from a label graph.

Chen, Wei, Wang and Guo. Multi-Label Image Recognition with Graph Convolutional Networks. CVPR 2019.
https://arxiv.org/abs/1904.03582

Maps: class activation maps of the generated classifiers, plus the bias if there is one, in logits.
With average pooling the mean of a label's map is its logit; with max pooling, which the method
uses, it is not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from tagsight.config import Pooling, Recipe
from tagsight.nn.config import GraphConfig
from tagsight.nn.graph import graph_classifiers, label_adjacency, label_bias
from tagsight.systems.base import Published, with_graph_rate
from tagsight.systems.grid import GridConfig, GridSystem
from tagsight.systems.recipes import (
    CPU_GRAPH,
    CPU_SMOOTHING,
    ML_GCN_PAPER,
    PAPER_USE,
    RESNET101,
    TRIED,
    UNTRIED,
    cpu_recipe,
    quick_recipe,
)

if TYPE_CHECKING:
    from torch import Tensor, nn

    from tagsight.config import SystemConfig
    from tagsight.labels.space import LabelSpace
    from tagsight.systems.base import ParameterGroup


class MLGCNConfig(GridConfig):
    """ML-GCN's settings."""

    pooling: Pooling = "max"
    """Pooling of the feature grid; most of the gain over ResNet-101 comes from ``max``."""

    graph: GraphConfig = GraphConfig()
    """The label graph and the network over it."""


CPU = cpu_recipe(
    "ml-gcn",
    MLGCNConfig(class_names=True, map_smoothing=3, label_smoothing=CPU_SMOOTHING, graph=CPU_GRAPH),
    source=TRIED,
    use="a counted label graph without consistent maps, to compare with gcam",
)
RECIPES = (
    CPU,
    quick_recipe(CPU),
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
    """Two graph convolutions turn the word vectors of the labels into their classifiers.

    Eqs. 2-8 of the paper; the adjacency is fixed, the two layers are trained.

    Example:
        >>> import torch
        >>> from tagsight.labels.space import LabelSpace
        >>> from tagsight.systems.catalogue import RECIPES, build_system
        >>> labels = LabelSpace.from_targets(("dog", "sky"), torch.eye(2), torch.eye(2))
        >>> system = build_system(RECIPES["ml-gcn-cpu"], labels).eval()
        >>> len(system.classifiers()[0])
        2

    Deviations:
        The released code propagates against the direction of the paper's Eq. 6 and normalises
        twice; ``graph.direction`` and ``graph.variant`` choose. Its max pooling requires a grid of
        14 x 14 cells; ours takes any. Its loss counts difficult targets as present
        (``--difficult present``); here they are unknown and left out. ``graph.bias`` is in neither
        paper nor code: without a bias the classifiers must also represent how rare a label is. The
        ablation ``graph.variant = "none"`` learns the classifiers without a graph.

        ``ml-gcn-paper``: learning rates of 0.1 and 0.01 (backbone) are the released ones; 100
        epochs with a decay by 10 after 40 and 80 are from section 4.1, as recalled. The code runs
        20 epochs, which end before its only decay, after 30. The batch size of 32 is that of its
        README's commands (default 16). The backbone starts from ImageNet weights; in the released
        demos it is random, since they do not request weights. The code enlarges a crop whose side
        is within 2 pixels of 448 to 448; here it is not enlarged.
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
    label_parameters: ClassVar[frozenset[str]] = frozenset(
        {"bias", "label_graph.weight", "by_name.weight"}
    )
    config: MLGCNConfig
    bias: nn.Parameter | None

    def __init__(self, config: MLGCNConfig, labels: LabelSpace) -> None:
        super().__init__(config, labels)
        channels, graph = self.backbone.channels, config.graph
        # Eqs. 2-8. The name `graph` would collide with an attribute that `torch.export` adds.
        adjacency = label_adjacency(labels.cooccurrence, graph)
        self.label_graph = graph_classifiers(labels, adjacency, channels, graph)
        self.register_parameter("bias", label_bias(labels, config.graph))

    def classifiers(self) -> tuple[Tensor, Tensor | None]:
        return self.label_graph(), self.bias

    def parameter_groups(self, lr: float, backbone_factor: float) -> list[ParameterGroup]:
        groups = super().parameter_groups(lr, backbone_factor)
        return with_graph_rate(groups, self.label_graph, self.config.graph, lr)
