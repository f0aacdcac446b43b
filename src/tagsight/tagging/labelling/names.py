"""Which photos look like the name of a label: a queue before the first judgement."""

from __future__ import annotations

import logging
import threading
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from tagsight.data.photos.reading import decoding_side, open_photo
from tagsight.errors import DataError
from tagsight.runtime.threads import batched, yield_to_others
from tagsight.tagging.labelling.errors import disk_problems
from tagsight.tagging.labelling.features import NOWHERE, mapped, write_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray
    from PIL import Image

    from tagsight.nn.text_image import TextImageEncoder
    from tagsight.tagging.labelling.features import Features
    from tagsight.tagging.labelling.project import Project

BATCH = 8
"""Photos of a forward pass."""

PROMPTS = ("{}", "a photo of {}.", "a photo of a {}.", "a close-up photo of {}.")
"""Sentences about a label, whose embeddings are averaged."""

logger = logging.getLogger(__name__)


def sentences(name: str) -> list[str]:
    """Write the sentences about a label; of a hierarchy, its last part is the name.

    Example:
        >>> sentences("animal/polar_bear")[1]
        'a photo of polar bear.'
    """
    said = name.rpartition("/")[2].replace("_", " ").strip() or name
    return [prompt.format(said) for prompt in PROMPTS]


class NameSearch:
    """Embeddings of photos by a text-image encoder, kept by content as features are.

    A thread computes them beside the features, and goes on where it was interrupted. A row is the
    embedding of a slot, of length 1; a row of zeros is none yet.

    Args:
        project: The project.
        features: Knows the slot of each photo's content.
        encoder: The text-image encoder.
        on_part: Called in the thread after each part.

    Example:
        >>> from pathlib import Path
        >>> from types import SimpleNamespace
        >>> import torch
        >>> from PIL import Image
        >>> from tagsight.runtime.device import Runtime
        >>> from tagsight.tagging.labelling.encoder import Encoded
        >>> from tagsight.tagging.labelling.features import Features
        >>> from tagsight.tagging.labelling.project import Project
        >>> encoder = SimpleNamespace(
        ...     **{"name": "example", "dimensions": 2, "side": 8, "square": lambda photo: photo},
        ...     runtime=Runtime.choose("cpu", workers=1),
        ...     images=lambda photos: torch.tensor([[1.0, 0.0]] * len(photos)),
        ...     texts=lambda texts: torch.tensor([[0.6, 0.8]] * len(texts)),
        ... )
        >>> Image.new("RGB", (8, 8)).save("a.jpg")
        >>> with Project(Path("project"), Path()) as project:
        ...     project.photos.search(lambda: None)
        ...     features = Features(project.database, project.folder, "example", dimensions=8)
        ...     cells = np.zeros((1, 7, 7, 64), np.int8)
        ...     features.add([1], [b"a hash"], Encoded(np.ones((1, 8), np.float16), cells))
        ...     search = NameSearch(project, features, encoder, lambda: None)
        ...     search.start()
        ...     search.finish()
        ...     search.stop()
        >>> search.likeness("dog", features.slots(1)).round(2)
        array([0.6], dtype=float32)
    """

    def __init__(
        self,
        project: Project,
        features: Features,
        encoder: TextImageEncoder,
        on_part: Callable[[], object],
    ) -> None:
        self._project = project
        self._features = features
        self._encoder = encoder
        self._on_part = on_part
        self._file = features.folder / f"{features.encoder}-{encoder.name[-16:]}.names"
        self._stopped, self._woken = threading.Event(), threading.Event()
        self._idle = threading.Event()
        self._unreadable: set[int] = set()
        self._thread = threading.Thread(target=self._run, name="tagsight-names", daemon=True)
        with disk_problems(self._file):
            self._file.touch()
        self._known = _whole(self._stored())
        self._of_name = lru_cache(maxsize=1024)(self._encode_name)

    @property
    def count(self) -> int:
        """Number of photos, by content, that can be compared with names."""
        return int(self._known.sum())

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()
        self.wake()

    def wake(self) -> None:
        """Wake the thread to look for photos that have features and no embedding yet."""
        self._idle.clear()
        self._woken.set()

    def finish(self) -> None:
        """Wait until the thread has nothing to do."""
        self._idle.wait()

    def stop(self) -> None:
        """Stop the thread after its present batch, and wait for it."""
        self._stopped.set()
        self._woken.set()
        if self._thread.ident is not None:
            self._thread.join()

    def likeness(self, name: str, slots: NDArray[np.int64]) -> NDArray[np.float32]:
        """Compare photos with the name of a label.

        Args:
            name: The label.
            slots: ``(n,)``, the slots of the photos.

        Returns:
            ``(n,)`` float32, the cosine, NaN where there is no embedding yet.
        """
        known, found = self._known, np.full(len(slots), np.nan, np.float32)
        there = (slots != NOWHERE) & (slots < len(known))
        there[there] = known[slots[there]]
        stored = self._stored()
        found[there] = stored[slots[there]].astype(np.float32) @ self._of_name(name)
        return found

    def _encode_name(self, name: str) -> NDArray[np.float32]:
        mean = self._encoder.texts(sentences(name)).numpy().mean(0)
        return (mean / max(float(np.linalg.norm(mean)), 1e-12)).astype(np.float32)

    def _run(self) -> None:
        yield_to_others()
        while not self._stopped.is_set():
            self._woken.wait()
            self._woken.clear()
            try:
                for part in batched(self._waiting(), BATCH):
                    self._encode_part(part)
                    if self._stopped.is_set():
                        return
                    self._on_part()
            except (DataError, OSError, RuntimeError) as error:
                logger.warning("%s", error)
            if not self._woken.is_set():
                self._idle.set()

    def _encode_part(self, part: list[tuple[int, int]]) -> None:
        ids, slots = zip(*part, strict=True)
        paths = [self._project.photos.path_of(one) for one in self._project.photos.rows(ids)]
        squares, places = [], []
        for path, slot in zip(paths, slots, strict=True):
            try:
                squares.append(self._encoder.square(self._opened(path)))
                places.append(slot)
            except (DataError, OSError):  # the project says itself that it cannot be used
                self._unreadable.add(slot)
        if not squares:
            return
        rows = self._encoder.images(squares).numpy().astype(np.float16)
        with disk_problems(self._file):
            for slot, row in zip(places, rows, strict=True):
                write_rows(self._file, slot, row[None])
        grown = np.zeros(max(len(self._known), max(places) + 1), bool)
        grown[: len(self._known)] = self._known
        grown[places] = True
        self._known = grown

    def _opened(self, path: Path) -> Image.Image:
        most = self._encoder.runtime.max_photo_memory
        return open_photo(path, max_memory=most, least_side=decoding_side(self._encoder.side))

    def _stored(self) -> NDArray[np.float16]:
        dimensions = self._encoder.dimensions
        count = self._file.stat().st_size // (2 * dimensions)
        return mapped(self._file, np.float16, (count, dimensions))

    def _waiting(self) -> Iterator[tuple[int, int]]:
        """Yield photos and their slots, one photo of each content."""
        there = self._project.photos.there()
        slots = self._features.slots(self._project.photos.count)[there - 1]
        slots, first = np.unique(slots, return_index=True)
        known = self._known
        for photo, slot in zip(there[first].tolist(), slots.tolist(), strict=True):
            done = slot < len(known) and known[slot]
            if slot != NOWHERE and not done and slot not in self._unreadable:
                yield photo, slot


def _whole(rows: NDArray[np.float16]) -> NDArray[np.bool_]:
    """Find the rows that are embeddings: neither missing nor torn by a crash."""
    whole = np.zeros(len(rows), bool)
    for first in range(0, len(rows), 2**14):
        part = np.asarray(rows[first : first + 2**14], np.float32)
        whole[first : first + 2**14] = np.abs(np.linalg.norm(part, axis=1) - 1) < 0.01
    return whole
