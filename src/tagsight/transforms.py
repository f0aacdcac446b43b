"""Photo to pixels: one preprocessing for training, evaluation, tagging and export.

A photo is resized to a square without regard to its aspect (``warp``), as all descendants of ML-GCN
test; the backbone normalises. What is done to training photos at random is in `augmentation`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms.v2.functional import resize

if TYPE_CHECKING:
    from PIL import Image


def warp(photo: Image.Image, side: int) -> Tensor:
    """Resize a photo to a square: ``(3, side, side)`` uint8; bilinear, antialiased.

    A pixel's channels lie together in memory, as the networks take them. The result is that of
    Pillow's resize, but for 1 of 255 here and there, in a third of the time.
    """
    return resize(_pixels(photo), [side, side], antialias=True)


def shrunk(photo: Image.Image, side: int) -> Tensor:
    """Reduce a photo in its aspect until its shorter side has ``side`` pixels: ``(3, H, W)`` uint8.

    A photo that has no more is taken as it is.
    """
    pixels = _pixels(photo)
    return pixels if min(photo.size) <= side else resize(pixels, [side], antialias=True)


def as_float(images: Tensor) -> Tensor:
    """Pixels as the systems take them: uint8 in [0, 255] -> float in [0, 1]."""
    return images.to(torch.float32).div_(255)


def _pixels(photo: Image.Image) -> Tensor:
    """``(3, H, W)`` uint8, of which a pixel's channels lie together in memory."""
    return torch.from_numpy(np.array(photo)).permute(2, 0, 1)
