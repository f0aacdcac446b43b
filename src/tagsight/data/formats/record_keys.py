"""Which keys of records of photos stand for the photo, its labels, split and group."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, cast

from tagsight.data.format import DEFAULTS, Columns
from tagsight.data.tables.measures import is_measure, may_count
from tagsight.data.tables.names import (
    CONFIDENCE_COLUMNS,
    IMAGE_COLUMNS,
    INDEX_NAME,
    LABEL_COLUMNS,
    MAYBE_IDS,
    MAYBE_SPLIT,
    ROW_NAMES,
    SPLIT_COLUMNS,
    SPLIT_NAMES,
    VALUE_COLUMNS,
    is_address,
    is_no_label,
    is_photo,
    is_target,
    key_of,
    target_of,
)
from tagsight.data.tables.pairs import paired
from tagsight.data.tables.row_flags import log_row_flags, predictions, row_flags
from tagsight.data.tables.stated import is_full, states_presence
from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

logger = logging.getLogger(__name__)

Record: TypeAlias = Mapping[str, Any]

_PHOTO_KEYS = ("image", "filename", "path", "filepath", "file", "photo", "img")
PHOTO_KEYS = tuple(dict.fromkeys((*_PHOTO_KEYS, *sorted(IMAGE_COLUMNS), "imageurl")))
LABEL_KEYS = (*LABEL_COLUMNS, "objects", "subject", "iptckeywords", "xmpsubject", "xmpdcsubject")
"""Names of keys as `key_of` gives them, the most telling first."""

FILE_SPLIT = "split of the file"
"""Key that `joined_records` adds."""

ID = re.compile("id|name")
"""Names of keys, as `key_of` gives them, that may hold photos, beside `MAYBE_IDS`."""

SPLIT_KEYS = (FILE_SPLIT, "split", "split_name")
MARKS = {1: "1", 0: "0", -1: "-1", None: ""}


class Keys(NamedTuple):
    """The meaning of the keys of records.

    Attributes:
        photo: The photo's path, or the photo.
        labels: Keys that hold labels, or one for each label.
        split: The split, or None.
        is_list: Whether ``labels`` list the labels that are present.
        group: The group, or None.
        ignored: Keys that are not used.
        value: What says whether, or how surely, the label of a record is present, or None.

    Example:
        >>> Keys("photo", ("tags",), split=None, is_list=True).used
        ['photo', 'tags']
    """

    photo: str
    labels: tuple[str, ...]
    split: str | None
    is_list: bool
    group: str | None = None
    ignored: tuple[str, ...] = ()
    value: str | None = None

    @property
    def used(self) -> list[str]:
        """All keys that stand for something."""
        keys = (self.photo, *self.labels, self.split, self.group, self.value)
        return [key for key in keys if key]

    def columns(self, separator: str | None) -> Columns:
        """Return the keys as a user would name them."""
        is_one = self.is_list and len(self.labels) == 1
        return Columns(
            image_column=self.photo,
            labels_column=self.labels[0] if is_one else None,
            label_columns=() if is_one else self.labels,
            separator=separator,
            split_column=None if self.split == FILE_SPLIT else self.split,
        )


def keys_of(sample: Sequence[Record], where: str, columns: Columns = DEFAULTS.columns) -> Keys:
    """Find out what the keys of records stand for.

    Args:
        sample: Some records.
        where: What errors call their source.
        columns: Keys that the user names.

    Raises:
        DataError: If no key is of the photo, or none of labels, or a named one does not exist.

    Example:
        >>> keys_of([{"file_name": "a.jpg", "text": "A day out", "tags": ["dog"]}], "a.jsonl")
        Keys(photo='file_name', labels=('tags',), split=None, is_list=True, group=None, \
ignored=('text',), value=None)
    """
    lower = {key.lower(): key for record in sample for key in record}
    named = _Named(lower, where)
    photo = named.one(columns.image_column, "image_column") or photo_key(sample, lower.values())
    if photo is None:
        msg = f"{where}: expected a key of the photo, such as 'image', got {list(lower)[:5]!r}"
        raise DataError(f"{msg}; `image_column` names another")
    split = named.one(columns.split_column, "split_column")
    split = split or next((lower[key] for key in SPLIT_KEYS if key in lower), None)
    split = split or _split_key(sample, [key for key in lower.values() if key != photo])
    group = named.one(columns.group_column, "group")
    ignored = {named.one(key, "ignore") for key in columns.ignore}
    others = [key for key in lower.values() if key not in {photo, split, group, *ignored}]
    labels, is_list = _label_keys(sample, others, columns, named)
    left = tuple(key for key in others if key not in labels)
    if left and not is_list:
        logger.info("%s: %s taken for no labels", where, ", ".join(left[:5]))
    repeats = len({str(record.get(photo)) for record in sample}) < len(sample)
    value = _value_key(sample, photo, labels, left, repeats=repeats) if is_list else None
    left = tuple(key for key in left if key != value)
    return Keys(photo, labels, split, is_list, group, left, value)


def _value_key(
    sample: Sequence[Record],
    photo: str,
    labels: Sequence[str],
    keys: Sequence[str],
    *,
    repeats: bool,
) -> str | None:
    """Return the key that says whether a record's one label is present."""
    if len(labels) > 1 or not all(
        isinstance(record.get(labels[0]), str | int | None) for record in sample
    ):
        return None
    for key in keys:
        values = [record.get(key) for record in sample]
        words = [value for value in values if isinstance(value, str)]
        are_words = len(words) == len(values) and (
            all(map(is_target, words)) or bool(paired({key: words}))
        )
        is_stated = repeats and all(map(is_mark, values))
        if key_of(key) in VALUE_COLUMNS and (is_stated or are_words):
            return key
        if key_of(key) in CONFIDENCE_COLUMNS and all(isinstance(v, int | float) for v in values):
            return key
        may_state = is_stated or are_words
        if (
            may_state
            and states_presence(key, {str(value) for value in values})
            and is_full(*([str(record.get(k)) for record in sample] for k in (photo, labels[0])))
        ):
            return key
    return None


def _split_key(sample: Sequence[Record], keys: Sequence[str]) -> str | None:
    """Return the key whose values are all splits, more than one or under such a name."""
    for key in keys:
        name = key_of(key)
        meanings = SPLIT_COLUMNS.get(name, SPLIT_NAMES)
        values = [str(record.get(key)).lower() for record in sample]
        if all(value in meanings for value in values):
            several = len({meanings[value] for value in values}) > 1
            is_named = name in MAYBE_SPLIT or name in SPLIT_COLUMNS
            if is_named or (several and name not in LABEL_KEYS):
                return key
    return None


def first_key(wanted: Sequence[str], keys: Iterable[str]) -> str | None:
    """Return the key with the most telling of some names, or None.

    Args:
        wanted: `PHOTO_KEYS` or `LABEL_KEYS`.
        keys: Keys as they are written.

    Example:
        >>> first_key(LABEL_KEYS, ["Patient", "Finding Labels"])
        'Finding Labels'
    """
    by_name = {key_of(key): key for key in reversed([*keys])}
    return next((by_name[name] for name in wanted if name in by_name), None)


def photo_key(sample: Sequence[Record], keys: Iterable[str]) -> str | None:
    """Return the key of the photo: by its name, else by its values, else an id, or None.

    Args:
        sample: Some records.
        keys: Keys as they are written.

    Example:
        >>> [photo_key([record], record) for record in ({"file": "a"}, {"name": "a.jpg", "id": 1})]
        ['file', 'name']
        >>> photo_key([{"id": "a", "tags": []}, {"id": "b", "tags": []}], ["id", "tags"])
        'id'
        >>> photo_key([{"title": "http://example.org/a.jpg?w=9"}, {"title": "-"}], ["title"])
    """
    keys = list(keys)
    if (named := first_key(PHOTO_KEYS, keys)) is not None:
        return named
    columns = {key: [record.get(key) for record in sample] for key in keys}
    texts = {
        key: cast("list[str]", values)
        for key, values in columns.items()
        if all(isinstance(value, str) for value in values)
    }
    for is_one in (is_photo, is_address):
        if found := [key for key, values in texts.items() if all(map(is_one, values))]:
            return found[0] if len(found) == 1 else None
    ids = (key for key in texts if ID.fullmatch(key_of(key)) or MAYBE_IDS.search(key_of(key)))
    return next((key for key in ids if len(set(texts[key])) == len(texts[key])), None)


class _Named(NamedTuple):
    """Finds the keys that a user names, by their names in lower case."""

    keys: Mapping[str, str]
    where: str

    def one(self, name: str | None, option: str) -> str | None:
        if name is None or name in self.keys.values():
            return name
        if name.lower() in self.keys:
            return self.keys[name.lower()]
        known = [*self.keys.values()][:5]
        msg = f"{self.where}: expected a key of the records as `{option}`, {known!r}, got {name!r}"
        raise DataError(msg)


def _label_keys(
    sample: Sequence[Record], others: Sequence[str], columns: Columns, named: _Named
) -> tuple[tuple[str, ...], bool]:
    """Return the keys of labels, and whether they list those that are present."""
    if columns.labels_column is not None:
        return tuple(filter(None, [named.one(columns.labels_column, "labels_column")])), True
    given = [named.one(key, "label_columns") for key in columns.label_columns]
    if given:
        keys = tuple(filter(None, given))
        return keys, not all(is_mark(record.get(key)) for record in sample for key in keys)
    labels = first_key(LABEL_KEYS, others)
    if labels is None:
        lists = [key for key in others if _lists_names([r.get(key) for r in sample])]
        labels = lists[0] if len(lists) == 1 else None
    if labels is not None:
        return (labels,), True
    words = _in_words(sample, others)
    marks = tuple(
        key
        for key in others
        if (key in words or all(is_mark(record.get(key)) for record in sample))
        and not is_no_label(key)
        and not _counts_rows(key, [record.get(key) for record in sample])
    )
    marks = tuple(key for key in marks if key not in predictions(marks))
    flags = row_flags(marks)
    marks = tuple(key for key in marks if key not in flags)
    marks = tuple(key for key in marks if not is_measure(key)) or marks
    left = (key for key in others if key not in {*marks, *flags})
    _require_marks({key: [record.get(key) for record in sample] for key in left}, named)
    log_row_flags(named.where, sorted(flags), marks)
    if not marks:
        msg = (
            f"{named.where}: expected labels under a key such as 'labels', or 1, 0 and null under "
            f"a key for each label, got {others[:5]!r}; `labels_column` names another"
        )
        raise DataError(msg)
    return marks, False


def _require_marks(columns: Mapping[str, Sequence[object]], named: _Named) -> None:
    """Refuse keys of which most values, but not all, are marks, unless they are called counts."""
    for key, cells in columns.items():
        values = [cell for cell in cells if not is_missing(cell)]
        if is_no_label(key) or may_count(key) or _counts_rows(key, cells):
            continue
        others = [value for value in values if not is_mark(value)]
        if others and 2 * len(others) <= len(values):
            msg = (
                f"{named.where}: expected 1, 0 or null, as in most records, under {key!r}, got "
                f"{others[0]!r:.100}; if these are no targets, leave it out with `ignore`"
            )
            raise DataError(msg)


def _in_words(sample: Sequence[Record], keys: Sequence[str]) -> set[str]:
    """Return the keys whose values say in words what is present, as yes and no."""
    columns = {key: [record.get(key) for record in sample] for key in keys}
    texts = {
        key: [value for value in values if isinstance(value, str)]
        for key, values in columns.items()
        if any(values) and all(isinstance(value, str | None) for value in values)
    }
    found = set(paired(texts))
    return found | {
        key
        for key, cells in texts.items()
        if {target_of(cell) for cell in cells} >= {0, 1} and all(map(is_target, cells))
    }


def _lists_names(values: Sequence[object]) -> bool:
    """Return whether values are lists of names, and not of numbers, as sizes and boxes are."""
    lists = [value for value in values if isinstance(value, list)]
    items = [item for value in lists for item in value]
    return bool(lists) and all(isinstance(item, str | Mapping) for item in items)


def _counts_rows(key: str, values: Sequence[object]) -> bool:
    if INDEX_NAME.fullmatch(key_of(key)):
        return True
    name = ROW_NAMES.fullmatch(key_of(key))
    return bool(name) and any(values == list(range(first, first + len(values))) for first in (0, 1))


def is_mark(value: object) -> bool:
    """Return whether a value says that a label is present, absent or unknown.

    Example:
        >>> is_mark(1.0), is_mark(None), is_mark("dog")
        (True, True, False)
    """
    return is_missing(value) or (isinstance(value, int | float) and value in MARKS)


def is_missing(value: object) -> bool:
    """Return whether a value is null, or NaN, as pandas and NumPy have it.

    Example:
        >>> is_missing(None), is_missing(float("nan")), is_missing(0)
        (True, True, False)
    """
    return value is None or (isinstance(value, float) and value != value)  # noqa: PLR0124 - NaN


def joined_records(
    source: str, parts: Sequence[tuple[Sequence[Record], str | None]]
) -> list[Record]:
    """Join records of several files, each with the split of its file.

    Raises:
        DataError: If some files have a split and others none.

    Example:
        >>> parts = [([{"photo": "a.jpg"}], "train"), ([{"photo": "b.jpg"}], "val")]
        >>> [record["photo"] for record in joined_records("rows", parts)]
        ['a.jpg', 'b.jpg']
    """
    splits = {split for _, split in parts}
    if splits == {None}:
        return [record for records, _ in parts for record in records]
    if None in splits:
        msg = f"{source}: expected all files to be of a split, train, val or test, or none"
        raise DataError(msg)
    return [{**record, FILE_SPLIT: split} for records, split in parts for record in records]
