"""Objects of JSON or YAML that stand for several photos, as records of photos."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tagsight.data.formats.record_keys import LABEL_KEYS, PHOTO_KEYS, joined_records
from tagsight.data.json_files import beginning, outline, shortened
from tagsight.data.source import is_file
from tagsight.data.tables.names import SPLIT_NAMES, is_photo, key_of
from tagsight.data.tables.text import text_of
from tagsight.data.yaml_files import parse_yaml, yaml_beginning
from tagsight.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

logger = logging.getLogger(__name__)

YAML_ENDINGS = (".yaml", ".yml")
LARGEST_YAML = 2**24
LOOK = 2**16

MARKS: dict[str, Any] = {"1": 1, "0": 0, "-1": -1, "": None, "~": None, "null": None}
"""What text of YAML means as a value, other than in a list of names."""

_TEXT = r'"((?:[^"\\]|\\.)*)"'
_FIRST_IN_LIST = re.compile(rf"\{{(?:\s*{_TEXT}\s*:\s*\[\s*\]\s*,)*\s*{_TEXT}\s*:\s*\[\s*{_TEXT}")


def has_photos_by_label(source: Path) -> bool:
    """Return whether JSON begins as one object with a list of photos for each label.

    Example:
        >>> from pathlib import Path
        >>> _ = Path("a.json").write_text('{"cow": [], "dog": ["a.jpg", "b.jpg"]}')
        >>> has_photos_by_label(Path("a.json"))
        True
    """
    top, keys, lines = outline(source)
    if top != "{" or lines or set(keys.values()) != {"["}:
        return False
    match = _FIRST_IN_LIST.match(beginning(source))
    return match is not None and is_photo(match[3])


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


def is_yaml_of_photos(source: Path) -> bool:
    r"""Return whether a file is YAML that begins with photos, or a label's photos, or a record.

    Example:
        >>> from pathlib import Path
        >>> for text in ("a.jpg: [dog]\n", "dog:\n- a.jpg\n", "- image: a.jpg\n", "names: [dog]\n"):
        ...     _ = Path("a.yaml").write_text(text)
        ...     print(is_yaml_of_photos(Path("a.yaml")))
        True
        True
        True
        False
    """
    if source.suffix.lower() not in YAML_ENDINGS or not is_file(source):
        return False
    with source.open("rb") as handle:
        text = handle.read(LOOK).decode("utf-8-sig", "replace")
    first, *rest = yaml_beginning(text) or [("", "")]
    kinds, texts = [kind for kind, _ in rest], [text for _, text in rest]
    if first[0] == "[":
        return kinds[:2] == ["{", "="] and key_of(texts[1]) in PHOTO_KEYS
    if first[0] != "{" or not kinds:
        return False
    while kinds[:3] == ["=", "[", "]"]:  # a label without photos
        kinds, texts = kinds[3:], texts[3:]
    return is_photo(texts[0]) or (kinds[:3] == ["=", "[", "="] and is_photo(texts[2]))


def read_yaml(source: Path) -> list[Any]:
    r"""Read the records of a YAML file: a list of them, or an object that stands for several.

    Raises:
        DataError: If it is too large, no YAML, or does not name photos.

    Example:
        >>> from pathlib import Path
        >>> _ = Path("a.yaml").write_text("a.jpg: [dog, 'no']\nb.jpg: {dog: 0}\n")
        >>> read_yaml(Path("a.yaml"))
        [{'image': 'a.jpg', 'labels': ['dog', 'no']}, {'image': 'b.jpg', 'labels': {'dog': 0}}]
    """
    text = text_of(source, largest=LARGEST_YAML)
    content = parse_yaml(text, str(source), (dict, list))
    if isinstance(content, list):
        return [_plain(one) for one in content]
    return records_by_name(source, {key: _plain(value) for key, value in content.items()})


def _plain(value: Any) -> Any:  # noqa: ANN401 - plain-data border
    """Return a value of YAML, which is text, as JSON would have it."""
    if isinstance(value, dict):
        return {
            key: one if key_of(key) in PHOTO_KEYS else _plain(one) for key, one in value.items()
        }
    return MARKS.get(value.lower(), value) if isinstance(value, str) else value


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
    others = [key for key, value in content.items() if not _are_photos(value)]
    if not others and content and all(splits.values()):
        msg = (
            f"{source}: expected labels of photos, got {', '.join(content)}, which are the splits "
            "alone: give a table of the labels, with a column for the split"
        )
        raise DataError(msg)
    if not others and not any(photos):
        return _inverted(source, content)
    named = [value for key, value in content.items() if key_of(key) in PHOTO_KEYS]
    if named:
        return _rows(content) if isinstance(named[0], dict | list) else [content]
    name = others[0] if others else next((key for key in content if is_photo(key)), "")
    msg = (
        f"{source}: expected a list of photos for each label, or the labels of each photo, whose "
        f"names end as photos do, got {shortened({name: content.get(name)})}"
    )
    raise DataError(msg)


def _are_photos(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) and is_photo(one) for one in value)


def _inverted(source: Path, content: Mapping[str, list[str]]) -> list[Any]:
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
        isinstance(labels, str | list) and key_of(key) in LABEL_KEYS
        for key, labels in value.items()
    )
