"""Embeddings of parts of photos."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tagsight.data.photos.resizing import WHOLE, Frame
from tagsight.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tagsight.config import Pooling

Region = tuple[float, float, float, float]
"""Left, top, width and height in pixels of the upright photo."""


def region_vector(
    features: NDArray[np.float32],
    region: Region,
    size: tuple[int, int],
    pooling: Pooling,
    *,
    frame: Frame = WHOLE,
) -> NDArray[np.float32]:
    """Pool the features in a region to one vector: ``(D, h, w) -> (D,)``.

    The vector of the whole photo is its embedding. A cell that is partly in the region is weighted
    by that part in a mean, and counts fully in a maximum.

    Args:
        features: ``(D, h, w)`` float32, the feature grid.
        region: A part of the photo, cropped to the photo.
        size: Width and height of the photo in pixels.
        pooling: How the model pools its feature grid.
        frame: Where on the photo the grid lies, by default on all of it.

    Raises:
        DataError: If the region and the part of the photo under the grid do not overlap.

    Example:
        >>> features = np.array([[[1, 3]]], dtype=np.float32)
        >>> region_vector(features, (0, 0, 6, 4), size=(8, 4), pooling="average").round(3)
        array([1.667], dtype=float32)
        >>> region_vector(features, (0, 0, 6, 4), size=(8, 4), pooling="max")
        array([3.], dtype=float32)
    """
    left, top, width, height = region
    start = max(0, left / size[0]), max(0, top / size[1])
    end = min(1, (left + width) / size[0]), min(1, (top + height) / size[1])
    box = frame.within(*start, *end)
    rows = _coverage(box.top, box.bottom, features.shape[1])
    columns = _coverage(box.left, box.right, features.shape[2])
    coverage = rows[:, None] * columns
    if not (width > 0 and height > 0 and coverage.any()):
        msg = (
            f"expected a region left, top, width, height within {size[0]} x {size[1]} pixels"
            f"{'' if frame == WHOLE else ', in the part that the model sees'}, "
            f"got {', '.join(f'{number:g}' for number in region)}"
        )
        raise DataError(msg)
    if pooling == "max":
        maximum: NDArray[np.float32] = features[:, coverage > 0].max(1)
        return maximum
    mean: NDArray[np.float32] = np.einsum("dhw,hw->d", features, coverage / coverage.sum())
    return mean


def _coverage(start: float, end: float, cells: int) -> NDArray[np.float32]:
    """Fraction of each cell of an axis between ``start`` and ``end`` in [0, 1]: ``(cells,)``."""
    edges = np.arange(cells + 1) / cells
    within = np.minimum(end, edges[1:]) - np.maximum(start, edges[:-1])
    return (within.clip(min=0) * cells).astype(np.float32)
