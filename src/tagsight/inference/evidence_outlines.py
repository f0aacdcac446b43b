"""Outlines of the evidence for a label, as polygons and as a mask."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np
from PIL import Image, ImageDraw

from tagsight.data.photos.resizing import WHOLE, Frame
from tagsight.inference.evidence_parts import GRID, strong_parts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    Loop: TypeAlias = NDArray[np.float64]

TOLERANCE = 0.5
"""Cells by which a corner may lie off the simpler outline that leaves it out."""

_Cell: TypeAlias = tuple[int, int]

_SIDES = (
    ((-1, 0), (0, 0), (0, 1)),
    ((0, 1), (0, 1), (1, 1)),
    ((1, 0), (1, 1), (1, 0)),
    ((0, -1), (1, 0), (0, 0)),
)
"""Of each side of a cell: where its neighbour is, and where the side begins and ends, clockwise."""


class Outline(NamedTuple):
    """The edge of a part of a photo, in fractions of its width and height.

    Attributes:
        outer: ``(n, 2)`` float, x and y of the corners of a polygon, clockwise.
        holes: The same, of what is left out within it, the other way round.
    """

    outer: Loop
    holes: list[Loop]


class _Side(NamedTuple):
    """The side of a cell at which a part ends.

    Attributes:
        cell: Row and column.
        end: Row and column of the corner at its end.
        point: x and y where the evidence falls below the level, in cells.
    """

    cell: _Cell
    end: _Cell
    point: tuple[float, float]


def evidence_outlines(evidence: NDArray[np.float32], frame: Frame = WHOLE) -> list[Outline]:
    """Outline the strongest evidence for a label (`strong_parts`).

    An outline runs where the map, interpolated linearly between the centres of cells, falls below
    the level at which the parts are cut (Lorensen and Cline, Marching cubes, SIGGRAPH 1987, in the
    plane). It is simplified as in Douglas and Peucker, Cartographica 1973.

    Args:
        evidence: ``(h, w)`` float, in logits.
        frame: Where on the photo the map lies; by default on all of it.

    Returns:
        At most `MOST_PARTS`, the one with the strongest evidence first; none if no value is
        positive.

    Example:
        >>> evidence = np.zeros((4, 4), np.float32)
        >>> evidence[:, 2:] = 2
        >>> evidence_outlines(evidence)[0].outer.round(2).tolist()
        [[0.45, 1.0], [0.45, 0.0], [1.0, 0.0], [1.0, 1.0]]
    """
    parts = strong_parts(evidence)
    rows, columns = frame.cells(GRID, GRID)
    photo = np.reshape(frame.within(0.0, 0.0, 1.0, 1.0), (2, 2)) * GRID
    # Beyond the photo all goes on as at its edge, where outlines are cut.
    values = np.pad(parts.evidence[rows, columns], 1, mode="edge")
    start = np.array([columns.start, rows.start]) - 1.0
    found = []
    for mask in parts.masks:
        edges = _edges(np.pad(mask[rows, columns], 1, mode="edge"), values, parts.level)
        loops = [_simplified(np.clip(edge + start, *photo)) for edge in edges]
        placed = [(loop - photo[0]) / (photo[1] - photo[0]) for loop in loops]
        areas = [_area(loop) for loop in placed]
        if max(areas, default=0.0) > 0:
            holes = [loop for loop, area in zip(placed, areas, strict=True) if area < 0]
            found.append(Outline(placed[int(np.argmax(areas))], holes))
    return found


def outline_mask(outlines: Sequence[Outline], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Fill outlines on a photo: ``(height, width)`` uint8, 255 inside and 0 outside.

    Args:
        outlines: What to fill.
        size: Width and height of the photo in pixels.

    Example:
        >>> square = np.array([[0.5, 0.0], [1.0, 0.0], [1.0, 1.0], [0.5, 1.0]])
        >>> outline_mask([Outline(square, [])], (4, 1)).tolist()
        [[0, 0, 255, 255]]
    """
    mask = Image.new("L", size)
    draw = ImageDraw.Draw(mask)
    for outline in outlines:
        for loop, value in ((outline.outer, 255), *((hole, 0) for hole in outline.holes)):
            # Pillow's corners are pixels, which it fills: the last one is one before the edge.
            corners = np.round(loop * size) - (loop > loop.mean(0))
            draw.polygon([(float(x), float(y)) for x, y in corners], fill=value)
    return np.asarray(mask)


def _edges(mask: NDArray[np.bool_], evidence: NDArray[np.float32], level: float) -> Iterator[Loop]:
    """Yield the closed edges of a mask: ``(n, 2)`` x and y in cells, clockwise unless of a hole."""
    sides = _sides(mask, evidence, level)
    while sides:
        first = next(iter(sides))
        corner, points, side = first, [], sides[first][0]
        while True:
            points.append(side.point)
            sides[corner].remove(side)
            if not sides[corner]:
                del sides[corner]
            corner, following = side.end, _next(sides.get(side.end, []), side, first)
            if following is None:
                break
            side = following
        yield np.array(points)


def _sides(
    mask: NDArray[np.bool_], evidence: NDArray[np.float32], level: float
) -> dict[_Cell, list[_Side]]:
    """Return the sides at which a mask ends, by the corner at which they begin."""
    found: dict[_Cell, list[_Side]] = {}
    for row, column in np.argwhere(mask).tolist():
        for (down, right), begin, end in _SIDES:
            beyond = row + down, column + right
            if not _holds(mask, beyond):
                share = _share_inside(evidence, (row, column), beyond, level)
                point = column + 0.5 + share * right, row + 0.5 + share * down
                side = _Side((row, column), (row + end[0], column + end[1]), point)
                found.setdefault((row + begin[0], column + begin[1]), []).append(side)
    return found


def _next(sides: Sequence[_Side], before: _Side, first: _Cell) -> _Side | None:
    """Return the side that follows another one, or None where the edge is closed.

    At a corner where two cells touch that share no side, the edge stays with its cell.
    """
    own = next((side for side in sides if side.cell == before.cell), None)
    return own if own is not None or before.end == first else sides[0]


def _holds(mask: NDArray[np.bool_], cell: _Cell) -> bool:
    inside = 0 <= cell[0] < mask.shape[0] and 0 <= cell[1] < mask.shape[1]
    return inside and bool(mask[cell])


def _share_inside(evidence: NDArray[np.float32], cell: _Cell, beyond: _Cell, level: float) -> float:
    """Return how far from a cell's centre to its neighbour's the evidence reaches a level."""
    try:
        low = float(evidence[beyond]) if min(beyond) >= 0 else level
    except IndexError:
        low = level
    high = float(evidence[cell])
    return (high - level) / (high - low) if high > level > low else 0.5


def _simplified(loop: Loop) -> Loop:
    """Leave out corners of a closed loop that lie near the line between others."""
    loop = np.roll(loop, -int(np.square(loop - loop.mean(0)).sum(1).argmax()), 0)
    far = int(np.square(loop - loop[0]).sum(1).argmax())
    there, back = loop[: far + 1], np.concatenate([loop[far:], loop[:1]])
    return np.concatenate([_thinned(there)[:-1], _thinned(back)[:-1]])


def _thinned(line: Loop) -> Loop:
    """Leave out corners of a line, but for its ends."""
    begin, end = line[0], line[-1]
    (across, down), length = end - begin, float(np.hypot(*(end - begin)))
    if len(line) <= 2 or length == 0:
        return line[[0, -1]]
    away = np.abs((line - begin) @ (down, -across)) / length
    far = int(away.argmax())
    if away[far] <= TOLERANCE:
        return line[[0, -1]]
    return np.concatenate([_thinned(line[: far + 1])[:-1], _thinned(line[far:])])


def _area(loop: Loop) -> float:
    """Return the area within a loop, negative unless it is clockwise with y downwards."""
    x, y = loop.T
    return float(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2
