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
the machine loses power. The journal also has the photos that a run has done, until the run has
ended, so that the same run goes on (`tagsight.tagging.unfinished_run`).
"""

from __future__ import annotations

import json
import os
import zlib
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

from tagsight.runtime.threads import batched
from tagsight.tagging.sidecars.changes import Run, is_sound, noted_change
from tagsight.tagging.sidecars.journal_file import JournalFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tagsight.tagging.sidecars.changes import Noted, Record

ASKED = 500
"""Files that one statement asks about; SQLite takes a thousand values."""

LAST = 2**62
"""Largest number of a change; SQLite counts to twice as many."""


class Journal(JournalFile):
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

    def begin(
        self,
        model: str,
        form: str,
        *,
        ending: str,
        separator: str = ", ",
        existing: str = "append",
        origin: bytes | None = None,
    ) -> int:
        """Record a new run, and return its number.

        Args:
            model: Name of the model.
            form: Format of the sidecars, or ``embedded``.
            ending: Suffix of the sidecars, or of original photos.
            separator: Text between two tags.
            existing: Treatment of existing tags.
            origin: Key by which `unfinished` finds the run until it has ended.
        """
        with self._transaction():
            ((number,),) = self._ask(
                "INSERT INTO runs (started, model, form, ending, separator, existing) "
                "VALUES (?, ?, ?, ?, ?, ?) RETURNING id",
                (now(), model, form, ending, separator, existing),
            )
            if origin is not None:
                self._ask("INSERT OR REPLACE INTO unfinished VALUES (?, ?)", (origin, number))
        return int(number)

    def unfinished(self, origin: bytes) -> int | None:
        """Return the number of the run with an origin that has not ended; None if none has begun.

        Args:
            origin: Key of the run.
        """
        rows = self._ask(
            "SELECT runs.id FROM unfinished JOIN runs ON run = runs.id WHERE origin = ?", (origin,)
        )
        return int(rows[0][0]) if rows else None

    def done(self, origin: bytes, numbers: range) -> list[str]:
        """Return the records of photos that an unfinished run has done, as far as it has done all.

        Args:
            origin: Key of the run.
            numbers: Positions of the photos in the run.
        """
        rows = self._ask(
            "SELECT number, record FROM done WHERE origin = ? AND number BETWEEN ? AND ? "
            "ORDER BY number",
            (origin, numbers[0], numbers[-1]),
        )
        return [
            record
            for place, (number, record) in zip(numbers, rows, strict=False)
            if place == number
        ]

    def note_done(self, origin: bytes, records: Mapping[int, str]) -> None:
        """Note photos that an unfinished run has done.

        Args:
            origin: Key of the run.
            records: Records of photos by their position in the run.
        """
        with self._transaction():
            self._ask_each(
                "INSERT OR REPLACE INTO done VALUES (?, ?, ?)",
                [(origin, number, record) for number, record in records.items()],
            )

    def forget_done(self, origin: bytes, first: int = 0) -> None:
        """Forget the photos of an unfinished run from a position on; all if the run has ended."""
        with self._transaction():
            self._ask("DELETE FROM done WHERE origin = ? AND number >= ?", (origin, first))
            if first == 0:
                self._ask("DELETE FROM unfinished WHERE origin = ?", (origin,))

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

    def changed(self, run: int, sidecar: Path, present: bytes | None) -> bool:
        """Return whether a run has changed a sidecar already.

        Args:
            run: Number of the run.
            sidecar: The sidecar.
            present: Digest of its present content; None if there is no file.
        """
        rows = self._ask(
            "SELECT id FROM changes WHERE run = ? AND sidecar = ? AND NOT undone",
            (run, os.fsencode(sidecar)),
        )
        return any(self.change(number).made(present) for (number,) in rows)

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

    def unconfirmed(self, run: int) -> list[Path]:
        """Return the files of changes that a run may not have made, because it was killed."""
        rows = self._ask(
            "SELECT sidecar FROM changes WHERE run = ? AND NOT made AND NOT undone", (run,)
        )
        return [Path(os.fsdecode(file)) for (file,) in rows if isinstance(file, bytes)]

    def draft_ending(self, run: int) -> str:
        """Return what the names of a run's drafts end with, and those of no other run."""
        name = f"{run} {self.file.resolve()}"
        return blake2b(os.fsencode(name), digest_size=4).hexdigest()

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

    def claim_of(self, origin: bytes) -> Path:
        """Return the file that a process holds while it is at the run with an origin."""
        return self.file.with_name(f".{self.file.name}.{origin.hex()}")

    def origins(self, run: int) -> list[bytes]:
        """Return the origins by which a run is found; none if it has ended."""
        rows = self._ask("SELECT origin FROM unfinished WHERE run = ?", (run,))
        return [origin for (origin,) in rows if isinstance(origin, bytes)]

    def begin_undo(self, run: int) -> None:
        """Record that a run is being undone: if it has not ended, it does not go on."""
        for origin in self.origins(run):
            self.forget_done(origin)

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
