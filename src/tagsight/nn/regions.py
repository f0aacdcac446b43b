"""Boxes on a feature grid: exact coverage of cells, and means of features over boxes.

A box is ``(left, top, right, bottom)`` in fractions of the photo's width and height, so that it
fits any grid. No shape or branch depends on the values of tensors, so that all functions can be
exported.
"""

from __future__ import annotations

from itertools import combinations, product
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor


def lattice_boxes(lines: int) -> Tensor:
    """List all boxes whose sides lie on a lattice over the photo: ``(R, 4)`` float.

    The set is closed under mirroring and turning. ``R`` is ``(lines (lines + 1) / 2)^2``.

    Args:
        lines: Number of parts into which the lattice divides each side of the photo.

    Example:
        >>> lattice_boxes(4).shape
        torch.Size([100, 4])
    """
    intervals = [(low / lines, high / lines) for low, high in combinations(range(lines + 1), 2)]
    return torch.tensor(
        [
            (left, top, right, bottom)
            for (top, bottom), (left, right) in product(intervals, intervals)
        ]
    )


def box_coverage(boxes: Tensor, grid: tuple[int, int] | torch.Size) -> Tensor:
    """Compute the fraction of each cell that each box covers: ``(..., 4) -> (..., h, w)``.

    Its mean over the cells is the area of the part of the box that lies on the photo.

    Args:
        boxes: ``(..., 4)`` float.
        grid: Height and width of the grid, in cells.

    Example:
        >>> box_coverage(torch.tensor([0.375, 0.0, 0.75, 0.75]), (2, 4)).tolist()
        [[0.0, 0.5, 1.0, 0.0], [0.0, 0.25, 0.5, 0.0]]
    """
    left, top, right, bottom = boxes.unbind(-1)
    rows, columns = _axis_coverage(top, bottom, grid[0]), _axis_coverage(left, right, grid[1])
    return rows[..., :, None] * columns[..., None, :]


def box_means(features: Tensor, boxes: Tensor) -> Tensor:
    """Average a grid over each box, with partly covered cells weighted by their coverage.

    Args:
        features: ``(B, D, h, w)`` float, taken as constant over each cell.
        boxes: ``(R, 4)`` float, boxes with an area on the photo.

    Returns:
        ``(B, R, D)`` float.

    Example:
        >>> features = torch.tensor([[[[1.0, 3.0]]]])
        >>> box_means(features, torch.tensor([[0.0, 0.0, 0.75, 1.0]])).round(decimals=3).item()
        1.6670000553131104
    """
    coverage = box_coverage(boxes, features.shape[-2:]).flatten(1)
    weights = coverage / coverage.sum(1, keepdim=True)
    return torch.einsum("bdn,rn->brd", features.flatten(2), weights)


def _axis_coverage(starts: Tensor, ends: Tensor, cells: int) -> Tensor:
    """Compute the fraction of each cell of an axis between start and end: ``(..., cells)``."""
    lines = torch.arange(cells + 1, dtype=starts.dtype, device=starts.device) / cells
    first = torch.maximum(starts[..., None], lines[:-1])
    last = torch.minimum(ends[..., None], lines[1:])
    return (last - first).clamp(min=0) * cells
