"""Photo to pixels: one preprocessing for training, evaluation, tagging and export.

A photo is resized to a square without regard to its aspect (``warp``), as all descendants of ML-GCN
test; the backbone normalises. In training a random crop of the photo may be warped instead; every
number that decides it comes from the run's seed, the epoch and the row, so that the order in which
threads work changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms.v2.functional import resize

from tagsight.views import mirrored

if TYPE_CHECKING:
    from tagsight.views import Photo

ASPECTS = (3 / 4, 4 / 3)
"""Range of a random crop's aspect, relative to the photo's own."""


def warp(photo: Image.Image, side: int) -> Tensor:
    """Resize a photo to a square: ``(3, side, side)`` uint8; bilinear, antialiased.

    A pixel's channels lie together in memory, as the networks take them. The result is that of
    Pillow's resize, but for 1 of 255 here and there, in a third of the time.
    """
    return resize(_pixels(photo), [side, side], antialias=True)


def as_float(images: Tensor) -> Tensor:
    """Pixels as the systems take them: uint8 in [0, 255] -> float in [0, 1]."""
    return images.to(torch.float32).div_(255)


@dataclass(frozen=True)
class Augmentation:
    """What is done at random to a training photo.

    Args:
        side: Side of the result, in pixels.
        crop: Smallest share of the area that a crop keeps, in (0, 1]; 1 takes the whole photo.
        flip: Whether half of the photos are mirrored.
        seed: The run's.
    """

    side: int
    crop: float
    flip: bool
    seed: int

    @property
    def source_side(self) -> int:
        """Side of the warped photo that crops are taken from, in pixels."""
        return self.side if self.crop == 1 else round(self.side * 9 / 7)

    def __call__(self, photo: Photo, *, epoch: int, row: int) -> Photo:
        """Crop and flip: ``(3, source_side, source_side)`` uint8 -> ``(3, side, side)`` uint8.

        Features can be flipped only, by taking those of the mirrored views.
        """
        chance = np.random.default_rng((self.seed, epoch, row))
        if self.flip and chance.random() < 0.5:
            photo = mirrored(photo)
        if self.crop == 1:
            return photo
        assert isinstance(photo, Tensor), "features of crops are not kept"
        image = Image.fromarray(photo.permute(1, 2, 0).contiguous().numpy())
        return _pixels(
            image.resize((self.side, self.side), Image.Resampling.BILINEAR, box=self._crop(chance))
        )

    def _crop(self, chance: np.random.Generator) -> tuple[float, float, float, float]:
        """Left, top, right and bottom, in pixels of the warped photo."""
        area = chance.uniform(self.crop, 1)
        aspect = np.exp(chance.uniform(*np.log(ASPECTS)))
        # A crop that would leave the photo is as wide or as high as the photo.
        width = float(min(1.0, max(area, np.sqrt(area * aspect))))
        height = float(area / width)
        left, top = chance.uniform(0, 1 - width), chance.uniform(0, 1 - height)
        side = self.source_side
        return left * side, top * side, (left + width) * side, (top + height) * side


def _pixels(photo: Image.Image) -> Tensor:
    """``(3, H, W)`` uint8, of which a pixel's channels lie together in memory."""
    return torch.from_numpy(np.array(photo)).permute(2, 0, 1)
