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


def best_cell(features: Tensor, classifiers: Tensor, weight: float) -> Tensor:
    """Weigh the score of each label's best cell: ``(B, D, h, w), (L, D) -> (B, L)``.

    Added to the logit, which is the mean over the cells, it is CSRA's residual attention with one
    head at an infinite temperature (Zhu and Wu, ICCV 2021, Eqs. 5 and 6). A bias has no part in it,
    so that it counts once.

    **Maps.** The logit is ``mean(S) + weight * max(S)``. A map ``Q = S + weight * max(S)`` averages
    to it, so `best_cell` is added to every cell of the map, like a bias. CSRA's own account,
    ``S * (1 + weight * h * w)`` at the best cell, averages to it as well, but it draws one cell
    hundreds of times as strong as its neighbours, and dims it where its score is negative.

    Args:
        features: ``(B, D, h, w)`` float.
        classifiers: ``(L, D)`` float.
        weight: Lambda, at least 0; with 0 the result is ``(1, 1)``, a zero for all.

    Example:
        >>> features = torch.tensor([[[[1.0, 2.0], [4.0, 1.0]]]])
        >>> best_cell(features, torch.tensor([[1.0], [-1.0]]), 0.5).tolist()
        [[2.0, -0.5]]
    """
    if not weight:
        return torch.zeros(1, 1, device=features.device)
    return weight * class_maps(features, classifiers).amax((-2, -1))
