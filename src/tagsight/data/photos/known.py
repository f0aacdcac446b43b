"""Photos that an earlier check found sound, remembered on disk, so that none is decoded twice."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from tagsight.data.photos.traits import Look, PhotoTraits
from tagsight.runtime.cache_file import CacheFile, remove_cache_file

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

FILE = "checked-photos.sqlite"
"""Name of the file in a folder of caches."""

YOUNGEST = 2 * 10**9
"""Nanoseconds since its last change before a file is remembered; a later change may have the same
time, which some file systems store in whole seconds."""

_SETUP = (
    "PRAGMA journal_mode = WAL",
    "CREATE TABLE IF NOT EXISTS files (path TEXT PRIMARY KEY, size INTEGER NOT NULL, "
    "modified INTEGER NOT NULL, hash BLOB NOT NULL) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS contents (hash BLOB PRIMARY KEY, pixels INTEGER NOT NULL, "
    "memory INTEGER NOT NULL, traits TEXT NOT NULL) WITHOUT ROWID",
)
_PROBES = ("SELECT path, size, modified, hash FROM files", "SELECT traits FROM contents")


class Limits(NamedTuple):
    """Limits within which a photo was decoded: pixels, and bytes of memory."""

    pixels: int
    memory: int


class Sound(NamedTuple):
    """A photo that can be decoded.

    Attributes:
        path: The photo.
        size: Bytes of its file, or of the tar that it is in.
        modified: Time of that file's last change, in nanoseconds.
        hash: Hash of the content.
        traits: Its traits.
    """

    path: Path
    size: int
    modified: int
    hash: bytes
    traits: PhotoTraits


class KnownPhotos(CacheFile):
    """Sound photos by file and by content; threads and processes may share it.

    Args:
        file: The file; it is created if it does not exist, and replaced if it is damaged or larger
            than its budget.
        limits: Limits of decoding; photos that were decoded within larger ones are not known.
        budget: Largest size of the file, in bytes.

    Raises:
        OSError: If the file can neither be read nor created.
        sqlite3.Error: If the disk is full.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> traits, limits = PhotoTraits((640, 480)), Limits(10**6, 10**9)
        >>> photo = Sound(Path("a.jpg"), size=9, modified=1, hash=b"content", traits=traits)
        >>> with TemporaryDirectory() as folder:
        ...     with KnownPhotos(Path(folder) / FILE, limits, budget=10**9) as known:
        ...         known.remember([photo])
        ...         found = known.of_file(Path("a.jpg"), 9, 1), known.of_file(Path("a.jpg"), 9, 2)
        >>> found == ((b"content", traits), None)
        True
    """

    def __init__(self, file: Path, limits: Limits, budget: int) -> None:
        self._limits = limits
        with suppress(FileNotFoundError):
            if file.stat().st_size > budget:
                remove_cache_file(file)
        super().__init__(file, _SETUP, _PROBES)

    def of_file(self, path: Path, size: int, modified: int) -> tuple[bytes, PhotoTraits] | None:
        """Return hash and traits of a photo whose file has not changed, or None."""
        query = "SELECT hash FROM files WHERE path = ? AND size = ? AND modified = ?"
        with self._lock:
            row = self._database.execute(query, (str(path), size, modified)).fetchone()
        if row is None or (traits := self.of_content(row[0])) is None:
            return None
        return row[0], traits

    def of_content(self, content: bytes) -> PhotoTraits | None:
        """Return the traits of a photo by the hash of its content, or None."""
        query = "SELECT traits FROM contents WHERE hash = ? AND pixels <= ? AND memory <= ?"
        with self._lock:
            row = self._database.execute(query, (content, *self._limits)).fetchone()
        return None if row is None else _traits(row[0])

    def remember(self, photos: Iterable[Sound]) -> None:
        """Store photos in one transaction, but files that were changed a moment ago."""
        latest = time.time_ns() - YOUNGEST
        old = [photo for photo in photos if photo.modified < latest]
        files = [(str(one.path), one.size, one.modified, one.hash) for one in old]
        contents = [(one.hash, *self._limits, json.dumps(one.traits)) for one in old]
        with self._lock, self._database:
            self._database.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?)", files)
            self._database.executemany(
                "INSERT OR REPLACE INTO contents VALUES (?, ?, ?, ?)", contents
            )


def _traits(text: str) -> PhotoTraits:
    size, look, taken, camera, profile = json.loads(text)
    known = None if look is None else Look(look[0], tuple(look[1]))
    return PhotoTraits(tuple(size), known, taken, camera, profile)
