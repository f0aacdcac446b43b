"""The work that goes on while people judge: searching the folder, and encoding its photos."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from tagsight.data.photos.check import content_hash, photo_content
from tagsight.data.photos.deaths import noted, watched
from tagsight.data.photos.reading import open_photo, whole_size
from tagsight.data.photos.traits import look_of
from tagsight.errors import DataError
from tagsight.runtime.threads import yield_to_others
from tagsight.tagging.labelling.errors import NoRoomError
from tagsight.tagging.labelling.photos import Examined
from tagsight.tagging.labelling.thumbnails import jpeg_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from torch import Tensor

    from tagsight.tagging.labelling.encoder import Encoded, PhotoEncoder
    from tagsight.tagging.labelling.features import Features
    from tagsight.tagging.labelling.photos import Photo
    from tagsight.tagging.labelling.project import Project
    from tagsight.tagging.labelling.suggestions import Suggestions
    from tagsight.tagging.labelling.thumbnails import Thumbnails

BATCH = 8
"""Photos of a forward pass."""

PAUSE = 1.0
"""Seconds between two reports while the folder is searched."""

PAUSE_WHEN_FULL = 5.0
"""Seconds until it is tried again whether the disk has room."""

FULL_DISK = "the disk is full: analysing waits for room"

logger = logging.getLogger(__name__)


class Progress(NamedTuple):
    """Progress of the encoding, and then of a trained model's scores.

    Attributes:
        encoded: Photos that have features.
        photos: Photos that can have some.
        seconds_left: Estimated, of the encoding or of the scoring; None if unknown.
        problem: Why it stopped before the end, or waits, or None.
        left_out: Photos that cannot be used.
        unscored: Photos that wait for the scores of the trained model; None before it is their
            turn, and without such a model.
    """

    encoded: int
    photos: int
    seconds_left: float | None
    problem: str | None = None
    left_out: int = 0
    unscored: int | None = None


@dataclass(frozen=True, eq=False)
class _Read:
    photo: Photo
    found: Examined | None
    square: Tensor | None
    problem: str = ""


class Background:
    """A thread that brings a project up to date with the disk: photos, thumbnails, features.

    It goes on where it was interrupted, whenever that was, and can be stopped between two batches.

    Args:
        project: The project.
        encoder: Encodes the photos.
        features: Receives their features.
        thumbnails: Receives their thumbnails.
        on_progress: Called in the thread after each step.
        suggestions: Scores of a trained model to compute afterwards, or None.

    Example:
        >>> from pathlib import Path
        >>> from PIL import Image
        >>> from tagsight.runtime.device import Runtime
        >>> from tagsight.tagging.labelling.encoder import PhotoEncoder
        >>> from tagsight.tagging.labelling.features import Features
        >>> from tagsight.tagging.labelling.project import Project
        >>> from tagsight.tagging.labelling.thumbnails import Thumbnails
        >>> Image.new("RGB", (40, 30)).save("a.jpg")
        >>> encoder = PhotoEncoder.choose(Runtime.choose("cpu", workers=1))
        >>> name, length = encoder.name(), encoder.dimensions
        >>> with Project(Path("project"), Path()) as project:
        ...     features = Features(project.database, project.folder, name, length)
        ...     with Thumbnails(project.folder) as thumbnails:
        ...         background = Background(project, encoder, features, thumbnails, lambda _: None)
        ...         background.start()
        ...         background.finish()
        >>> background.progress.encoded, background.progress.seconds_left
        (1, 0.0)
        >>> features.embeddings().shape
        (1, 2280)
    """

    def __init__(
        self,
        project: Project,
        encoder: PhotoEncoder,
        features: Features,
        thumbnails: Thumbnails,
        on_progress: Callable[[Progress], object],
        suggestions: Suggestions | None = None,
    ) -> None:
        self._project = project
        self._encoder = encoder
        self._encoder_name = encoder.name()
        self._features = features
        self._thumbnails = thumbnails
        self._on_progress = on_progress
        self._suggestions = suggestions
        self._stopped = threading.Event()
        self._next_count = 0.0
        self._thread = threading.Thread(target=self._run, name="tagsight-features", daemon=True)
        self.progress = Progress(0, project.photos.count, None)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread after its present batch, and wait for it."""
        self._stopped.set()
        if self._thread.ident is not None:
            self._thread.join()

    def finish(self) -> None:
        """Wait until everything is encoded."""
        self._thread.join()

    def _run(self) -> None:
        yield_to_others()
        try:
            full = self._do_all()
            if full is not None:
                logger.warning("%s", full)
            while full is not None:
                self._wait_for_room()
                full = self._do_all()
        except _Stopped:
            return
        except (DataError, OSError, RuntimeError, sqlite3.Error) as error:
            logger.warning("%s", error)
            self._report(self.progress._replace(seconds_left=None, problem=str(error)))

    def _do_all(self) -> NoRoomError | None:
        """Search the folder and encode what has no features; return the error of a full disk."""
        try:
            self._project.photos.search(self._on_found)
            with watched():
                self._encode()
                if self._suggestions is not None:
                    self._score(self._suggestions)
        except NoRoomError as error:
            return error
        return None

    def _wait_for_room(self) -> None:
        self._report(self._counted(None)._replace(problem=FULL_DISK))
        if self._stopped.wait(PAUSE_WHEN_FULL):
            raise _Stopped

    def _on_found(self) -> None:
        """Report the photos found so far; counting many of them takes time, so not too often."""
        if self._stopped.is_set():
            raise _Stopped
        if time.monotonic() >= self._next_count:
            self._report(self._counted(None))
            self._next_count = time.monotonic() + PAUSE

    def _score(self, suggestions: Suggestions) -> None:
        started, waiting, encoded = time.monotonic(), 0, self._counted(None)

        def on_part(left: int) -> None:
            nonlocal waiting
            if self._stopped.is_set():
                raise _Stopped
            waiting = waiting or left
            spent, done = time.monotonic() - started, waiting - left
            seconds = left * spent / done if done else None
            self._report(encoded._replace(seconds_left=seconds if left else 0.0, unscored=left))

        suggestions.compute(on_part)

    def _encode(self) -> None:
        started = time.monotonic()
        first = self._counted(None)
        encoded, photos, left_out = first.encoded, first.photos, first.left_out
        self._report(first)
        runtime = self._encoder.runtime
        with closing(runtime.pipeline(self._read, self._forward, self._batches())) as results:
            for reads, features in results:
                self._note(reads, features)
                unusable = sum(read.found is None for read in reads)
                encoded, photos = encoded + len(reads) - unusable, photos - unusable
                left_out += unusable
                done = encoded - first.encoded
                rate = done / max(time.monotonic() - started, 1e-9)
                left = (photos - encoded) / rate if done else None
                self._report(Progress(encoded, photos, left, left_out=left_out))
                if self._stopped.is_set():
                    raise _Stopped
        self._report(self._counted(0.0))

    def _batches(self) -> Iterator[list[Photo]]:
        after = 0
        while not self._stopped.is_set():
            batch = self._project.photos.unencoded(self._encoder_name, BATCH, after)
            if not batch:
                return
            yield batch
            after = batch[-1].id

    def _read(self, batch: Sequence[Photo]) -> list[_Read]:
        yield_to_others()
        return [self._read_one(photo) for photo in batch if not self._stopped.is_set()]

    def _read_one(self, photo: Photo) -> _Read:
        most, least_side = self._encoder.runtime.max_photo_memory, self._encoder.least_side
        try:
            path = self._project.photos.path_of(photo)
            content = photo_content(path)
            with noted(path, max_memory=most, least_side=least_side):
                decoded = open_photo(content, max_memory=most, least_side=least_side)
        except DataError as error:
            return _Read(photo, None, None, str(error).removeprefix("photo: "))
        except FileNotFoundError:
            return _Read(photo, None, None, "it is not there any more")
        except OSError as error:
            return _Read(photo, None, None, error.strerror or str(error))
        if self._thumbnails.get(photo) is None:
            self._thumbnails.put(photo, jpeg_of(decoded))
        found = Examined(photo.id, content_hash(content), whole_size(decoded), look_of(decoded))
        return _Read(photo, found, self._encoder.square(decoded))

    def _forward(self, reads: list[_Read]) -> tuple[list[_Read], Encoded | None]:
        squares = [read.square for read in reads if read.square is not None]
        if self._stopped.is_set():
            raise _Stopped
        return reads, self._encoder.encode(squares) if squares else None

    def _note(self, reads: Sequence[_Read], encoded: Encoded | None) -> None:
        found = [read.found for read in reads if read.found is not None]
        problems = [(read.photo.id, read.problem) for read in reads if read.problem]
        new = [row for row, one in enumerate(found) if not self._features.find(one.id, one.content)]
        if new and encoded is not None:
            self._features.add(
                [found[row].id for row in new],
                [found[row].content for row in new],
                encoded.rows(new),
            )
        self._project.photos.note_read(found, problems)

    def _counted(self, seconds_left: float | None) -> Progress:
        there = self._project.photos.there()
        slots = self._features.slots(self._project.photos.count)
        encoded, left_out = (slots[there - 1] >= 0).sum(), self._project.photos.count_left_out()
        return Progress(int(encoded), len(there), seconds_left, left_out=left_out)

    def _report(self, progress: Progress) -> None:
        self.progress = progress
        self._on_progress(progress)


class _Stopped(Exception):  # noqa: N818 - no error
    """The thread is to end."""
