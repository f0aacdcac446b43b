"""JSON lines, JSON lists, and YAML, of records with a photo and its labels."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

from tagsight.data.format import Format, usual_folders
from tagsight.data.formats import imaterialist
from tagsight.data.formats.hub_features import with_class_names
from tagsight.data.formats.record_keys import LABEL_KEYS, PHOTO_KEYS, first_key, joined_records
from tagsight.data.formats.records import read_records
from tagsight.data.formats.records_by_name import (
    YAML_ENDINGS,
    has_photos_by_label,
    has_splits,
    is_yaml_of_photos,
    read_yaml,
    records_by_name,
)
from tagsight.data.json_files import outline, read_json, read_json_lines, shortened
from tagsight.data.strangers import stranger_at
from tagsight.data.tables.names import SPLIT_NAMES, is_photo
from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from tagsight.data.format import Labelled, ReadOptions

ENDINGS = (".jsonl", ".ndjson")
WHAT = "an object with a photo and its labels"
OTHERS = frozenset(
    {"annotations", "annotation_id", "data", "samples", "images", "shapes", "original_filename"}
    | {"_input_hash", "_task_hash", "labeled data"}
)
"""Keys that other formats have in their records."""

ELSEWHERE = frozenset(
    {"categories", "samples", "label_classes", "metainfo", "detection_categories", "inputs"}
)
"""Keys that other formats have beside a list of photos."""

REFERENCE = "category_id"
"""Key that refers to another list, as in COCO."""


def recognises(source: Path) -> bool:
    r"""Return whether a file begins with an object that has a photo, or photos, and more beside.

    Example:
        >>> from pathlib import Path
        >>> file = Path("rows.jsonl")
        >>> _ = file.write_text('{"path": "a.jpg", "tags": ["dog"]}\n')
        >>> recognises(file)
        True
    """
    top, keys, _ = outline(source)
    if not top:
        return is_yaml_of_photos(source)
    if top == "{" and keys and all(map(is_photo, keys)):
        return True
    if stranger_at(source):
        return False
    return _nested(source) is not None or has_splits(source) or _has_records(source)


def _has_records(source: Path) -> bool:
    """Return whether a file begins with a record, or is an object that stands for several."""
    top, keys, lines = outline(source)
    is_object = top == "{" and not lines and not source.name.lower().endswith(ENDINGS)
    others = OTHERS if is_object or top == "[" else OTHERS - {"annotations"}
    if others.intersection(map(str.lower, keys)):
        return False
    photo = first_key(PHOTO_KEYS, keys)
    if photo is None:
        return has_photos_by_label(source)
    return not is_object or keys[photo] in "[{" or first_key(LABEL_KEYS, keys) is not None


def _nested(source: Path) -> str | None:
    """Return the first key under which an object has a list of records with labels, or None."""
    top, keys, lines = outline(source)
    if top != "{" or lines or not ELSEWHERE.isdisjoint(keys) or imaterialist.recognises(source):
        return None
    for key in (key for key, mark in keys.items() if mark == "["):
        if _is_record(outline(source, key).keys):
            return key
    return None


def _is_record(keys: Iterable[str]) -> bool:
    """Return whether an object with some keys is a photo with its labels."""
    has_both = first_key(PHOTO_KEYS, keys) and first_key(LABEL_KEYS, keys)
    return bool(has_both) and REFERENCE not in keys


def _parts(source: Path, content: Mapping[str, Any]) -> list[tuple[list[Any], str | None]]:
    """Return the list of records of an object, or that of each split, with the split.

    Raises:
        DataError: If there are further records under other keys, which would be lost.
    """
    found = {
        key: value
        for key, value in content.items()
        if isinstance(value, list) and value and isinstance(value[0], dict) and _is_record(value[0])
    }
    splits = {key: SPLIT_NAMES.get(key.lower()) for key in found}
    if len(found) > 1 and not all(splits.values()):
        msg = (
            f"{source}: expected photos under one key, or under train, val and test, got "
            f"{', '.join(found)}; join them under one"
        )
        raise DataError(msg)
    return [(records, splits[key]) for key, records in found.items()]


def read(source: Path, options: ReadOptions) -> list[Labelled]:
    r"""Read records by the rules of `read_records`.

    Args:
        source: A file with an object a line, or a list of objects, perhaps under a key; or one
            object with a photo's labels by its name, a label's photos by its own, or a list, or an
            object, for each column, as pandas writes. A list, or one object, may be YAML.
        options: Columns; folder of the photos, by default that of the file. Photos that are inside
            are written to the cache.

    Raises:
        DataError: If a record cannot be understood.

    Example:
        >>> import json
        >>> from pathlib import Path
        >>> from tagsight.data.format import DEFAULTS
        >>> rows = [{"path": "a.jpg", "tags": ["dog"]}, {"path": "b.jpg", "tags": []}]
        >>> file = Path("rows.json")
        >>> _ = file.write_text(json.dumps(rows))
        >>> (found,) = read(file, DEFAULTS)
        >>> found.photos, found.names, found.targets.tolist()
        (('a.jpg', 'b.jpg'), ('dog',), [[1], [0]])
    """
    top, _, lines = outline(source)
    parts: list[tuple[list[Any], str | None]]
    if not top and source.suffix.lower() in YAML_ENDINGS:
        parts = [(read_yaml(source), None)]
    elif top == "[":
        parts = [(read_json(source, list, f"a list of objects, each {WHAT}"), None)]
    elif _nested(source) is not None:
        parts = _parts(source, read_json(source, dict, WHAT))
    elif top == "{" and not lines and not source.name.lower().endswith(ENDINGS):
        parts = [(records_by_name(source, read_json(source, dict, WHAT)), None)]
    else:
        parts = [([record for _, record in read_json_lines(source, WHAT)], None)]
    for number, record in enumerate(chain.from_iterable(records for records, _ in parts), 1):
        if not isinstance(record, dict):
            msg = f"{source}: record {number}: expected {WHAT}, got {shortened(record)}"
            raise DataError(msg)
    base = source.parent
    part = read_records(source, joined_records(str(source), parts), options, usual_folders(base))
    return [with_class_names(part, base)]


FORMAT = Format(
    "json-records",
    "JSON lines, a JSON list or YAML, of objects with a photo and its labels; or one object with "
    "the labels of each photo, or the photos of each label",
    '{"image": "a.jpg", "labels": ["dog", "sky"], "split": "train"}\n'
    '{"image": "b.jpg", "labels": [], "split": "test"}',
    recognises,
    read,
    (".json", *ENDINGS, *YAML_ENDINGS),
    has_columns=True,
)
