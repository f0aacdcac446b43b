"""Random augmentation of training photos: torchvision's transforms, reproducible by row.

Random numbers depend on the run's seed, the epoch and the row only, so that results do not depend
on the order in which threads work. A photo is augmented before its views are made: they share it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import ceil, sqrt
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torchvision.transforms import InterpolationMode, v2
from torchvision.transforms.v2 import functional

from tagsight.config import RandAugmentConfig
from tagsight.loading.mixing import UNMIXED, Mixing
from tagsight.nn.views import mirrored

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tagsight.config import Crop
    from tagsight.nn.views import Photo

ASPECTS = (3 / 4, 4 / 3)
"""Range of the aspect ratio of a random crop, its width over its height."""

GREY = 128
"""Fill value of RandAugment outside a moved photo, in [0, 255]."""


@dataclass(frozen=True)
class Augmentation:
    """Random changes of a training photo, in this order: flip, crop, colour, cutout, RandAugment.

    They change the photo only, not its padding. Mixing, which is last, concerns the photos of a
    step and is left to `TrainingBatches`.

    Args:
        side: Side of the result, in pixels.
        crop: Kind or least area of the random crop, as ``TrainConfig.crop``; 1 does not crop.
        flip: Whether to mirror a photo with probability 0.5.
        seed: Seed of the run.
        cutout: Side of the covered square relative to the photo's; 0 covers nothing.
        rand_augment: Random changes of colours and geometry.
        colour: Strength of random changes of colours, as ``TrainConfig.colour``.
        mixing: Random mixtures of the photos of a step.

    Example:
        >>> augmentation = Augmentation(side=8, crop=0.5, flip=True, seed=0)
        >>> photo = torch.arange(3 * 16 * 16).view(3, 16, 16).to(torch.uint8)
        >>> first = augmentation(photo, epoch=0, row=7)
        >>> first.shape, torch.equal(first, augmentation(photo, epoch=0, row=7))
        (torch.Size([3, 8, 8]), True)
    """

    side: int
    crop: Crop
    flip: bool
    seed: int
    cutout: float = 0.0
    rand_augment: RandAugmentConfig = RandAugmentConfig()
    colour: float = 0.0
    mixing: Mixing = UNMIXED

    @property
    def takes_squares(self) -> bool:
        """Whether photos are to be resized to squares of ``side``, as no crop does it."""
        return self.crop == 1

    @property
    def source_side(self) -> int:
        """Length of a photo's shorter side, in pixels, with which no crop is enlarged."""
        if self.crop == 1:
            return self.side
        return ceil(self.side / _least_share(self.crop))

    @property
    def only_flips(self) -> bool:
        """Whether what is trained on is always the photo or its mirror image."""
        return self.crop == 1 and not self._changes_pixels and not self.mixing.mixes

    @property
    def _changes_pixels(self) -> bool:
        return bool(self.colour or self.cutout or self.rand_augment.operations)

    def __call__(self, photo: Photo, *, epoch: int, row: int) -> Photo:
        """Augment a photo: ``(3, H, W)`` uint8 -> ``(3, side, side)`` uint8; padded ones likewise.

        Features of frozen stages can only be flipped, which selects those of the mirrored views.

        Args:
            photo: Pixels, or features by view.
            epoch: Counted from 0.
            row: Row of the photo in the training split.
        """
        rng = np.random.default_rng((self.seed, epoch, row))
        if self.flip and rng.random() < 0.5:
            photo = mirrored(photo)
        if self.crop == 1 and not self._changes_pixels:
            return photo
        assert isinstance(photo, Tensor), "features are cached only if photos are not changed"
        with _FixedGenerator(torch.Generator().manual_seed(int(rng.integers(2**63)))):
            return self._transforms(photo) if len(photo) == 3 else self._within_padding(photo)

    def _within_padding(self, photo: Tensor) -> Tensor:
        opaque = photo[3] > 0
        rows, columns = opaque.any(1).nonzero()[:, 0], opaque.any(0).nonzero()[:, 0]
        part = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
        changed = photo.clone()
        changed[:3, *part] = self._transforms(photo[:3, *part])
        return changed

    @cached_property
    def _transforms(self) -> v2.Compose:
        steps: list[nn.Module] = []
        if self.crop == "multi_scale":
            steps.append(MultiScaleCrop(self.side))
        elif self.crop < 1:
            steps.append(v2.RandomResizedCrop(self.side, scale=(self.crop, 1.0), ratio=ASPECTS))
        if self.colour:
            steps.append(v2.ColorJitter(self.colour, self.colour, self.colour, self.colour / 4))
        if self.cutout:
            steps.append(Cutout(self.cutout))
        steps += [_random_operation(self.rand_augment)] * self.rand_augment.operations
        return v2.Compose(steps)


class MultiScaleCrop(nn.Module):
    """A crop of a random size at one of 13 positions, resized to a square.

    As in the released code of ML-GCN (Chen et al., CVPR 2019). Width and height are 1, 0.875, 0.75,
    0.66 or 0.5 of the photo's shorter side, at most two places apart in this list. The crop of a
    photo of 640 x 480 pixels has from 0.19 to 0.75 of its area, never all of it. The positions are
    the corners, the middles of the sides, the centre, and the four points halfway between the
    centre and the corners.

    Deviations:
        In the released code a width or height within 2 pixels of the result's side is set to that
        side, even if the crop then extends beyond the photo.

    Args:
        side: Side of the result, in pixels.

    Example:
        >>> _ = torch.manual_seed(0)
        >>> crop = MultiScaleCrop(8)
        >>> crop(torch.zeros(3, 24, 32, dtype=torch.uint8)).shape
        torch.Size([3, 8, 8])
    """

    SCALES = (1.0, 0.875, 0.75, 0.66, 0.5)
    PAIRS = tuple(pair for pair in product(range(5), repeat=2) if abs(pair[0] - pair[1]) <= 2)
    QUARTERS = (*product((0, 2, 4), repeat=2), *product((1, 3), repeat=2))
    """Positions of a crop, down and across, in quarters of the space around it."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side

    def forward(self, photo: Tensor) -> Tensor:
        """Crop and resize: ``(3, H, W) -> (3, side, side)``."""
        box, size = self.rectangle(*photo.shape[-2:]), [self.side, self.side]
        cropped: Tensor = functional.resized_crop(photo, *box, size=size, antialias=True)
        return cropped

    def rectangle(self, height: int, width: int) -> tuple[int, int, int, int]:
        """Draw a crop of a photo: top, left, height and width, in pixels."""
        lengths = [max(1, int(scale * min(height, width))) for scale in self.SCALES]
        tall, wide = (lengths[place] for place in self.PAIRS[_drawn(len(self.PAIRS))])
        down, across = self.QUARTERS[_drawn(len(self.QUARTERS))]
        return (height - tall) // 4 * down, (width - wide) // 4 * across, tall, wide


class Cutout(nn.Module):
    """Cutout: a square of a random colour, centred anywhere on the photo and clipped to it.

    DeVries and Taylor, arXiv 1708.04552. The colour is random as in the released code of ASL and
    ML-Decoder. In contrast, ``v2.RandomErasing`` keeps its rectangle inside the photo.

    Args:
        share: Side of the square relative to the photo's, in (0, 1].

    Example:
        >>> _ = torch.manual_seed(0)
        >>> photo = torch.zeros(3, 8, 8, dtype=torch.uint8)
        >>> int((Cutout(0.5)(photo) > 0).any(0).sum()) <= 16
        True
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, photo: Tensor) -> Tensor:
        """Cover the square: ``(3, H, W)`` uint8 -> ``(3, H, W)``."""
        (top, bottom), (left, right) = (self._covered(length) for length in photo.shape[-2:])
        colour = torch.randint(0, 256, (3, 1, 1), dtype=torch.uint8)
        covered: Tensor = functional.erase(photo, top, left, bottom - top, right - left, colour)
        return covered

    def _covered(self, length: int) -> tuple[int, int]:
        centre, half = _drawn(length), int(self.share * length + 0.5) // 2
        return max(0, centre - half), min(length, centre + half)


def _random_operation(config: RandAugmentConfig) -> nn.Module:
    magnitudes = range(1, 10) if config.magnitude is None else [config.magnitude]
    operations = [
        v2.RandAugment(1, magnitude, 10, InterpolationMode.BILINEAR, GREY)
        for magnitude in magnitudes
    ]
    one: nn.Module = v2.RandomApply([v2.RandomChoice(operations)], p=config.probability)
    return one


def _least_share(crop: Crop) -> float:
    """Compute the shortest possible side of a crop, relative to the photo's shorter side."""
    if crop == "multi_scale":
        return min(MultiScaleCrop.SCALES)
    return sqrt(crop * ASPECTS[0])


def _drawn(count: int) -> int:
    return int(torch.randint(count, ()))


class _FixedGenerator(TorchFunctionMode):
    """Makes the random functions of torch use one generator, in this thread.

    torchvision's transforms take no generator. They would draw from the global one, which all
    threads share and from which the training loop draws its views, so that neither would be
    reproducible.
    """

    DRAWS = frozenset(
        {
            torch.multinomial,
            torch.normal,
            torch.rand,
            torch.randint,
            torch.randn,
            torch.randperm,
            torch.Tensor.normal_,
            torch.Tensor.uniform_,
        }
    )

    def __init__(self, generator: torch.Generator) -> None:
        super().__init__()
        self._generator = generator

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401 (whatever the function gives)
        del types
        given = dict(kwargs or {})
        if func in self.DRAWS:
            given["generator"] = self._generator
        return func(*args, **given)
