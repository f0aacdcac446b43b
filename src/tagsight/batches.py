"""Batches of photos: decoded once, kept while they fit, made ahead of the network by threads."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple, Protocol, overload

import numpy as np

from tagsight.preprocessing import warped
from tagsight.threads import ordered_map
from tagsight.views import stacked

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from torch import Tensor

    from tagsight.transforms import Augmentation
    from tagsight.views import Images, Photo


class Batch(NamedTuple):
    """Some rows of a split.

    Attributes:
        images: ``(B, 3, S, S)`` uint8, or frozen features.
        targets: ``(B, L)`` int in {1, 0, -1}.
    """

    images: Images
    targets: Tensor


class Photos(Protocol):
    """Photos by row, as pixels or as features; any thread may ask."""

    def __len__(self) -> int: ...

    def __getitem__(self, row: int) -> Photo: ...


class PhotoStore:
    """Warped photos by row; the first rows, as many as fit into the budget, are decoded only once.

    Args:
        paths: ``N`` photos.
        side: Side of the warped photos, in pixels.
        memory: Budget in bytes.
    """

    def __init__(self, paths: Sequence[Path], side: int, memory: int) -> None:
        self.paths = paths
        self.side = side
        self._room = memory // (3 * side * side)
        self._kept: dict[int, Tensor] = {}

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, row: int) -> Tensor:
        """Read one photo: ``(3, side, side)`` uint8."""
        kept = self._kept.get(row)
        if kept is not None:
            return kept
        photo = warped(self.paths[row], self.side)
        if row < self._room:
            self._kept[row] = photo
        return photo


@dataclass(frozen=True)
class TrainingBatches:
    """The training photos in a new order every epoch.

    The last photos of an epoch that fill no batch wait for the next, unless there are no others.

    Args:
        photos: The ``N`` photos at the augmentation's source side, or their frozen features.
        targets: ``(N, L)`` int in {1, 0, -1}.
        augmentation: Crop and flip.
        size: Photos per batch.
        workers: Threads that decode and crop.
    """

    photos: Photos
    targets: Tensor
    augmentation: Augmentation
    size: int
    workers: int

    def __len__(self) -> int:
        return max(1, len(self.photos) // self.size)

    def __call__(self, epoch: int) -> Iterator[Batch]:
        """Make the batches of an epoch, counted from 0."""
        order = np.random.default_rng((self.augmentation.seed, epoch)).permutation(len(self.photos))
        rows = order[: len(self) * self.size].tolist()

        def read(row: int) -> Photo:
            return self.augmentation(self.photos[row], epoch=epoch, row=row)

        images = ordered_map(read, rows, workers=self.workers, ahead=2 * self.size)
        for start in range(0, len(rows), self.size):
            some = rows[start : start + self.size]
            yield Batch(stacked(list(islice(images, len(some)))), self.targets[some])


@overload
def evaluation_batches(photos: PhotoStore, size: int, workers: int) -> Iterator[Tensor]: ...


@overload
def evaluation_batches(photos: Photos, size: int, workers: int) -> Iterator[Images]: ...


def evaluation_batches(photos: Photos, size: int, workers: int) -> Iterator[Images]:
    """All photos in their own order, the last batch smaller."""
    images = ordered_map(photos.__getitem__, range(len(photos)), workers=workers, ahead=2 * size)
    while some := list(islice(images, size)):
        yield stacked(some)
