"""Datumaro's JSON: ``annotations/SUBSET.json`` beside ``images/SUBSET``."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from tagsight.data.format import Format
from tagsight.data.json_files import outline, read_json, shortened
from tagsight.data.photo_labels import PhotoLabels, tabulate
from tagsight.data.source import clean_name, files_that, photo_path
from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tagsight.data.format import Labelled, ReadOptions

logger = logging.getLogger(__name__)

SHAPES = frozenset({"bbox", "polygon", "polyline", "points", "mask", "ellipse"})


def recognises(source: Path) -> bool:
    """Return whether a file begins as one of Datumaro, or a folder has such annotations.

    Example:
        >>> from pathlib import Path
        >>> file = Path("train.json")
        >>> _ = file.write_text('{"categories": {}, "items": []}')
        >>> recognises(file)
        True
    """
    return bool(_files(source))


def _files(source: Path) -> list[Path]:
    if not source.is_dir():
        return [source] if _is_datumaro(source) else []
    return files_that(_is_datumaro, (source / "annotations").glob("*.json"))


def _is_datumaro(file: Path) -> bool:
    top, keys, _ = outline(file)
    return top == "{" and keys.get("categories") == "{" and "images" not in keys


def read(source: Path, options: ReadOptions) -> list[Labelled]:
    """Read the labels of a photo's annotations of any type; a label that it lacks is absent.

    Labels that only another subset declares are unknown. A subset is a split if it is called so.

    Args:
        source: A file, or the folder with ``annotations``.
        options: Folder of the photos, or of one folder per subset; by default ``images``.

    Raises:
        DataError: If a file cannot be understood.

    Example:
        >>> import json
        >>> from pathlib import Path
        >>> from tagsight.data.format import DEFAULTS
        >>> item = {"id": "1", "image": {"path": "a.jpg"}, "annotations": [{"label_id": 1}]}
        >>> labels = {"label": {"labels": [{"name": "dog"}, {"name": "sky"}]}}
        >>> file = Path("train.json")
        >>> _ = file.write_text(json.dumps({"categories": labels, "items": [item]}))
        >>> (found,) = read(file, DEFAULTS)
        >>> found.names, found.targets.tolist(), found.splits
        (('dog', 'sky'), [[0, 1]], ('train',))
    """
    files = _files(source)
    if not files:
        msg = f"expected Datumaro's annotations, with 'categories' and 'items', got {source}"
        raise DataError(msg)
    parts = [_read_file(file, options) for file in files]
    if not any(parts):
        msg = f"{files[0]}: expected 'items', a list of photos, got an empty list"
        raise DataError(msg)
    return [part for part in parts if part is not None]


def _read_file(file: Path, options: ReadOptions) -> Labelled | None:
    content = read_json(file, dict, "an object with 'categories' and 'items'")
    names = _declared(file, content)
    items = content.get("items")
    if not isinstance(items, list):
        msg = f"{file}: expected 'items', a list of photos, got {shortened(items)}"
        raise DataError(msg)
    if not items:
        logger.warning("%s: left out, as it has no photos", file)
        return None
    photos = [
        _photo(item, names, f"{file}: items[{number}]", file.stem)
        for number, item in enumerate(items)
    ]
    base = options.images or file.parent.parent / "images"
    return tabulate(file, photos, names=names, folders=[base / file.stem, base])


def _declared(file: Path, content: dict[str, Any]) -> list[str]:
    labels = content.get("categories")
    for key in ("label", "labels"):
        labels = labels.get(key) if isinstance(labels, dict) else None
    if not isinstance(labels, list) or not all(isinstance(one, dict) for one in labels):
        msg = f"{file}: expected a list under categories.label.labels, got {shortened(labels)}"
        raise DataError(msg)
    return [clean_name(str(one.get("name", "")), str(file)) for one in labels]


def _photo(item: Any, names: Sequence[str], where: str, split: str) -> PhotoLabels:  # noqa: ANN401 - plain-data border
    annotations = item.get("annotations") if isinstance(item, dict) else None
    if not isinstance(annotations, list):
        msg = f"{where}: expected an item with a list of 'annotations', got {shortened(item)}"
        raise DataError(msg)
    image = item.get("image")
    name = image.get("path") if isinstance(image, dict) else None
    name = name if isinstance(name, str) and name else f"{item.get('id', '')}.jpg"
    present = set()
    has_nameless = False
    for annotation in annotations:
        number = annotation.get("label_id") if isinstance(annotation, dict) else None
        if number is None:
            has_nameless |= isinstance(annotation, dict) and annotation.get("type") in SHAPES
            continue
        if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < len(names):
            msg = f"{where}: expected a 'label_id' among {len(names)}, got {shortened(number)}"
            raise DataError(msg)
        present.add(names[number])
    path = photo_path(name, where)
    return PhotoLabels(path, present, split=split, has_nameless=has_nameless)


FORMAT = Format(
    "datumaro",
    "Datumaro's JSON, one or annotations/SUBSET.json, with photos in images/SUBSET",
    '{"categories": {"label": {"labels": [{"name": "dog"}]}},\n'
    ' "items": [{"id": "a", "image": {"path": "a.jpg"},\n'
    '            "annotations": [{"type": "label", "label_id": 0}]}]}',
    recognises,
    read,
)
