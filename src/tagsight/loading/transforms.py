"""Decoded photos as tensors: one preprocessing for training, evaluation and tagging.

`tagsight.data.photos.resizing` makes photos square. The backbone normalises. Random changes are in
`augmentation`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, overload

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms.v2.functional import resize

from tagsight.data.photos.resizing import as_square
from tagsight.nn.views import FrozenFeatures

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

    from tagsight.config import Resize
    from tagsight.nn.views import Images
    from tagsight.runtime.device import Runtime


def squared(photo: Image.Image, side: int, resize: Resize = "warp") -> Tensor:
    """Resize a photo to a square: ``(3, side, side)`` uint8, or ``(4, side, side)`` with ``fit``.

    The fourth channel is 255 on the photo and 0 on the padding. The memory format is channels last,
    which the networks expect.

    Args:
        photo: RGB photo.
        side: Side of the square, in pixels.
        resize: How the photo is made a square.

    Example:
        >>> from PIL import Image
        >>> squared(Image.new("RGB", (64, 48)), 32).shape
        torch.Size([3, 32, 32])
    """
    return _channels_first(as_square(photo, side, resize))


def shrunk(photo: Image.Image, side: int) -> Tensor:
    """Reduce a photo to a shorter side of ``side`` pixels, keeping its aspect ratio.

    A smaller photo is returned as it is.

    Args:
        photo: RGB photo.
        side: Longest length of the shorter side, in pixels.

    Returns:
        ``(3, H, W)`` uint8.

    Example:
        >>> from PIL import Image
        >>> shrunk(Image.new("RGB", (64, 48)), 24).shape
        torch.Size([3, 24, 32])
    """
    pixels = _channels_first(np.array(photo))
    return pixels if min(photo.size) <= side else resize(pixels, [side], antialias=True)


def as_float(images: Tensor) -> Tensor:
    """Convert pixels from uint8 in [0, 255] to float32 in [0, 1].

    Example:
        >>> as_float(torch.tensor([0, 51, 255], dtype=torch.uint8))
        tensor([0.0000, 0.2000, 1.0000])
    """
    return images.to(torch.float32).div_(255)


@overload
def on_device(batch: Tensor, runtime: Runtime) -> Tensor: ...


@overload
def on_device(batch: Images, runtime: Runtime) -> Images: ...


def on_device(batch: Images, runtime: Runtime) -> Images:
    """Move a batch to the device: ``(B, C, H, W)`` uint8 -> float32 in [0, 1], channels last.

    Example:
        >>> from tagsight.runtime.device import Runtime
        >>> pixels = torch.full((1, 3, 2, 2), 255, dtype=torch.uint8)
        >>> on_device(pixels, Runtime(torch.device("cpu"), "float32")).max()
        tensor(1.)
    """
    if isinstance(batch, FrozenFeatures):
        return batch.to(runtime.device)
    pinned = batch.pin_memory() if runtime.device.type == "cuda" else batch
    images = as_float(pinned.to(runtime.device, non_blocking=True))
    return images.contiguous(memory_format=torch.channels_last)


def _channels_first(pixels: NDArray[np.uint8]) -> Tensor:
    """View ``(H, W, 3)`` as ``(3, H, W)``, which is channels last in memory."""
    return torch.from_numpy(pixels).permute(2, 0, 1)
