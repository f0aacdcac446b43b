"""SQLite files of what can be computed again, so that a damaged one is made anew."""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


PATIENCE, PAUSE = 60.0, 0.05
"""Seconds for which a file is waited for that another process uses, and between two attempts."""

_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})


class CacheFile:
    """A SQLite file that is replaced if it is damaged, and closed when its ``with`` block ends.

    Threads share the connection, ``_database``; whoever uses it holds ``_lock``.

    Args:
        file: The file; it is created if it does not exist.
        setup: Statements that prepare it, and change nothing where it is prepared.
        probes: Queries that fail where tables are not as they should be.

    Raises:
        sqlite3.Error: If it cannot be made, as on a full disk, or another process keeps it locked.

    Example:
        >>> from pathlib import Path
        >>> _ = Path("cache.sqlite").write_bytes(b"damaged")
        >>> table = "CREATE TABLE IF NOT EXISTS squares (root INTEGER, square INTEGER)"
        >>> with CacheFile(Path("cache.sqlite"), [table], ["SELECT square FROM squares"]) as cache:
        ...     cache.file.read_bytes()[:6]
        b'SQLite'
    """

    def __init__(self, file: Path, setup: Sequence[str], probes: Sequence[str] = ()) -> None:
        self.file = file
        self._lock = threading.Lock()
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._database = _opened_in_turn(file, setup, probes)
        except sqlite3.DatabaseError as error:
            if _is_busy(error):
                raise
            remove_cache_file(file)
            self._database = _opened_in_turn(file, setup, probes)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._database.close()


def remove_cache_file(file: Path) -> None:
    """Remove a SQLite file, and those that SQLite keeps beside it.

    Example:
        >>> from pathlib import Path
        >>> for name in ("cache.sqlite", "cache.sqlite-wal"):
        ...     Path(name).touch()
        >>> remove_cache_file(Path("cache.sqlite"))
        >>> list(Path().iterdir())
        []
    """
    for ending in ("", "-journal", "-wal", "-shm"):
        file.with_name(file.name + ending).unlink(missing_ok=True)


def _opened_in_turn(file: Path, setup: Sequence[str], probes: Sequence[str]) -> sqlite3.Connection:
    """Open a file that other processes may be preparing, which is no damage."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return _opened(file, setup, probes)
        except sqlite3.OperationalError as error:
            if not _is_busy(error) or time.monotonic() > deadline:
                raise
            time.sleep(PAUSE)


def _is_busy(error: sqlite3.Error) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _BUSY


def _opened(file: Path, setup: Sequence[str], probes: Sequence[str]) -> sqlite3.Connection:
    database = sqlite3.connect(file, timeout=PATIENCE, check_same_thread=False)
    try:
        with database:
            for statement in setup:
                database.execute(statement)
        for query in probes:
            with closing(database.execute(f"{query} LIMIT 1")) as rows:
                rows.fetchone()
    except sqlite3.Error:
        database.close()
        raise
    return database
