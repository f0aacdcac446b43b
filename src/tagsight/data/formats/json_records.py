"""JSON lines, JSON lists, and YAML, of records with a photo and its labels."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeAlias

from tagsight.data.format import Format, usual_folders
from tagsight.data.formats import imaterialist
from tagsight.data.formats.bare_names import has_bare_names, records_of_bare
from tagsight.data.formats.frame_shapes import is_frame
from tagsight.data.formats.hub_features import with_class_names
from tagsight.data.formats.record_keys import (
    LABEL_KEYS,
    PHOTO_KEYS,
    first_key,
    joined_records,
    photo_key,
)
from tagsight.data.formats.record_shapes import flattened, has_labels, is_record
from tagsight.data.formats.records import read_records
from tagsight.data.formats.records_by_name import (
    has_pairs,
    has_photos_by_label,
    has_photos_within,
    has_splits,
    records_by_name,
    records_in,
    wrapper_of,
)
from tagsight.data.formats.yaml_records import ENDINGS as YAML_ENDINGS
from tagsight.data.formats.yaml_records import is_yaml_of_photos, read_yaml
from tagsight.data.json_files import outline, read_json, read_json_lines, shortened
from tagsight.data.json_values import first_record
from tagsight.data.strangers import stranger_at
from tagsight.data.tables.name_files import named_by_number, named_within
from tagsight.data.tables.names import SPLIT_NAMES, is_photo
from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tagsight.data.format import Labelled, ReadOptions

Part: TypeAlias = "tuple[list[Any], str | None]"
"""Records, and their split."""

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
    are_photos = bool(keys) and all(map(is_photo, keys))
    if are_photos or has_pairs(source) or has_pairs(source, lines=True):
        return True
    if stranger_at(source):
        return False
    if is_frame(source) or has_splits(source) or has_photos_within(source):
        return True
    return _nested(source) is not None or bool(wrapper_of(source)) or _has_records(source)


def _recognises_late(source: Path, photos: Path | None) -> bool:
    if not outline(source).top or stranger_at(source):
        return False
    folders = usual_folders(source.parent) if photos is None else [photos]
    return _has_photo_by_value(source) or has_bare_names(source, folders)


def _has_records(source: Path) -> bool:
    """Return whether a file begins with a record, or is an object that stands for several."""
    top, keys, lines = outline(source)
    is_object = top == "{" and not lines and not source.name.lower().endswith(ENDINGS)
    photo = first_key(PHOTO_KEYS, keys)
    is_line = not is_object and (top == "{" or (photo is not None and keys[photo] == "{"))
    others = OTHERS - {"annotations"} if is_line else OTHERS
    if photo is None and not is_object and _holds_photo(source):
        others -= {"data"}
        photo = "data"
    if others.intersection(map(str.lower, keys)):
        return False
    if photo is None:
        return has_photos_by_label(source)
    return not is_object or keys[photo] in "[{" or first_key(LABEL_KEYS, keys) is not None


def _has_photo_by_value(source: Path) -> bool:
    """Return whether a file begins with a record with labels, and a photo under any key."""
    top, _, lines = outline(source)
    several = top == "[" or lines or source.name.lower().endswith(ENDINGS)
    record = first_record(source) if several else None
    if not isinstance(record, dict):
        return False
    (record,) = flattened([record])
    return has_labels(record) and photo_key([record], record) is not None


def _holds_photo(source: Path) -> bool:
    """Return whether a file begins with a record whose photo is in an object beside its labels."""
    keys = outline(source).keys
    inner = [outline(source, key).keys for key, mark in keys.items() if mark == "{"]
    photos = [one for one in inner if first_key(PHOTO_KEYS, one) is not None]
    return len(photos) == 1 and has_labels(keys)


def _nested(source: Path) -> str | None:
    """Return the first key under which an object has a list of records with labels, or None."""
    top, keys, lines = outline(source)
    elsewhere = ELSEWHERE.intersection(keys)
    if top != "{" or lines or elsewhere - {"categories"} or imaterialist.recognises(source):
        return None
    for key in (key for key, mark in keys.items() if mark == "["):
        record = outline(source, key).keys
        if is_record(record) and not (elsewhere and "id" in record):  # to which COCO refers
            return key
    return None


def _parts(source: Path, content: Mapping[str, Any]) -> list[Part]:
    """Return the list of records of an object, or that of each split, with the split.

    Raises:
        DataError: If there are further records under other keys, which would be lost.
    """
    found = {
        key: value
        for key, value in content.items()
        if isinstance(value, list) and value and isinstance(value[0], dict) and is_record(value[0])
    }
    splits = {key: SPLIT_NAMES.get(key.lower()) for key in found}
    if len(found) > 1 and not all(splits.values()):
        msg = (
            f"{source}: expected photos under one key, or under train, val and test, got "
            f"{', '.join(found)}; join them under one"
        )
        raise DataError(msg)
    return [(records, splits[key]) for key, records in found.items()]


def read(source: Path, options: ReadOptions, *, is_part: bool = False) -> list[Labelled]:
    r"""Read records by the rules of `read_records`.

    Args:
        source: A file with an object a line, or a list of objects, perhaps under a key, or of
            lists that begin with a photo; or one object with a photo's labels by its name, a
            label's photos by its own, or a list, or an object, for each column, as pandas writes.
            An object with one of these, beside nothing else but text and numbers, is passed over.
            A list, or one object, may be YAML.
        options: Columns; folder of the photos, by default that of the file. Photos that are inside
            are written to the cache.
        is_part: Whether labels that are numbers are named later, by a file for several parts.

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
    content = _content(source)
    if isinstance(content, list):
        parts: list[Part] = [(records_in(source, content), None)]
        content = {}
    else:
        is_yaml = source.suffix.lower() in YAML_ENDINGS
        wrapper = () if is_yaml else wrapper_of(source)
        for key in wrapper:
            content = content[key]
        is_listed = is_yaml or bool(wrapper) or _nested(source) is not None
        is_listed = is_listed and not is_frame(source)
        parts = _parts(source, content) if is_listed else []
        if not parts:
            folders = [options.images] if options.images else usual_folders(source.parent)
            bare = records_of_bare(source, content, folders)
            parts = [(records_by_name(source, content) if bare is None else bare, None)]
    for number, record in enumerate(chain.from_iterable(records for records, _ in parts), 1):
        if not isinstance(record, dict):
            msg = f"{source}: record {number}: expected {WHAT}, got {shortened(record)}"
            raise DataError(msg)
    base = source.parent
    records, folders = joined_records(str(source), parts), usual_folders(base)
    part = read_records(source, records, options, folders, is_part=True)
    named = named_within(part.names, source, content)
    if not is_part:
        named = named_by_number(named, source, base)
    return [with_class_names(_renamed(part, named), base)]


def _content(source: Path) -> Any:  # noqa: ANN401 - plain-data border
    """Return what a file holds: an object, or a list."""
    top, _, lines = outline(source)
    if not top and source.suffix.lower() in YAML_ENDINGS:
        return read_yaml(source)
    if top == "[" and not has_pairs(source, lines=True):
        return read_json(source, list, f"a list, each {WHAT}")
    is_line = source.name.lower().endswith(ENDINGS) and _nested(source) is None
    if top == "{" and not lines and not is_line:
        return read_json(source, dict, WHAT, once=True)
    if top == "[":
        return [one for _, one in read_json_lines(source, WHAT, once=True, kind=list)]
    return [one for _, one in read_json_lines(source, WHAT, once=True)]


def _renamed(part: Labelled, names: Sequence[str]) -> Labelled:
    """Give labels other names, sorted by them."""
    if (*names,) == part.names or len(set(names)) < len(names):
        return part
    order = sorted(range(len(names)), key=names.__getitem__)
    return replace(part, names=tuple(sorted(names)), targets=part.targets[:, order])


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
    recognises_late=_recognises_late,
)
