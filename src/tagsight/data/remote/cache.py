"""A folder of files within a budget of bytes, of which the least recently used go first."""

from __future__ import annotations

import hashlib
import os
import time
from contextlib import suppress
from pathlib import PurePath
from threading import Lock, get_ident
from threading import enumerate as threads
from typing import TYPE_CHECKING, NamedTuple

from tagsight.runtime.files import replacing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FILLED = 0.9
"""Fraction of the budget that is left after files were deleted."""

ABANDONED = 3600
"""Seconds after which a part of a file that nobody writes to was left by a killed process."""


class _Entry(NamedTuple):
    used: int  # nanoseconds
    size: int
    path: str


class DiskCache:
    """Files by keys. Several processes may share the folder, and a file appears when it is whole.

    A file's time of modification is when it was last used. The last file that each thread of this
    process was given stays until the thread asks for another, releases it or ends, as it reads it.

    Args:
        folder: The folder, created when it is needed.
        budget: Bytes of all files but those that are being read.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     cache = DiskCache(Path(folder), budget=10)
        ...     for word in ("first", "second"):
        ...         _ = cache.add(word, ".txt", lambda file: file.write_text("content"))
        ...     cache.find("first", ".txt"), cache.find("second", ".txt").read_text()
        (None, 'content')
    """

    def __init__(self, folder: Path, budget: int) -> None:
        self.folder = folder
        self.budget = budget
        self._lock = Lock()
        self._size: int | None = None  # of all files, once known
        self._given: dict[int, Path] = {}  # to threads

    def find(self, key: str, suffix: str) -> Path | None:
        """Return the file of a key, or None."""
        file = self._file(key, suffix)
        with self._lock:
            try:
                os.utime(file)
            except OSError:
                return None
            self._given[get_ident()] = file
        return file

    def add(self, key: str, suffix: str, write: Callable[[Path], object]) -> Path:
        """Write the file of a key, and delete others if there are too many bytes.

        Args:
            key: Any text.
            suffix: Suffix of the file.
            write: Writes a path, whose file is then moved to its place.
        """
        file = self._file(key, suffix)
        with replacing(file) as temporary:
            write(temporary)
            size = temporary.stat().st_size
            with self._lock:
                self._given[get_ident()] = file
        with self._lock:
            self._size = self._total() if self._size is None else self._size + size
            if self._size > self.budget:
                self._size = self._shrink()
        return file

    def release(self) -> None:
        """Let the file go that this thread was given last."""
        with self._lock:
            self._given.pop(get_ident(), None)

    def _file(self, key: str, suffix: str) -> Path:
        name = hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()
        return self.folder / name[:2] / (name[2:] + PurePath(f"a{suffix}").suffix)

    def _entries(self) -> list[_Entry]:
        """Return the whole files, and parts of others that nobody is writing any more."""
        entries = []
        latest = time.time_ns() - ABANDONED * 10**9
        for part in os.scandir(self.folder):
            for entry in os.scandir(part) if part.is_dir() else ():
                try:
                    status = entry.stat()
                except FileNotFoundError:  # another process has deleted it
                    continue
                if entry.name.startswith(".") and status.st_mtime_ns > latest:
                    continue
                entries.append(_Entry(status.st_mtime_ns, status.st_size, entry.path))
        return entries

    def _total(self) -> int:
        return sum(entry.size for entry in self._entries())

    def _shrink(self) -> int:
        """Delete what was used least recently and is not being read, and return the bytes left."""
        alive = {thread.ident for thread in threads()}
        self._given = {thread: file for thread, file in self._given.items() if thread in alive}
        kept = {str(file) for file in self._given.values()}
        entries = sorted(self._entries())
        left = sum(entry.size for entry in entries)
        for entry in entries:
            if left <= FILLED * self.budget:
                break
            if entry.path not in kept:
                with suppress(FileNotFoundError):
                    os.unlink(entry.path)  # noqa: PTH108 - text, for a million files
                left -= entry.size
        return left
