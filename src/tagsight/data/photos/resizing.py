"""Resizing of decoded photos to the square that a network sees, and where the square lies.

Training, evaluation, inference and export all resize as this module says (`Resize`):

- ``warp`` resizes width and height to the side of the square, whatever the aspect ratio;
- ``fit`` resizes the longer side to that of the square and pads the shorter one at both ends;
- ``crop`` resizes the shorter side to that of the square and cuts both ends of the longer one off.

The photo is always in the middle of the square, to the pixel, so that mirrored and turned photos
are resized to mirrored and turned squares.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tagsight.config import Resize

OPAQUE = 255

HALF = 0.4999
"""Share of a cell on the photo from which it counts: half, less rounding."""


class Frame(NamedTuple):
    """The place of a square on a photo, in fractions of the photo's width and height.

    What is padded extends below 0 and above 1.
    """

    left: float
    top: float
    right: float
    bottom: float

    def part(self, left: float, top: float, right: float, bottom: float) -> Frame:
        """Return the place of a part of the square, given in fractions of the square.

        Example:
            >>> Frame(0.0, -0.5, 1.0, 1.5).part(0.0, 0.25, 1.0, 0.75)
            Frame(left=0.0, top=0.0, right=1.0, bottom=1.0)
        """
        return Frame(*self._point(left, top), *self._point(right, bottom))

    def within(self, left: float, top: float, right: float, bottom: float) -> Frame:
        """Convert a box on the photo to fractions of the square; the inverse of `part`.

        Example:
            >>> Frame(0.0, -0.5, 1.0, 1.5).within(0.0, 0.0, 1.0, 1.0)
            Frame(left=0.0, top=0.25, right=1.0, bottom=0.75)
        """
        return Frame(*self._place(left, top), *self._place(right, bottom))

    def pixels(self, size: tuple[int, int]) -> tuple[float, float, float, float]:
        """Convert to pixels of a photo of this width and height.

        Example:
            >>> Frame(0.0, -0.5, 1.0, 1.5).pixels((40, 20))
            (0.0, -10.0, 40.0, 30.0)
        """
        width, height = size
        return self.left * width, self.top * height, self.right * width, self.bottom * height

    def cells(self, rows: int, columns: int) -> tuple[slice, slice]:
        """Find the cells of a grid over the square that count as part of the photo.

        At least half of such a cell lies on the photo; if there is none, those count that have the
        largest part on it.

        Example:
            >>> Frame(0.0, -0.5, 1.0, 1.5).cells(8, 8)
            (slice(2, 6, None), slice(0, 8, None))
        """
        photo = self.within(0.0, 0.0, 1.0, 1.0)
        return _covered(photo.top, photo.bottom, rows), _covered(photo.left, photo.right, columns)

    @property
    def _size(self) -> tuple[float, float]:
        return self.right - self.left, self.bottom - self.top

    def _point(self, across: float, down: float) -> tuple[float, float]:
        """Convert a place on the square to one on the photo."""
        width, height = self._size
        return self.left + across * width, self.top + down * height

    def _place(self, across: float, down: float) -> tuple[float, float]:
        """Convert a place on the photo to one on the square."""
        width, height = self._size
        return (across - self.left) / width, (down - self.top) / height


WHOLE = Frame(0.0, 0.0, 1.0, 1.0)
"""The place of a square that is the whole photo."""


def as_square(photo: Image.Image, side: int, resize: Resize = "warp") -> NDArray[np.uint8]:
    """Resize an upright RGB photo to a square; bilinear, antialiased.

    Width and height are resized one after the other: for both at once, Pillow 13 chooses the order
    by the shape of the photo, and older versions do not, so that results would differ.

    Args:
        photo: RGB photo.
        side: Side of the square, in pixels.
        resize: How the photo is made a square.

    Returns:
        ``(side, side, 3)`` uint8; with ``fit`` ``(side, side, 4)``, where the fourth channel is 255
        on the photo and 0 on the padding.

    Example:
        >>> from PIL import Image
        >>> photo = Image.new("RGB", (640, 480))
        >>> as_square(photo, 224).shape, as_square(photo, 224, "fit").shape
        ((224, 224, 3), (224, 224, 4))
    """
    across, down = overhangs(photo.size, side, resize)
    if resize == "fit":
        square = np.zeros((side, side, 4), np.uint8)
        square[-down : side + down, -across : side + across, :3] = _resized(
            photo, (side + 2 * across, side + 2 * down), (0, 0)
        )
        square[-down : side + down, -across : side + across, 3] = OPAQUE
        return square
    return _resized(photo, (side, side), (across, down))


def frame_of(size: tuple[int, int], side: int, resize: Resize) -> Frame:
    """Compute where the square lies on a photo that `as_square` resizes.

    Args:
        size: Width and height of the photo, in pixels.
        side: Side of the square, in pixels.
        resize: How the photo is made a square.

    Example:
        >>> frame_of((400, 200), 100, "fit")
        Frame(left=0.0, top=-0.5, right=1.0, bottom=1.5)
        >>> frame_of((400, 200), 100, "crop")
        Frame(left=0.25, top=0.0, right=0.75, bottom=1.0)
    """
    left, top = (
        overhang / (side + 2 * overhang) + 0.0 for overhang in overhangs(size, side, resize)
    )
    return Frame(left, top, 1 - left, 1 - top)


def overhangs(size: tuple[int, int], side: int, resize: Resize) -> tuple[int, int]:
    """Compute how far the resized photo extends beyond the square, at each end of both axes.

    Args:
        size: Width and height of the photo, in pixels.
        side: Side of the square, in pixels.
        resize: How the photo is made a square.

    Returns:
        Pixels across and down; negative where the square is padded.

    Example:
        >>> overhangs((640, 480), 224, "fit"), overhangs((640, 480), 224, "crop")
        ((0, -28), (37, 0))
    """
    if resize == "warp":
        return 0, 0
    if resize == "fit":
        longest = max(size)
        most = (side - 1) // 2  # at least one row of pixels is left
        width, height = (
            min(((longest - length) * side + longest) // (2 * longest), most) for length in size
        )
        return -width, -height
    shortest = min(size)
    width, height = (((length - shortest) * side + shortest) // (2 * shortest) for length in size)
    return width, height


def without_padding(square: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Cut the padding of a square off: ``(side, side, 4) -> (height, width, 3)``.

    Example:
        >>> without_padding(as_square(Image.new("RGB", (64, 32)), 8, "fit")).shape
        (4, 8, 3)
    """
    rows, columns = square[..., 3].any(1), square[..., 3].any(0)
    return square[rows][:, columns, :3]


def _covered(start: float, end: float, cells: int) -> slice:
    edges = np.arange(cells + 1) / cells
    shares = (np.minimum(edges[1:], end) - np.maximum(edges[:-1], start)) * cells
    counted = np.flatnonzero(shares >= min(HALF, shares.max()))
    return slice(int(counted[0]), int(counted[-1]) + 1)


def _resized(
    photo: Image.Image, size: tuple[int, int], overhang: tuple[int, int]
) -> NDArray[np.uint8]:
    """Resize the middle of a photo, all but the overhang at each end (in pixels of the result)."""
    (width, height), (across, down) = size, overhang
    left = across * photo.width / (width + 2 * across)
    top = down * photo.height / (height + 2 * down)
    columns = (left, 0.0, photo.width - left, photo.height)
    rows = (0.0, top, width, photo.height - top)
    middle = photo.resize((width, photo.height), Image.Resampling.BILINEAR, columns)
    return np.array(middle.resize((width, height), Image.Resampling.BILINEAR, rows))
