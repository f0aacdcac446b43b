"""What was written into sidecars: noted before it is done, so that it can be taken back."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tagsight.errors import DataError
from tagsight.sidecars.edit import Addition

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Self

    from tagsight.sidecars.edit import Edit

VERSION = 1
PATIENCE = 60.0
"""Seconds to wait for another process that writes."""

_SCHEMA = """
CREATE TABLE runs (
    id INTEGER PRIMARY KEY, started TEXT NOT NULL, model TEXT NOT NULL, form TEXT NOT NULL,
    separator TEXT NOT NULL, undone TEXT
);
CREATE TABLE changes (
    id INTEGER PRIMARY KEY, run INTEGER NOT NULL REFERENCES runs, sidecar BLOB NOT NULL,
    before BLOB, before_digest BLOB, after_digest BLOB NOT NULL,
    names TEXT NOT NULL, additions TEXT NOT NULL,
    made INTEGER NOT NULL DEFAULT 0, undone INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX changes_of_sidecar ON changes (sidecar);
CREATE INDEX changes_of_run ON changes (run);
"""


class Run(NamedTuple):
    """A run of tagging.

    Attributes:
        id: Its number.
        started: When, in ISO 8601.
        model: Which model.
        form: ``xmp`` or ``txt``.
        separator: Between two tags, in ``txt``.
        sidecars: How many it was about to change.
        tags: How many tags it was about to add.
        undone: When it was taken back, if it was.
    """

    id: int
    started: str
    model: str
    form: str
    separator: str
    sidecars: int
    tags: int
    undone: str | None


@dataclass(frozen=True)
class Change:
    """A change of a sidecar, as noted before it was made.

    Args:
        sidecar: The file.
        before: What was in it; None if there was no file.
        edit: What is in it afterwards.
    """

    sidecar: Path
    before: bytes | None
    edit: Edit


class Noted(NamedTuple):
    """What the journal keeps of a change.

    Attributes:
        id: Its number.
        sidecar: The file.
        before: What was in it; None if there was no file.
        before_digest: Of that.
        after_digest: Of what was in it afterwards.
        names: The labels that were added.
        additions: What was added, value by value.
        told: Whether it was noted as made.
    """

    id: int
    sidecar: Path
    before: bytes | None
    before_digest: bytes | None
    after_digest: bytes
    names: tuple[str, ...]
    additions: tuple[Addition, ...]
    told: bool

    def made(self, content: bytes | None) -> bool:
        """Whether it was made; after a crash that is told by what is in the file now."""
        return self.told or digest(content) != self.before_digest


class Journal:
    """A journal on disk. Several processes may write, of different sidecars.

    Args:
        file: Created with its folder.

    Raises:
        DataError: If the file is something else.
    """

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self.file = file
        self._database = sqlite3.connect(file, timeout=PATIENCE, isolation_level=None)
        try:
            # What is noted is on the disk before a sidecar changes.
            self._database.execute("PRAGMA synchronous = FULL")
            with self._transaction():
                self._create()
        except sqlite3.DatabaseError as error:
            self.close()
            msg = f"{file}: expected a journal of tagsight, got: {error}"
            raise DataError(msg) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def _create(self) -> None:
        (version,) = self._database.execute("PRAGMA user_version").fetchone()
        if version == 0:
            for statement in _SCHEMA.strip().split(";\n"):
                self._database.execute(statement)
            self._database.execute(f"PRAGMA user_version = {VERSION}")
        elif version != VERSION:
            msg = f"{self.file}: expected a journal of version {VERSION}, got {version}"
            raise DataError(msg)

    def begin(self, model: str, form: str, separator: str) -> int:
        """Note a new run, and give its number."""
        row = self._database.execute(
            "INSERT INTO runs (started, model, form, separator) VALUES (?, ?, ?, ?)",
            (now(), model, form, separator),
        )
        assert row.lastrowid is not None
        return row.lastrowid

    def note(self, run: int, changes: Sequence[Change]) -> list[int]:
        """Note changes that are about to be made, and give their numbers."""
        with self._transaction():
            return [self._insert(run, change) for change in changes]

    def _insert(self, run: int, change: Change) -> int:
        row = self._database.execute(
            "INSERT INTO changes (run, sidecar, before, before_digest, after_digest, names, "
            "additions) VALUES (?, ?, ?, ?, ?, ?, ?)",
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
        assert row.lastrowid is not None
        return row.lastrowid

    def made(self, changes: Sequence[int]) -> None:
        """Note that changes are made."""
        self._mark("made", changes)

    def added(self, sidecar: Path, content: bytes | None) -> set[str]:
        """The labels that runs have added to a sidecar and nobody has undone.

        Args:
            sidecar: The file.
            content: What is in it now.
        """
        rows = self._database.execute(
            f"SELECT {_COLUMNS} FROM changes WHERE sidecar = ? AND NOT undone",
            (os.fsencode(sidecar),),
        )
        noted = (_noted(row) for row in rows)
        return {name for change in noted if change.made(content) for name in change.names}

    def created(self, sidecar: Path) -> bool:
        """Whether there was no such sidecar before the first change of it."""
        row = self._database.execute(
            "SELECT before_digest FROM changes WHERE sidecar = ? ORDER BY id LIMIT 1",
            (os.fsencode(sidecar),),
        ).fetchone()
        return row is not None and row[0] is None

    def runs(self) -> Iterator[Run]:
        """All runs, the latest first."""
        rows = self._database.execute(
            "SELECT runs.id, started, model, form, separator, COUNT(changes.id), "
            "COALESCE(SUM(json_array_length(names)), 0), runs.undone FROM runs "
            "LEFT JOIN changes ON run = runs.id GROUP BY runs.id ORDER BY runs.id DESC"
        )
        return (Run(*row) for row in rows)

    def changes(self, run: int) -> Iterator[Noted]:
        """The changes of a run that are not undone, the latest first."""
        last = None
        while True:
            row = self._database.execute(
                f"SELECT {_COLUMNS} FROM changes WHERE run = ? AND NOT undone AND id < ? "
                "ORDER BY id DESC LIMIT 1",
                (run, last if last is not None else 2**62),
            ).fetchone()
            if row is None:
                return
            change = _noted(row)
            last = change.id
            yield change

    def undone(self, changes: Sequence[int]) -> None:
        """Note that changes are taken back."""
        self._mark("undone", changes)

    def _mark(self, column: str, changes: Sequence[int]) -> None:
        with self._transaction():
            self._database.executemany(
                f"UPDATE changes SET {column} = 1 WHERE id = ?", ((number,) for number in changes)
            )

    def run_undone(self, run: int) -> None:
        """Note that a run is taken back."""
        self._database.execute("UPDATE runs SET undone = ? WHERE id = ?", (now(), run))

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")


_COLUMNS = "id, sidecar, before, before_digest, after_digest, names, additions, made"


def _noted(row: tuple[int, bytes, bytes | None, bytes | None, bytes, str, str, int]) -> Noted:
    number, sidecar, before, before_digest, after_digest, names, additions, told = row
    return Noted(
        number,
        Path(os.fsdecode(sidecar)),
        None if before is None else zlib.decompress(before),
        before_digest,
        after_digest,
        tuple(json.loads(names)),
        tuple(Addition(*added) for added in json.loads(additions)),
        bool(told),
    )


def digest(content: bytes | None) -> bytes | None:
    """What tells one content from another; None where there is no file."""
    return None if content is None else hashlib.sha256(content).digest()


def now() -> str:
    """The time, in ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")
