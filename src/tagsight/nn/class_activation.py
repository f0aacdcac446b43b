"""Logits and class activation maps from a feature grid and one linear classifier per label.

Zhou et al., Learning Deep Features for Discriminative Localization, CVPR 2016. Everything is
computed in float32 or more, also under autocast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
import torch.nn.functional as F

from tagsight.nn.padding import filled
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


def best_cell(maps: Tensor, weight: float) -> Tensor:
    """Weigh the score of each label's best cell: ``(B, L, h, w) -> (B, L)``.

    Added to the logit, which is the mean over the cells, it is CSRA's residual attention with one
    head at an infinite temperature (Zhu and Wu, ICCV 2021, Eqs. 5 and 6). A bias has no part in it,
    so that it counts once.

    Args:
        maps: ``(B, L, h, w)`` float, the scores of the cells, without bias.
        weight: Lambda, at least 0; with 0 the result is ``(1, 1)``, a zero for all.

    Example:
        >>> best_cell(torch.tensor([[[[1.0, 2.0], [4.0, 1.0]]]]), 0.5).tolist()
        [[2.0]]
    """
    if not weight:
        return torch.zeros(1, 1, device=maps.device)
    return weight * maps.amax((-2, -1))


def smoothed(maps: Tensor, window: int, on_photo: Tensor | None = None) -> Tensor:
    """Average the evidence in each cell with that around it: ``(B, L, h, w) -> (B, L, h, w)``.

    A single cell is a noisy witness: the highest of 196 is often one beside the object. Where a
    neighbour lies beyond the grid or on padding, the cell itself stands in for it. So every cell
    gives as much as it gets, and a map keeps its mean; mirroring and quarter turns of the photo
    still do the same to its maps.

    Args:
        maps: ``(B, L, h, w)`` float.
        window: Side of the square of cells over which to average, odd; 1 changes nothing.
        on_photo: ``(B, 1, h, w)`` bool, the cells that are not padding, by default all; the others
            keep their values.

    Example:
        >>> maps = torch.tensor([[[[9.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]]])
        >>> smoothed(maps, 3)
        tensor([[[[6., 1., 0.],
                  [1., 1., 0.],
                  [0., 0., 0.]]]])
    """
    if window == 1:
        return maps
    counted = torch.ones_like(maps[:1, :1]) if on_photo is None else on_photo.to(maps.dtype)
    share = _square_means(counted, window)
    mixed = _square_means(maps * counted, window) + (1 - share) * maps
    return mixed if on_photo is None else mixed.where(on_photo, maps)


def _square_means(maps: Tensor, window: int) -> Tensor:
    """Average over a square of cells, with zeros beyond the grid."""
    return F.avg_pool2d(maps, window, stride=1, padding=window // 2)


class LogitsAndMaps(NamedTuple):
    """Scores of photos and of their cells.

    Attributes:
        logits: ``(B, L)`` float, with bias and residual attention.
        maps: ``(B, L, h, w)`` float, without both.
    """

    logits: Tensor
    maps: Tensor


def logits_and_maps(
    features: Tensor,
    classifiers: Tensor,
    bias: Tensor | None,
    *,
    pooling: Pooling,
    attention: float,
    smoothing: int = 1,
    added: Tensor | None = None,
    on_photo: Tensor | None = None,
) -> LogitsAndMaps:
    """Compute logits with residual attention, and the class activation maps (G-CAM Eqs. 8 and 10).

    With average pooling the score of the mean cell is the mean of the label's map, from which it is
    computed: gradients pass over the features once, and in their own memory format.

    Args:
        features: ``(B, D, h, w)`` float.
        classifiers: ``(L, D)`` float.
        bias: ``(L,)`` float or None.
        pooling: Of the features, for the logits.
        attention: Weight of the best cell, at least 0 (`best_cell`).
        smoothing: Side of the square of cells over which maps are averaged (`smoothed`), before
            the best cell is found. With average pooling it changes no other logit.
        added: ``(B, L, h, w)`` float, further evidence in each cell, which counts as what the
            classifiers find; with max pooling that of its best cell.
        on_photo: ``(B, 1, h, w)`` bool, the cells that are not padding, by default all.

    Example:
        >>> features = torch.tensor([[[[1.0, 3.0]]]])
        >>> found = logits_and_maps(
        ...     features, torch.eye(1), torch.ones(1), pooling="average", attention=0.5
        ... )
        >>> found.logits.tolist(), found.maps.tolist()
        ([[4.5]], [[[[1.0, 3.0]]]])
    """
    features = widened(features)
    maps = class_maps(features, classifiers)
    if added is not None:
        maps = maps + added
    maps = smoothed(maps, smoothing, on_photo)
    if pooling == "average":
        means = maps.mean((-2, -1))
        logits = means if bias is None else means + bias
    else:
        logits = class_logits(pooled(features, pooling), classifiers, bias)
        logits = logits if added is None else logits + added.amax((-2, -1))
    return LogitsAndMaps(logits + best_cell(maps, attention), maps)


def attended_maps(
    maps: Tensor, bias: Tensor | None, weight: float, on_photo: Tensor | None = None
) -> Tensor:
    """Share what `best_cell` adds among the cells: ``(B, L, h, w) -> (B, L, h, w)``.

    With the scores ``S`` of the cells, the logit is ``mean(S) + weight * max(S)``, and

        ``Q = S + weight * max(S) * S+ / mean(S+)``, where ``S+ = max(S, 0)``,

    averages to it. What the best cell adds is shared among the cells with evidence for the label,
    in proportion to it: cells keep their order, those with evidence against the label their values,
    and the fraction of positive evidence at a place is that of ``S``. Where no cell has evidence,
    ``weight * max(S)`` is added to every cell; ``Q`` is continuous, as the shared term is at most
    ``h * w`` times ``weight * max(S)``. The bias is added to every cell, and has no part in ``S``.

    Two other accounts average to the logit as well. A term that is the same in every cell spreads
    the evidence for a label that was found over the whole photo. CSRA's own,
    ``S * (1 + weight * h * w)`` at the best cell, has only that cell, and dims it where its score
    is negative.

    Args:
        maps: ``(B, L, h, w)`` float, ``S``, the scores of the cells, without bias.
        bias: ``(L,)`` float.
        weight: Lambda, at least 0; with 0 only the bias is added.
        on_photo: ``(B, 1, h, w)`` bool, the cells that are not padding, by default all. The mean is
            over these; the others, which `tagsight.nn.padding.filled` gave it, keep it.

    Example:
        >>> maps = torch.tensor([[[[-3.0, 0.0], [3.0, 6.0]]]])
        >>> attended_maps(maps, None, 0.75).tolist()
        [[[[-3.0, 0.0], [9.0, 18.0]]]]
        >>> maps.mean() + best_cell(maps, 0.75)
        tensor([[6.]])
    """
    if weight:
        best = weight * maps.amax((-2, -1), keepdim=True)
        evidence = filled(maps.clamp(min=0), on_photo)
        means = evidence.mean((-2, -1), keepdim=True)
        shares = evidence / means.clamp(min=torch.finfo(maps.dtype).tiny)
        maps = maps + best.clamp(min=0) * shares + best.clamp(max=0)
    return maps if bias is None else maps + bias[:, None, None]
