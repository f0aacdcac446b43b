"""Columns that say, in a row for a photo and a label, whether the label is present."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tagsight.data.tables.measures import may_count
from tagsight.data.tables.names import CONFIDENCE_COLUMNS, VALUE_COLUMNS, is_no_label, key_of
from tagsight.data.tables.names import target_of as target
from tagsight.data.tables.pairs import paired
from tagsight.data.tables.row_flags import is_row_flag

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

FULL = 0.9
"""Share of the pairs of a photo and a label that rows state from which on some must be absent."""


def is_full(photos: Sequence[int | str], labels: Sequence[int | str]) -> bool:
    """Return whether rows state nearly every label of every photo, each once.

    If all of them were present, every photo would have every label.

    Args:
        photos: The photo of each row, a number or a name.
        labels: Its label.

    Example:
        >>> photos, labels = ["a.jpg", "a.jpg", "b.jpg", "b.jpg"], ["dog", "sky", "dog", "sky"]
        >>> [is_full(photos[:rows], labels[:rows]) for rows in (4, 3, 2)]
        [True, False, False]
    """
    rows, names, kinds = len(photos), len(set(photos)), len(set(labels))
    if min(names, kinds) < 2 or not FULL * names * kinds <= rows <= names * kinds:
        return False
    photo, label = (np.unique(each, return_inverse=True)[1] for each in (photos, labels))
    return len(np.unique(photo * kinds + label)) == rows


def states_presence(name: str, cells: Collection[str]) -> bool:
    """Return whether a column may say what is present, beside pairs of which `is_full` is true.

    Its cells are targets of both kinds, or counts of which some are 0.

    Args:
        name: The column's name.
        cells: Its different cells.

    Example:
        >>> states_presence("visible", ["yes", "no"]), states_presence("visible", ["yes"])
        (True, False)
        >>> states_presence("count", ["0", "3"]), states_presence("reviewed", ["1", "0"])
        (True, False)
    """
    if is_no_label(name) or is_row_flag(name):
        return False
    found = paired({name: cells})
    meaning = found[name].meaning if found else {}
    targets = {meaning.get(cell.strip(), target(cell)) for cell in cells}
    return ({0, 1} <= targets and None not in targets) or (may_count(name) and has_zero(cells))


def has_zero(cells: Collection[str]) -> bool:
    """Return whether cells are whole numbers, one of which is 0 and another is not.

    Example:
        >>> has_zero(["0", "12"]), has_zero(["1", "2"]), has_zero(["0", "0.5"])
        (True, False, False)
    """
    filled = {cell.strip() for cell in cells} - {""}
    return all(map(str.isdecimal, filled)) and "0" in filled and len(filled) > 1


def is_called_value(name: str) -> bool:
    """Return whether a column's name says that it states what is present, or how surely.

    Example:
        >>> is_called_value("Is present"), is_called_value("confidence"), is_called_value("dog")
        (True, True, False)
    """
    return key_of(name) in VALUE_COLUMNS | CONFIDENCE_COLUMNS
