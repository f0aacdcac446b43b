"""The COCO instances file, checked: photos, categories, objects."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from tagsight.data.annotations import clean_name
from tagsight.data.source import photo_name, require_file
from tagsight.errors import DataError
from tagsight.runtime.amounts import amount

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

logger = logging.getLogger(__name__)

MOST_NAMED = 3
LARGEST_FILE = 2 * 2**30
MOST_ENTRIES = 2**25
"""Objects and lists of a file; the official one of COCO's training photos has some four million."""

Id: TypeAlias = int | str
Fields: TypeAlias = dict[str, Any]


class Instances(NamedTuple):
    """What a COCO file holds, references resolved to existing entries.

    Attributes:
        photos: Each photo's fields by its id; ``file_name`` is safe to join to a folder, and
            different for each.
        names: Each category's name by its id; categories of one name are one label.
        objects: Fields of every object; ``image_id`` and ``category_id`` are keys of the above.
    """

    photos: dict[Id, Fields]
    names: dict[Id, str]
    objects: list[Fields]


def read_instances(file: Path) -> Instances:
    """Read and check a COCO file.

    Files that were merged have a photo, or a category, under several ids: these become one, and a
    warning names them.

    Raises:
        DataError: If it is no JSON, an entry lacks what it needs, naming the key, if there is no
            annotation at all, or photos of different sizes have one name.
    """
    content = _json(file)
    photos = _by_id(file, content, "images")
    for position, photo in enumerate(photos.values()):
        where = f"{file}: images[{position}].file_name"
        photo["file_name"] = photo_name(_typed(photo, "file_name", str, where), where)
    categories = _by_id(file, content, "categories")
    names: dict[Id, str] = {}
    for position, (key, category) in enumerate(categories.items()):
        where = f"{file}: categories[{position}].name"
        names[key] = clean_name(_typed(category, "name", str, where), where)
    objects = _entries(file, content, "annotations")
    if not objects:
        msg = (
            f"{file}: expected annotations, got none, so that no photo would have a label; "
            "tags of whole photos are lost in this format: export boxes, or a table of labels"
        )
        raise DataError(msg)
    for position, entry in enumerate(objects):
        _require_reference(file, position, entry, "image_id", photos)
        _require_reference(file, position, entry, "category_id", names)
    _warn_of_several_ids(file, "categories", "label", names)
    return Instances(_merged(file, photos, objects), names, objects)


def _merged(file: Path, photos: dict[Id, Fields], objects: list[Fields]) -> dict[Id, Fields]:
    """Take photos of one file name together, and their objects with them."""
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
    for entry in objects:
        entry["image_id"] = kept[entry["image_id"]]
    return {key: photos[key] for key in first.values()}


def _size(photo: Fields) -> tuple[object, object]:
    return photo.get("width"), photo.get("height")


def _warn_of_several_ids(file: Path, key: str, thing: str, names: Mapping[Id, str]) -> None:
    ids: dict[str, list[Id]] = {}
    for identity, name in names.items():
        ids.setdefault(name, []).append(identity)
    several = [f"{name!r} ({', '.join(map(repr, of))})" for name, of in ids.items() if len(of) > 1]
    if several:
        logger.warning(
            "%s: %s under several ids of %r, taken together: %s%s",
            file,
            amount(len(several), thing),
            key,
            "; ".join(several[:MOST_NAMED]),
            "; ..." if len(several) > MOST_NAMED else "",
        )


def _json(file: Path) -> Fields:
    require_file(file, largest=LARGEST_FILE)
    text = file.read_bytes()
    # Each takes fifty bytes of memory or more, however short it is written.
    if (entries := text.count(b"{") + text.count(b"[")) > MOST_ENTRIES:
        msg = f"{file}: expected at most {MOST_ENTRIES:,} objects and lists, got {entries:,}"
        raise DataError(msg)
    try:
        content = json.loads(text, object_hook=_without_outline)
    except RecursionError:
        msg = f"{file}: expected a COCO file, got JSON that is nested too deeply"
        raise DataError(msg) from None
    except ValueError as error:
        msg = f"{file}: expected JSON, got: {error}"
        raise DataError(msg) from error
    if not isinstance(content, dict):
        msg = f"{file}: expected an object with 'images' and 'annotations', got {_short(content)}"
        raise DataError(msg)
    return content


def _without_outline(entry: Fields) -> Fields:
    # Outlines are most of an official file, and would be most of the memory.
    entry.pop("segmentation", None)
    return entry


def _entries(file: Path, content: Fields, key: str) -> list[Fields]:
    entries = content.get(key)
    if not isinstance(entries, list):
        msg = f"{file}: expected a list under {key!r}, got {_short(entries)}"
        raise DataError(msg)
    for position, entry in enumerate(entries):
        if not isinstance(entry, dict):
            msg = f"{file}: expected an object at {key}[{position}], got {_short(entry)}"
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
    if not entries:
        msg = f"{file}: expected entries under {key!r}, got an empty list"
        raise DataError(msg)
    return entries


def _typed(entry: Fields, key: str, kind: type | tuple[type, ...], where: str) -> Any:  # noqa: ANN401 - plain-data border
    value = entry.get(key)
    if isinstance(value, kind) and not isinstance(value, bool):
        return value
    expected = "text" if kind is str else "a whole number or text"
    msg = f"{where}: expected {expected}, got {_short(value)}"
    raise DataError(msg)


def _require_reference(
    file: Path, position: int, entry: Fields, key: str, known: dict[Id, Any]
) -> None:
    value = entry.get(key)
    if not isinstance(value, int | str) or value not in known:
        where = f"{file}: annotations[{position}].{key}"
        target = "images" if key == "image_id" else "categories"
        msg = f"{where}: expected an id of {target}, got {_short(value)}"
        raise DataError(msg)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) < 80 else f"{text[:76]}..."
