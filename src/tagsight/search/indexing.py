"""Bring an index up to date: recognise new photos, follow moved ones, remove deleted ones."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from tagsight.data.photos.deaths import watched
from tagsight.data.photos.tar_members import read_member, tar_of
from tagsight.data.remote.fetching import local_file
from tagsight.data.remote.places import is_remote
from tagsight.data.source import require_text
from tagsight.errors import DataError
from tagsight.runtime.files import sha256_of
from tagsight.runtime.threads import batched
from tagsight.search.columns import Known, Move
from tagsight.search.index import Entry

if TYPE_CHECKING:
    from tagsight.inference.recognizer import OnError, PhotoLike
    from tagsight.inference.result import EmbeddedPhoto, Result
    from tagsight.search.facts import Facts
    from tagsight.search.hashes import Hashes
    from tagsight.search.index import SearchIndex

PART = 256
"""Photos that are looked up or written at a time in a small index."""

SHARE = 64
"""The part of a large index that is written at a time, which a crash may take back."""

MOST_PATHS = 2**16
"""Photos that are looked up at a time at most."""

MOST_MEMORY = 2**24
"""Bytes of photos that wait to be written."""

ROUND = 2**17
"""Photos that are recognised in one go: a cluster takes all of their paths at once."""


class PhotoEmbedder(Protocol):
    """Recognises photos, here or on other machines."""

    def recognize(
        self, photos: Iterable[Path], *, on_error: OnError | None = None
    ) -> Iterator[Result] | Iterator[EmbeddedPhoto]:
        """Recognise photos, in order, without those that ``on_error`` is called with."""


@dataclass
class Indexed:
    """Indexing summary.

    Args:
        new: Photos that were recognised because they are new or have changed.
        known: Photos that were in the index already.
        moved: Photos whose path was updated.
        gone: Photos that were removed because their files are gone.
        left_out: Photos that could not be read.
        interrupted: Whether Ctrl-C ended it early.
        photos: Number of photos in the index afterwards.
    """

    new: int = 0
    known: int = 0
    moved: int = 0
    gone: int = 0
    left_out: int = 0
    interrupted: bool = False
    photos: int = 0


def index_photos(
    recognizer: PhotoEmbedder,
    photos: Iterable[Path | str],
    index: SearchIndex,
    *,
    on_photo: Callable[[Path], object] | None = None,
    on_problem: Callable[[Path, str], object] | None = None,
) -> Indexed:
    """Add photos to an index or update them; memory does not grow with their number.

    A photo is not opened if its path, size and time of modification are unchanged. Ctrl-C ends the
    work early; what is done is kept, and a second call continues.

    Args:
        recognizer: Recognises by the model that the index was made with.
        photos: Photos, consumed lazily, for example from `find_photos`.
        index: The index to update.
        on_photo: Called with each photo when it is done.
        on_problem: Called with each photo that cannot be read and the reason.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> import tagsight as ts
        >>> from tagsight.search.index import SearchIndex
        >>> recognizer = ts.load("runs/first/model")
        >>> with TemporaryDirectory() as folder:
        ...     made = ts.index(recognizer, "photos/00.jpg", out=f"{folder}/index", progress=False)
        ...     index = SearchIndex.open(Path(folder, "index"))
        ...     index_photos(recognizer, ["photos/dog.jpg"], index).new
        1
    """
    work = _Work(index, on_photo or _nothing, on_problem or _nothing)
    try:
        with watched():
            for part in batched(map(Path, photos), ROUND):
                work.recognise(recognizer, part)
    except KeyboardInterrupt:
        work.done.interrupted = True
    return work.done


def part_size(photos: int, facts: Facts) -> int:
    """Compute how many photos to write at a time in an index of this many.

    Each write leaves a file that all later writes, and searches, open. Parts that grow with the
    index keep the time for all of them at N log N.

    Example:
        >>> from tagsight.search.facts import Facts
        >>> facts = Facts("model", "0" * 64, ("dog",), (0.5,), length=384)
        >>> part_size(0, facts), part_size(100_000, facts)
        (256, 1562)
    """
    each = 4 * (facts.length + len(facts.names)) + 1_000  # with path and digest
    return min(max(PART, photos // SHARE), MOST_MEMORY // each)


def forget_missing(index: SearchIndex, below: Sequence[Path]) -> int:
    """Remove photos from an index whose files are gone, and return their number.

    Args:
        index: The index to update.
        below: Folders, and photos, to look at; other photos of the index stay.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> from tagsight.search.facts import Facts
        >>> from tagsight.search.index import SearchIndex
        >>> with TemporaryDirectory() as folder:
        ...     facts = Facts("model", "0" * 64, ("dog",), (0.5,), length=2)
        ...     index = SearchIndex.create(folder, facts)
        ...     forget_missing(index, [Path("photos")])
        0
    """
    # Of a photo, or a tar, that is there, nothing is gone.
    files = tuple(str(path.absolute()) for path in below if not _is_file(path))
    folders = tuple(file.rstrip(os.sep) + os.sep for file in files)
    gone = [
        path
        for path in (index.paths() if folders else ())
        if (path in files or path.startswith(folders)) and not _exists(Path(path))
    ]
    index.remove(gone)
    return len(gone)


class _Work:
    def __init__(
        self,
        index: SearchIndex,
        on_photo: Callable[..., object],
        on_problem: Callable[..., object],
    ) -> None:
        self.done = Indexed()
        self._index = index
        self._before = len(index)  # if none, no photo can be known or moved
        self._on_photo = on_photo
        self._on_problem = on_problem
        self._pending: dict[Path, Known] = {}  # photos that are being recognised

    @cached_property
    def _contents(self) -> Hashes:
        return self._index.contents()

    @property
    def _part(self) -> int:
        return part_size(self._before + self.done.new, self._index.facts)

    def recognise(self, recognizer: PhotoEmbedder, photos: Iterable[Path]) -> None:
        entries: list[Entry] = []
        try:
            for result in recognizer.recognize(self._new(photos), on_error=self._left_out):
                entries.append(self._entry(result))
                if len(entries) >= self._part:
                    self._put(entries)
        finally:  # an interruption as well leaves entries to be put
            self._put(entries)

    def _entry(self, result: Result | EmbeddedPhoto) -> Entry:
        assert result.path is not None
        return Entry(
            str(result.path),
            *self._pending.pop(result.path),
            labels=tuple(label.name for label in result.labels),
            scores=result.scores.astype(np.float32),
            embedding=result.embedding,
        )

    def _put(self, entries: list[Entry]) -> None:
        """Write entries, and empty their list."""
        put = entries.copy()
        entries.clear()
        self._index.put(put)
        self.done.new += len(put)
        for entry in put:
            self._on_photo(Path(entry.path))

    def _left_out(self, photo: PhotoLike, error: DataError) -> None:
        assert isinstance(photo, Path)
        self._pending.pop(photo, None)
        self._problem(photo, str(error))

    def _problem(self, photo: Path, reason: str) -> None:
        self.done.left_out += 1
        self._on_problem(photo, reason)
        self._on_photo(photo)

    def _new(self, photos: Iterable[Path]) -> Iterator[Path]:
        """Yield photos that must be recognised."""
        several = max(PART, min(self._before // SHARE, MOST_PATHS))
        for part in batched(self._storable(photo.absolute() for photo in photos), several):
            paths = [str(photo) for photo in part]
            known = self._index.known(paths) if self._before else {}
            # Fewer at a time, as the photos are read, while those before are recognised.
            for some in batched(part, PART):
                changed = [photo for photo in some if not self._is_known(photo, known)]
                self._move([photo for photo in changed if photo in self._pending])
                yield from (photo for photo in changed if photo in self._pending)

    def _storable(self, photos: Iterable[Path]) -> Iterator[Path]:
        """Yield photos whose names an index can store."""
        for photo in photos:
            try:
                require_text(photo)
            except DataError as error:
                self._problem(photo, f"{photo}: {error}")
            else:
                yield photo

    def _is_known(self, photo: Path, known: dict[str, Known]) -> bool:
        before = known.get(str(photo))
        if photo in self._pending:  # it was given before, and is being recognised
            self.done.known += 1
            self._on_photo(photo)
            return True
        try:
            status = _file(photo).stat()
            if before is not None and before[:2] == (status.st_size, status.st_mtime_ns):
                self.done.known += 1
                self._on_photo(photo)
                return True
            content = digest_of(photo)
            if before is not None and is_remote(photo) and before.digest == content:
                self.done.known += 1  # the time is that of its copy in the cache
                self._on_photo(photo)
                return True
        except (OSError, DataError) as error:
            self._problem(photo, f"{photo}: {error}")
            return False
        self._pending[photo] = Known(status.st_size, status.st_mtime_ns, content)
        return False

    def _move(self, photos: Sequence[Path]) -> None:
        """Update the paths of photos whose content the index has at a path without a file."""
        if not self._before:
            return
        digests = [self._pending[photo].digest for photo in photos]
        # A search in the table reads the digests of all photos; most new photos need none.
        places = self._index.with_content([d for d in digests if d in self._contents])
        moves = []
        for photo in photos:
            here = places.get(self._pending[photo].digest, [])
            left = next((path for path in here if not _exists(Path(path))), None)
            if left is not None and str(photo) not in here:
                here.remove(left)
                moves.append(Move(left, str(photo), self._pending.pop(photo).modified))
        self._index.move(moves)
        self.done.moved += len(moves)
        for move in moves:
            self._on_photo(Path(move.new))


def _file(photo: Path) -> Path:
    """Return the file of a photo, or the tar that it is in."""
    inside = tar_of(photo)
    return local_file(photo) if inside is None else inside[0]


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False


def _exists(photo: Path) -> bool:
    """Return whether a photo exists, or may exist where we have no permission to look."""
    try:
        _file(photo).stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, DataError):
        return True
    return True


def digest_of(photo: Path) -> bytes:
    """Compute the SHA-256 of the content of a photo.

    Example:
        >>> digest_of(Path("photos/dog.jpg")) == digest_of(Path("photos/00.jpg"))
        False
    """
    if inside := tar_of(photo):
        return hashlib.sha256(read_member(*inside)).digest()
    return sha256_of(local_file(photo))


def _nothing(*_: object) -> None:
    pass
