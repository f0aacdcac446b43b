"""Systems whose classifiers a network over a label graph makes, at a learning rate of its own."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

from torch import nn

from tagsight.systems.grid import GridSystem

if TYPE_CHECKING:
    from torch import Tensor

    from tagsight.config import GraphLayersConfig, SystemConfig
    from tagsight.labels.space import LabelSpace
    from tagsight.nn.graph import LabelNetwork, LearnedClassifiers
    from tagsight.systems.base import ParameterGroup

RAREST = 1e-3
"""Frequency that a label's first bias is made for at least, and 1 minus it at most."""


class LabelGraphSystem(GridSystem):
    """Generated classifiers and perhaps a bias a label; what differs is where edges come from."""

    needs_vectors: ClassVar[bool] = True
    label_parameters: ClassVar[frozenset[str]] = frozenset({"bias"})
    bias: nn.Parameter | None

    def __init__(self, config: SystemConfig, labels: LabelSpace) -> None:
        super().__init__(config, labels)
        # Not `graph`: a graph module, what `torch.export` makes of a system, has one of its own.
        self.label_graph = self.make_network(labels)
        self.register_parameter("bias", None)
        if self.layers.bias:
            self.bias = nn.Parameter(labels.frequency.clamp(RAREST, 1 - RAREST).logit())

    @property
    @abstractmethod
    def layers(self) -> GraphLayersConfig:
        """Settings of the network."""

    @abstractmethod
    def make_network(self, labels: LabelSpace) -> LabelNetwork | LearnedClassifiers:
        """Make the network, for a backbone that is there."""

    def classifiers(self) -> tuple[Tensor, Tensor | None]:
        return self.label_graph(), self.bias

    def parameter_groups(self, lr: float, backbone_factor: float) -> list[ParameterGroup]:
        rest, backbone = super().parameter_groups(lr, backbone_factor)
        graph = list(self.label_graph.parameters())
        known = set(map(id, graph))
        return [
            {"params": graph, "lr": lr * self.layers.lr_factor},
            {"params": [p for p in rest["params"] if id(p) not in known], "lr": lr},
            backbone,
        ]
