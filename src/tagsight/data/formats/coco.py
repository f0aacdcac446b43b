"""COCO instances: a JSON file, a folder with ``annotations/instances_*.json``, or Roboflow's."""

from __future__ import annotations

import logging
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from tagsight.data.annotations import target_table
from tagsight.data.format import Format, Labelled
from tagsight.data.formats import imaterialist
from tagsight.data.formats.coco_instances import no_objects, read_instances
from tagsight.data.formats.label_studio_values import without_prefixes
from tagsight.data.formats.record_keys import LABEL_KEYS, first_key
from tagsight.data.json_files import outline
from tagsight.data.photo_labels import log_confidences, log_nameless
from tagsight.data.source import files_that, is_file
from tagsight.data.tables.names import SPLIT_NAMES
from tagsight.errors import DataError
from tagsight.runtime.amounts import amount

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tagsight.data.format import ReadOptions
    from tagsight.data.formats.coco_instances import Fields, Id, Instances

logger = logging.getLogger(__name__)

SPLIT = re.compile(r"(?:^|[^a-z])(train|val|test)(?:val|idation|ing)?(?![a-z])")
KEYS = {"images": "id", "annotations": "image_id", "categories": "id"}
"""Lists of a file, with a key of their entries: a large file begins with no more than one."""

KINDS = ("instances_", "labels_", "panoptic_")
"""Beginnings of names of files: with objects, with labels of whole photos, and with areas."""

NEGATIVE = "neg_category_ids"
ROBOFLOW = "_annotations.coco.json"
OTHERS = {"data": "{", "item": "{", "image": "{", "filename": '"', "label_classes": "["}
"""Keys of one task of Label Studio, of files for one photo and of Hasty, with how values begin."""


def recognises(source: Path) -> bool:
    """Return whether a file begins as a COCO file, or a folder has such files.

    Example:
        >>> from pathlib import Path
        >>> Path("annotations").mkdir()
        >>> file = Path("annotations/instances_train.json")
        >>> _ = file.write_text('{"images": [], "annotations": [], "categories": []}')
        >>> recognises(file), recognises(Path())
        (True, True)
    """
    return bool(_files_in(source)) if source.is_dir() else _is_coco(source)


def _is_coco(file: Path) -> bool:
    top, keys, has_lines = outline(file)
    is_other = any(keys.get(key) == mark for key, mark in OTHERS.items())
    lists = [key for key in KEYS if keys.get(key) == "["]
    if top != "{" or has_lines or is_other or not {*lists} - {"categories"}:
        return False
    photo = outline(file, "images").keys
    if KEYS["images"] not in photo and first_key(LABEL_KEYS, photo) is not None:
        return False  # photos with labels of their own
    has_entries = len(lists) > 1 or KEYS[lists[0]] in outline(file, lists[0]).keys
    return has_entries and not imaterialist.recognises(file)


def read(source: Path, options: ReadOptions) -> list[Labelled]:
    """Read the categories of a photo's objects as its labels.

    The labels are sorted by name; ids and positions do not matter. A photo without objects has no
    label, also where no photo of its file has any. A label that only another of the files contains
    is unknown; so is one that a photo neither has nor lists under ``neg_category_ids``, where
    photos have this key, as in LVIS. Labels of whole photos in ``labels_*.json``, which Datumaro
    writes beside, are added.

    Args:
        source: A file; a folder with one file per split, ``instances_train*.json`` and so on, or
            with a single file; or a folder of Roboflow's ``train``, ``valid`` and ``test``.
        options: Folder of the photos, or of one folder per split; by default ``train2017`` and the
            like, or ``images``, beside the folder of the file.

    Raises:
        DataError: If a file cannot be understood, or none has objects.

    Example:
        >>> import json
        >>> from pathlib import Path
        >>> from tagsight.data.format import DEFAULTS
        >>> content = {
        ...     "images": [{"id": 1, "file_name": "a.jpg"}, {"id": 2, "file_name": "b.jpg"}],
        ...     "categories": [{"id": 7, "name": "dog"}],
        ...     "annotations": [{"image_id": 2, "category_id": 7, "bbox": [0, 0, 9, 9]}],
        ... }
        >>> file = Path("instances_train.json")
        >>> _ = file.write_text(json.dumps(content))
        >>> (found,) = read(file, DEFAULTS)
        >>> found.photos, found.targets.tolist(), found.splits
        (('a.jpg', 'b.jpg'), [[0], [1]], ('train', 'train'))
    """
    files = _files_in(source) if source.is_dir() else [source]
    if not files:
        msg = f"expected instances_*.json in {source} or {source / 'annotations'}, got none"
        raise DataError(msg)
    _require_a_split_each(files)
    parts = {file: _read_file(file, options.images) for file in files}
    names = sorted(set().union(*(part.names for part in parts.values() if part is not None)))
    if not names:
        raise no_objects(files[0])
    for file in (file for file, part in parts.items() if part is None):
        parts[file] = _without_objects(file, options.images, names)
    return [part for part in parts.values() if part is not None]


def _read_file(file: Path, images: Path | None) -> Labelled | None:
    """Return the labels of a file's photos, or None if it has no objects."""
    photos, categories, objects = _with_labels(file)
    if not objects:
        return None
    row = {key: index for index, key in enumerate(photos)}
    names = sorted(set(categories.values()))
    column = {key: names.index(name) for key, name in categories.items()}
    part = _labelled(file, images, photos, names)
    if any("score" in entry for entry in objects):
        log_confidences(file, "objects")
    named = [entry for entry in objects if entry["category_id"] is not None]
    if len(named) < len(objects):
        nameless = {row[entry["image_id"]] for entry in objects if entry["category_id"] is None}
        part.targets[sorted(nameless)] = -1
        log_nameless(file, len(nameless))
    for place, photo in enumerate(photos.values()):
        if isinstance(photo.get(NEGATIVE), list):
            absent = [column[key] for key in photo[NEGATIVE] if key in column]
            part.targets[place] = -1
            part.targets[place, absent] = 0
            part = replace(part, lists_present=False)
    rows = torch.tensor([row[entry["image_id"]] for entry in named], dtype=torch.long)
    columns = torch.tensor([column[entry["category_id"]] for entry in named], dtype=torch.long)
    part.targets[rows, columns] = 1
    return part


def _with_labels(file: Path) -> Instances:
    """Read a file, and labels of its whole photos that lie beside."""
    found = read_instances(file, require_objects=False)
    beside = file.with_name(file.name.replace(KINDS[0], KINDS[1], 1))
    if beside == file or not is_file(beside) or not _is_coco(beside):
        return found
    other = read_instances(beside, require_objects=False)
    photos = {photo["file_name"]: key for key, photo in found.photos.items()}
    names = {name: key for key, name in found.names.items()}
    for key, photo in other.photos.items():
        found.photos.setdefault(photos.setdefault(photo["file_name"], f"{beside}: {key}"), photo)
    for key, name in other.names.items():
        found.names.setdefault(names.setdefault(name, f"{beside}: {key}"), name)
    added = [
        {
            "image_id": photos[other.photos[entry["image_id"]]["file_name"]],
            "category_id": names[other.names[entry["category_id"]]],
        }
        for entry in other.objects
        if entry["category_id"] is not None
    ]
    logger.info("%s: with %s of whole photos from %s", file, amount(len(added), "label"), beside)
    return found._replace(objects=[*found.objects, *added])


def _without_objects(file: Path, images: Path | None, names: Sequence[str]) -> Labelled | None:
    """Return the photos of a file without objects, which have none of its labels."""
    photos, categories, _ = read_instances(file, require_objects=False)
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
    words = [SPLIT_NAMES.get(str(photo.get("split")).lower(), "") for photo in photos.values()]
    splits = (split,) * len(photos) if split else tuple(words) if all(words) else None
    return Labelled(
        source=file,
        names=tuple(names),
        photos=tuple(photo["file_name"] for photo in photos.values()),
        targets=target_table(len(photos), len(names), value=0, source=file),
        splits=splits,
        folders=tuple(_folders(file, images)),
        lists_present=True,
        other_names=without_prefixes([photo["file_name"] for photo in photos.values()]),
    )


def _files_in(folder: Path) -> list[Path]:
    places = (folder / "annotations", folder)
    for kind in KINDS:
        for place in places:
            if files := sorted(place.glob(f"{kind}*.json")):
                return files
    if files := sorted(folder.glob(f"*/{ROBOFLOW}")):
        return files
    for place in places:
        if files := files_that(_is_coco, place.glob("*.json")):
            return files
    return []


def _folders(file: Path, images: Path | None) -> list[Path]:
    if file.name == ROBOFLOW:
        return [images / file.parent.name, images] if images else [file.parent]
    name = file.stem
    for kind in KINDS:
        name = name.removeprefix(kind)
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
