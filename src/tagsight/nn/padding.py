"""Padding of photos that are not square, kept out of pooling, attention and maps.

Images may have a fourth channel, their *opacity*: 1 where a pixel lies on the photo, 0 on padding.
It is flipped, turned and resized with the other channels. A cell of a feature grid counts as part
of the photo if at least half of it lies on the photo.

Cells that do not count get the mean of those that do (`filled`). With that no pooling needs to know
of padding: the mean over all cells is that over the photo, the maximum is not on padding, and the
map of a linear classifier has the label's logit there. Only attention, whose weights depend on the
number of cells, excludes them itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

from tagsight.data.photos.resizing import HALF
from tagsight.runtime.precision import widened

if TYPE_CHECKING:
    from torch import Tensor


def cells_on_photo(images: Tensor, stride: int) -> Tensor | None:
    """Find the cells that count as part of the photo: ``(B, 4, H, W) -> (B, 1, h, w)`` bool.

    If no cell of a photo has half of its area on it, those with the largest part count.

    Args:
        images: ``(B, 4, H, W)`` float in [0, 1], or ``(B, 3, H, W)``, which have no padding.
        stride: Side of a cell, in pixels.

    Returns:
        The cells, or None for images without opacity.

    Example:
        >>> images = torch.zeros(1, 4, 4, 8)
        >>> images[:, 3, :, 3:] = 1
        >>> cells_on_photo(images, 2).int().tolist()
        [[[[0, 1, 1, 1], [0, 1, 1, 1]]]]
    """
    if images.shape[1] == 3:
        return None
    shares = F.avg_pool2d(images[:, 3:], stride)
    return shares >= shares.amax((-2, -1), keepdim=True).clamp(max=HALF)


def filled(grid: Tensor, on_photo: Tensor | None) -> Tensor:
    """Give cells of padding the mean of the cells on the photo, in every channel or map.

    Args:
        grid: ``(B, D, h, w)`` float.
        on_photo: ``(B, 1, h, w)`` bool, at least one cell of each photo; None changes nothing.

    Example:
        >>> grid = torch.tensor([[[[7.0, 1.0, 3.0]]]])
        >>> filled(grid, torch.tensor([[[[False, True, True]]]])).tolist()
        [[[[2.0, 1.0, 3.0]]]]
    """
    if on_photo is None:
        return grid
    known = widened(grid).where(on_photo, 0)
    means = known.sum((-2, -1), keepdim=True) / on_photo.sum((-2, -1), keepdim=True)
    return grid.where(on_photo, means.to(grid.dtype))


def cell_count(grid: Tensor, on_photo: Tensor | None) -> Tensor | int:
    """Count the cells on each photo: ``(B, 1, 1, 1)`` float, or without padding those of the grid.

    Args:
        grid: ``(B, D, h, w)`` float.
        on_photo: ``(B, 1, h, w)`` bool, or None.

    Example:
        >>> cell_count(torch.zeros(1, 5, 2, 3), None)
        6
    """
    if on_photo is None:
        return grid.shape[-2] * grid.shape[-1]
    return on_photo.sum((-2, -1), keepdim=True).to(grid.dtype)


def excluded(scores: Tensor, on_photo: Tensor | None) -> Tensor:
    """Exclude cells of padding from a softmax or maximum over cells.

    Args:
        scores: Float, scores of cells.
        on_photo: Bool, broadcast over ``scores``; None changes nothing.

    Example:
        >>> excluded(torch.zeros(3), torch.tensor([False, True, True])).softmax(-1)
        tensor([0.0000, 0.5000, 0.5000])
    """
    if on_photo is None:
        return scores
    return scores.masked_fill(~on_photo, torch.finfo(scores.dtype).min)


def resized(on_photo: Tensor | None, grid: Tensor) -> Tensor | None:
    """Repeat cells for a finer grid: ``(B, 1, h, w) -> (B, 1, h', w')`` bool.

    Example:
        >>> resized(torch.tensor([[[[True, False]]]]), torch.zeros(1, 5, 1, 4)).int().tolist()
        [[[[1, 1, 0, 0]]]]
    """
    if on_photo is None:
        return None
    return F.interpolate(on_photo.to(torch.float32), grid.shape[-2:], mode="nearest") > 0
