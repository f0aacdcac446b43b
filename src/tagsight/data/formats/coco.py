"""COCO instances: a JSON file, a folder with ``annotations/instances_*.json``, or Roboflow's."""

from __future__ import annotations

import logging
import re
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import torch

from tagsight.data.annotations import target_table
from tagsight.data.format import Format, Labelled
from tagsight.data.json_files import outline, read_json, shortened
from tagsight.data.photo_labels import log_nameless
from tagsight.data.source import clean_name, photo_path
from tagsight.data.tables.names import SPLIT_NAMES
from tagsight.errors import DataError
from tagsight.runtime.amounts import amount

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from pathlib import Path

    from tagsight.data.format import ReadOptions

logger = logging.getLogger(__name__)

MOST_NAMED = 3
MOST_LOOKED_AT = 20
"""Files of a folder that are looked at, if none has the usual name."""

Id: TypeAlias = int | str
Fields: TypeAlias = dict[str, Any]

SPLIT = re.compile(r"(?:^|[^a-z])(train|val|test)(?:val|idation|ing)?(?![a-z])")
KEYS = ("images", "annotations", "categories")
ROBOFLOW = "_annotations.coco.json"

NUMBER = re.compile(r"\s*0*(\d{1,30})(?:\.0*)?\s*", re.ASCII)
"""Text that is a whole number."""


def recognises(source: Path) -> bool:
    """Return whether a file begins as a COCO file, or a folder has such files."""
    return bool(_files_in(source)) if source.is_dir() else _is_coco(source)


def _is_coco(file: Path) -> bool:
    top, keys, lines = outline(file)
    return top == "{" and not lines and any(keys.get(key) == "[" for key in KEYS)


def read(source: Path, options: ReadOptions) -> list[Labelled]:
    """Read the categories of a photo's objects as its labels.

    The labels are sorted by name; ids and positions do not matter. A photo without objects has no
    label, also where no photo of its file has any. A label that only another of the files contains
    is unknown.

    Args:
        source: A file; a folder with one file per split, ``instances_train*.json`` and so on, or
            with a single file; or a folder of Roboflow's ``train``, ``valid`` and ``test``.
        options: Folder of the photos, or of one folder per split; by default ``train2017`` and the
            like, or ``images``, beside the folder of the file.

    Raises:
        DataError: If a file cannot be understood, or none has objects.
    """
    files = _files_in(source) if source.is_dir() else [source]
    if not files:
        msg = f"expected instances_*.json in {source} or {source / 'annotations'}, got none"
        raise DataError(msg)
    _require_a_split_each(files)
    parts = {file: _read_file(file, options.images) for file in files}
    names = sorted(set().union(*(part.names for part in parts.values() if part is not None)))
    if not names:
        raise _no_objects(files[0])
    for file in (file for file, part in parts.items() if part is None):
        parts[file] = _without_objects(file, options.images, names)
    return [part for part in parts.values() if part is not None]


def _read_file(file: Path, images: Path | None) -> Labelled | None:
    """Return the labels of a file's photos, or None if it has no objects."""
    photos, categories, objects = _instances(file)
    if not objects:
        return None
    row = {key: index for index, key in enumerate(photos)}
    names = sorted(set(categories.values()))
    column = {key: names.index(name) for key, name in categories.items()}
    part = _labelled(file, images, photos, names)
    named = [entry for entry in objects if entry["category_id"] is not None]
    if len(named) < len(objects):
        nameless = {row[entry["image_id"]] for entry in objects if entry["category_id"] is None}
        part.targets[sorted(nameless)] = -1
        log_nameless(file, len(nameless))
    rows = torch.tensor([row[entry["image_id"]] for entry in named], dtype=torch.long)
    columns = torch.tensor([column[entry["category_id"]] for entry in named], dtype=torch.long)
    part.targets[rows, columns] = 1
    return part


def _without_objects(file: Path, images: Path | None, names: Sequence[str]) -> Labelled | None:
    """Return the photos of a file without objects, which have none of its labels."""
    photos, categories, _ = _instances(file)
    if not photos:
        logger.warning("%s: left out, as it has no photos", file)
        return None
    count = amount(len(photos), "photo")
    logger.warning("%s: no objects: %s without any of the labels", file, count)
    return _labelled(file, images, photos, sorted(set(categories.values())) or names)


def _labelled(
    file: Path, images: Path | None, photos: Mapping[Id, Fields], names: Sequence[str]
) -> Labelled:
    """Return the photos of a file, with all labels absent."""
    split = _split(file)
    return Labelled(
        source=file,
        names=tuple(names),
        photos=tuple(photo["file_name"] for photo in photos.values()),
        targets=target_table(len(photos), len(names), value=0, source=file),
        splits=(split,) * len(photos) if split else None,
        folders=tuple(_folders(file, images)),
        lists_present=True,
    )


def _files_in(folder: Path) -> list[Path]:
    places = (folder / "annotations", folder)
    for place in places:
        if files := sorted(place.glob("instances_*.json")):
            return files
    if files := sorted(folder.glob(f"*/{ROBOFLOW}")):
        return files
    for place in places:
        others = sorted(islice(place.glob("*.json"), MOST_LOOKED_AT))
        if files := [file for file in others if _is_coco(file)]:
            return files
    return []


def _folders(file: Path, images: Path | None) -> list[Path]:
    if file.name == ROBOFLOW:
        return [images / file.parent.name, images] if images else [file.parent]
    name = file.stem.removeprefix("instances_")
    if images:
        return [images / name, images]
    base = file.parent.parent if file.parent.name == "annotations" else file.parent
    return [base / name, base / "images" / name, base / "images", base]


def _split(file: Path) -> str | None:
    if file.name == ROBOFLOW:
        return SPLIT_NAMES.get(file.parent.name.lower())
    found = SPLIT.search(file.stem.lower())
    return found[1] if found else None


def _require_a_split_each(files: Sequence[Path]) -> None:
    splits = [_split(file) for file in files]
    if len(files) > 1 and (None in splits or len(set(splits)) < len(splits)):
        names = [file.name for file in files]
        msg = (
            f"expected one file for each of train, val and test in {files[0].parent}, "
            f"got {names!r}; give a file instead of the folder"
        )
        raise DataError(msg)


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


def read_instances(file: Path) -> Instances:
    """Read and check a COCO file.

    Merged files may have a photo or a category under several ids: these are united, with a
    warning.

    Raises:
        DataError: If the file is no JSON, an entry lacks a key (which the message names), there is
            no annotation at all, or photos of different sizes share a name.
    """
    found = _instances(file)
    if not found.objects:
        raise _no_objects(file)
    return found


def _no_objects(file: Path) -> DataError:
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
        photo["file_name"] = photo_path(_typed(photo, "file_name", str, where), where)
    categories = _by_id(file, content, "categories")
    names: dict[Id, str] = {}
    for position, (key, category) in enumerate(categories.items()):
        where = f"{file}: categories[{position}].name"
        names[key] = clean_name(_typed(category, "name", str, where), where)
    objects = _entries(file, content, "annotations")
    for key, entries in (("images", photos), ("categories", categories)):
        if objects and not entries:
            msg = f"{file}: expected entries under {key!r}, got an empty list"
            raise DataError(msg)
    _join(file, objects, "image_id", photos)
    _join(file, objects, "category_id", names)
    _warn_of_several_ids(file, "categories", "label", names)
    return Instances(_merged(file, photos, objects), names, objects)


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
        msg = f"{file}: expected a list under {key!r}, got {shortened(entries)}"
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


def _id(value: object) -> object:
    """Return a whole number for a float of the same value, which tables make of numbers."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


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


FORMAT = Format(
    "coco",
    "a COCO instances JSON, or a folder with annotations/instances_*.json or with Roboflow's "
    "train/_annotations.coco.json",
    '{"images": [{"id": 1, "file_name": "a.jpg"}],\n'
    ' "categories": [{"id": 3, "name": "dog"}],\n'
    ' "annotations": [{"image_id": 1, "category_id": 3, "bbox": [10, 20, 30, 40]}]}',
    recognises,
    read,
    (".json",),
)
