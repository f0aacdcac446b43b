"""A part of a photo, described by the features there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tagsight.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tagsight.config import Pooling

Region = tuple[float, float, float, float]
"""Left, top, width and height in pixels of the upright photo."""


def region_vector(
    features: NDArray[np.float32], region: Region, size: tuple[int, int], pooling: Pooling
) -> NDArray[np.float32]:
    """Reduce a part of a feature grid to one vector: ``(D, h, w) -> (D,)``.

    Over the whole photo it is its embedding. A cell that the region cuts counts by the part within
    for a mean, and whole for a maximum.

    Args:
        features: Constant over each cell of the grid, which covers the photo.
        region: A part of the photo; what lies beyond the photo is cut off.
        size: Width and height of the photo in pixels.
        pooling: How embeddings are made of grids.

    Raises:
        DataError: If the region has no part of the photo.
    """
    left, top, width, height = region
    rows = _shares(top / size[1], (top + height) / size[1], features.shape[1])
    columns = _shares(left / size[0], (left + width) / size[0], features.shape[2])
    coverage = rows[:, None] * columns
    if not (width > 0 and height > 0 and coverage.any()):
        msg = (
            f"expected a region left, top, width, height within {size[0]} x {size[1]} pixels, "
            f"got {', '.join(f'{number:g}' for number in region)}"
        )
        raise DataError(msg)
    if pooling == "max":
        most: NDArray[np.float32] = features[:, coverage > 0].max(1)
        return most
    mean: NDArray[np.float32] = np.einsum("dhw,hw->d", features, coverage / coverage.sum())
    return mean


def _shares(start: float, end: float, cells: int) -> NDArray[np.float32]:
    """The share of each cell of an axis that lies between a start and an end: ``(cells,)``."""
    lines = np.arange(cells + 1) / cells
    within = np.minimum(end, lines[1:]) - np.maximum(start, lines[:-1])
    return (within.clip(min=0) * cells).astype(np.float32)
