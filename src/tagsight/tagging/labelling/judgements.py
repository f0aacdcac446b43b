"""The log of judgements: which person said of which photo that a label is present or absent.

Nothing is ever removed from the log. To undo is to append what reverts a batch, so that undo and
redo reach back to the beginning, also after a restart.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from tagsight.tagging.labelling.database import Database

Value = Literal[1, 0, -1]
"""1 present, 0 absent, -1 not judged."""

Kind = Literal["judge", "undo", "redo", "import"]

UNJUDGED = -1


class Change(NamedTuple):
    """A judgement: the photo, the label, and what is now said of it (`Value`)."""

    photo: int
    label: int
    value: int


class Batch(NamedTuple):
    """Judgements that were made at once.

    Attributes:
        id: Its number; numbers grow, and the last one is the revision of the project.
        person: Who made them.
        changes: The judgements, without those that changed nothing.
        repeated: Whether it had been made before, and its request came once more.
    """

    id: int
    person: str
    changes: tuple[Change, ...]
    repeated: bool = False


class Judgements:
    """The log, and what it amounts to; the caller serialises uses by the database's lock.

    Args:
        database: Holds the log.

    Attributes:
        revision: Number of the last batch, 0 without any.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.tagging.labelling.database import Database
        >>> database = Database(Path())
        >>> judgements = Judgements(database)
        >>> _ = judgements.judge([Change(photo=2, label=1, value=1)], "ada")
        >>> judgements.table(photos=3, labels=1).tolist()
        [[-1], [1], [-1]]
        >>> judgements.undo("ada").changes, judgements.redo("bob")
        ((Change(photo=2, label=1, value=-1),), None)
        >>> database.close()
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._table = np.full((0, 0), UNJUDGED, np.int8)
        self._done: dict[str, list[int]] = defaultdict(list)
        self._undone: dict[str, list[int]] = defaultdict(list)
        self.revision = 0
        with database.reading() as connection:
            self._replay(connection)

    def table(self, photos: int, labels: int) -> NDArray[np.int8]:
        """Return what is said of each photo and label, ``(photos, labels)`` int8 of `Value`.

        Rows are photos and columns labels, in the order of their ids from 1. It is not a copy.
        """
        self._grow(photos, labels)
        return self._table[:photos, :labels]

    def judge(
        self,
        changes: Iterable[Change],
        person: str,
        *,
        kind: Literal["judge", "import"] = "judge",
        key: str | None = None,
    ) -> Batch:
        """Append judgements, all or, after an error, none.

        A page whose answer was lost asks again, with the same key; nothing is done twice.

        Args:
            changes: The judgements; those that change nothing are not recorded.
            person: Who makes them.
            kind: Imported judgements are not undone by a person's undo.
            key: Name of the request, if it has one.

        Raises:
            DataError: As `Database.changes` does.
        """
        if known := self._known(key):
            return known
        batch = self._append(kind, None, person, list(changes), key)
        if kind == "judge" and batch.changes:
            self._done[person].append(batch.id)
            self._undone[person].clear()
        return batch

    def undo(self, person: str, key: str | None = None) -> Batch | None:
        """Revert the last batch of a person that is not undone; None if there is none.

        What somebody else has judged differently since is left as it is.
        """
        stacks = self._done[person], self._undone[person]
        return self._known(key) or self._turn("undo", person, *stacks, key)

    def redo(self, person: str, key: str | None = None) -> Batch | None:
        """Repeat the batch of a person that was undone last; None if there is none."""
        stacks = self._undone[person], self._done[person]
        return self._known(key) or self._turn("redo", person, *stacks, key)

    def since(self, revision: int, limit: int) -> list[Batch] | None:
        """Return what changed after a revision, or None if more than ``limit`` batches did."""
        if self.revision - revision > limit:
            return None
        return [batch for batch in self._batches("b.id > ?", revision) if batch.changes]

    def _known(self, key: str | None) -> Batch | None:
        found = [] if key is None else self._batches("b.key = ?", key)
        return found[0]._replace(repeated=True) if found else None

    def _batches(self, condition: str, value: object) -> list[Batch]:
        """Read the batches that meet a condition, in their order."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT b.id, b.person, j.photo, j.label, j.value FROM batches b "
                f"LEFT JOIN judgements j ON j.batch = b.id WHERE {condition} ORDER BY b.id, j.id",
                (value,),
            ).fetchall()
        changes: dict[tuple[int, str], list[Change]] = defaultdict(list)
        for number, person, photo, label, said in rows:
            of_batch = changes[number, person]
            if photo is not None:
                of_batch.append(Change(photo, label, _from_sql(said)))
        return [Batch(*batch, tuple(made)) for batch, made in changes.items()]

    def _turn(
        self,
        kind: Literal["undo", "redo"],
        person: str,
        source: list[int],
        target: list[int],
        key: str | None,
    ) -> Batch | None:
        if not source:
            return None
        reverted = source[-1]
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT photo, label, before, value FROM judgements WHERE batch = ?", (reverted,)
            ).fetchall()
        changes = []
        for photo, label, before, value in rows:
            here, there = (value, before) if kind == "undo" else (before, value)
            if self._value(photo, label) == _from_sql(here):
                changes.append(Change(photo, label, _from_sql(there)))
        batch = self._append(kind, reverted, person, changes, key)
        target.append(source.pop())
        return batch

    def _append(
        self,
        kind: Kind,
        reverts: int | None,
        person: str,
        changes: Sequence[Change],
        key: str | None,
    ) -> Batch:
        latest = {(one.photo, one.label): one for one in changes}.values()
        effective = tuple(one for one in latest if self._value(one.photo, one.label) != one.value)
        if not effective and kind in {"judge", "import"}:
            return Batch(self.revision, person, ())
        with self._database.changes() as connection:
            number = self.revision + 1
            at = datetime.now(UTC).isoformat(timespec="milliseconds")
            connection.execute(
                "INSERT INTO batches VALUES (?, ?, ?, ?, ?, ?)",
                (number, kind, reverts, person, at, key),
            )
            connection.executemany(
                "INSERT INTO judgements (batch, photo, label, before, value) "
                "VALUES (?, ?, ?, ?, ?)",
                (
                    (number, one.photo, one.label, self._before(one), _to_sql(one.value))
                    for one in effective
                ),
            )
        self.revision = number
        self._put(effective)
        return Batch(number, person, effective)

    def _before(self, change: Change) -> int | None:
        return _to_sql(self._value(change.photo, change.label))

    def _value(self, photo: int, label: int) -> int:
        rows, columns = self._table.shape
        return int(self._table[photo - 1, label - 1]) if photo <= rows and label <= columns else -1

    def _put(self, changes: Sequence[Change]) -> None:
        if changes:
            self._grow(max(one.photo for one in changes), max(one.label for one in changes))
        for photo, label, value in changes:
            self._table[photo - 1, label - 1] = value

    def _grow(self, photos: int, labels: int) -> None:
        rows, columns = self._table.shape
        if photos > rows or labels > columns:
            wider = np.full((max(photos, rows), max(labels, columns)), UNJUDGED, np.int8)
            wider[:rows, :columns] = self._table
            self._table = wider

    def _replay(self, connection: sqlite3.Connection) -> None:
        (sizes,) = connection.execute("SELECT max(photo), max(label) FROM judgements")
        self._grow(*(size or 0 for size in sizes))
        log = connection.execute("SELECT photo, label, value FROM judgements ORDER BY id")
        while rows := log.fetchmany(65536):
            for photo, label, value in rows:
                self._table[photo - 1, label - 1] = _from_sql(value)
        batches = connection.execute("SELECT id, kind, person FROM batches ORDER BY id")
        for number, kind, person in batches:
            self.revision = number
            done, undone = self._done[person], self._undone[person]
            if kind == "judge":
                done.append(number)
                undone.clear()
            elif kind == "undo":
                undone.append(done.pop())
            elif kind == "redo":
                done.append(undone.pop())


def _from_sql(value: int | None) -> int:
    return UNJUDGED if value is None else value


def _to_sql(value: int) -> int | None:
    return None if value == UNJUDGED else value
