"""Photo to pixels: one preprocessing for training, evaluation, tagging and export.

A photo is resized to a square without regard to its aspect (``warp``), as all descendants of ML-GCN
test; the backbone normalises. What is done to training photos at random is in `augmentation`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, overload

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms.v2.functional import resize

from tagsight.data.photos import as_square
from tagsight.nn.views import FrozenFeatures

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

    from tagsight.nn.views import Images
    from tagsight.runtime.device import Runtime


def warp(photo: Image.Image, side: int) -> Tensor:
    """Resize a photo to a square: ``(3, side, side)`` uint8; bilinear, antialiased.

    A pixel's channels lie together in memory, as the networks take them.
    """
    return _channels_first(as_square(photo, side))


def shrunk(photo: Image.Image, side: int) -> Tensor:
    """Reduce a photo in its aspect until its shorter side has ``side`` pixels: ``(3, H, W)`` uint8.

    A photo that has no more is taken as it is.
    """
    pixels = _channels_first(np.array(photo))
    return pixels if min(photo.size) <= side else resize(pixels, [side], antialias=True)


def as_float(images: Tensor) -> Tensor:
    """Pixels as the systems take them: uint8 in [0, 255] -> float in [0, 1]."""
    return images.to(torch.float32).div_(255)


@overload
def on_device(batch: Tensor, runtime: Runtime) -> Tensor: ...


@overload
def on_device(batch: Images, runtime: Runtime) -> Images: ...


def on_device(batch: Images, runtime: Runtime) -> Images:
    """Bring a batch to the device: ``(B, 3, H, W)`` uint8 -> float in [0, 1], channels last."""
    if isinstance(batch, FrozenFeatures):
        return batch.to(runtime.device)
    pinned = batch.pin_memory() if runtime.device.type == "cuda" else batch
    images = as_float(pinned.to(runtime.device, non_blocking=True))
    return images.contiguous(memory_format=torch.channels_last)


def _channels_first(pixels: NDArray[np.uint8]) -> Tensor:
    """``(H, W, 3) -> (3, H, W)``, of which a pixel's channels lie together in memory."""
    return torch.from_numpy(pixels).permute(2, 0, 1)
