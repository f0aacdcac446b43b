"""The database of a journal: its tables, its version, and errors in words."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tagsight.data.tags.xmp_tree import LARGEST
from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Self

VERSION = 2
APPLICATION = 0x74736A6C
"""Application id in the header of the database."""

PATIENCE = 60.0
"""Seconds to wait for another process that writes."""

OTHERWISE = "choose another `journal`"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS runs (
    id INTEGER PRIMARY KEY, started TEXT NOT NULL, model TEXT NOT NULL, form TEXT NOT NULL,
    ending TEXT NOT NULL, separator TEXT NOT NULL, existing TEXT NOT NULL, undone TEXT
);
CREATE TABLE IF NOT EXISTS places (
    run INTEGER NOT NULL, folder BLOB NOT NULL, PRIMARY KEY (run, folder)
);
CREATE TABLE IF NOT EXISTS changes (
    id INTEGER PRIMARY KEY, run INTEGER NOT NULL REFERENCES runs, sidecar BLOB NOT NULL,
    before BLOB, before_digest BLOB, after_digest BLOB NOT NULL,
    names TEXT NOT NULL, additions TEXT NOT NULL,
    made INTEGER NOT NULL DEFAULT 0, undone INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS changes_of_sidecar ON changes (sidecar);
CREATE INDEX IF NOT EXISTS changes_of_run ON changes (run);
CREATE TABLE IF NOT EXISTS unfinished (origin BLOB PRIMARY KEY, run INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS done (
    origin BLOB NOT NULL, number INTEGER NOT NULL, record TEXT NOT NULL,
    PRIMARY KEY (origin, number)
) WITHOUT ROWID;
"""


class JournalFile:
    """An open database, created with its folder if needed.

    Args:
        file: The file.

    Raises:
        DataError: If the file is something else, or cannot be read and written.

    Example:
        >>> with JournalFile("journal.sqlite") as opened:
        ...     str(opened.file)
        'journal.sqlite'
    """

    def __init__(self, file: Path | str) -> None:
        file = Path(file)
        self.file = file
        with self._in_words():
            file.parent.mkdir(parents=True, exist_ok=True)
            if file.exists() and not file.is_file():
                msg = "a folder or device"
                raise OSError(msg)
            # A journal may be made in one thread and written in another, never in two at once.
            self._database = sqlite3.connect(
                file, timeout=PATIENCE, isolation_level=None, check_same_thread=False
            )
        try:
            with self._in_words():
                self._database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 2 * LARGEST)
                # FULL: a commit returns when the records are on the disk.
                self._database.execute("PRAGMA synchronous = FULL")
                with self._transaction():
                    self._create()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def _create(self) -> None:
        ((application,),) = self._ask("PRAGMA application_id")
        ((version,),) = self._ask("PRAGMA user_version")
        ((tables,),) = self._ask("SELECT COUNT(*) FROM sqlite_master")
        if application == version == tables == 0:
            self._ask(f"PRAGMA application_id = {APPLICATION}")
            self._ask(f"PRAGMA user_version = {VERSION}")
        elif application != APPLICATION:
            msg = f"{self.file}: expected a journal of tagsight, got another database: {OTHERWISE}"
            raise DataError(msg)
        elif version != VERSION:
            msg = f"{self.file}: expected a journal of version {VERSION}, got {version}"
            raise DataError(f"{msg}: {OTHERWISE}")
        for statement in _SCHEMA.strip().split(";\n"):
            self._ask(statement)

    def _ask(self, statement: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        with self._in_words():
            return self._database.execute(statement, values).fetchall()

    def _ask_each(self, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
        with self._in_words():
            self._database.executemany(statement, rows)

    def _damaged(self, what: str) -> DataError:
        return DataError(f"{self.file}: expected {what} as it was recorded, got it damaged")

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        # IMMEDIATE takes the write lock now: a transaction that reads first and then wants to
        # write fails at once, without waiting, if another process has written in between.
        self._ask("BEGIN IMMEDIATE")
        try:
            yield
            self._ask("COMMIT")
        except BaseException:
            if self._database.in_transaction:
                self._ask("ROLLBACK")
            raise

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            got = getattr(error, "strerror", None) or error
            msg = f"{self.file}: expected a journal that can be read and written, got: {got}"
            raise DataError(f"{msg}; {OTHERWISE}") from error
