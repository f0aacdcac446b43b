"""The content of a COCO file of instances: photos, categories and objects that refer to them."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from tagsight.data.json_files import read_json, shortened
from tagsight.data.source import clean_name, photo_path
from tagsight.errors import DataError
from tagsight.runtime.amounts import amount

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from pathlib import Path

logger = logging.getLogger(__name__)

EXACT = 2**53
"""Whole numbers from which on a float may be another one."""

NAME_KEYS = ("file_name", "coco_url", "path", "filename")
"""Keys of a photo's name, the usual one first; some sets of LVIS only have its address."""

SEVERAL = ("category_ids", "category_id")
"""Keys of an annotation that may list categories of a whole photo."""

MOST_NAMED = 3
"""Photos or labels that a warning names."""

Id: TypeAlias = int | str
Fields: TypeAlias = dict[str, Any]

NUMBER = re.compile(r"\s*0*(\d{1,30})(?:\.0*)?\s*", re.ASCII)
"""Text that is a whole number."""


class Instances(NamedTuple):
    """Content of a COCO file, with valid references.

    Attributes:
        photos: Fields of each photo by its id; ``file_name`` is unique and safe to append to a
            folder.
        names: Name of each category by its id; categories of equal names are one label.
        objects: Fields of each object; ``image_id`` and ``category_id`` are keys of the above, but
            ``category_id`` is None where an object has no label.
    """

    photos: dict[Id, Fields]
    names: dict[Id, str]
    objects: list[Fields]


def read_instances(file: Path, *, require_objects: bool = True) -> Instances:
    """Read and check a COCO file.

    Merged files may have a photo or a category under several ids: these are united, with a
    warning.

    Args:
        file: The file.
        require_objects: Whether a file without objects is an error.

    Raises:
        DataError: If the file is no JSON, an entry lacks a key (which the message names), there is
            no annotation at all, or photos of different sizes share a name.

    Example:
        >>> import json
        >>> from pathlib import Path
        >>> content = {
        ...     "images": [{"id": 1, "file_name": "a.jpg"}],
        ...     "categories": [{"id": 7, "name": "dog"}],
        ...     "annotations": [{"image_id": "1", "category_id": 7.0}],
        ... }
        >>> file = Path("merged.json")
        >>> _ = file.write_text(json.dumps(content))
        >>> read_instances(file).objects
        [{'image_id': 1, 'category_id': 7}]
    """
    found = _instances(file)
    if require_objects and not found.objects:
        raise no_objects(file)
    return found


def no_objects(file: Path) -> DataError:
    """Make the error of a file, or of files, without any object.

    Example:
        >>> from pathlib import Path
        >>> str(no_objects(Path("val.json"))).partition(", so")[0]
        'val.json: expected annotations, got none'
    """
    return DataError(
        f"{file}: expected annotations, got none, so that no photo would have a label; "
        "tags of whole photos are lost in this format: export boxes, or a table of labels"
    )


def _instances(file: Path) -> Instances:
    what = "an object with 'images' and 'annotations'"
    # Outlines make up most of an official file, and would take most of the time and memory.
    content = read_json(file, dict, what, without="segmentation")
    photos = _by_id(file, content, "images")
    for position, photo in enumerate(photos.values()):
        where = f"{file}: images[{position}].file_name"
        named = next((key for key in NAME_KEYS if photo.get(key) is not None), "file_name")
        photo["file_name"] = photo_path(_typed(photo, named, str, where), where)
    categories = _by_id(file, content, "categories")
    names: dict[Id, str] = {}
    for position, (key, category) in enumerate(categories.items()):
        where = f"{file}: categories[{position}].name"
        names[key] = clean_name(_typed(category, "name", str, where), where)
    objects = [one for entry in _entries(file, content, "annotations") for one in _objects(entry)]
    for key, entries in (("images", photos), ("categories", categories)):
        if objects and not entries:
            msg = f"{file}: expected entries under {key!r}, got an empty list"
            raise DataError(msg)
    _join(file, objects, "image_id", photos)
    _join(file, objects, "category_id", names)
    _warn_of_several_ids(file, "categories", "label", names)
    return Instances(_merged(file, photos, objects), names, objects)


def _objects(entry: Fields) -> list[Fields]:
    """Return an entry for each category of one that has several: of a photo, or of its segments."""
    segments = entry.get("segments_info")
    listed = [entry.get(key) for key in SEVERAL]
    several = next((value for value in listed if isinstance(value, list)), None)
    if several is None and isinstance(segments, list) and entry.get("category_id") is None:
        several = [one.get("category_id") if isinstance(one, dict) else one for one in segments]
    return [entry] if several is None else [{**entry, "category_id": one} for one in several]


def _merged(file: Path, photos: dict[Id, Fields], objects: list[Fields]) -> dict[Id, Fields]:
    """Unite photos of equal file names, and reassign their objects."""
    first: dict[str, Id] = {}
    kept = {key: first.setdefault(photo["file_name"], key) for key, photo in photos.items()}
    for key, other in kept.items():
        if key != other and _size(photos[key]) != _size(photos[other]):
            msg = (
                f"{file}: expected images of one file_name to be one photo, got "
                f"{photos[key]['file_name']!r} of different sizes under the ids {other!r} and "
                f"{key!r}; give one of them another name"
            )
            raise DataError(msg)
    _warn_of_several_ids(
        file, "images", "photo", {key: photo["file_name"] for key, photo in photos.items()}
    )
    if len(first) < len(photos):
        for entry in objects:
            entry["image_id"] = kept[entry["image_id"]]
    return {key: photos[key] for key in first.values()}


def _size(photo: Fields) -> tuple[object, object]:
    return photo.get("width"), photo.get("height")


def _warn_of_several_ids(file: Path, key: str, thing: str, names: Mapping[Id, str]) -> None:
    if len(set(names.values())) == len(names):
        return
    ids: dict[str, list[Id]] = {}
    for identity, name in names.items():
        ids.setdefault(name, []).append(identity)
    several = [f"{name!r} ({', '.join(map(repr, of))})" for name, of in ids.items() if len(of) > 1]
    if several:
        logger.warning(
            "%s: %s under several ids of %r, united: %s%s",
            file,
            amount(len(several), thing),
            key,
            "; ".join(several[:MOST_NAMED]),
            "; ..." if len(several) > MOST_NAMED else "",
        )


def _entries(file: Path, content: Fields, key: str) -> list[Fields]:
    entries = content.get(key)
    if not isinstance(entries, list):
        missing = "no such key" if key not in content else shortened(entries)
        msg = (
            f"{file}: expected a list under {key!r}, got {missing}; export it again, or add the "
            f"{key} of the file that it was made from"
        )
        raise DataError(msg)
    for position, entry in enumerate(entries):
        if not isinstance(entry, dict):
            msg = f"{file}: expected an object at {key}[{position}], got {shortened(entry)}"
            raise DataError(msg)
    return entries


def _by_id(file: Path, content: Fields, key: str) -> dict[Id, Fields]:
    entries: dict[Id, Fields] = {}
    for position, entry in enumerate(_entries(file, content, key)):
        where = f"{file}: {key}[{position}].id"
        identity = _typed(entry, "id", (int, str), where)
        if identity in entries:
            msg = f"{where}: expected each id once, got {identity!r} again"
            raise DataError(msg)
        entries[identity] = entry
    return entries


def _id(value: Any) -> Any:  # noqa: ANN401 - plain-data border
    """Return a whole number for a float of the same value, which tables make of numbers."""
    is_whole = isinstance(value, float) and value.is_integer() and abs(value) < EXACT
    return int(value) if is_whole else value


def _typed(entry: Fields, key: str, kind: type | tuple[type, ...], where: str) -> Any:  # noqa: ANN401 - plain-data border
    value = entry.get(key) if kind is str else _id(entry.get(key))
    if isinstance(value, kind) and not isinstance(value, bool):
        return value
    expected = "text" if kind is str else "a whole number or text"
    msg = f"{where}: expected {expected}, got {shortened(value)}"
    raise DataError(msg)


def _join(file: Path, objects: list[Fields], key: str, known: Collection[Id]) -> None:
    """Make the references of objects keys of what they refer to.

    An id that is text in one place and a number in another, ``"07"`` and 7, is the same where no
    other is spelled so.
    """
    by_number: dict[int | None, list[Id]] | None = None
    joined: dict[Id, Id] = {}
    for position, entry in enumerate(objects):
        value = entry.get(key)
        if (type(value) is int or type(value) is str) and value in known:
            continue
        if key == "category_id" and entry.setdefault(key, None) is None:
            continue
        value = _id(value)
        if not isinstance(value, int | str) or isinstance(value, bool):
            raise _unknown(file, position, key, value)
        if value not in known:
            by_number = _by_number(known) if by_number is None else by_number
            meant = by_number.get(_number(value), [])
            if len(meant) != 1:
                raise _unknown(file, position, key, value, meant)
            joined[value] = value = meant[0]
        entry[key] = value
    if joined:
        spelled, identity = next(iter(joined.items()))
        ids = amount(len(joined), "id")
        logger.info(
            "%s: %s of %r joined by their numbers, as %r with %r",
            *(file, ids, key, spelled, identity),
        )


def _by_number(known: Iterable[Id]) -> dict[int | None, list[Id]]:
    ids: dict[int | None, list[Id]] = {}
    for identity in known:
        if (number := _number(identity)) is not None:
            ids.setdefault(number, []).append(identity)
    return ids


def _number(identity: Id) -> int | None:
    """Return the whole number that an id is, or is the text of."""
    if isinstance(identity, int):
        return identity
    match = NUMBER.fullmatch(identity)
    return int(match[1]) if match else None


def _unknown(
    file: Path, position: int, key: str, value: object, meant: Sequence[Id] = ()
) -> DataError:
    where = f"{file}: annotations[{position}].{key}"
    of = "images" if key == "image_id" else "categories"
    several = f", which may be {' or '.join(map(repr, meant))}" if meant else ""
    return DataError(f"{where}: expected an id of {of}, got {shortened(value)}{several}")
