"""VGG Image Annotator: JSON, a project, or CSV, with attributes of photos and of regions."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, NamedTuple

from tagsight.data.answers import Answers
from tagsight.data.format import Format
from tagsight.data.json_files import LOOK, outline, read_json, shortened
from tagsight.data.photo_labels import PhotoLabels, tabulate
from tagsight.data.source import is_file, photo_path
from tagsight.data.tables.named_rows import header_of, json_cell, named_rows
from tagsight.data.tables.names import TEXT_COLUMNS
from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from tagsight.data.format import Labelled, ReadOptions

logger = logging.getLogger(__name__)

COLUMNS = ("filename", "file_attributes", "region_attributes")
METADATA = "_via_img_metadata"
NO_LABELS = TEXT_COLUMNS | {"image_url", "url", "id"}
"""Attributes that the program offers for something else than labels."""


class Entry(NamedTuple):
    """The entry of one photo: its attributes, and those of each region."""

    photo: str
    attributes: dict[str, Any]
    regions: list[dict[str, Any]]


def recognises(source: Path) -> bool:
    """Return whether a file begins as an export or a project of the program.

    Example:
        >>> from pathlib import Path
        >>> file = Path("via.json")
        >>> photo = '{"filename": "a.jpg", "size": 9, "regions": [], "file_attributes": {}}'
        >>> _ = file.write_text('{"a.jpg9": ' + photo + "}")
        >>> recognises(file)
        True
    """
    if not is_file(source):
        return False
    with source.open("rb") as handle:
        start = handle.read(LOOK)
    if not start.lstrip().startswith(b"{"):
        return set(COLUMNS) <= set(header_of(source))
    _, keys, _ = outline(source)
    has_both = b'"regions"' in start and b'"file_attributes"' in start
    return METADATA in keys or (bool(keys) and set(keys.values()) == {"{"} and has_both)


def read(source: Path, options: ReadOptions) -> list[Labelled]:
    """Read the values of attributes as labels; a label that a photo does not have is absent.

    An attribute that is answered by yes or no is a label itself. Texts such as captions are not
    used.

    Args:
        source: The file.
        options: Folder of the photos; by default that of the file, or the usual ones in it.

    Raises:
        DataError: If the file cannot be understood.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.data.format import DEFAULTS
        >>> tags = '{"filename": "a.jpg", "regions": [], "file_attributes": {"kind": "dog"}}'
        >>> _ = Path("via.json").write_text('{"a.jpg9": ' + tags + "}")
        >>> (found,) = read(Path("via.json"), DEFAULTS)
        >>> found.photos, found.names, found.targets.tolist()
        (('a.jpg',), ('dog',), [[1]])
    """
    is_json = outline(source).top == "{"
    entries = list(_objects(source) if is_json else _table(source, options.columns.encoding))
    answers = Answers(source)
    photos = [(entry, list(_answers(entry, answers))) for entry in entries]
    answers.log()
    folders = options.folders_around(source.parent)
    labels = [
        PhotoLabels(
            entry.photo,
            {answers.label(*one) for one in given},
            has_nameless=any(not any(region.values()) for region in entry.regions),
        )
        for entry, given in photos
    ]
    return [tabulate(source, labels, folders=folders)]


def _answers(entry: Entry, answers: Answers) -> Iterator[tuple[str, str]]:
    for attributes in (entry.attributes, *entry.regions):
        for name, value in attributes.items():
            if name.casefold() in NO_LABELS:
                continue
            chosen = value.items() if isinstance(value, dict) else [(value, True)]
            for one in (key for key, yes in chosen if yes):
                if answers.add(name, str(one)):
                    yield name, str(one)


def _objects(source: Path) -> Iterator[Entry]:
    content = read_json(source, dict, "an object with photos")
    photos = content.get(METADATA, content)
    if not isinstance(photos, dict):
        msg = f"{source}: expected photos under {METADATA!r}, got {shortened(photos)}"
        raise DataError(msg)
    for key, photo in photos.items():
        where = f"{source}: {key!r}"
        given = photo if isinstance(photo, dict) else {}
        name, regions = given.get("filename"), given.get("regions") or []
        regions = list(regions.values()) if isinstance(regions, dict) else regions
        if not isinstance(name, str) or not isinstance(regions, list):
            msg = f"{where}: expected a photo with 'filename' and 'regions', got {shortened(photo)}"
            raise DataError(msg)
        inside = [_attributes(region, "region_attributes", where) for region in regions]
        attributes = _attributes(given, "file_attributes", where)
        yield Entry(photo_path(name, where), attributes, inside)


def _attributes(given: Any, key: str, where: str) -> dict[str, Any]:  # noqa: ANN401 - plain-data border
    found = given.get(key) or {} if isinstance(given, dict) else None
    if isinstance(found, dict):
        return found
    msg = f"{where}: expected an object under {key!r}, got {shortened(given)}"
    raise DataError(msg)


def _table(source: Path, encoding: str | None) -> Iterable[Entry]:
    """Return a photo for all its rows, of which each has a region."""
    entries: dict[str, Entry] = {}
    for where, row in named_rows(source, COLUMNS, encoding=encoding):
        photo = photo_path(row["filename"], where)
        entry = entries.setdefault(
            photo, Entry(photo, json_cell(row, "file_attributes", dict, where), [])
        )
        if row.get("region_count", "1") != "0":
            entry.regions.append(json_cell(row, "region_attributes", dict, where))
    return entries.values()


FORMAT = Format(
    "via",
    "JSON, a project, or CSV of the VGG Image Annotator: attributes of photos and regions",
    '{"a.jpg9": {"filename": "a.jpg", "size": 9, "file_attributes": {"weather": "sunny"},\n'
    '            "regions": [{"shape_attributes": {"name": "rect", "x": 1, "y": 2},\n'
    '                         "region_attributes": {"kind": "dog"}}]}}',
    recognises,
    read,
    is_text=True,
)
