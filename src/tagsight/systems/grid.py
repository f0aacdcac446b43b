"""Systems that weigh the cells of one feature grid by one classifier a label."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

from tagsight.precision import full_precision, widened
from tagsight.systems.base import Recognition, System

if TYPE_CHECKING:
    from torch import Tensor

    from tagsight.config import Pooling


class GridSystem(System):
    """Backbone, pooling, one classifier a label; what differs is where classifiers come from.

    With average pooling the logit of a label is the mean of its map, exactly.
    """

    @abstractmethod
    def classifiers(self) -> tuple[Tensor, Tensor | None]:
        """``(L, D)`` float classifiers, and ``(L,)`` float bias or None."""

    @property
    def maps_add_up(self) -> bool:
        return self.config.pooling == "average"

    def forward(self, images: Tensor) -> Recognition:
        classifiers, bias = self.classifiers()
        return recognition(self.backbone(images), classifiers, bias, self.config.pooling)


def recognition(
    features: Tensor, classifiers: Tensor, bias: Tensor | None, pooling: Pooling
) -> Recognition:
    """Logits (G-CAM Eq. 8), maps (Eq. 10) and embedding, at least in float32.

    Args:
        features: ``(B, D, h, w)`` float.
        classifiers: ``(L, D)`` float.
        bias: ``(L,)`` float, or None.
        pooling: From grid to embedding.
    """
    features = widened(features)
    embedding = pooled(features, pooling)
    with full_precision(features.device):
        logits = F.linear(embedding, classifiers, bias)
    return Recognition(logits, class_maps(features, classifiers, bias), embedding)


def pooled(features: Tensor, pooling: Pooling) -> Tensor:
    """Reduce a feature grid to one vector a photo: ``(B, D, h, w) -> (B, D)``."""
    return features.mean((-2, -1)) if pooling == "average" else features.amax((-2, -1))


def class_maps(features: Tensor, classifiers: Tensor, bias: Tensor | None = None) -> Tensor:
    """Weigh the feature grid by each label's classifier: ``(B, D, h, w), (L, D) -> (B, L, h, w)``.

    Zhou et al., CVPR 2016; G-CAM Eq. 10. The bias, if any, stands in every cell.
    """
    with full_precision(features.device):
        maps = torch.einsum("bdhw,ld->blhw", widened(features), classifiers)
    return maps if bias is None else maps + bias[:, None, None]
