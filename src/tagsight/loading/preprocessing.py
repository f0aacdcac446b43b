"""Reading of photo files as pixels, the same for training, evaluation and tagging."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tagsight.data.photos import decoding_side, open_photo
from tagsight.loading.transforms import shrunk, warp
from tagsight.runtime.limits import MAX_PHOTO_MEMORY

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor


def warped(path: Path, side: int, *, max_memory: int = MAX_PHOTO_MEMORY) -> Tensor:
    """Read a photo and resize it to a square: ``(3, side, side)`` uint8.

    Args:
        path: The photo.
        side: Side of the square, in pixels.
        max_memory: Bytes that decoding it may take.

    Raises:
        DataError: If the photo cannot be read.
    """
    return warp(open_photo(path, max_memory=max_memory, least_side=decoding_side(side)), side)


def reduced(path: Path, side: int, *, max_memory: int = MAX_PHOTO_MEMORY) -> Tensor:
    """Read a photo and reduce it, keeping its aspect ratio: ``(3, H, W)`` uint8.

    Args:
        path: The photo.
        side: Longest length of the shorter side, in pixels.
        max_memory: Bytes that decoding it may take.

    Raises:
        DataError: If the photo cannot be read.
    """
    return shrunk(open_photo(path, max_memory=max_memory, least_side=side), side)
