"""Systems with one classifier per label on the cells of one feature grid."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from tagsight.config import SystemConfig
from tagsight.nn.class_activation import (
    attended_maps,
    best_cell,
    class_logits,
    class_maps,
    pooled,
)
from tagsight.systems.base import Recognition, System

if TYPE_CHECKING:
    from torch import Tensor

    from tagsight.nn.views import Images


class GridConfig(SystemConfig):
    """Settings of systems with one classifier per label on the cells of a grid."""

    residual_attention: float = Field(0.0, ge=0)
    """Lambda of residual attention: weight of the score of a label's best cell, which is added to
    the logit (CSRA with one head at an infinite temperature); 0 adds nothing."""


class GridSystem(System):
    """Encoder, pooling and one linear classifier per label; a subclass defines `classifiers`.

    With average pooling the logit of a label is exactly the mean of its map, also with residual
    attention.
    """

    Config: ClassVar[type[SystemConfig]] = GridConfig
    config: GridConfig

    @abstractmethod
    def classifiers(self) -> tuple[Tensor, Tensor | None]:
        """Return classifiers, ``(L, D)`` float, and their bias, ``(L,)`` float or None."""

    @property
    def maps_add_up(self) -> bool:
        return self.config.pooling == "average"

    def forward(self, images: Images) -> Recognition:
        features, on_photo = self.backbone(images), self.backbone.on_photo(images)
        classifiers, bias = self.classifiers()
        embedding = pooled(features, self.config.pooling)
        maps = class_maps(features, classifiers)
        weight = self.config.residual_attention
        return Recognition(
            logits=class_logits(embedding, classifiers, bias) + best_cell(maps, weight),
            maps=attended_maps(maps, bias, weight, on_photo),
            embedding=embedding,
        )
