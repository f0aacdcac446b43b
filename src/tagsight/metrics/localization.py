"""Metrics of evidence maps: the pointing game, energy in boxes, consistency.

A pair is one label of one photo, with its map and the boxes of its objects. Boxes are fractions of
the map's width and height, ``(left, top, right, bottom)`` in [0, 1], so that they fit any grid.
They are clipped to the map, and where they overlap, the area counts once. If a map has padding,
``within`` says which part of it is the photo. Everything is computed in float64.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch

from tagsight.data.photos.resizing import HALF

if TYPE_CHECKING:
    from torch import Tensor

ROUNDING = 1e-6
"""Relative rounding error of single precision; maps that vary less count as flat."""


def pointing_hits(
    maps: Tensor, boxes: Tensor, *, tolerance: float = 0.0, within: Tensor | None = None
) -> Tensor:
    """Play the pointing game: test whether the maximum of each map lies in a box of its label.

    Zhang et al., Top-down Neural Attention by Excitation Backprop, ECCV 2016. The maximum is taken
    at the centre of the highest cell, where bilinear interpolation to any size has its maximum too.
    Equally high cells share the hit, so that a flat map hits by chance only and mirroring does not
    change the result.

    Args:
        maps: ``(P, h, w)`` float, the map of each pair.
        boxes: ``(P, n, 4)`` float, boxes of each pair; a box without area is padding.
        tolerance: Margin around a box that still counts, as a fraction of the photo's width and
            height. The published game allows 15 pixels, about 0.03 of a photo of 500 pixels. Use
            the same value in `pointing_chance`.
        within: ``(P, 4)`` float, the part of each map that is photo; the maximum is taken over
            cells at least half of which lie there, by default over all.

    Returns:
        ``(P,)`` float64 in [0, 1], 1 for a hit.

    Raises:
        ValueError: If the shapes do not match, or the boxes are not fractions.

    Example:
        >>> maps = torch.tensor([[[0.0, 1.0], [0.0, 0.0]]])  # highest at the top right
        >>> pointing_hits(maps, torch.tensor([[[0.5, 0.0, 1.0, 0.5]]])).tolist()
        [1.0]
    """
    _check_pairs(maps, boxes)
    left, top, right, bottom = _enlarged(boxes, tolerance).unbind(-1)
    rows = _centres_inside(top, bottom, maps.shape[-2])
    columns = _centres_inside(left, right, maps.shape[-1])
    inside = _in_any_box(rows, columns)
    if within is not None:
        shares = box_coverage(within[:, None], maps.shape[-2:])
        counted = shares >= shares.amax((1, 2), keepdim=True).clamp(max=HALF)
        maps = maps.masked_fill(~counted, -torch.inf)
    highest = maps == maps.amax((1, 2), keepdim=True)
    return (highest & inside).sum((1, 2)).double() / highest.sum((1, 2))


def pointing_chance(
    boxes: Tensor, *, tolerance: float = 0.0, within: Tensor | None = None
) -> Tensor:
    """Compute the hit rate of a random point: the area of the union of the boxes.

    Args:
        boxes: ``(P, n, 4)`` float; a box without area is padding.
        tolerance: As in `pointing_hits`.
        within: ``(P, 4)`` float, the part of each map that points are drawn from; by default all.

    Returns:
        ``(P,)`` float64 in [0, 1].

    Example:
        >>> pointing_chance(torch.tensor([[[0.0, 0.0, 0.5, 0.5], [0.0, 0.0, 0.5, 0.25]]])).tolist()
        [0.25]
    """
    area = box_coverage(_enlarged(boxes, tolerance), (1, 1))[:, 0, 0]
    return area if within is None else area / box_coverage(within[:, None], (1, 1))[:, 0, 0]


def energy_in_boxes(maps: Tensor, boxes: Tensor, *, within: Tensor | None = None) -> Tensor:
    """Compute the fraction of each map's positive part that lies within its boxes.

    Wang et al., Score-CAM, CVPR Workshops 2020, the energy-based pointing game. Maps are taken as
    constant over each cell, and cells are cut exactly where a box cuts them, so that fractions add
    up. For a uniform map the result is the area of the boxes.

    Args:
        maps: ``(P, h, w)`` float, the map of each pair.
        boxes: ``(P, n, 4)`` float, boxes of each pair; a box without area is padding.
        within: ``(P, 4)`` float, the part of each map that counts, around the boxes; by default all
            of it.

    Returns:
        ``(P,)`` float64 in [0, 1]; 0 for a map without a positive value.

    Raises:
        ValueError: If the shapes do not match, or the boxes are not fractions.

    Example:
        >>> maps = torch.tensor([[[1.0, 3.0]]])
        >>> energy_in_boxes(maps, torch.tensor([[[0.0, 0.0, 0.5, 1.0]]])).tolist()
        [0.25]
    """
    _check_pairs(maps, boxes)
    energy = maps.double().clamp(min=0)
    inside = (energy * box_coverage(boxes, maps.shape[-2:])).sum((1, 2))
    if within is not None:
        energy = energy * box_coverage(within[:, None], maps.shape[-2:])
    total = energy.sum((1, 2))
    return torch.where(total > 0, inside / total, 0.0)


def box_coverage(boxes: Tensor, grid: tuple[int, int] | torch.Size) -> Tensor:
    """Compute the exact fraction of each cell that the union of the boxes covers.

    Args:
        boxes: ``(P, n, 4)`` float; a box without area is padding.
        grid: Height and width of the grid, in cells.

    Returns:
        ``(P, h, w)`` float64 in [0, 1].

    Example:
        >>> box_coverage(torch.tensor([[[0.0, 0.25, 0.75, 0.75]]]), (1, 2)).tolist()
        [[[0.5, 0.25]]]
    """
    _check_boxes(boxes)
    left, top, right, bottom = boxes.double().unbind(-1)
    rows, row_shares = _strips(top, bottom, grid[0])
    columns, column_shares = _strips(left, right, grid[1])
    return row_shares @ _in_any_box(rows, columns).double() @ column_shares.mT


class LabelMeans(NamedTuple):
    """Means of values of pairs.

    Attributes:
        per_label: ``(L,)`` float64, the mean over each label's pairs; NaN without a pair.
        pairs: ``(L,)`` int, number of pairs of each label.
        mean: The mean over the labels with a pair.
        overall: The mean over all pairs.
    """

    per_label: Tensor
    pairs: Tensor
    mean: float
    overall: float


def mean_by_label(values: Tensor, labels: Tensor, size: int) -> LabelMeans:
    """Average the values of pairs within each label and over labels.

    Args:
        values: ``(P,)`` float.
        labels: ``(P,)`` int in [0, L), the label of each pair.
        size: Number of labels ``L``.

    Example:
        >>> means = mean_by_label(torch.tensor([1.0, 0.0, 1.0]), torch.tensor([0, 0, 1]), 2)
        >>> means.per_label.tolist(), means.mean
        ([0.5, 1.0], 0.75)
    """
    values = values.double()
    pairs = torch.bincount(labels, minlength=size)
    per_label = torch.bincount(labels, weights=values, minlength=size) / pairs
    return LabelMeans(per_label, pairs, per_label.nanmean().item(), values.mean().item())


def consistency_error(maps: Tensor, others: Tensor) -> Tensor:
    """Measure the distance between the maps of photos and those of their transformed views.

    It is the mean squared difference over the variance of a label's map over its cells, averaged
    over labels: 0 for an equivariant network, about 2 for independent maps of equal means. A
    constant added to all cells, such as a bias, does not change it.

    Args:
        maps: ``(B, L, h, w)`` float, the maps of the photos.
        others: ``(B, L, h, w)`` float, the maps of their transformed views in the same frame.

    Returns:
        ``(B,)`` float64, at least 0, without gradient. NaN for a photo whose maps have no variance,
        as in a grid of one cell, unless the maps of its view are equal.

    Raises:
        ValueError: If the shapes differ.

    Example:
        >>> maps = torch.tensor([[[[0.0, 2.0]]]])
        >>> consistency_error(maps, maps).item(), consistency_error(maps, maps.flip(-1)).item()
        (0.0, 4.0)
    """
    if maps.shape != others.shape:
        msg = (
            "expected the maps of both views on one grid, "
            f"got shapes {tuple(maps.shape)} and {tuple(others.shape)}"
        )
        raise ValueError(msg)
    maps, others = maps.detach().double(), others.detach().double()
    variance = maps.var((-2, -1), correction=0).mean(1)
    squared = (maps - others).square().mean((1, 2, 3))
    rounding = maps.square().mean((1, 2, 3)) * ROUNDING**2
    flat = torch.where(squared <= rounding, 0.0, torch.nan)
    return torch.where(variance <= rounding, flat, squared / variance)


def _check_pairs(maps: Tensor, boxes: Tensor) -> None:
    if maps.ndim != 3 or boxes.ndim != 3 or len(maps) != len(boxes):
        msg = (
            "expected maps (P, h, w) and boxes (P, n, 4) of the same pairs, "
            f"got shapes {tuple(maps.shape)} and {tuple(boxes.shape)}"
        )
        raise ValueError(msg)


def _check_boxes(boxes: Tensor) -> None:
    # Annotators' boxes may extend beyond the photo a little; larger numbers must be pixels.
    as_fractions = ((boxes >= -1) & (boxes <= 2)).all(-1)
    wrong = boxes[~(as_fractions & (boxes[..., :2] <= boxes[..., 2:]).all(-1))]
    if len(wrong):
        msg = (
            "expected boxes (left, top, right, bottom) as fractions of the photo's width and "
            f"height, got {wrong[0].tolist()!r}"
        )
        raise ValueError(msg)


def _enlarged(boxes: Tensor, tolerance: float) -> Tensor:
    _check_boxes(boxes)
    boxes = boxes.double()
    margin = boxes.new_tensor([-tolerance, -tolerance, tolerance, tolerance])
    has_area = (boxes[..., :2] < boxes[..., 2:]).all(-1, keepdim=True)
    return torch.where(has_area, boxes + margin, 0.0)


def _centres_inside(starts: Tensor, ends: Tensor, cells: int) -> Tensor:
    centres = (torch.arange(cells, dtype=starts.dtype, device=starts.device) + 0.5) / cells
    return (starts[..., None] <= centres) & (centres <= ends[..., None])


def _strips(starts: Tensor, ends: Tensor, cells: int) -> tuple[Tensor, Tensor]:
    """Cut an axis into ``S`` strips, at every start and end of a box or a cell.

    Returns:
        ``(P, n, S)`` bool, whether a box contains a strip, and ``(P, cells, S)`` float64, the
        fraction of a cell that a strip covers.
    """
    lines = torch.linspace(0, 1, cells + 1, dtype=starts.dtype, device=starts.device)
    cuts = torch.cat([starts, ends, lines.expand(len(starts), -1)], dim=1).sort(dim=1).values
    middles = (cuts[:, 1:] + cuts[:, :-1])[:, None] / 2
    in_box = (starts[..., None] < middles) & (middles < ends[..., None])
    in_cell = (lines[:-1, None] < middles) & (middles < lines[1:, None])
    return in_box, in_cell * cuts.diff(dim=1)[:, None] * cells


def _in_any_box(rows: Tensor, columns: Tensor) -> Tensor:
    """Find where both axes are in the same box: ``(P, n, R), (P, n, C) -> (P, R, C)`` bool."""
    return (rows.mT.float() @ columns.float()) > 0
