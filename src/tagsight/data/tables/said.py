"""What an object of a label says of it: that it is present, or that it is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tagsight.data.tables.names import VALUE_COLUMNS, key_of
from tagsight.data.tables.pairs import mark_of

if TYPE_CHECKING:
    from collections.abc import Mapping

SHOWN = frozenset(
    {"checked", "ischecked", "selected", "isselected", "active", "isactive", "enabled"}
    | {"visible", "isvisible"}
)
"""Names of keys, as `key_of` gives them, that say whether a label is present; of a shape they say
whether a program shows it, as SuperAnnotate's ``visible`` does."""

STATES = VALUE_COLUMNS | {"applies"}
"""The same of keys that say it of shapes too."""

DENIES = frozenset(
    {"absent", "isabsent", "negative", "isnegative", "negated", "rejected", "isrejected"}
    | {"deleted", "isdeleted", "removed", "isremoved"}
)
"""The same of keys that say whether it is not."""


def said_of(label: Mapping[str, object]) -> int | None:
    """Return 1 or 0, for present or absent, if an object of a label says which, or None.

    Example:
        >>> said_of({"name": "dog", "present": False}), said_of({"tag": "dog", "answer": "yes"})
        (0, 1)
        >>> said_of({"label": "dog", "value": 7}), said_of({"label": "dog", "deleted": True})
        (None, 0)
        >>> said_of({"name": "dog", "visible": False, "points": [3, 4, 9, 8]})
    """
    is_shape = any(isinstance(value, list | dict) for value in label.values())
    states = STATES if is_shape else STATES | SHOWN
    for key, value in label.items():
        name = key_of(key)
        if name not in states and name not in DENIES:
            continue
        mark = mark_of(value) if isinstance(value, str) else _marks(value)
        if mark is not None and (name in states or mark == 1):
            return mark if name in states else 0
    return None


def _marks(value: object) -> int | None:
    return int(value) if isinstance(value, int | float) and value in {0, 1} else None


def is_denied(label: object) -> bool:
    """Return whether an object of a label says that it is not present.

    Example:
        >>> is_denied({"name": "dog", "present": 0}), is_denied({"name": "dog"}), is_denied("dog")
        (True, False, False)
    """
    return isinstance(label, dict) and said_of(label) == 0
