"""CVAT for images 1.1: an XML file with tags, boxes and attributes of each photo."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from tagsight.data.format import Format
from tagsight.data.photo_labels import PhotoLabels, tabulate
from tagsight.data.source import clean_name, is_file, photo_path
from tagsight.data.tables.names import SPLIT_NAMES
from tagsight.data.xml_files import elements, root_name
from tagsight.errors import DataError
from tagsight.runtime.amounts import amount

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tagsight.data.format import Labelled, ReadOptions
    from tagsight.data.xml_files import Element

logger = logging.getLogger(__name__)

LARGEST_FILE = 2**30
USUAL_NAME = "annotations.xml"


def recognises(source: Path) -> bool:
    """Return whether a file is CVAT's, or ``annotations.xml`` or those of splits in a folder are.

    Example:
        >>> from pathlib import Path
        >>> file = Path("annotations.xml")
        >>> _ = file.write_text('<annotations><image name="a.jpg"></image></annotations>')
        >>> recognises(file)
        True
    """
    return all(root_name(file) == "annotations" for file in _files(source))


def _files(source: Path) -> list[Path]:
    """Return the file of a source, or those of splits in a folder, as Datumaro writes them."""
    if not source.is_dir():
        return [source]
    usual = source / USUAL_NAME
    named = (source / f"{name}.xml" for name in SPLIT_NAMES)
    return [usual] if is_file(usual) else list(filter(is_file, named)) or [usual]


def read(source: Path, options: ReadOptions) -> list[Labelled]:
    """Read the tags, and the labels of the boxes and other shapes, of each photo.

    A label that a photo does not have is absent; labels that no photo has are read from the list of
    the task's labels. An attribute that is ticked, of a tag or shape, is a label of its own,
    ``person: glasses``; other attributes are left out. The subset of a photo is its split, if it is
    called so, or the name of its file, as ``train.xml``.

    Args:
        source: The file, or the folder of an export.
        options: Folder of the photos; by default ``images`` beside the file, or its folder.

    Raises:
        DataError: If the file cannot be understood, is of a video, or has no tags and shapes.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.data.format import DEFAULTS
        >>> tag = '<tag label="dog"><attribute name="wet">true</attribute></tag>'
        >>> file = Path("annotations.xml")
        >>> _ = file.write_text(f'<annotations><image name="a.jpg">{tag}</image></annotations>')
        >>> (found,) = read(file, DEFAULTS)
        >>> found.photos, found.names
        (('a.jpg',), ('dog', 'dog: wet'))
    """
    files = _files(source)
    names: set[str] = set()
    valued: set[str] = set()
    photos: list[PhotoLabels] = []
    for file in files:
        split = SPLIT_NAMES.get(file.stem.lower())
        if root_name(file) != "annotations":
            msg = f"expected CVAT's XML, which begins with <annotations>, at {file}"
            raise DataError(msg)
        for element in elements(file, largest=LARGEST_FILE):
            if element.name == "meta":
                names |= set(_declared(element, str(file)))
            elif element.name == "image":
                photo = _photo(element, file, valued)
                photos.append(photo if photo.split else photo._replace(split=split))
            elif element.name == "track":
                msg = f"{file}: expected CVAT for images, got CVAT for video; export it for images"
                raise DataError(msg)
    file = files[0]
    if not any(photo.present for photo in photos):
        msg = (
            f"{file}: expected tags or shapes of photos, got none of {amount(len(photos), 'photo')}"
        )
        raise DataError(msg)
    if valued:
        shown = ", ".join(map(repr, sorted(valued)[:3]))
        logger.warning("%s: values of attributes make no labels: %s", file, shown)
    base = file.parent
    folders = options.folders(base / "images", base)
    return [tabulate(file, photos, names=names, folders=folders)]


def _photo(image: Element, file: Path, valued: set[str]) -> PhotoLabels:
    """Return the labels of a photo, and add the attributes with other values to ``valued``."""
    where = f"{file}: image {image.attributes.get('id', '?')}"
    present: set[str] = set()
    absent: set[str] = set()
    has_nameless = False
    for shape in image.children:
        label = clean_name(shape.attributes.get("label", ""), where)
        if not label and shape.name != "tag":
            has_nameless = True
            continue
        if not label:
            msg = f"{where}: expected a label of its <{shape.name}>, got none"
            raise DataError(msg)
        present.add(label)
        for attribute in (one for one in shape.children if one.name == "attribute"):
            ticked = {"true": present, "false": absent}.get(attribute.text.lower(), valued)
            ticked.add(clean_name(f"{label}: {attribute.attributes.get('name', '')}", where))
    name = photo_path(image.attributes.get("name", ""), where)
    split = image.attributes.get("subset")
    return PhotoLabels(name, present, split=split, absent=absent, has_nameless=has_nameless)


def _declared(meta: Element, where: str) -> Iterator[str]:
    """Yield the labels of the task or project, at whatever depth they are."""
    for element in meta.children:
        if element.name == "labels":
            names = (clean_name(one.child_text("name"), where) for one in element.children)
            yield from filter(None, names)
        else:
            yield from _declared(element, where)


FORMAT = Format(
    "cvat",
    "CVAT for images 1.1: annotations.xml, alone or in its folder",
    '<annotations><image name="a.jpg" subset="train">\n'
    '  <tag label="dog"/><box label="ball" xtl="1" ytl="2" xbr="30" ybr="40"/>\n'
    "</image></annotations>",
    recognises,
    read,
    ("annotations.xml",),
)
