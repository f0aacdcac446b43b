"""Batches of photos: decoded once, kept while they fit, made ahead of the network by threads."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple, Protocol, overload

import numpy as np

from tagsight.errors import DataError
from tagsight.loading.preprocessing import reduced, warped
from tagsight.nn.views import stacked
from tagsight.runtime.limits import MAX_PHOTO_MEMORY
from tagsight.runtime.processes import ALONE, share_of
from tagsight.runtime.threads import ordered_map

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from torch import Tensor

    from tagsight.loading.augmentation import Augmentation
    from tagsight.nn.views import Images, Photo
    from tagsight.runtime.processes import Processes


class Batch(NamedTuple):
    """Some rows of a split: all of a step, or the part that is computed here and now.

    Attributes:
        images: ``(B, 3, S, S)`` uint8, or frozen features.
        targets: ``(B, L)`` int in {1, 0, -1}.
        share: Of the step's photos, in (0, 1].
        ends_step: Whether it is the last part of its step here.
    """

    images: Images
    targets: Tensor
    share: float
    ends_step: bool


class Photos(Protocol):
    """Photos by row, as pixels or as features; any thread may ask."""

    def __len__(self) -> int: ...

    def __getitem__(self, row: int) -> Photo: ...


class PhotoStore:
    """Decoded photos by row; those read first, as many as fit into the budget, are decoded once.

    Args:
        paths: ``N`` photos.
        side: Of the square that photos are warped to, in pixels.
        memory: Budget in bytes.
        square: Otherwise photos keep their aspect, and ``side`` is the most that the shorter side
            may have.
        max_memory: Bytes that decoding one photo may take.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        side: int,
        memory: int,
        *,
        square: bool = True,
        max_memory: int = MAX_PHOTO_MEMORY,
    ) -> None:
        self.paths = paths
        self.side = side
        self._read = partial(warped if square else reduced, max_memory=max_memory)
        self._room = memory
        self._kept: dict[int, Tensor] = {}
        self._keeping = Lock()

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, row: int) -> Tensor:
        """Read one photo: ``(3, side, side)`` uint8, or ``(3, H, W)``."""
        kept = self._kept.get(row)
        if kept is not None:
            return kept
        photo = self._read(self.paths[row], self.side)
        with self._keeping:
            if row not in self._kept and photo.nbytes <= self._room:
                self._kept[row] = photo
                self._room -= photo.nbytes
        return photo


@dataclass(frozen=True)
class TrainingBatches:
    """The training photos in a new order every epoch.

    The last photos of an epoch that fill no batch wait for the next, unless there are no others.
    Every process has the same order, and makes its share of each step's photos.

    Args:
        photos: The ``N`` photos as the augmentation takes them, or their frozen features.
        targets: ``(N, L)`` int in {1, 0, -1}.
        augmentation: What is done to them at random.
        size: Photos of a step, over all processes and parts.
        workers: Threads that decode and augment.
        parts: Batches that a process's share of a step is made of.
        processes: Those that train together.

    Raises:
        DataError: If a step has no photo for some process or part.
    """

    photos: Photos
    targets: Tensor
    augmentation: Augmentation
    size: int
    workers: int
    parts: int = 1
    processes: Processes = ALONE

    def __post_init__(self) -> None:
        photos, shares = min(self.size, len(self.photos)), self.processes.count * self.parts
        if photos < shares:
            msg = (
                f"expected a photo a step for each part of each process, at least {shares}, "
                f"got {photos}; start fewer processes, or lower --accumulate"
            )
            raise DataError(msg)

    def __len__(self) -> int:
        return max(1, len(self.photos) // self.size)

    def __call__(self, epoch: int, *, start: int = 0) -> Iterator[Batch]:
        """Make the batches of an epoch, counted from 0, without those of its first steps."""
        order = np.random.default_rng((self.augmentation.seed, epoch)).permutation(len(self.photos))
        wanted = order[start * self.size : len(self) * self.size].tolist()
        steps = [wanted[first : first + self.size] for first in range(0, len(wanted), self.size)]
        shares = [[step[place] for place in self.processes.share(len(step))] for step in steps]

        def read(row: int) -> Photo:
            return self.augmentation(self.photos[row], epoch=epoch, row=row)

        ahead = 2 * len(shares[0]) if shares else 1
        images = ordered_map(read, chain.from_iterable(shares), workers=self.workers, ahead=ahead)
        for step, share in zip(steps, shares, strict=True):
            for part in range(self.parts):
                rows = [share[place] for place in share_of(len(share), part, self.parts)]
                with self.processes.own_share():
                    photos = stacked(list(islice(images, len(rows))))
                ends = part == self.parts - 1
                yield Batch(photos, self.targets[rows], len(rows) / len(step), ends)


@overload
def evaluation_batches(
    photos: PhotoStore, size: int, workers: int, rows: range | None = None
) -> Iterator[Tensor]: ...


@overload
def evaluation_batches(
    photos: Photos, size: int, workers: int, rows: range | None = None
) -> Iterator[Images]: ...


def evaluation_batches(
    photos: Photos, size: int, workers: int, rows: range | None = None
) -> Iterator[Images]:
    """The photos of some rows, all of them by default, in order; the last batch is smaller."""
    rows = range(len(photos)) if rows is None else rows
    images = ordered_map(photos.__getitem__, rows, workers=workers, ahead=2 * size)
    while some := list(islice(images, size)):
        yield stacked(some)
