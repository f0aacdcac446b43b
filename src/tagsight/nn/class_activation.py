"""Logits and class activation maps from a feature grid and one linear classifier per label.

Zhou et al., Learning Deep Features for Discriminative Localization, CVPR 2016. Everything is
computed in float32 or more, also under autocast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

from tagsight.runtime.precision import full_precision, widened

if TYPE_CHECKING:
    from torch import Tensor

    from tagsight.config import Pooling


def pooled(features: Tensor, pooling: Pooling) -> Tensor:
    """Pool a feature grid over its cells: ``(B, D, h, w) -> (B, D)``.

    Args:
        features: ``(B, D, h, w)`` float.
        pooling: ``average`` or ``max``.

    Example:
        >>> features = torch.arange(4.0).view(1, 1, 2, 2)
        >>> pooled(features, "average").item(), pooled(features, "max").item()
        (1.5, 3.0)
    """
    features = widened(features)
    return features.mean((-2, -1)) if pooling == "average" else features.amax((-2, -1))


def class_logits(embedding: Tensor, classifiers: Tensor, bias: Tensor | None = None) -> Tensor:
    """Apply each label's classifier to an embedding: ``(B, D), (L, D) -> (B, L)``.

    G-CAM Eq. 8.

    Args:
        embedding: ``(B, D)`` float, pooled features.
        classifiers: ``(L, D)`` float.
        bias: ``(L,)`` float.

    Example:
        >>> class_logits(torch.ones(1, 2), torch.tensor([[1.0, 2.0], [0.0, -1.0]])).tolist()
        [[3.0, -1.0]]
    """
    with full_precision(embedding.device):
        return F.linear(widened(embedding), classifiers, bias)


def class_maps(features: Tensor, classifiers: Tensor, bias: Tensor | None = None) -> Tensor:
    """Apply each label's classifier to every cell: ``(B, D, h, w), (L, D) -> (B, L, h, w)``.

    G-CAM Eq. 10. The bias is added to every cell, so that with average pooling the mean of a map is
    the logit.

    Args:
        features: ``(B, D, h, w)`` float.
        classifiers: ``(L, D)`` float.
        bias: ``(L,)`` float.

    Example:
        >>> features, classifiers = torch.rand(1, 3, 4, 4), torch.rand(5, 3)
        >>> maps = class_maps(features, classifiers)
        >>> logits = class_logits(pooled(features, "average"), classifiers)
        >>> torch.allclose(maps.mean((-2, -1)), logits)
        True
    """
    with full_precision(features.device):
        maps = torch.einsum("bdhw,ld->blhw", widened(features), classifiers)
    return maps if bias is None else maps + bias[:, None, None]
