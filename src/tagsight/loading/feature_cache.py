"""Frozen features on disk: what the same stages made of the same photo is not made again.

A folder has one SQLite file for each set of frozen stages. Files are removed, the longest unused
first, when a new run needs their room.
"""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

SUFFIX = ".features"
PAGE = 65536
"""Bytes of a page of the file: a grid is some tens of thousands."""

_TABLE = (
    "CREATE TABLE IF NOT EXISTS grids "
    "(photo BLOB NOT NULL, view TEXT NOT NULL, grid BLOB NOT NULL, PRIMARY KEY (photo, view))"
)


class FeatureCache:
    """Grids of numbers by photo and view; several processes may share a file.

    Args:
        file: The file, which is made if it is not there, and made anew if it is damaged.

    Raises:
        OSError: If the file can neither be read nor made.
        sqlite3.Error: If there is no room left on the disk.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._lock = threading.Lock()
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._database = _opened(file)
        except sqlite3.DatabaseError:
            _remove(file)
            self._database = _opened(file)
        file.touch()  # the time of the last use

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._database.close()

    def complete(self, sizes: Mapping[str, int]) -> set[bytes]:
        """Find the photos that have a grid for each view.

        Args:
            sizes: Bytes of a grid by view.
        """
        found = [
            {
                photo
                for (photo,) in self._database.execute(
                    "SELECT photo FROM grids WHERE view = ? AND length(grid) = ?", one
                )
            }
            for one in sizes.items()
        ]
        return set.intersection(*found)

    def write(self, grids: Iterable[tuple[bytes, str, bytes]]) -> None:
        """Keep grids: photo, view, bytes; all of them or, if this fails, none."""
        with self._lock, self._database:
            self._database.executemany("INSERT OR REPLACE INTO grids VALUES (?, ?, ?)", grids)

    def read(self, photo: bytes, views: Sequence[str]) -> list[bytes]:
        """Recall the grids of a photo, which must be there; any thread may ask."""
        asked = "SELECT grid FROM grids WHERE photo = ? AND view = ?"
        with self._lock:
            return [self._database.execute(asked, (photo, v)).fetchone()[0] for v in views]


def make_room(folder: Path, needed: int, budget: int, *, keep: Path) -> bool:
    """Remove files, the longest unused first, until so many bytes more are within the budget.

    Args:
        folder: Of the files.
        needed: Bytes to come.
        budget: Most bytes in the folder.
        keep: A file that stays.

    Returns:
        Whether there is room now; if there never could be, nothing is removed.
    """
    sizes = {file: file.stat() for file in folder.glob(f"*{SUFFIX}")}
    kept = sizes[keep].st_size if keep in sizes else 0
    if kept + needed > budget:
        return False
    total = sum(size.st_size for size in sizes.values())
    for file in sorted(sizes.keys() - {keep}, key=lambda file: sizes[file].st_mtime_ns):
        if total + needed <= budget:
            break
        _remove(file)
        total -= sizes[file].st_size
    return True


def _opened(file: Path) -> sqlite3.Connection:
    # Threads share the connection, one at a time.
    database = sqlite3.connect(file, timeout=60, check_same_thread=False)
    try:
        with database:
            database.execute(f"PRAGMA page_size = {PAGE}")
            database.execute(_TABLE)
        with closing(database.execute("SELECT photo, view, grid FROM grids LIMIT 1")) as rows:
            rows.fetchone()
    except sqlite3.Error:
        database.close()
        raise
    return database


def _remove(file: Path) -> None:
    file.unlink(missing_ok=True)
    file.with_name(f"{file.name}-journal").unlink(missing_ok=True)
