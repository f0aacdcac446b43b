"""Batches of photos: decoded photos are kept in memory, and threads prepare batches ahead."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple, Protocol, cast, overload

import numpy as np
import torch
from torch import Tensor

from tagsight.errors import DataError
from tagsight.loading.mixing import mixed_targets
from tagsight.loading.preprocessing import read_reduced, read_square
from tagsight.nn.views import stacked
from tagsight.runtime.limits import MAX_PHOTO_MEMORY
from tagsight.runtime.processes import ALONE, share_of
from tagsight.runtime.threads import ordered_map

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from tagsight.config import Resize, TrainConfig
    from tagsight.loading.augmentation import Augmentation
    from tagsight.loading.mixing import Mix
    from tagsight.nn.views import Images, Photo
    from tagsight.runtime.device import Runtime
    from tagsight.runtime.processes import Processes


UNJUDGED_STREAM = 2
"""Tells the random order of photos without targets apart from other random numbers of an epoch."""


class Batch(NamedTuple):
    """A batch of training photos: a whole step, or the part of it computed at once.

    Attributes:
        images: ``(B, C, S, S)`` uint8, or features of frozen stages; then those of photos of which
            no label is known, if there are any.
        targets: ``(B, L)`` int in {1, 0, -1}; of mixed photos float, in [0, 1] where known.
        places: Places of these photos in the step.
        share: Fraction of the step's photos, over all processes, in (0, 1].
        ends_step: Whether it is this process's last batch of the step.
    """

    images: Images
    targets: Tensor
    places: range
    share: float
    ends_step: bool


class Photos(Protocol):
    """Photos by row, as pixels or as features; thread-safe."""

    def __len__(self) -> int: ...

    def __getitem__(self, row: int) -> Photo: ...


class PhotoStore:
    """Decoded photos by row; the first ones read are kept in memory, as many as fit.

    Args:
        paths: ``N`` photos.
        side: Side of the square that photos are resized to, in pixels.
        memory: Budget for the photos kept, in bytes.
        resize: How photos are made squares. If None, they keep their aspect ratio, and ``side`` is
            the longest length of their shorter side.
        max_memory: Bytes that decoding one photo may take.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> from PIL import Image
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder) / "photo.png"
        ...     Image.new("RGB", (64, 48)).save(path)
        ...     PhotoStore([path], side=32, memory=0)[0].shape
        torch.Size([3, 32, 32])
    """

    def __init__(
        self,
        paths: Sequence[Path],
        side: int,
        memory: int,
        *,
        resize: Resize | None = "warp",
        max_memory: int = MAX_PHOTO_MEMORY,
    ) -> None:
        self.paths = paths
        self.side = side
        if resize is None:
            self._read = partial(read_reduced, max_memory=max_memory)
        else:
            self._read = partial(read_square, resize=resize, max_memory=max_memory)
        self._room = memory
        self._kept: dict[int, Tensor] = {}
        self._keeping = Lock()

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, row: int) -> Tensor:
        """Return one photo: ``(C, side, side)`` uint8, or ``(3, H, W)``."""
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
    """Batches of the training photos, in a new random order every epoch.

    The last photos of an epoch that do not fill a step are left out of it, unless it has no whole
    step. All processes draw the same order. A step is divided into parts, and each part among the
    processes, so that what is computed of a part does not depend on their number.

    Args:
        photos: ``N`` photos as the augmentation expects them, or their features; after them those
            of which no label is known, if they are trained on. A step has as many of these as of
            the others, drawn anew in every epoch, and they are not mixed.
        targets: ``(N, L)`` int in {1, 0, -1}.
        augmentation: Random changes of the photos.
        size: Photos of a step that have targets, over all processes.
        workers: Threads that decode and augment.
        parts: Parts of a step, which are computed one after the other to save memory.
        processes: The processes that train together.

    Raises:
        DataError: If a step has fewer photos than there are batches over all processes.

    Example:
        >>> import torch
        >>> from tagsight.loading.augmentation import Augmentation
        >>> photos = torch.zeros(5, 3, 8, 8, dtype=torch.uint8)
        >>> targets = torch.tensor([[1], [0], [1], [0], [1]])
        >>> plain = Augmentation(side=8, crop=1.0, flip=False, seed=0)
        >>> batches = TrainingBatches(photos, targets, plain, size=2, workers=1)
        >>> [(tuple(batch.images.shape), batch.ends_step) for batch in batches(0)]
        [((2, 3, 8, 8), True), ((2, 3, 8, 8), True)]
    """

    photos: Photos
    targets: Tensor
    augmentation: Augmentation
    size: int
    workers: int
    parts: int = 1
    processes: Processes = ALONE

    def __post_init__(self) -> None:
        photos, shares = min(self.size, len(self.targets)), self.processes.count * self.parts
        if photos < shares:
            msg = (
                f"expected at least one photo per step for each of {self.parts} parts of each "
                f"process, {shares} in all, got {photos}; start fewer processes, or lower "
                "`accumulate`"
            )
            raise DataError(msg)

    def __len__(self) -> int:
        return max(1, len(self.targets) // self.size)

    def __call__(self, epoch: int, *, start: int = 0) -> Iterator[Batch]:
        """Yield the batches of an epoch.

        Args:
            epoch: Counted from 0.
            start: Steps of the epoch to skip, when a run is resumed.
        """
        count = len(self.targets)
        order = np.random.default_rng((self.augmentation.seed, epoch)).permutation(count)
        span = slice(start * self.size, len(self) * self.size)
        wanted, unjudged = order[span].tolist(), self._unjudged(epoch)[span].tolist()
        steps = [
            self._step(epoch, number, wanted[piece], unjudged[piece])
            for number, piece in enumerate(_slices(len(wanted), self.size), start)
        ]

        def read(row: int) -> Photo:
            return self.augmentation(self.photos[row], epoch=epoch, row=row)

        rows = chain.from_iterable(step.read for step in steps)
        ahead = 2 * len(steps[0].read) if steps else 1
        images = ordered_map(read, rows, workers=self.workers, ahead=ahead)
        for step in steps:
            with self.processes.own_share():
                photos = dict(zip(step.read, islice(images, len(step.read)), strict=True))
            for part, places in enumerate(step.parts, 1):
                batch, targets = self._batch(step, photos, places)
                share = len(places) / len(step.rows)
                yield Batch(batch, targets, places, share, part == self.parts)

    def _unjudged(self, epoch: int) -> NDArray[np.int64]:
        """Draw rows without targets, one for each with targets; if they are fewer, repeatedly."""
        count, first = len(self.photos) - len(self.targets), len(self.targets)
        if not count:
            return np.zeros(0, dtype=np.int64)
        rng = np.random.default_rng((self.augmentation.seed, epoch, 0, UNJUDGED_STREAM))
        return first + np.resize(rng.permutation(count), first)

    def _step(self, epoch: int, number: int, rows: Sequence[int], unjudged: Sequence[int]) -> _Step:
        """Choose what this process reads for a step, of which all processes know all rows."""
        mix = self.augmentation.mixing.draw(epoch=epoch, step=number, photos=len(rows))
        parts = [self._share(len(rows), part) for part in range(self.parts)]
        places = list(chain.from_iterable(parts))
        partners = [] if mix is None else [mix.partners[place] for place in places]
        read = [rows[place] for place in (*places, *partners)]
        read += [unjudged[place] for place in places] if unjudged else []
        return _Step(rows, parts, unjudged, list(dict.fromkeys(read)), mix)

    def _share(self, photos: int, part: int) -> range:
        """Return the places of this process's share of a part."""
        whole = share_of(photos, part, self.parts)
        own = self.processes.share(len(whole))
        return whole[own.start : own.stop]

    def _batch(
        self, step: _Step, photos: Mapping[int, Photo], places: Sequence[int]
    ) -> tuple[Images, Tensor]:
        own = [step.rows[place] for place in places]
        rest = [photos[step.unjudged[place]] for place in places] if step.unjudged else []
        targets, mixed = self.targets[own], [photos[row] for row in own]
        if step.mix is None:
            return stacked([*mixed, *rest]), targets
        batch = stacked(mixed)
        partners = [step.rows[step.mix.partners[place]] for place in places]
        others = stacked([photos[row] for row in partners])
        assert isinstance(batch, Tensor), "features are cached only if photos are not mixed"
        assert isinstance(others, Tensor), "features are cached only if photos are not mixed"
        batch, share = step.mix.photos(batch, others)
        if rest:
            batch = torch.cat([batch, cast("Tensor", stacked(rest))])
        return batch, mixed_targets(targets, self.targets[partners], share)


class _Step(NamedTuple):
    """The part of a step that one process takes.

    Attributes:
        rows: Rows of all photos of the step that have targets, over all processes.
        parts: Places of this process's photos in the step, for each part.
        unjudged: Rows without targets, as many as the others, or none.
        read: Rows of this process's photos and of their partners, each once.
        mix: The mixture of the step, if any.
    """

    rows: Sequence[int]
    parts: Sequence[range]
    unjudged: Sequence[int]
    read: Sequence[int]
    mix: Mix | None


def _slices(count: int, size: int) -> list[slice]:
    return [slice(first, first + size) for first in range(0, count, size)]


def evaluation_photos(
    paths: Sequence[Path], training: TrainConfig, runtime: Runtime, *, memory: int = 0
) -> PhotoStore:
    """Open photos as a model of these settings sees them outside training.

    Args:
        paths: ``N`` photos.
        training: The size of the square, and how photos are made squares.
        runtime: Memory that decoding a photo may take.
        memory: Budget for photos that are kept, in bytes.

    Example:
        >>> from tagsight.config import TrainConfig
        >>> from tagsight.runtime.device import Runtime
        >>> runtime = Runtime.choose("cpu", "float32")
        >>> len(evaluation_photos([], TrainConfig(image_size=64), runtime))
        0
    """
    return PhotoStore(
        paths,
        training.image_size,
        memory,
        resize=training.resize,
        max_memory=runtime.max_photo_memory,
    )


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
    """Yield batches of photos in their order; the last batch may be smaller.

    Args:
        photos: ``N`` photos.
        size: Photos of a batch.
        workers: Threads that decode.
        rows: Rows to read, by default all.

    Example:
        >>> import torch
        >>> photos = torch.zeros(5, 3, 8, 8, dtype=torch.uint8)
        >>> [len(batch) for batch in evaluation_batches(photos, size=2, workers=1)]
        [2, 2, 1]
    """
    rows = range(len(photos)) if rows is None else rows
    images = ordered_map(photos.__getitem__, rows, workers=workers, ahead=2 * size)
    while batch := list(islice(images, size)):
        yield stacked(batch)
