"""Systems with one classifier per label on the cells of one feature grid."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from tagsight.nn.class_activation import class_logits, class_maps, pooled
from tagsight.systems.base import Recognition, System

if TYPE_CHECKING:
    from torch import Tensor

    from tagsight.nn.views import Images


class GridSystem(System):
    """Encoder, pooling and one linear classifier per label; a subclass defines `classifiers`.

    With average pooling the logit of a label is exactly the mean of its map.
    """

    @abstractmethod
    def classifiers(self) -> tuple[Tensor, Tensor | None]:
        """Return classifiers, ``(L, D)`` float, and their bias, ``(L,)`` float or None."""

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
