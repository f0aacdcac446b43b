"""Boxes on a feature grid: what they cover of each cell, exactly, and of one another.

A box is ``(left, top, right, bottom)`` in fractions of the photo's width and height, so that it
fits any grid. Nothing here looks at values, so that all of it can be exported.
"""

from __future__ import annotations

from itertools import combinations, product
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor


def lattice_boxes(lines: int) -> Tensor:
    """Every box whose sides lie on a lattice over the photo: ``(R, 4)``.

    Mirrored or turned, the set is the same. ``R`` is ``(lines (lines + 1) / 2)^2``, 100 for 4.

    Args:
        lines: Into how many parts the lattice divides each side of the photo.
    """
    intervals = [(low / lines, high / lines) for low, high in combinations(range(lines + 1), 2)]
    return torch.tensor(
        [
            (left, top, right, bottom)
            for (top, bottom), (left, right) in product(intervals, intervals)
        ]
    )


def box_areas(boxes: Tensor) -> Tensor:
    """The share of the photo that each box covers: ``(..., 4) -> (...)``."""
    left, top, right, bottom = boxes.unbind(-1)
    return (right - left) * (bottom - top)


def box_overlaps(boxes: Tensor, others: Tensor) -> Tensor:
    """Intersection over union of boxes with an area, all with all: ``(R, 4), (S, 4) -> (R, S)``."""
    starts = torch.maximum(boxes[:, None, :2], others[:, :2])
    ends = torch.minimum(boxes[:, None, 2:], others[:, 2:])
    shared = (ends - starts).clamp(min=0).prod(-1)
    return shared / (box_areas(boxes)[:, None] + box_areas(others) - shared)


def box_coverage(boxes: Tensor, grid: tuple[int, int] | torch.Size) -> Tensor:
    """The share of each cell of a grid that each box covers: ``(..., 4) -> (..., h, w)``.

    Its mean over the cells is the area of the box, as far as that lies on the photo.
    """
    left, top, right, bottom = boxes.unbind(-1)
    rows, columns = _shares(top, bottom, grid[0]), _shares(left, right, grid[1])
    return rows[..., :, None] * columns[..., None, :]


def box_means(features: Tensor, boxes: Tensor) -> Tensor:
    """The mean of a grid over each box, cells cut where a box cuts them.

    Args:
        features: ``(B, D, h, w)`` float, constant over each cell.
        boxes: ``(R, 4)`` float, boxes with an area on the photo.

    Returns:
        ``(B, R, D)`` float.
    """
    coverage = box_coverage(boxes, features.shape[-2:]).flatten(1)
    weights = coverage / coverage.sum(1, keepdim=True)
    return torch.einsum("bdn,rn->brd", features.flatten(2), weights)


def _shares(starts: Tensor, ends: Tensor, cells: int) -> Tensor:
    """The share of each cell of an axis that lies between a start and an end: ``(..., cells)``."""
    lines = torch.arange(cells + 1, dtype=starts.dtype, device=starts.device) / cells
    first = torch.maximum(starts[..., None], lines[:-1])
    last = torch.minimum(ends[..., None], lines[1:])
    return (last - first).clamp(min=0) * cells
