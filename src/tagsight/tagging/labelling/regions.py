"""Parts of photos, to find photos with a part like them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tagsight.inference.region_pooling import region_vector
from tagsight.tagging.labelling.encoder import CELLS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tagsight.data.photos.resizing import Frame

Box = tuple[float, float, float, float]
"""Left, top, width and height, as fractions of the photo."""


def region_cell(cells: NDArray[np.int8], box: Box, frame: Frame) -> NDArray[np.float32]:
    """Pool the compact cells in a part of a photo: ``(49, 64) -> (64,)``.

    Args:
        cells: ``(49, 64)`` int8.
        box: The part of the photo.
        frame: Where on the photo the cells lie.

    Raises:
        DataError: If the part and the photo do not overlap.

    Example:
        >>> from tagsight.data.photos.resizing import frame_of
        >>> cells = np.zeros((CELLS, CELLS, 64), np.int8)
        >>> cells[:, CELLS // 2 :, 0] = 127  # something on the right
        >>> frame = frame_of((640, 480), 224, "warp")
        >>> left, right = (0.0, 0.0, 0.4, 1.0), (0.6, 0.0, 0.4, 1.0)
        >>> [float(region_cell(cells.reshape(49, 64), box, frame)[0]) for box in (left, right)]
        [0.0, 127.0]
    """
    grid = cells.reshape(CELLS, CELLS, -1).transpose(2, 0, 1).astype(np.float32)
    return region_vector(grid, box, (1, 1), "average", frame=frame)
