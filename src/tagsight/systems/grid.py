"""Systems that weigh the cells of one feature grid by one classifier a label."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from tagsight.nn.class_activation import class_logits, class_maps, pooled
from tagsight.systems.base import Recognition, System

if TYPE_CHECKING:
    from torch import Tensor

    from tagsight.nn.views import Images


class GridSystem(System):
    """Encoder, pooling, one classifier a label; what differs is where classifiers come from.

    With average pooling the logit of a label is the mean of its map, exactly.
    """

    @abstractmethod
    def classifiers(self) -> tuple[Tensor, Tensor | None]:
        """``(L, D)`` float classifiers, and ``(L,)`` float bias or None."""

    @property
    def maps_add_up(self) -> bool:
        return self.config.pooling == "average"

    def forward(self, images: Images) -> Recognition:
        features = self.backbone(images)
        classifiers, bias = self.classifiers()
        embedding = pooled(features, self.config.pooling)
        return Recognition(
            logits=class_logits(embedding, classifiers, bias),
            maps=class_maps(features, classifiers, bias),
            embedding=embedding,
        )
