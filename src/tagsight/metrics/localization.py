"""Whether maps point at what they claim: the pointing game, energy in boxes, consistency.

A pair is one label of one photo, with its map and the boxes of its objects. Boxes are fractions of
the photo's width and height, ``(left, top, right, bottom)`` in [0, 1]: a photo is resized to a
square whatever its shape, so these fit a map of any grid. What sticks out of the photo is cut off,
and overlapping boxes count once. Everything is computed in float64.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch

if TYPE_CHECKING:
    from torch import Tensor

ROUNDING = 1e-6
"""What single precision makes of a number, relative to it: maps that vary less are flat."""


def pointing_hits(maps: Tensor, boxes: Tensor, *, tolerance: float = 0.0) -> Tensor:
    """Whether the highest point of each map lies in a box of its label: the pointing game.

    Zhang et al., Top-down Neural Attention by Excitation Backprop, ECCV 2016. The highest point
    is the centre of the highest cell: there a bilinear enlargement has its maximum, whatever its
    size. Cells that are equally high share the hit, so that a flat map hits by chance only and
    mirroring changes nothing.

    Args:
        maps: ``(P, h, w)`` float, the map of each pair.
        boxes: ``(P, n, 4)`` float, boxes of each pair; a box without area is padding.
        tolerance: How far outside a box still counts, as a fraction of the photo's width and
            height. The published game allows 15 pixels, about 0.03 of a photo of 500. None by
            default: give the same to `pointing_chance`.

    Returns:
        ``(P,)`` float64 in [0, 1], 1 for a hit.

    Raises:
        ValueError: If the shapes do not fit, or the boxes are not fractions.
    """
    _check_pairs(maps, boxes)
    left, top, right, bottom = _enlarged(boxes, tolerance).unbind(-1)
    rows = _centres_inside(top, bottom, maps.shape[-2])
    columns = _centres_inside(left, right, maps.shape[-1])
    inside = _in_any_box(rows, columns)
    highest = maps == maps.amax((1, 2), keepdim=True)
    return (highest & inside).sum((1, 2)).double() / highest.sum((1, 2))


def pointing_chance(boxes: Tensor, *, tolerance: float = 0.0) -> Tensor:
    """The share of pointing hits of a map that knows nothing: the area of the union of the boxes.

    Args:
        boxes: ``(P, n, 4)`` float; a box without area is padding.
        tolerance: As in `pointing_hits`.

    Returns:
        ``(P,)`` float64 in [0, 1].
    """
    return box_coverage(_enlarged(boxes, tolerance), (1, 1))[:, 0, 0]


def energy_in_boxes(maps: Tensor, boxes: Tensor) -> Tensor:
    """The share of each map's positive part that lies within its boxes.

    Wang et al., Score-CAM, CVPR Workshops 2020, the energy-based pointing game. Each cell
    is taken as constant over the area of the photo that it covers and cut exactly where a box cuts
    it, so that shares add up; of a uniform map the boxes hold just their area.

    Args:
        maps: ``(P, h, w)`` float, the map of each pair.
        boxes: ``(P, n, 4)`` float, boxes of each pair; a box without area is padding.

    Returns:
        ``(P,)`` float64 in [0, 1]; 0 for a map without a positive value.

    Raises:
        ValueError: If the shapes do not fit, or the boxes are not fractions.
    """
    _check_pairs(maps, boxes)
    energy = maps.double().clamp(min=0)
    inside = (energy * box_coverage(boxes, maps.shape[-2:])).sum((1, 2))
    total = energy.sum((1, 2))
    return torch.where(total > 0, inside / total, 0.0)


def box_coverage(boxes: Tensor, grid: tuple[int, int] | torch.Size) -> Tensor:
    """The share of each cell of a grid that the union of the boxes covers, exactly.

    Args:
        boxes: ``(P, n, 4)`` float; a box without area is padding.
        grid: Height and width of the grid, in cells.

    Returns:
        ``(P, h, w)`` float64 in [0, 1].
    """
    _check_boxes(boxes)
    left, top, right, bottom = boxes.double().unbind(-1)
    rows, row_shares = _strips(top, bottom, grid[0])
    columns, column_shares = _strips(left, right, grid[1])
    return row_shares @ _in_any_box(rows, columns).double() @ column_shares.mT


class LabelMeans(NamedTuple):
    """Values of pairs, averaged.

    Attributes:
        per_label: ``(L,)`` float64, the mean of each label's pairs; NaN for a label without a pair.
        pairs: ``(L,)`` int, number of pairs of each label.
        mean: The mean over the labels that have a pair.
        overall: The mean over the pairs.
    """

    per_label: Tensor
    pairs: Tensor
    mean: float
    overall: float


def mean_by_label(values: Tensor, labels: Tensor, size: int) -> LabelMeans:
    """Average the values of pairs within and over labels.

    Args:
        values: ``(P,)`` float.
        labels: ``(P,)`` int in [0, L), the label of each pair.
        size: Number of labels ``L``.
    """
    values = values.double()
    pairs = torch.bincount(labels, minlength=size)
    per_label = torch.bincount(labels, weights=values, minlength=size) / pairs
    return LabelMeans(per_label, pairs, per_label.nanmean().item(), values.mean().item())


def consistency_error(maps: Tensor, others: Tensor) -> Tensor:
    """How far the maps of a transformed photo, brought back, are from those of the photo itself.

    The mean squared difference relative to the variance of a label's map over its cells, averaged
    over labels: 0 for an equivariant network, about 2 for maps that have nothing to do with each
    other but their means. What is the same in all cells, such as a bias, makes no difference.

    Args:
        maps: ``(B, L, h, w)`` float, the maps of the photos.
        others: ``(B, L, h, w)`` float, the maps of their transformed views in the same frame.

    Returns:
        ``(B,)`` float64, at least 0, without gradient; nan for a photo whose maps are the same in
        all cells, as in a grid of one, while those of its view are others: nothing is relative to
        no variance.

    Raises:
        ValueError: If the shapes disagree.
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
    # Annotators' boxes may stick out of the photo; far outside there are only pixels.
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
    """Cut an axis wherever a box or a cell begins or ends, into ``S`` strips.

    Returns:
        ``(P, n, S)`` bool, whether a box holds a strip, and ``(P, cells, S)`` float64, the share of
        a cell's extent that a strip makes up.
    """
    lines = torch.linspace(0, 1, cells + 1, dtype=starts.dtype, device=starts.device)
    cuts = torch.cat([starts, ends, lines.expand(len(starts), -1)], dim=1).sort(dim=1).values
    middles = (cuts[:, 1:] + cuts[:, :-1])[:, None] / 2
    in_box = (starts[..., None] < middles) & (middles < ends[..., None])
    in_cell = (lines[:-1, None] < middles) & (middles < lines[1:, None])
    return in_box, in_cell * cuts.diff(dim=1)[:, None] * cells


def _in_any_box(rows: Tensor, columns: Tensor) -> Tensor:
    """Where both axes are in one box: ``(P, n, R), (P, n, C) -> (P, R, C)`` bool."""
    return (rows.mT.float() @ columns.float()) > 0
