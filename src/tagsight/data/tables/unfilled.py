"""Tables that list photos, and whose labels nobody has filled in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tagsight.data.tables.names import LABEL_COLUMNS, key_of
from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_NAMED = 6


class UnfilledError(DataError):
    """A table has photos, and blanks in all columns that may be of labels."""


def unfilled(where: str, names: Sequence[str]) -> UnfilledError:
    """Make the error of a template that nobody has filled in.

    Args:
        where: The table.
        names: Columns that are blank.

    Example:
        >>> str(unfilled("labels.csv", ["labels"])).partition(": write")[2]
        " the labels of each photo below 'labels', with ; between two of them"
    """
    listed = ", ".join(map(repr, names[:MOST_NAMED]))
    remedy = (
        f"the labels of each photo below {names[0]!r}, with ; between two of them"
        if len(names) == 1 and key_of(names[0]) in LABEL_COLUMNS
        else f"1 below {listed} where a photo has the label, 0 where it has not, and leave "
        "blank what you do not know"
    )
    return UnfilledError(
        f"{where}: expected labels, got a template that nobody has filled in: write {remedy}"
    )
