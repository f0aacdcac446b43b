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


ATTEMPTS, PAUSE = 100, 0.05
"""How often, and after how many seconds, a file is opened that another process prepares."""

_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})


class CacheFile:
    """A SQLite file that is replaced if it is damaged, and closed when its ``with`` block ends.

    Threads share the connection, ``_database``; whoever uses it holds ``_lock``.

    Args:
        file: The file; it is created if it does not exist.
        setup: Statements that prepare it, and change nothing where it is prepared.
        probes: Queries that fail where tables are not as they should be.

    Raises:
        sqlite3.Error: If it cannot be made, as on a full disk.

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
        except sqlite3.DatabaseError:
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
    for _ in range(ATTEMPTS):
        try:
            return _opened(file, setup, probes)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF not in _BUSY:
                raise
            time.sleep(PAUSE)
    return _opened(file, setup, probes)


def _opened(file: Path, setup: Sequence[str], probes: Sequence[str]) -> sqlite3.Connection:
    database = sqlite3.connect(file, timeout=60, check_same_thread=False)
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
