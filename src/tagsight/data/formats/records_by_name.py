"""Objects of JSON or YAML that stand for several photos, as records of photos."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from tagsight.data.formats.frame_shapes import rows_of
from tagsight.data.formats.record_keys import LABEL_KEYS, PHOTO_KEYS, first_key, joined_records
from tagsight.data.formats.record_shapes import is_record
from tagsight.data.json_files import beginning, outline, shortened
from tagsight.data.tables.names import SPLIT_NAMES, is_photo, key_of
from tagsight.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

logger = logging.getLogger(__name__)

PHOTO_LISTS = frozenset(
    {"images", "photos", "files", "filenames", "filepaths", "paths", "imagepaths", "imagenames"}
)
"""Names of keys, as `key_of` gives them, of a list of photos beside one of their labels."""

LOOKED_INTO = 20
DEEPEST_WRAPPER = 3
_TEXT = r'"((?:[^"\\]|\\.)*)"'
_FIRST_OF_PAIR = re.compile(rf"\[\s*\[\s*{_TEXT}\s*,")
_FIRST_OF_LINE = re.compile(rf"\[\s*{_TEXT}\s*,.*\][ \t\r]*\n\s*\[")
_FIRST_IN_LIST = re.compile(rf"\{{(?:\s*{_TEXT}\s*:\s*\[\s*\]\s*,)*\s*{_TEXT}\s*:\s*\[\s*{_TEXT}")


def has_photos_by_label(source: Path, *within: str) -> bool:
    """Return whether JSON begins as one object with a list of photos for each label.

    Args:
        source: The file.
        within: Keys of the object that is meant, as for `outline`.

    Example:
        >>> from pathlib import Path
        >>> _ = Path("a.json").write_text('{"cow": [], "dog": ["a.jpg", "b.jpg"]}')
        >>> has_photos_by_label(Path("a.json"))
        True
    """
    top, keys, lines = outline(source, *within)
    if top != "{" or lines or set(keys.values()) != {"["}:
        return False
    match = _FIRST_IN_LIST.match(beginning(source, *within))
    return match is not None and is_photo(match[3])


def has_pairs(source: Path, *, lines: bool = False) -> bool:
    r"""Return whether JSON begins as a list of lists, each of a photo and its labels.

    Args:
        source: The file.
        lines: Whether each of these lists is a line of its own.

    Example:
        >>> from pathlib import Path
        >>> _ = Path("a.json").write_text('[["a.jpg", ["dog"]]]')
        >>> has_pairs(Path("a.json"))
        True
        >>> _ = Path("a.jsonl").write_text('["a.jpg", ["dog"]]\n["b.jpg", "dog", "sky"]\n')
        >>> has_pairs(Path("a.jsonl"), lines=True)
        True
    """
    if outline(source) != ("[", {}, False):
        return False
    match = (_FIRST_OF_LINE if lines else _FIRST_OF_PAIR).match(beginning(source))
    return match is not None and is_photo(match[1])


def records_in(source: Path, content: Sequence[Any]) -> list[Any]:
    """Return records of lists of a photo and its labels, or of objects by the names of photos.

    Args:
        source: The file.
        content: What it lists; what is neither stays as it is.

    Example:
        >>> from pathlib import Path
        >>> records_in(Path("a.json"), [["a.jpg", ["dog"]], ["b.jpg", "dog", "sky"]])
        [{'image': 'a.jpg', 'labels': ['dog']}, {'image': 'b.jpg', 'labels': ['dog', 'sky']}]
        >>> records_in(Path("a.json"), [{"a.jpg": ["dog"]}, {"b.jpg": "sky"}])
        [{'image': 'a.jpg', 'labels': ['dog']}, {'image': 'b.jpg', 'labels': 'sky'}]
    """
    first = content[0] if content else None
    if isinstance(first, dict) and first and all(map(is_photo, first)):
        objects = (one for one in content if isinstance(one, dict))
        others = [one for one in content if not isinstance(one, dict)]
        return [*(row for one in objects for row in records_by_name(source, one)), *others]
    return [
        {"image": one[0], "labels": one[1] if len(one) == 2 else one[1:]}
        if isinstance(one, list) and one and isinstance(one[0], str) and is_photo(one[0])
        else one
        for one in content
    ]


def names_photos(content: object) -> bool:
    """Return whether what a file holds, or begins with, is of photos and their labels.

    Example:
        >>> names_photos([{"image": "a.jpg"}]), names_photos({"dog": [], "sky": ["a.jpg"]})
        (True, True)
        >>> names_photos({"version": "1", "images": [{"file": "a.jpg", "tags": ["dog"]}]})
        True
        >>> names_photos({"images": [{"file_name": "a.jpg"}], "annotations": []})
        False
    """
    if isinstance(content, list):
        first = content[0] if content else None
        if isinstance(first, list):
            return len(first) > 1 and isinstance(first[0], str) and is_photo(first[0])
        return isinstance(first, dict) and (
            first_key(PHOTO_KEYS, first) is not None or (bool(first) and all(map(is_photo, first)))
        )
    if not isinstance(content, dict) or not content:
        return False
    if is_photo(next(iter(content))):
        return True
    filled = next((it for it in content.values() if isinstance(it, list | dict) and it), None)
    if isinstance(filled, list):
        return _are_photos(filled[:1]) or (isinstance(filled[0], dict) and is_record(filled[0]))
    return names_photos(filled)


def wrapper_of(source: Path) -> tuple[str, ...]:
    """Return the keys, each in the one before, around photos and their labels in JSON, if any.

    There is nothing else than text and numbers beside each of them.

    Example:
        >>> from pathlib import Path
        >>> _ = Path("a.json").write_text('{"set": {"rows": [{"image": "a.jpg", "tags": []}]}}')
        >>> wrapper_of(Path("a.json"))
        ('set',)
    """
    keys: tuple[str, ...] = ()
    for _ in range(DEEPEST_WRAPPER):
        key = _only_object(outline(source, *keys).keys)
        if key is None or outline(source, *keys).lines:
            return ()
        keys = (*keys, key)
        inner = outline(source, *keys).keys
        lists = [outline(source, *keys, key).keys for key, mark in inner.items() if mark == "["]
        are_records = any(map(is_record, lists))
        are_photos = bool(inner) and all(map(is_photo, inner))
        if are_records or are_photos or has_photos_by_label(source, *keys):
            return keys
    return ()


def _only_object(marks: Mapping[str, str]) -> str | None:
    """Return the one key of an object, if any, and there is no list beside."""
    objects = [key for key, mark in marks.items() if mark == "{"]
    is_one = len(objects) == 1 and "[" not in marks.values()
    return objects[0] if is_one and not is_photo(objects[0]) else None


def has_splits(source: Path) -> bool:
    """Return whether JSON is one object with photos and their labels under words of splits.

    Example:
        >>> from pathlib import Path
        >>> _ = Path("a.json").write_text('{"train": {"a.jpg": ["dog"]}, "val": {}}')
        >>> has_splits(Path("a.json"))
        True
    """
    top, keys, lines = outline(source)
    if top != "{" or lines or not all(key.lower() in SPLIT_NAMES for key in keys):
        return False
    within = next((outline(source, key).keys for key, mark in keys.items() if mark == "{"), {})
    return any(map(is_photo, within)) or (bool(within) and set(within.values()) == {"["})


def has_photos_within(source: Path) -> bool:
    """Return whether JSON has the photos by name under one key, or in a list beside their labels.

    Example:
        >>> from pathlib import Path
        >>> for text in ('{"images": {"a.jpg": []}}', '{"files": ["a.jpg"], "tags": [["dog"]]}'):
        ...     _ = Path("a.json").write_text(text)
        ...     print(has_photos_within(Path("a.json")))
        True
        True
    """
    top, keys, lines = outline(source)
    if top != "{" or lines or {"classes", "labels"} <= keys.keys():  # as FiftyOne has
        return False
    names = {key: outline(source, key).keys for key, mark in keys.items() if mark == "{"}
    if [bool(inner) and all(map(is_photo, inner)) for inner in names.values()].count(True) == 1:
        return True
    if keys and len(names) == len(keys):
        some = list(islice(names.values(), LOOKED_INTO))
        are_lists = any(key_of(key) in PHOTO_LISTS for inner in some for key in inner)
        return not are_lists and all(first_key(LABEL_KEYS, inner) for inner in some)
    listed = {key for key, mark in keys.items() if mark == "["}
    photos = [key for key in listed if key_of(key) in PHOTO_LISTS]
    return (
        len(photos) == 1
        and first_key(LABEL_KEYS, listed - {*photos}) is not None
        and not outline(source, photos[0]).keys
    )


def records_by_name(source: Path, content: Mapping[str, Any]) -> list[Any]:
    """Return the records of an object: photos by label, labels by photo, values by column, or one.

    Photos by label and labels by photo may be under words of splits.

    Raises:
        DataError: If it is none of these, or a mixture.

    Example:
        >>> from pathlib import Path
        >>> records_by_name(Path("a.json"), {"dog": ["a.jpg"], "sky": ["a.jpg", "b.jpg"]})
        [{'image': 'a.jpg', 'labels': ['dog', 'sky']}, {'image': 'b.jpg', 'labels': ['sky']}]
    """
    photos = [is_photo(key) for key in content]
    splits = {key: SPLIT_NAMES.get(key.lower()) for key in content}
    if content and all(splits.values()) and all(isinstance(v, dict) for v in content.values()):
        parts = [(records_by_name(source, content[key]), split) for key, split in splits.items()]
        return joined_records(str(source), parts)
    if all(photos):
        return [
            {**value, "image": name} if _has_labels(value) else {"image": name, "labels": value}
            for name, value in content.items()
        ]
    if (rows := rows_of(content)) is not None:
        return rows
    if (inner := _unwrapped(content)) is not None:
        return inner if isinstance(inner, list) else records_by_name(source, inner)
    others = [key for key, value in content.items() if not _are_photos(value)]
    if not others and content and all(splits.values()):
        msg = (
            f"{source}: expected labels of photos, got {', '.join(content)}, which are the splits "
            "alone: give a table of the labels, with a column for the split"
        )
        raise DataError(msg)
    if not others and not any(photos):
        return inverted(source, content)
    one = [value for key, value in content.items() if key_of(key) in PHOTO_KEYS]
    if one:
        return _rows(content) if isinstance(one[0], dict | list) else [content]
    name = others[0] if others else next((key for key in content if is_photo(key)), "")
    msg = (
        f"{source}: expected a list of photos for each label, or the labels of each photo, whose "
        f"names end as photos do, got {shortened({name: content.get(name)})}; if names are without "
        "endings, give the folder of the photos as `images`"
    )
    raise DataError(msg)


def _unwrapped(content: Mapping[str, Any]) -> list[Any] | Mapping[str, Any] | None:
    """Return an object of photos under a key; or records of names without endings, or of lists."""
    if any(map(is_photo, content)):
        return None
    within = [value for value in content.values() if isinstance(value, dict) and value]
    named = [value for value in within if all(map(is_photo, value))]
    if len(named) == 1:
        return named[0]
    lists = [value for value in content.values() if _are_records(value)]
    if len(lists) == 1:
        return lists[0]
    if content and all(map(_has_labels, content.values())):  # names without endings
        return [{**value, "image": name} for name, value in content.items()]
    listed = [key for key, it in content.items() if key_of(key) in PHOTO_LISTS and _are_photos(it)]
    if len(listed) == 1 and first_key(LABEL_KEYS, content) is not None:
        return _rows({("image" if key in listed else key): it for key, it in content.items()})
    return None


def _are_records(value: object) -> bool:
    first = value[0] if isinstance(value, list) and value else None
    return isinstance(first, Mapping) and first_key(PHOTO_KEYS, first) is not None


def _are_photos(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) and is_photo(one) for one in value)


def inverted(source: Path, content: Mapping[str, Sequence[str]]) -> list[Any]:
    """Return the records of an object with the photos of each label.

    Example:
        >>> from pathlib import Path
        >>> inverted(Path("a.json"), {"dog": ["a"], "sky": ["a", "b"]})
        [{'image': 'a', 'labels': ['dog', 'sky']}, {'image': 'b', 'labels': ['sky']}]
    """
    labels: dict[str, list[str]] = {}
    for label, photos in content.items():
        for photo in photos:
            labels.setdefault(photo, []).append(label)
    if empty := [label for label, photos in content.items() if not photos]:
        logger.warning("%s: labels without photos left out: %s", source, ", ".join(empty[:5]))
    return [{"image": photo, "labels": names} for photo, names in labels.items()]


def _rows(content: Mapping[str, Any]) -> list[Any]:
    """Return the rows of an object with a list, or an object, for each column."""
    columns = {
        key: list(values.values()) if isinstance(values, dict) else values
        for key, values in content.items()
        if isinstance(values, dict | list)
    }
    rows = max(map(len, columns.values()), default=0)
    full = {key: values for key, values in columns.items() if len(values) == rows}
    return [dict(zip(full, row, strict=True)) for row in zip(*full.values(), strict=True)]


def _has_labels(value: object) -> bool:
    """Return whether what is said of a photo has labels under a key, as kohya_ss writes tags."""
    return isinstance(value, Mapping) and any(
        isinstance(labels, str | list | dict) and key_of(key) in LABEL_KEYS
        for key, labels in value.items()
    )
