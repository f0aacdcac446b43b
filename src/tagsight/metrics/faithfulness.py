"""Metrics of the faithfulness of maps: whether a score depends on what the map points at.

Insertion and deletion take the pixels of a photo by falling evidence: Petsiuk, Das and Saenko,
RISE, BMVC 2018. The rank correlation compares maps before and after weights are randomised: Adebayo
et al., Sanity Checks for Saliency Maps, NeurIPS 2018.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor


def strongest_pixels(
    maps: Tensor, shares: Sequence[float], *, generator: torch.Generator | None = None
) -> Tensor:
    """Find the pixels of the strongest evidence, for several shares of all pixels.

    Equally strong pixels come in a random order, so that a flat map orders them by chance.

    Args:
        maps: ``(P, H, W)`` float, one value a pixel.
        shares: ``K`` shares in [0, 1].
        generator: Draws the order of equally strong pixels.

    Returns:
        ``(K, P, H, W)`` bool; of each map the share of pixels, rounded, is true.

    Example:
        >>> maps = torch.tensor([[[0.1, 0.7], [0.2, 0.4]]])
        >>> strongest_pixels(maps, [0.0, 0.5])[:, 0].tolist()
        [[[False, False], [False, False]], [[False, True], [False, True]]]
    """
    values = maps.flatten(1)
    count = values.shape[1]
    order = torch.randperm(count, generator=generator).to(values.device)
    falling = order[values[:, order].argsort(dim=1, descending=True, stable=True)]
    places = torch.arange(count, device=values.device).expand_as(falling)
    ranks = torch.empty_like(falling).scatter_(1, falling, places)
    taken = torch.tensor([round(share * count) for share in shares], device=values.device)
    return (ranks < taken[:, None, None]).unflatten(-1, maps.shape[1:])


def area_under_curve(scores: Tensor) -> Tensor:
    """Compute the area under curves of scores over the share of pixels, by the trapezoidal rule.

    Args:
        scores: ``(P, K)`` float, at ``K`` shares in equal steps from 0 to 1.

    Returns:
        ``(P,)`` float64, between the lowest and the highest score of a curve.

    Example:
        >>> area_under_curve(torch.tensor([[1.0, 0.5, 0.0], [0.5, 0.5, 0.5]])).tolist()
        [0.5, 0.5]
    """
    scores = scores.double()
    return ((scores[:, 1:] + scores[:, :-1]) / 2).mean(1)


def rank_correlation(maps: Tensor, others: Tensor) -> Tensor:
    """Compute Spearman's rank correlation of two maps over their cells.

    Args:
        maps: ``(P, h, w)`` float.
        others: ``(P, h, w)`` float.

    Returns:
        ``(P,)`` float64 in [-1, 1]; NaN where a map is constant.

    Raises:
        ValueError: If the shapes differ.

    Example:
        >>> maps = torch.tensor([[[0.0, 1.0, 2.0]]])
        >>> rank_correlation(maps, maps.exp()).item(), rank_correlation(maps, -maps).item()
        (1.0, -1.0)
    """
    if maps.shape != others.shape:
        msg = (
            "expected two maps of each pair on one grid, "
            f"got shapes {tuple(maps.shape)} and {tuple(others.shape)}"
        )
        raise ValueError(msg)
    pairs = zip(maps.flatten(1), others.flatten(1), strict=True)
    ranks = [torch.stack([_ranks(one), _ranks(other)]) for one, other in pairs]
    return torch.tensor([torch.corrcoef(pair)[0, 1] for pair in ranks], dtype=torch.float64)


def _ranks(values: Tensor) -> Tensor:
    """Rank the values of a map, from 0; equal ones share the mean of their ranks."""
    _, group, counts = values.unique(return_inverse=True, return_counts=True)
    return (counts.cumsum(0) - (counts + 1) / 2).double()[group]
