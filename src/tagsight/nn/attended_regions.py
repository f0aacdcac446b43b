"""Regions that a spatial transformer without rotation looks at: sampling, boxes, maps.

A transform is a region's horizontal and vertical scale and its translation, in halves of the
photo's sides from its centre. Jaderberg et al., Spatial Transformer Networks, NeurIPS 2015.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

from tagsight.nn.regions import box_coverage

if TYPE_CHECKING:
    from torch import Tensor

SMALLEST = 1e-6
"""Fraction of the photo; regions that cover less of it count as covering all of it."""

TINY = 1e-30


def anchors(regions: int) -> Tensor:
    """Place the anchors of the regions: ``(K, 2)``, the centre, then evenly on a circle around it.

    The radius is ``sqrt(0.5)``, so that four of five anchors are the centres of the quadrants.

    Example:
        >>> anchors(5)[:2]
        tensor([[0.0000, 0.0000],
                [0.5000, 0.5000]])
    """
    angles = torch.arange(regions - 1) * (2 * math.pi / max(regions - 1, 1)) + math.pi / 4
    circle = math.sqrt(0.5) * torch.stack([angles.cos(), angles.sin()], 1)
    return torch.cat([torch.zeros(1, 2), circle])


def sampled(features: Tensor, transforms: Tensor, side: int) -> Tensor:
    """Sample one region per photo: ``(B, D, h, w), (B, 4) -> (B, D, side, side)``.

    The spatial transformer without rotation and shear: bilinear at ``scale * point + translation``.

    Example:
        >>> features = torch.arange(4.0).view(1, 1, 2, 2)
        >>> right_half = torch.tensor([[0.5, 1.0, 0.5, 0.0]])
        >>> sampled(features, right_half, 2)
        tensor([[[[0.7500, 1.0000],
                  [2.7500, 3.0000]]]])
    """
    steps = torch.arange(side, dtype=features.dtype, device=features.device)
    points = (2 * steps + 1) / side - 1
    x, y = (transforms[:, i, None] * points + transforms[:, i + 2, None] for i in (0, 1))
    shape = (-1, side, side)
    places = torch.stack([x[:, None, :].expand(shape), y[:, :, None].expand(shape)], -1)
    return F.grid_sample(features, places, padding_mode="border", align_corners=False)


def boxes_of(transforms: Tensor) -> Tensor:
    """Convert transforms to boxes, clipped to the photo: ``(..., 4) -> (..., 4)`` in [0, 1].

    Example:
        >>> boxes_of(torch.tensor([0.5, 0.5, 0.0, 0.0]))
        tensor([0.2500, 0.2500, 0.7500, 0.7500])
    """
    scale, centre = transforms[..., :2].abs(), transforms[..., 2:]
    return ((torch.cat([centre - scale, centre + scale], -1) + 1) / 2).clamp(0, 1)


def region_maps(scores: Tensor, boxes: Tensor, grid: tuple[int, int] | torch.Size) -> Tensor:
    """Distribute the highest score of each label over the regions that support it.

    Args:
        scores: ``(B, K, L)`` float, logits.
        boxes: ``(B, K, 4)`` float in [0, 1].
        grid: Height and width of the grid, in cells.

    Returns:
        ``(B, L, h, w)`` float, logits; the mean over the cells is the highest score.

    Example:
        >>> scores = torch.tensor([[[3.0], [1.0]]])  # of two regions, for one label
        >>> boxes = torch.tensor([[[0.0, 0.0, 0.5, 1.0], [0.0, 0.0, 1.0, 1.0]]])
        >>> region_maps(scores, boxes, (1, 2))  # the mean is the highest score
        tensor([[[[5., 1.]]]])
    """
    lowest, highest = scores.amin(1)[..., None, None], scores.amax(1)[..., None, None]
    more = scores - scores.amin(1, keepdim=True)
    said = torch.einsum("bkl,bkhw->blhw", more, box_coverage(boxes, grid))
    mean = said.mean((-2, -1), keepdim=True)
    spread = torch.where(mean > SMALLEST * (highest - lowest), said / mean.clamp(min=TINY), 1.0)
    return lowest + (highest - lowest) * spread
