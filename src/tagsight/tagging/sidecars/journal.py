"""What was written into sidecars: noted before it is done, so that it can be taken back."""

from __future__ import annotations

import json
import os
import sqlite3
import zlib
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tagsight.errors import DataError
from tagsight.tagging.sidecars.changes import Run, digest, is_sound, noted_change
from tagsight.tagging.sidecars.edit import LARGEST

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Self

    from tagsight.tagging.sidecars.changes import Change, Noted

VERSION = 2
APPLICATION = 0x74736A6C
"""Which program's database a file is, as its header says."""

PATIENCE = 60.0
"""Seconds to wait for another process that writes."""

OTHERWISE = "give another file with --journal"

_SCHEMA = """
CREATE TABLE runs (
    id INTEGER PRIMARY KEY, started TEXT NOT NULL, model TEXT NOT NULL, form TEXT NOT NULL,
    ending TEXT NOT NULL, separator TEXT NOT NULL, existing TEXT NOT NULL, undone TEXT
);
CREATE TABLE places (run INTEGER NOT NULL, folder BLOB NOT NULL, PRIMARY KEY (run, folder));
CREATE TABLE changes (
    id INTEGER PRIMARY KEY, run INTEGER NOT NULL REFERENCES runs, sidecar BLOB NOT NULL,
    before BLOB, before_digest BLOB, after_digest BLOB NOT NULL,
    names TEXT NOT NULL, additions TEXT NOT NULL,
    made INTEGER NOT NULL DEFAULT 0, undone INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX changes_of_sidecar ON changes (sidecar);
CREATE INDEX changes_of_run ON changes (run);
"""


class Journal:
    """A journal on disk. Several processes may write, of different sidecars.

    It may come from somebody else, or have been changed by others: what it says is checked when it
    is read, and unpacked within bounds.

    Args:
        file: Created with its folder.

    Raises:
        DataError: If the file is something else, or cannot be read and written; so do all methods.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        with self._in_words():
            file.parent.mkdir(parents=True, exist_ok=True)
            if file.exists() and not file.is_file():
                msg = "a folder or device"
                raise OSError(msg)
            self._database = sqlite3.connect(file, timeout=PATIENCE, isolation_level=None)
        try:
            with self._in_words():
                self._database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 2 * LARGEST)
                # What is noted is on the disk before a sidecar changes.
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
        """Let go of the file."""
        self._database.close()

    def _create(self) -> None:
        ((application,),) = self._ask("PRAGMA application_id")
        ((version,),) = self._ask("PRAGMA user_version")
        ((tables,),) = self._ask("SELECT COUNT(*) FROM sqlite_master")
        if application == version == tables == 0:
            for statement in _SCHEMA.strip().split(";\n"):
                self._ask(statement)
            self._ask(f"PRAGMA application_id = {APPLICATION}")
            self._ask(f"PRAGMA user_version = {VERSION}")
        elif application != APPLICATION:
            msg = f"{self.file}: expected a journal of tagsight, got another database: {OTHERWISE}"
            raise DataError(msg)
        elif version != VERSION:
            msg = f"{self.file}: expected a journal of version {VERSION}, got {version}"
            raise DataError(f"{msg}: {OTHERWISE}")

    def begin(
        self, model: str, form: str, *, ending: str, separator: str = ", ", existing: str = "append"
    ) -> int:
        """Note a new run, and give its number."""
        ((number,),) = self._ask(
            "INSERT INTO runs (started, model, form, ending, separator, existing) "
            "VALUES (?, ?, ?, ?, ?, ?) RETURNING id",
            (now(), model, form, ending, separator, existing),
        )
        return int(number)

    def note(self, run: int, changes: Sequence[Change]) -> list[int]:
        """Note changes that are about to be made, and give their numbers."""
        with self._transaction():
            return [self._insert(run, change) for change in changes]

    def _insert(self, run: int, change: Change) -> int:
        self._ask(
            "INSERT OR IGNORE INTO places VALUES (?, ?)",
            (run, os.fsencode(change.sidecar.parent)),
        )
        ((number,),) = self._ask(
            "INSERT INTO changes (run, sidecar, before, before_digest, after_digest, names, "
            "additions) VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id",
            (
                run,
                os.fsencode(change.sidecar),
                None if change.before is None else zlib.compress(change.before),
                digest(change.before),
                digest(change.edit.content),
                json.dumps(change.edit.names),
                json.dumps(change.edit.additions),
            ),
        )
        return int(number)

    def made(self, changes: Sequence[int]) -> None:
        """Note that changes are made."""
        self._mark("made", changes)

    def added(self, sidecar: Path, content: bytes | None) -> set[str]:
        """The labels that runs have added to a sidecar and nobody has undone.

        Args:
            sidecar: The file.
            content: What is in it now.
        """
        rows = self._ask(
            "SELECT id FROM changes WHERE sidecar = ? AND NOT undone", (os.fsencode(sidecar),)
        )
        noted = (self.change(number) for (number,) in rows)
        return {name for change in noted if change.made(content) for name in change.names}

    def changed(self, run: int, sidecar: Path) -> bool:
        """Whether a run has noted a change of a sidecar before."""
        values = (run, os.fsencode(sidecar))
        return bool(self._ask("SELECT 1 FROM changes WHERE run = ? AND sidecar = ?", values))

    def created(self, sidecar: Path) -> bool:
        """Whether there was no such sidecar before the first change of it."""
        rows = self._ask(
            "SELECT before_digest FROM changes WHERE sidecar = ? ORDER BY id LIMIT 1",
            (os.fsencode(sidecar),),
        )
        return rows == [(None,)]

    def runs(self) -> list[Run]:
        """All runs, the latest first."""
        rows = self._ask(
            "SELECT runs.id, started, model, form, ending, separator, existing, COUNT(changes.id), "
            "COALESCE(SUM(CASE WHEN json_valid(names) THEN json_array_length(names) END), 0), "
            "runs.undone FROM runs LEFT JOIN changes ON run = runs.id "
            "GROUP BY runs.id ORDER BY runs.id DESC"
        )
        runs = [Run(*row) for row in rows]
        for run in runs:
            if not is_sound(run):
                raise self._damaged(f"run {run.id}")
        return runs

    def places(self, run: int) -> set[Path]:
        """The folders in which a run has written sidecars."""
        rows = self._ask("SELECT folder FROM places WHERE run = ?", (run,))
        return {Path(os.fsdecode(folder)) for (folder,) in rows if isinstance(folder, bytes)}

    def changes(self, run: int) -> list[int]:
        """The numbers of a run's changes that are not undone, the latest first."""
        rows = self._ask(
            "SELECT id FROM changes WHERE run = ? AND NOT undone ORDER BY id DESC", (run,)
        )
        return [number for (number,) in rows]

    def change(self, number: int) -> Noted:
        """What is noted of a change.

        Raises:
            DataError: If it is damaged, as well.
        """
        rows = self._ask(
            "SELECT sidecar, before, before_digest, after_digest, names, additions, made "
            "FROM changes WHERE id = ?",
            (number,),
        )
        try:
            return noted_change(number, *rows[0])
        except (ValueError, TypeError, IndexError, RecursionError, zlib.error) as error:
            raise self._damaged(f"change {number}") from error

    def undone(self, changes: Sequence[int]) -> None:
        """Note that changes are taken back."""
        self._mark("undone", changes)

    def _mark(self, column: str, changes: Sequence[int]) -> None:
        with self._transaction():
            for number in changes:
                self._ask(f"UPDATE changes SET {column} = 1 WHERE id = ?", (number,))

    def run_undone(self, run: int) -> None:
        """Note that a run is taken back."""
        self._ask("UPDATE runs SET undone = ? WHERE id = ?", (now(), run))

    def _ask(self, statement: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        with self._in_words():
            return self._database.execute(statement, values).fetchall()

    def _damaged(self, what: str) -> DataError:
        return DataError(f"{self.file}: expected {what} as it was noted, got it damaged")

    @contextmanager
    def _transaction(self) -> Iterator[None]:
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


def now() -> str:
    """The time, in ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")
