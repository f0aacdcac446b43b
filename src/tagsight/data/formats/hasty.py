"""Hasty: JSON with the tags of photos and the labels of their objects."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from tagsight.data.format import Format
from tagsight.data.json_files import outline, read_json, shortened
from tagsight.data.photo_labels import PhotoLabels, is_unfinished, tabulate
from tagsight.data.source import clean_name, photo_path
from tagsight.errors import DataError
from tagsight.runtime.amounts import amount

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tagsight.data.format import Labelled, ReadOptions

logger = logging.getLogger(__name__)

TAGS = ("tags", "image_classes", "image_tags")
NAMES = ("class_name", "tag_name", "tag", "name")


def recognises(source: Path) -> bool:
    """Return whether a file begins as an export of Hasty.

    Example:
        >>> from pathlib import Path
        >>> _ = Path("export.json").write_text(
        ...     '{"project_name": "pets", "label_classes": [], "images": []}'
        ... )
        >>> recognises(Path("export.json"))
        True
    """
    top, keys, _ = outline(source)
    return top == "{" and keys.get("label_classes") == "["


def read(source: Path, options: ReadOptions) -> list[Labelled]:
    """Read the tags of a photo and the labels of its objects; a label that is not there is absent.

    Photos that nobody has finished, by their state, are left out if they have no label.

    Args:
        source: The file.
        options: Folder of the photos, perhaps with one for each data set in it; by default that of
            the file, or the usual ones in it.

    Raises:
        DataError: If a photo cannot be understood, or all are unfinished.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.data.format import DEFAULTS
        >>> photo = '{"image_name": "a.jpg", "labels": [{"class_name": "dog"}], "tags": ["sky"]}'
        >>> _ = Path("export.json").write_text('{"label_classes": [], "images": [%s]}' % photo)
        >>> (found,) = read(Path("export.json"), DEFAULTS)
        >>> found.photos, found.names, found.targets.tolist()
        (('a.jpg',), ('dog', 'sky'), [[1, 1]])
    """
    content = read_json(source, dict, "an object with 'images' and 'label_classes'")
    images = content.get("images")
    if not isinstance(images, list):
        msg = f"{source}: expected a list under 'images', got {shortened(images)}"
        raise DataError(msg)
    photos, others, left = [], [], 0
    for number, image in enumerate(images):
        where = f"{source}: images[{number}]"
        present = set(_labels(image, where))
        if not present and is_unfinished(image.get("image_status")):
            left += 1
            continue
        name, data_set = image["image_name"], image.get("dataset_name")
        photos.append(PhotoLabels(photo_path(name, where), present))
        others.append(photo_path(f"{data_set}/{name}" if data_set else name, where))
    if not photos:
        msg = f"{source}: expected photos that are done, got {amount(len(images), 'photo')}"
        raise DataError(f"{msg} that nobody has finished")
    if left:
        logger.info("%s: %s left out that nobody has finished", source, amount(left, "photo"))
    if len({one.photo for one in photos}) < len(photos):  # of several data sets
        photos = [one._replace(photo=name) for one, name in zip(photos, others, strict=True)]
    classes = [one for key in ("label_classes", "tag_classes") for one in content.get(key) or []]
    names = [clean_name(name, str(source)) for one in classes for name in _name(one)]
    folders = options.folders_around(source.parent)
    return [tabulate(source, photos, names=names, folders=folders)]


def _labels(image: Any, where: str) -> Iterator[str]:  # noqa: ANN401 - plain-data border
    if not isinstance(image, dict) or not isinstance(image.get("image_name"), str):
        msg = f"{where}: expected a photo with 'image_name', got {shortened(image)}"
        raise DataError(msg)
    for key in ("labels", *TAGS):
        for one in image.get(key) or []:
            for name in _name(one):
                yield clean_name(name, where)


def _name(entry: Any) -> list[str]:  # noqa: ANN401 - plain-data border
    """Return the name of a class, a tag or an object, or nothing."""
    found = entry
    if isinstance(entry, dict):
        found = next((entry[key] for key in NAMES if key in entry), None)
    return [found] if isinstance(found, str) and found.strip() else []


FORMAT = Format(
    "hasty",
    "JSON of Hasty: tags of photos, and labels of their objects",
    '{"label_classes": [{"class_name": "dog"}], "images": [{"image_name": "a.jpg",\n'
    '   "image_status": "DONE", "tags": ["sky"], "labels": [{"class_name": "dog"}]}]}',
    recognises,
    read,
)
