"""Reading of photo files as pixels, the same for training, evaluation and tagging."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tagsight.data.photos.reading import decoding_side, open_photo
from tagsight.loading.transforms import shrunk, squared
from tagsight.runtime.limits import MAX_PHOTO_MEMORY

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from tagsight.config import Resize


def read_square(
    path: Path, side: int, resize: Resize = "warp", *, max_memory: int = MAX_PHOTO_MEMORY
) -> Tensor:
    """Read a photo and make it a square, as `squared` does: ``(C, side, side)`` uint8.

    Args:
        path: The photo.
        side: Side of the square, in pixels.
        resize: How the photo is made a square.
        max_memory: Bytes that decoding it may take.

    Raises:
        DataError: If the photo cannot be read.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> from PIL import Image
        >>> with TemporaryDirectory() as folder:
        ...     file = Path(folder) / "photo.png"
        ...     Image.new("RGB", (60, 40)).save(file)
        ...     read_square(file, 32).shape, read_square(file, 32, "fit").shape
        (torch.Size([3, 32, 32]), torch.Size([4, 32, 32]))
    """
    photo = open_photo(path, max_memory=max_memory, least_side=decoding_side(side))
    return squared(photo, side, resize)


def read_reduced(path: Path, side: int, *, max_memory: int = MAX_PHOTO_MEMORY) -> Tensor:
    """Read a photo and reduce it, keeping its aspect ratio: ``(3, H, W)`` uint8.

    Args:
        path: The photo.
        side: Longest length of the shorter side, in pixels.
        max_memory: Bytes that decoding it may take.

    Raises:
        DataError: If the photo cannot be read.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> from PIL import Image
        >>> with TemporaryDirectory() as folder:
        ...     file = Path(folder) / "photo.png"
        ...     Image.new("RGB", (60, 40)).save(file)
        ...     read_reduced(file, 20).shape
        torch.Size([3, 20, 30])
    """
    return shrunk(open_photo(path, max_memory=max_memory, least_side=side), side)
