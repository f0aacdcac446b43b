"""Journal of changes to sidecars and photos, which makes them reversible.

It is a write-ahead log in SQLite. A change is recorded in three steps: first the journal gets a
record with the content before and a digest of the content after; then the file is replaced
atomically; then the record is confirmed. (Of a photo it gets digests alone: the original is kept
beside it, `tagsight.tagging.embedding.originals`.) The process may be killed between any two steps:

- before the first, nothing has happened;
- between the first and the second, the file still has the content before, so that the change
  counts as not made (`Noted.made`);
- between the second and the third, the file has another content, and undo finds it by its record.

So whatever is in a file because of us, the journal knows it. Batches of records are one
transaction, with ``synchronous = FULL``: the record is on the disk before the file changes, also if
the machine loses power.
"""

from __future__ import annotations

import json
import os
import sqlite3
import zlib
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tagsight.data.tags.xmp_tree import LARGEST
from tagsight.errors import DataError
from tagsight.runtime.threads import batched
from tagsight.tagging.sidecars.changes import Run, is_sound, noted_change

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Self

    from tagsight.tagging.sidecars.changes import Noted, Record

VERSION = 2
APPLICATION = 0x74736A6C
"""Application id in the header of the database."""

PATIENCE = 60.0
"""Seconds to wait for another process that writes."""

ASKED = 500
"""Files that one statement asks about; SQLite takes a thousand values."""

LAST = 2**62
"""Largest number of a change; SQLite counts to twice as many."""

OTHERWISE = "choose another `journal`"

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
    """A journal on disk. Several processes may write to it, about different files.

    The file may come from somebody else: its records are checked when they are read, and
    decompressed up to a limit.

    Args:
        file: The file, created with its folder if needed.

    Raises:
        DataError: If the file is something else, or cannot be read and written; all methods raise
            it too.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from tagsight.tagging.sidecars.changes import Change
        >>> from tagsight.tagging.sidecars.edit import Edit
        >>> with TemporaryDirectory() as folder, Journal(Path(folder) / "j.sqlite") as journal:
        ...     run = journal.begin("model", "txt", ending=".txt")
        ...     change = Change(Path(folder) / "a.txt", b"red", Edit(b"red, dog", ("dog",), ()))
        ...     journal.made(journal.note(run, [change.record]))
        ...     [(run.files, run.tags) for run in journal.runs()]
        [(1, 1)]
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
        """Record a new run, and return its number."""
        ((number,),) = self._ask(
            "INSERT INTO runs (started, model, form, ending, separator, existing) "
            "VALUES (?, ?, ?, ?, ?, ?) RETURNING id",
            (now(), model, form, ending, separator, existing),
        )
        return int(number)

    def note(self, run: int, records: Sequence[Record]) -> list[int]:
        """Record changes before they are made, and return their numbers."""
        folders = {os.fsencode(folder) for folder in {record.file.parent for record in records}}
        with self._transaction():
            ((last,),) = self._ask("SELECT COALESCE(MAX(id), 0) FROM changes")
            if last > LAST:
                raise self._damaged(f"change {last}")
            numbers = list(range(last + 1, last + 1 + len(records)))
            self._ask_each(
                "INSERT OR IGNORE INTO places VALUES (?, ?)", [(run, folder) for folder in folders]
            )
            self._ask_each(
                "INSERT INTO changes (id, run, sidecar, before, before_digest, after_digest, "
                "names, additions) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [(n, run, *_fields(record)) for n, record in zip(numbers, records, strict=True)],
            )
        return numbers

    def made(self, changes: Sequence[int]) -> None:
        """Confirm that changes were made."""
        self._mark("made", changes)

    def added(self, file: Path, present: bytes | None) -> set[str]:
        """Return the labels that runs have added to a file, without those undone.

        Args:
            file: The sidecar or photo.
            present: Digest of its present content; None if there is no file.
        """
        rows = self._ask(
            "SELECT id FROM changes WHERE sidecar = ? AND NOT undone", (os.fsencode(file),)
        )
        noted = [self.change(number) for (number,) in rows]
        return {name for one in noted if one.made(present) for name in one.record.names}

    def known(self, files: Iterable[Path]) -> set[Path]:
        """Return those files of which the journal has changes that are not undone."""
        found = set()
        for part in batched(files, ASKED):
            paths = {os.fsencode(file): file for file in part}
            places = ", ".join("?" * len(paths))
            statement = f"SELECT sidecar FROM changes WHERE sidecar IN ({places}) AND NOT undone"
            found |= {paths[path] for (path,) in self._ask(statement, list(paths))}
        return found

    def changed(self, run: int, sidecar: Path) -> bool:
        """Return whether a run has recorded a change of a sidecar already."""
        values = (run, os.fsencode(sidecar))
        return bool(self._ask("SELECT 1 FROM changes WHERE run = ? AND sidecar = ?", values))

    def created(self, sidecar: Path) -> bool:
        """Return whether the first change of a sidecar created it."""
        rows = self._ask(
            "SELECT before_digest FROM changes WHERE sidecar = ? ORDER BY id LIMIT 1",
            (os.fsencode(sidecar),),
        )
        return rows == [(None,)]

    def runs(self) -> list[Run]:
        """Return all runs, the latest first."""
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
        """Return the folders in which a run has written files."""
        rows = self._ask("SELECT folder FROM places WHERE run = ?", (run,))
        return {Path(os.fsdecode(folder)) for (folder,) in rows if isinstance(folder, bytes)}

    def changes(self, run: int) -> list[int]:
        """Return the numbers of a run's changes that are not undone, the latest first.

        In this order an undo passes through all contents that a sidecar had within the run.
        """
        rows = self._ask(
            "SELECT id FROM changes WHERE run = ? AND NOT undone ORDER BY id DESC", (run,)
        )
        return [number for (number,) in rows]

    def change(self, number: int) -> Noted:
        """Return the record of a change.

        Raises:
            DataError: If it is damaged.
        """
        rows = self._ask(
            "SELECT form, sidecar, before, before_digest, after_digest, names, additions, made "
            "FROM changes JOIN runs ON run = runs.id WHERE changes.id = ?",
            (number,),
        )
        try:
            return noted_change(number, rows[0][1:], rows[0][0])
        except (ValueError, TypeError, IndexError, RecursionError, zlib.error) as error:
            raise self._damaged(f"change {number}") from error

    def undone(self, changes: Sequence[int]) -> None:
        """Record that changes were undone."""
        self._mark("undone", changes)

    def _mark(self, column: str, changes: Sequence[int]) -> None:
        if not changes:
            return  # a transaction waits for the disk, also an empty one
        with self._transaction():
            self._ask_each(
                f"UPDATE changes SET {column} = 1 WHERE id = ?", [(number,) for number in changes]
            )

    def run_undone(self, run: int) -> None:
        """Record that a run was undone."""
        self._ask("UPDATE runs SET undone = ? WHERE id = ?", (now(), run))

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


def _fields(record: Record) -> tuple[object, ...]:
    return (
        os.fsencode(record.file),
        None if record.before is None else zlib.compress(record.before),
        record.before_digest,
        record.after_digest,
        json.dumps(record.names),
        json.dumps(record.additions),
    )


def now() -> str:
    """Return the time, in ISO 8601.

    Example:
        >>> datetime.fromisoformat(now()).tzinfo
        datetime.timezone.utc
    """
    return datetime.now(UTC).isoformat(timespec="seconds")
