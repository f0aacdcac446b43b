"""What is done at random to a training photo: torchvision's transforms, reproducible by row.

Every random number comes from the run's seed, the epoch and the row, so that the order in which
threads work changes nothing. All happens once, before the views of a photo are made: they share it.
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
from tagsight.nn.views import mirrored

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tagsight.config import Crop
    from tagsight.nn.views import Photo

ASPECTS = (3 / 4, 4 / 3)
"""Range of a random crop's width over its height, in pixels."""

GREY = 128
"""What RandAugment shows where a photo was moved away, in [0, 255]."""


@dataclass(frozen=True)
class Augmentation:
    """What is done at random to a training photo, in this order: flip, crop, cutout, RandAugment.

    Args:
        side: Side of the result, in pixels.
        crop: As ``TrainConfig.crop``: what is shown of the photo; 1 takes it as it comes.
        flip: Whether half of the photos are mirrored.
        seed: The run's.
        cutout: Side of the square that is covered, relative to the photo's; 0 covers nothing.
        rand_augment: Random changes of colours and geometry.
    """

    side: int
    crop: Crop
    flip: bool
    seed: int
    cutout: float = 0.0
    rand_augment: RandAugmentConfig = RandAugmentConfig()

    @property
    def takes_squares(self) -> bool:
        """Whether photos are to come warped to ``side``; crops are cut from the photos as such."""
        return self.crop == 1

    @property
    def source_side(self) -> int:
        """Pixels that the shorter side of a photo can do with: no crop has fewer than ``side``."""
        if self.crop == 1:
            return self.side
        return ceil(self.side / _least_share(self.crop))

    @property
    def only_flips(self) -> bool:
        """Whether a photo or its mirror image is all that can come out."""
        return self.crop == 1 and not self.cutout and not self.rand_augment.operations

    def __call__(self, photo: Photo, *, epoch: int, row: int) -> Photo:
        """Change a photo: ``(3, H, W)`` uint8 -> ``(3, side, side)`` uint8.

        Features can be flipped only, by taking those of the mirrored views.
        """
        chance = np.random.default_rng((self.seed, epoch, row))
        if self.flip and chance.random() < 0.5:
            photo = mirrored(photo)
        if self.only_flips:
            return photo
        assert isinstance(photo, Tensor), "features of photos that are changed are not kept"
        with _DrawnFrom(torch.Generator().manual_seed(int(chance.integers(2**63)))):
            changed: Tensor = self._transforms(photo)
        return changed

    @cached_property
    def _transforms(self) -> v2.Compose:
        steps: list[nn.Module] = []
        if self.crop == "multi_scale":
            steps.append(MultiScaleCrop(self.side))
        elif self.crop < 1:
            steps.append(v2.RandomResizedCrop(self.side, scale=(self.crop, 1.0), ratio=ASPECTS))
        if self.cutout:
            steps.append(Cutout(self.cutout))
        steps += [_random_operation(self.rand_augment)] * self.rand_augment.operations
        return v2.Compose(steps)


class MultiScaleCrop(nn.Module):
    """A crop of one of some sizes at one of 13 places, resized to a square: ML-GCN's released code.

    Width and height are 1, 0.875, 0.75, 0.66 or 0.5 of the photo's shorter side, and at most two
    apart in this list. Of a photo of 640 x 480 pixels a crop has from 0.19 to 0.75 of the area,
    never all of it. The places are the corners, the middles of the sides, the centre, and four
    halfway between it and the corners.

    Deviations:
        In the released code a crop whose width or height is within 2 pixels of the square's has
        just the square's, even where it then leaves the photo.

    Args:
        side: Of the result, in pixels.
    """

    SCALES = (1.0, 0.875, 0.75, 0.66, 0.5)
    PAIRS = tuple(pair for pair in product(range(5), repeat=2) if abs(pair[0] - pair[1]) <= 2)
    QUARTERS = (*product((0, 2, 4), repeat=2), *product((1, 3), repeat=2))
    """Places of a crop, down and across, in quarters of the room that it has."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side

    def forward(self, photo: Tensor) -> Tensor:
        """Crop and resize: ``(3, H, W) -> (3, side, side)``."""
        box, size = self.rectangle(*photo.shape[-2:]), [self.side, self.side]
        cropped: Tensor = functional.resized_crop(photo, *box, size=size, antialias=True)
        return cropped

    def rectangle(self, height: int, width: int) -> tuple[int, int, int, int]:
        """Draw top, left, height and width of a crop, in pixels of a photo of that size."""
        lengths = [max(1, int(scale * min(height, width))) for scale in self.SCALES]
        tall, wide = (lengths[place] for place in self.PAIRS[_drawn(len(self.PAIRS))])
        down, across = self.QUARTERS[_drawn(len(self.QUARTERS))]
        return (height - tall) // 4 * down, (width - wide) // 4 * across, tall, wide


class Cutout(nn.Module):
    """A square of one random colour whose centre lies anywhere on the photo, cut off at its edges.

    DeVries and Taylor, arXiv 1708.04552; as in the released code of ASL and ML-Decoder, whose
    colour is random as well. ``v2.RandomErasing`` keeps its rectangle inside the photo instead.

    Args:
        share: Side of the square relative to the photo's, in (0, 1].
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
    """The shortest side that a crop can have, relative to the photo's shorter side."""
    if crop == "multi_scale":
        return min(MultiScaleCrop.SCALES)
    return sqrt(crop * ASPECTS[0])


def _drawn(count: int) -> int:
    return int(torch.randint(count, ()))


class _DrawnFrom(TorchFunctionMode):
    """Random numbers of one generator, in this thread, for all that asks torch's own.

    torchvision's transforms know no other than the process's, which threads share, and from which
    the training draws its views.
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
