"""Enlarge evidence maps smoothly, without evidence that no cell has."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tagsight.data.photos.resizing import Frame

Box: TypeAlias = tuple[float, float, float, float]
"""Left, top, right and bottom in pixels of a photo, beyond whose edges it may reach."""


def upsample(
    evidence: NDArray[np.float32], size: tuple[int, int], box: Box | None = None
) -> NDArray[np.float32]:
    """Enlarge a map to the pixels of a photo: ``(h, w) -> (height, width)``, smooth.

    The value of a cell stands at its centre, and those between by monotone cubic interpolation
    (Fritsch and Butland, SIAM J. Sci. Stat. Comput. 1984) along rows and columns: no value is
    higher or lower than all of the four cells around it, so the highest cell stays the maximum.
    Beyond the outermost centres the map is constant.

    Args:
        evidence: ``(h, w)`` float.
        size: Width and height of the photo in pixels.
        box: Where on the photo the map lies; by default on the whole photo. Values outside are 0.

    Example:
        >>> upsample(np.array([[0, 1]], dtype=np.float32), (4, 1)).tolist()
        [[0.0, 0.15625, 0.84375, 1.0]]
        >>> upsample(np.ones((2, 2), np.float32), (4, 1), box=(1, 0, 3, 1)).tolist()
        [[0.0, 1.0, 1.0, 0.0]]
    """
    left, top, right, bottom = box or (0, 0, *size)
    rows, row_inside = _cells_at(size[1], top, bottom, evidence.shape[0])
    columns, column_inside = _cells_at(size[0], left, right, evidence.shape[1])
    # The order of the axes matters a little, and no axis comes first.
    rows_first = _down(_down(evidence, rows).T, columns).T
    columns_first = _down(_down(evidence.T, columns).T, rows)
    enlarged = np.float32(0.5) * (rows_first + columns_first)
    enlarged[~row_inside] = 0
    enlarged[:, ~column_inside] = 0
    return enlarged


def over_padding(maps: NDArray[np.float32], frame: Frame) -> NDArray[np.float32]:
    """Continue maps beyond the edges of the photo, where they have padding: ``(..., h, w)``.

    A cell of padding gets the value of the nearest cell on the photo, less the smallest step, so
    that it is drawn like that cell and is not mistaken for the peak.

    Args:
        maps: ``(..., h, w)`` float.
        frame: Where on the photo the maps lie.

    Example:
        >>> from tagsight.data.photos.resizing import Frame
        >>> tall = np.array([[7], [1], [3], [7]], dtype=np.float32)
        >>> over_padding(tall, Frame(0.0, -0.5, 1.0, 1.5)).round(3)[:, 0].tolist()
        [1.0, 1.0, 3.0, 3.0]
    """
    rows, columns = frame.cells(*maps.shape[-2:])
    photo = maps[..., rows, columns]
    nearest = tuple(
        np.clip(np.arange(cells) - axis.start, 0, axis.stop - axis.start - 1)
        for cells, axis in zip(maps.shape[-2:], (rows, columns), strict=True)
    )
    continued = np.nextafter(photo[..., nearest[0][:, None], nearest[1]], np.float32(-np.inf))
    continued[..., rows, columns] = photo
    return continued


def _cells_at(
    pixels: int, start: float, end: float, cells: int
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return where the centres of pixels lie among those of cells, and whether on the map."""
    share = (np.arange(pixels) + 0.5 - start) / (end - start)
    places = np.clip(share * cells - 0.5, 0, cells - 1).astype(np.float32)
    return places, (share >= 0) & (share <= 1)


def _down(values: NDArray[np.float32], places: NDArray[np.float32]) -> NDArray[np.float32]:
    """Interpolate along the first axis: ``(n, m) -> (len(places), m)``."""
    if len(values) == 1:
        return np.repeat(values, len(places), axis=0)
    steps = np.diff(values, axis=0)
    slopes = np.zeros_like(values)
    slopes[1:-1] = _harmonic_mean(steps[:-1], steps[1:])
    first = places.astype(np.intp).clip(max=len(values) - 2)
    t = (places - first)[:, None]
    rise = t * t * (3 - 2 * t)
    return (
        values[first]
        + rise * steps[first]
        + t * (1 - t) ** 2 * slopes[first]
        - t * t * (1 - t) * slopes[first + 1]
    )


def _harmonic_mean(before: NDArray[np.float32], after: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the slope at a cell: 0 at an extremum."""
    alike = before * after > 0
    total = np.where(alike, before + after, 1)
    return np.where(alike, 2 * before * after / total, 0)
