"""Mixup and CutMix: the photos of a step mixed in pairs, with their targets.

Zhang et al., mixup: Beyond Empirical Risk Minimization, ICLR 2018; Yun et al., CutMix, ICCV 2019.
torchvision's ``MixUp`` and ``CutMix`` mix a photo with its neighbour in a batch and know no unknown
targets. Here a partner is drawn from the whole step by the seed, so that the mixture does not
depend on how processes and parts share a step. Photos are mixed before views are made, which
therefore show the same mixture.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

STREAM = 1
"""Tells the random numbers of mixing apart from those of a photo's own augmentation."""


class Mix(NamedTuple):
    """The mixture of one step.

    Attributes:
        partners: For each photo of the step the place of its partner.
        share: Share of a photo's own pixels in mixup, in [0, 1].
        box: Left, top, right and bottom of what CutMix replaces by the partner's pixels, as
            fractions of the photo; None for mixup.
    """

    partners: Sequence[int]
    share: float
    box: tuple[float, float, float, float] | None

    def photos(self, photos: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
        """Mix photos with their partners: ``(B, C, S, S)`` uint8 -> the same.

        Args:
            photos: ``(B, C, S, S)`` uint8; a fourth channel is the opacity.
            others: ``(B, C, S, S)`` uint8, the partners.

        Returns:
            The mixed photos, and ``(B, 1)`` float, the share of the first photo in what is seen.

        Example:
            >>> photos, others = torch.zeros(1, 3, 4, 4).byte(), torch.ones(1, 3, 4, 4).byte()
            >>> mixed, share = Mix([0], 0.5, (0.0, 0.0, 0.5, 1.0)).photos(photos, others)
            >>> mixed[0, 0, 0].tolist(), share.item()
            ([1, 1, 0, 0], 0.5)
        """
        if self.box is None:
            return self._blended(photos, others), torch.full((len(photos), 1), self.share)
        height, width = photos.shape[-2:]
        left, right = (round(edge * width) for edge in self.box[::2])
        top, bottom = (round(edge * height) for edge in self.box[1::2])
        replaced = torch.zeros(height, width, dtype=torch.bool)
        replaced[top:bottom, left:right] = True
        seen = (_opacity(photos) * ~replaced).sum((-2, -1))
        added = (_opacity(others) * replaced).sum((-2, -1))
        share = torch.where(seen + added > 0, seen / (seen + added).clamp(min=1e-9), 1.0)
        return torch.where(replaced, others, photos), share[:, None]

    def _blended(self, photos: Tensor, others: Tensor) -> Tensor:
        mixed = self.share * photos.float() + (1 - self.share) * others.float()
        if photos.shape[1] == 4:  # where only one is seen, its colours are not darkened
            mixed[:, :3] /= (mixed[:, 3:] / 255).clamp(min=1 / 255)
        return mixed.round().clamp(max=255).to(torch.uint8)


@dataclass(frozen=True)
class Mixing:
    """Random mixtures of photos, reproducible by step.

    Args:
        mixup: Alpha of mixup: the share of a photo is drawn from ``Beta(alpha, alpha)``; 0 is off.
        cutmix: Alpha of CutMix; 0 is off. If both are on, each step has one of them at random.
        seed: Seed of the run.

    Example:
        >>> mix = Mixing(mixup=0.4).draw(epoch=0, step=3, photos=4)
        >>> sorted(mix.partners), mix.box
        ([0, 1, 2, 3], None)
        >>> Mixing().draw(epoch=0, step=3, photos=4) is None
        True
    """

    mixup: float = 0.0
    cutmix: float = 0.0
    seed: int = 0

    @property
    def mixes(self) -> bool:
        """Whether photos are mixed at all."""
        return self.mixup > 0 or self.cutmix > 0

    def draw(self, *, epoch: int, step: int, photos: int) -> Mix | None:
        """Draw the mixture of a step, or None if photos are not mixed.

        Args:
            epoch: Counted from 0.
            step: Step of the epoch, counted from 0.
            photos: Photos of the step, over all processes.
        """
        if not self.mixes:
            return None
        rng = np.random.default_rng((self.seed, epoch, step, STREAM))
        partners = rng.permutation(photos).tolist()
        cuts = self.cutmix > 0 and (self.mixup == 0 or rng.random() < 0.5)
        alpha = self.cutmix if cuts else self.mixup
        share = float(rng.beta(alpha, alpha))
        if not cuts:
            return Mix(partners, share, None)
        half = sqrt(1 - share) / 2
        x, y = rng.random(2).tolist()
        box = max(0.0, x - half), max(0.0, y - half), min(1.0, x + half), min(1.0, y + half)
        return Mix(partners, share, box)


UNMIXED = Mixing()
"""Leaves photos as they are."""


def mixed_targets(targets: Tensor, others: Tensor, share: Tensor) -> Tensor:
    """Mix targets as their photos are mixed: ``(B, L) -> (B, L)`` float in [0, 1], or -1.

    A target that is unknown of one of the two photos is unknown of the mixture.

    Args:
        targets: ``(B, L)`` int in {1, 0, -1}.
        others: ``(B, L)`` int, those of the partners.
        share: ``(B, 1)`` float, share of the first photo.

    Example:
        >>> first, second = torch.tensor([[1, 0, 1]]), torch.tensor([[1, 1, -1]])
        >>> mixed_targets(first, second, torch.tensor([[0.75]])).tolist()
        [[1.0, 0.25, -1.0]]
    """
    mixed = torch.lerp(others.float(), targets.float(), share)
    return mixed.masked_fill((targets < 0) | (others < 0), -1)


def _opacity(photos: Tensor) -> Tensor:
    """Return the share of the photo in each pixel: ``(B, H, W)`` float."""
    if photos.shape[1] == 3:
        return torch.ones(photos.shape[0], *photos.shape[2:])
    return photos[:, 3].float() / 255
