"""The SQLite file of a project: its tables, and transactions that are on the disk when they end."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from threading import RLock
from typing import TYPE_CHECKING

from tagsight.data.formats.label_project import APPLICATION, DATABASE
from tagsight.errors import DataError
from tagsight.runtime.claims import Claim
from tagsight.tagging.labelling.errors import NoRoomError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VERSION = 1
"""``user_version`` of the tables below."""

LOCK = "in-use.sqlite"
"""A file that the process which has the project open holds locked."""

_TABLES = """
CREATE TABLE photos (
    id INTEGER PRIMARY KEY,
    path TEXT NOT NULL UNIQUE,  -- below the folder of the photos, with forward slashes
    size INTEGER NOT NULL,      -- of the file, in bytes
    modified INTEGER NOT NULL,  -- in nanoseconds
    content BLOB,               -- hash of the file; NULL until it is read
    width INTEGER,
    height INTEGER,
    look BLOB,                  -- fingerprint of the look, to find near twins
    problem TEXT,               -- why it cannot be used
    gone INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE labels (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    colour TEXT NOT NULL,
    shortcut TEXT,
    hidden INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE batches (          -- what a person did at once
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,         -- 'judge', 'undo', 'redo', 'import'
    reverts INTEGER,            -- the batch that is undone or redone
    person TEXT NOT NULL,
    at TEXT NOT NULL,           -- ISO 8601
    key TEXT UNIQUE             -- of the request, by which its repetition is recognised
);
CREATE TABLE judgements (       -- the log; rows are only ever appended
    id INTEGER PRIMARY KEY,
    batch INTEGER NOT NULL,
    photo INTEGER NOT NULL,
    label INTEGER NOT NULL,
    before INTEGER,             -- 1, 0, or NULL for not judged
    value INTEGER
);
CREATE INDEX judgements_of_batch ON judgements (batch);
CREATE TABLE features (         -- rows of the files of features
    encoder TEXT NOT NULL,
    content BLOB NOT NULL,
    slot INTEGER NOT NULL,
    PRIMARY KEY (encoder, content)
) WITHOUT ROWID;
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


class Database:
    """A project's SQLite file, opened by one process and shared by its threads.

    What `changes` has committed survives the death of the process and a loss of power: the log is
    written ahead and synchronised with the disk at every commit.

    Args:
        folder: The project's folder, which exists.

    Raises:
        DataError: If another process has the project open, the file is not a project's, is of
            another version or is damaged, or there is no room for it.

    Example:
        >>> from pathlib import Path
        >>> database = Database(Path())
        >>> with database.changes() as connection:
        ...     _ = connection.execute("INSERT INTO settings VALUES ('photos', '/pictures')")
        >>> with database.reading() as connection:
        ...     connection.execute("SELECT * FROM settings").fetchall()
        [('photos', '/pictures')]
        >>> database.close()
    """

    def __init__(self, folder: Path) -> None:
        self.file = folder / DATABASE
        self._lock = RLock()
        refusal = (
            f"expected a project that no other process has open, got {folder}: use the address "
            "that it printed, or end it"
        )
        self._claim = Claim(folder / LOCK, refusal)
        try:
            self._connection = _opened(self.file)
        except sqlite3.Error as error:
            self._claim.close()
            raise self._problem(error) from error
        except DataError:
            self._claim.close()
            raise

    def close(self) -> None:
        """Close the file; later uses raise `sqlite3.ProgrammingError`."""
        with self._lock:
            self._connection.close()
            self._claim.close()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Use the connection, while no other thread does."""
        with self._lock:
            yield self._connection

    @contextmanager
    def changes(self) -> Iterator[sqlite3.Connection]:
        """Commit what the block changes, all of it or, after an error, nothing.

        Raises:
            DataError: If the disk is full, or the file cannot be written.
        """
        with self._lock:
            try:
                with self._connection:
                    self._connection.execute("BEGIN IMMEDIATE")
                    yield self._connection
            except (sqlite3.OperationalError, sqlite3.DatabaseError) as error:
                raise self._problem(error) from error

    def _problem(self, error: sqlite3.Error) -> DataError:
        if error.sqlite_errorcode == sqlite3.SQLITE_FULL:
            return NoRoomError(
                f"{self.file}: expected room on the disk, got none: nothing of this was saved, "
                "what was saved before is kept; free some space and repeat it"
            )
        return DataError(f"{self.file}: expected a project's file that can be used, got: {error}")


def _opened(file: Path) -> sqlite3.Connection:
    # Threads share the connection; `Database` serialises its uses by a lock.
    connection = sqlite3.connect(file, timeout=60, check_same_thread=False, isolation_level=None)
    try:
        ((application,),) = connection.execute("PRAGMA application_id")
        ((version,),) = connection.execute("PRAGMA user_version")
        ((tables,),) = connection.execute("SELECT count(*) FROM sqlite_schema")
        if tables and (application, version) != (APPLICATION, VERSION):
            msg = (
                f"expected a project of this version of tagsight ({VERSION}) in {file}, got "
                f"{f'one of version {version}' if application == APPLICATION else 'another file'}"
            )
            raise DataError(msg)
        if not tables:
            _create(connection)
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
    except BaseException:
        connection.close()
        raise
    return connection


def _create(connection: sqlite3.Connection) -> None:
    # Before the log is written ahead, so that the file itself says what it is.
    connection.executescript(
        f"BEGIN; PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION}; "
        f"{_TABLES} COMMIT;"
    )
