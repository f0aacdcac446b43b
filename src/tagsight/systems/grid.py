"""Systems that weigh the cells of one feature grid by one classifier a label.

Their maps can be held together over the views of a photo: what makes VAC of the linear baseline,
and G-CAM of ML-GCN.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from tagsight.nn.class_activation import class_logits, class_maps, pooled
from tagsight.nn.consistency import consistent_losses, possible_views
from tagsight.nn.views import see
from tagsight.systems.base import Recognition, System

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from tagsight.config import ConsistencyConfig
    from tagsight.nn.views import Images, View


class GridSystem(System):
    """Backbone, pooling, one classifier a label; what differs is where classifiers come from.

    With average pooling the logit of a label is the mean of its map, exactly.
    """

    @abstractmethod
    def classifiers(self) -> tuple[Tensor, Tensor | None]:
        """``(L, D)`` float classifiers, and ``(L,)`` float bias or None."""

    @property
    def consistency(self) -> ConsistencyConfig | None:
        """How the maps of a photo's views are held together, if they are."""
        return None

    @property
    def maps_add_up(self) -> bool:
        return self.config.pooling == "average"

    @property
    def views(self) -> Sequence[View]:
        return super().views if self.consistency is None else possible_views(self.consistency)

    def see(self, images: Tensor, view: View) -> Tensor:
        if self.consistency is None:
            return super().see(images, view)
        scale = self.consistency.scale
        return see(images, view, scale=scale, multiple=self.backbone.stride)

    def losses(self, images: Images, targets: Tensor, progress: float = 1.0) -> dict[str, Tensor]:
        if self.consistency is None:
            return super().losses(images, targets, progress)
        return consistent_losses(self, self.consistency, images, targets, progress)

    def forward(self, images: Images) -> Recognition:
        features = self.backbone(images)
        classifiers, bias = self.classifiers()
        embedding = pooled(features, self.config.pooling)
        return Recognition(
            logits=class_logits(embedding, classifiers, bias),
            maps=class_maps(features, classifiers, bias),
            embedding=embedding,
        )
