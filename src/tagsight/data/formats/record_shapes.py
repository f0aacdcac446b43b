"""Records whose photo or labels are in objects of their own, or in lists of what is so and not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from tagsight.data.format import DEFAULTS
from tagsight.data.formats.record_keys import LABEL_KEYS, PHOTO_KEYS, first_key
from tagsight.data.formats.record_values import STATED
from tagsight.data.tables.names import key_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from tagsight.data.format import Columns
    from tagsight.data.formats.record_keys import Record

REFERENCE = "category_id"
"""Key that refers to another list, as in COCO."""

LABELS = "labels"
"""Key that lists of present and absent labels are put under."""


def has_labels(keys: Iterable[str]) -> bool:
    """Return whether an object has labels: under a key such as ``labels``, or in two lists.

    Args:
        keys: Its keys.

    Example:
        >>> has_labels(["image", "tags"]), has_labels(["positive", "negative"])
        (True, True)
        >>> has_labels(["image", "positive"])
        False
    """
    keys = list(keys)
    return first_key(LABEL_KEYS, keys) is not None or _states_both(keys)


def is_record(keys: Collection[str]) -> bool:
    """Return whether an object is a photo with its labels, and refers to no list, as in COCO.

    Args:
        keys: Its keys.

    Example:
        >>> is_record(["file", "tags"]), is_record(["image_id", "category_id"])
        (True, False)
    """
    return first_key(PHOTO_KEYS, keys) is not None and has_labels(keys) and REFERENCE not in keys


def _states_both(keys: Iterable[str]) -> bool:
    return {STATED.get(key_of(key)) for key in keys} >= {0, 1}


def flattened(records: Sequence[Record], columns: Columns = DEFAULTS.columns) -> Sequence[Record]:
    """Return records with their photo and their labels at the top.

    An object of each may hold them; and labels that are present and absent may be in two lists.

    Args:
        records: The records.
        columns: Keys that the user names.

    Example:
        >>> flattened([{"image": "a.jpg", "annotation": {"labels": ["dog"]}}])
        [{'image': 'a.jpg', 'annotation': {'labels': ['dog']}, 'labels': ['dog']}]
        >>> flattened([{"image": "a.jpg", "present": ["dog"], "absent": ["sky"]}])
        [{'image': 'a.jpg', 'labels': {'present': ['dog'], 'absent': ['sky']}}]
    """
    records = _lifted(records, PHOTO_KEYS, columns.image_column)
    if columns.label_columns:
        return records
    if columns.labels_column in {None, LABELS}:
        records = _stated(records)
    return _lifted(records, LABEL_KEYS, columns.labels_column)


def _lifted(
    records: Sequence[Record], wanted: Sequence[str], named: str | None
) -> Sequence[Record]:
    """Return records with a key beside the object that holds it, if one of each does."""
    first: Record = next(iter(records), {})
    if first_key(wanted, first) is not None if named is None else named in first:
        return records
    inner = {key: it for key, it in first.items() if isinstance(it, Mapping)}
    held = {
        key: first_key(wanted, it) if named is None else named if named in it else None
        for key, it in inner.items()
    }
    holders = [(key, wanted_key) for key, wanted_key in held.items() if wanted_key is not None]
    if len(holders) != 1:
        return records
    ((key, wanted_key),) = holders
    values = [record.get(key) for record in records]
    if not all(isinstance(value, Mapping | None) for value in values):
        return records
    pairs = zip(records, values, strict=True)
    return [{**record, wanted_key: (value or {}).get(wanted_key)} for record, value in pairs]


def _stated(records: Sequence[Record]) -> Sequence[Record]:
    """Return records with their lists of present and absent labels under one key."""
    keys = dict.fromkeys(key for record in records for key in record)
    stated = {key for key in keys if key_of(key) in STATED}
    if first_key(LABEL_KEYS, keys) is not None or not _states_both(stated):
        return records
    values = (record[key] for record in records for key in stated & record.keys())
    if not all(isinstance(value, list | None) for value in values):
        return records
    return [
        {
            **{key: value for key, value in record.items() if key not in stated},
            LABELS: {key: value for key, value in record.items() if key in stated and value},
        }
        for record in records
    ]
