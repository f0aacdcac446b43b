"""From a photo's file to what a system sees, the same for training, evaluation and tagging."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tagsight.data.photos import open_photo
from tagsight.transforms import warp

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

MARGIN = 2
"""Least side that a photo is decoded to, relative to the side that it is warped to. A JPEG of 12
megapixels is decoded in a fifth of the time; docs/performance.md has what this does to pixels."""


def least_side(side: int) -> int:
    """Least side in pixels that a photo has to be decoded to, to be warped to ``side``."""
    return MARGIN * side


def warped(path: Path, side: int) -> Tensor:
    """Read a photo as a square: ``(3, side, side)`` uint8.

    Raises:
        DataError: If the photo cannot be read.
    """
    return warp(open_photo(path, least_side=least_side(side)), side)
