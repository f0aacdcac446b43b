"""Classifiers generated from a label graph that is learned.

Li, Peng, Qiao and Peng. Learning Category Correlations for Multi-label Image Recognition with Graph
Networks. 2019. https://arxiv.org/abs/1909.13005

Maps: class activation maps of the generated classifiers, plus the bias if there is one, in logits.
With average pooling the mean of a label's map is its logit; with max pooling, which the method
uses, it is not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from tagsight.config import Pooling, Recipe
from tagsight.nn.config import LearnedGraphConfig
from tagsight.nn.graph import label_bias
from tagsight.nn.learned_graph import LearnedGraphClassifiers
from tagsight.systems.base import Published, with_own_rate
from tagsight.systems.grid import GridConfig, GridSystem
from tagsight.systems.recipes import (
    CPU_SMOOTHING,
    ML_GCN_PAPER,
    PAPER_USE,
    RESNET101,
    UNTRIED,
    cpu_recipe,
    quick_recipe,
)

if TYPE_CHECKING:
    from torch import Tensor, nn

    from tagsight.config import SystemConfig
    from tagsight.labels.space import LabelSpace
    from tagsight.nn.views import Images
    from tagsight.systems.base import ParameterGroup


class AGCNConfig(GridConfig):
    """A-GCN's settings."""

    pooling: Pooling = "max"
    """Pooling of the feature grid; the method builds on ML-GCN's ``max``."""

    graph: LearnedGraphConfig = LearnedGraphConfig()
    """The learned label graph and the network over it."""


CPU = cpu_recipe(
    "a-gcn",
    AGCNConfig(
        class_names=True,
        map_smoothing=3,
        label_smoothing=CPU_SMOOTHING,
        graph=LearnedGraphConfig(bias=True, lr_factor=0.1, similarity_lr_factor=0.4),
    ),
    use="a label graph that is learned instead of counted",
)
RECIPES = (
    CPU,
    quick_recipe(CPU),
    Recipe(
        name="a-gcn-paper",
        system="a-gcn",
        settings=AGCNConfig(
            backbone=RESNET101,
            label_reduction="mean",
            graph=LearnedGraphConfig(similarity="dot", vectors="raw", sparsity=1.0),
        ),
        training=ML_GCN_PAPER,
        source=(
            "graph, its width, its weight of 1 and its rate of 4: code of another group that has "
            "the module; the rest: as ml-gcn-paper"
        ),
        expectation=f"published: COCO mAP 83.1 at 448 pixels; {UNTRIED}",
        use=PAPER_USE,
    ),
)


class AGCN(GridSystem):
    """ML-GCN's two graph convolutions over edges computed from two projections of word vectors.

    A second loss term, ``||A - I||_1``, makes the edges sparse.

    Example:
        >>> import torch
        >>> from tagsight.labels.space import LabelSpace
        >>> from tagsight.systems.catalogue import RECIPES, build_system
        >>> labels = LabelSpace.from_targets(("dog", "sky"), torch.eye(2), torch.eye(2))
        >>> system = build_system(RECIPES["a-gcn-cpu"], labels).eval()
        >>> list(system.losses(torch.rand(1, 3, 64, 64), torch.tensor([[1, 0]])))
        ['labels', 'sparsity']

    Deviations:
        That term sums ``L^2`` entries, but the rows of ``A`` are normalised: if every label mixes
        equally with all others, it is ``2 (L - 1)`` whatever the width of the projections. The
        width determines the first value of the edges. With the published similarity, a dot product
        of sigmoids divided by ``L`` (``graph.similarity = "dot"``), edges start near
        ``width / (4 L)`` against 1 for the label itself. That is 3.2 for 80 labels and the known
        code's width of 1024, so that all classifiers are nearly equal at first. In our trials this
        does not train in the time that ML-GCN takes, with a weight of 1 as in that code or of 0.01.
        The default similarity is therefore a softmax, which gives a label half of its own state at
        any width and number of labels, and the default weight is 0.01, which keeps the term small
        relative to the label loss.

        ``a-gcn-paper``: similarity and weight are those of the known code, by another group. For 80
        labels the second term starts at 157.4, against a mean label loss below 1. This is intended:
        it sums 6,400 entries and is flat where all labels mix equally. Its gradient with respect to
        the projections, the only weights it trains, has a norm of 0.036; that of the label loss has
        0.040. A label's own share in the graph is 1.6 % at first and 99.5 % after 300 of the
        recipe's 256,500 steps, so that little of the graph is left; with a weight of 0.01 it is 5 %
        then, and 28 % after 1,000 steps (``benchmarks/trials/learned_graph.py``, COCO's word
        vectors, drawn features). The known code reads the table of word vectors in memory order,
        which mixes the vectors of different labels; here each label has its own. It decays once,
        after 30 of its 100 epochs, with batches of 16; here after 40 and 80, with batches of 32.
    """

    Config: ClassVar[type[SystemConfig]] = AGCNConfig
    paper: ClassVar[str] = "https://arxiv.org/abs/1909.13005"
    published: ClassVar[tuple[Published, ...]] = (
        Published("COCO 2014", 83.1, "448, ResNet-101, max pooling", "G-CAM Table 2"),
        Published(
            "NUS-WIDE",
            65.0,
            "ResNet-101, resolution not given",
            "G-CAM Table 3, rerun by its authors",
        ),
        Published(
            "MIRFLICKR-25K",
            80.0,
            "ResNet-101, resolution not given",
            "G-CAM Table 1, rerun by its authors",
        ),
    )
    needs_vectors: ClassVar[bool] = True
    label_parameters: ClassVar[frozenset[str]] = frozenset({"bias", "by_name.weight"})
    config: AGCNConfig
    bias: nn.Parameter | None

    def __init__(self, config: AGCNConfig, labels: LabelSpace) -> None:
        super().__init__(config, labels)
        self.label_graph = LearnedGraphClassifiers(labels, self.backbone.channels, config.graph)
        self.register_parameter("bias", label_bias(labels, config.graph))

    def classifiers(self) -> tuple[Tensor, Tensor | None]:
        return self.label_graph(), self.bias

    def losses(self, images: Images, targets: Tensor, progress: float = 1.0) -> dict[str, Tensor]:
        losses = super().losses(images, targets, progress)
        if not self.config.graph.sparsity:
            return losses
        distance = self.label_graph.distance_to_identity()
        return losses | {"sparsity": self.config.graph.sparsity * distance}

    def parameter_groups(self, lr: float, backbone_factor: float) -> list[ParameterGroup]:
        graph, network = self.config.graph, self.label_graph
        groups = super().parameter_groups(lr, backbone_factor)
        groups = with_own_rate(groups, network.parameters(), lr * graph.lr_factor)
        projections = [*network.as_target.parameters(), *network.as_source.parameters()]
        return with_own_rate(groups, projections, lr * graph.similarity_lr_factor)
