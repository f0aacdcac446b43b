"""The labels of a project: names, colours and keys."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from tagsight.data.source import check_labels, clean_name
from tagsight.errors import DataError
from tagsight.tagging.labelling.errors import UnknownIdError

if TYPE_CHECKING:
    from tagsight.tagging.labelling.database import Database

MOST_LABELS = 1000
LONGEST_NAME = 200

COLOURS = (
    *("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#17becf"),
    *("#e377c2", "#8c564b", "#bcbd22", "#393b79", "#637939", "#843c39"),
)
"""Colours of new labels, in turn."""

KEYS = "123456789"
"""Keys of the first labels."""

_COLOUR = re.compile(r"#[0-9a-f]{6}")
_KEY = re.compile(r"[0-9a-z]")


class Label(NamedTuple):
    """A label.

    Attributes:
        id: Its number in the project, from 1.
        name: Its name; ``/`` separates the levels of a hierarchy.
        colour: As ``#rrggbb``.
        shortcut: A digit or letter, or None.
        hidden: Whether it was removed.
    """

    id: int
    name: str
    colour: str
    shortcut: str | None
    hidden: bool


class Labels:
    """The labels of a project; their ids are 1, 2, ... and never used again.

    Args:
        database: Holds them.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.tagging.labelling.database import Database
        >>> database = Database(Path())
        >>> labels = Labels(database)
        >>> dog = labels.make("animal/dog")
        >>> labels.hide(labels.make("sky").id)
        >>> [label.name for label in labels.shown], labels.count, labels.make("animal/dog") == dog
        (['animal/dog'], 2, True)
        >>> database.close()
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._read()

    @property
    def count(self) -> int:
        """Number of labels, hidden ones included."""
        return len(self._all)

    @property
    def shown(self) -> list[Label]:
        """The labels that are not hidden, in the order in which they were made."""
        return [label for label in self._all if not label.hidden]

    def __getitem__(self, number: int) -> Label:
        """Return the label with an id.

        Raises:
            UnknownIdError: If there is none.
        """
        if not 1 <= number <= len(self._all):
            raise UnknownIdError("label", number)
        return self._all[number - 1]

    def make(self, name: str) -> Label:
        """Make a label, or return the one of this name.

        Raises:
            DataError: If a label cannot have this name, or there are too many.
        """
        name = _checked_name(name)
        same = next((label for label in self._all if label.name == name), None)
        if same is not None:
            return self._written(same._replace(hidden=False))
        if self.count >= MOST_LABELS:
            msg = f"expected at most {MOST_LABELS:,} labels, got another one"
            raise DataError(msg)
        taken = {label.shortcut for label in self.shown}
        key = next((key for key in KEYS if key not in taken), None)
        label = Label(self.count + 1, name, COLOURS[self.count % len(COLOURS)], key, hidden=False)
        return self._written(label)

    def change(
        self,
        number: int,
        *,
        name: str | None = None,
        colour: str | None = None,
        shortcut: str | None = None,
    ) -> Label:
        """Change a label; None leaves a property as it is, and an empty key takes it away.

        The key of another label becomes free.

        Raises:
            UnknownIdError: If there is no label with this id.
            DataError: If a property is not valid, or another label has this name.
        """
        label = self[number]
        if name is not None:
            label = label._replace(name=_checked_name(name))
            if any(one.name == label.name and one.id != number for one in self._all):
                msg = f"expected a name that no other label has, got {label.name!r}"
                raise DataError(msg)
        if colour is not None:
            if not _COLOUR.fullmatch(colour):
                msg = f"expected a colour such as '#1f77b4', got {colour!r:.100}"
                raise DataError(msg)
            label = label._replace(colour=colour)
        if shortcut is not None:
            if shortcut and not _KEY.fullmatch(shortcut):
                msg = f"expected a digit or a small letter as shortcut, got {shortcut!r:.100}"
                raise DataError(msg)
            label = label._replace(shortcut=shortcut or None)
        return self._written(label)

    def hide(self, number: int) -> None:
        """Remove a label, which the log may still name; `show` brings it back.

        Raises:
            UnknownIdError: If there is no label with this id.
        """
        self._written(self[number]._replace(hidden=True, shortcut=None))

    def show(self, number: int) -> None:
        """Bring a removed label back."""
        if self[number].hidden:
            self._written(self[number]._replace(hidden=False))

    def _written(self, label: Label) -> Label:
        with self._database.changes() as connection:
            if label.shortcut is not None:
                connection.execute(
                    "UPDATE labels SET shortcut = NULL WHERE shortcut = ?", (label.shortcut,)
                )
            connection.execute("INSERT OR REPLACE INTO labels VALUES (?, ?, ?, ?, ?)", label)
        self._read()
        return label

    def _read(self) -> None:
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT id, name, colour, shortcut, hidden FROM labels ORDER BY id"
            )
            self._all = [Label(*row)._replace(hidden=bool(row[4])) for row in rows]


def _checked_name(text: str) -> str:
    name = clean_name(text)
    check_labels([name])
    if len(name) > LONGEST_NAME:
        msg = f"expected a label of at most {LONGEST_NAME} characters, got {len(name):,}"
        raise DataError(msg)
    return name
