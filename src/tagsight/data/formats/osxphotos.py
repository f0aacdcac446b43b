"""osxphotos: the keywords of Apple's Photos, as JSON."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from tagsight.data.format import Format
from tagsight.data.json_files import outline, read_json, shortened
from tagsight.data.photo_labels import PhotoLabels, tabulate
from tagsight.data.source import clean_name, photo_path
from tagsight.errors import DataError
from tagsight.runtime.amounts import amount

if TYPE_CHECKING:
    from pathlib import Path

    from tagsight.data.format import Labelled, ReadOptions

logger = logging.getLogger(__name__)

KEYS = frozenset({"uuid", "original_filename", "keywords"})


def recognises(source: Path) -> bool:
    """Return whether a file begins as the JSON of `osxphotos query --json`.

    Example:
        >>> from pathlib import Path
        >>> _ = Path("photos.json").write_text(
        ...     '[{"uuid": "7", "original_filename": "a.jpg", "keywords": ["dog"]}]'
        ... )
        >>> recognises(Path("photos.json"))
        True
    """
    top, keys, _ = outline(source)
    return top == "[" and keys.keys() >= KEYS


def read(source: Path, options: ReadOptions) -> list[Labelled]:
    """Read keywords, which people gave; what the program recognised by itself is not used.

    A photo without keywords is unknown for all labels: nobody said what is in it.

    Args:
        source: The file.
        options: Folder of the photos, exported or of the library; by default that of the file, or
            the usual ones in it.

    Raises:
        DataError: If an entry cannot be understood, or no photo has keywords.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.data.format import DEFAULTS
        >>> _ = Path("photos.json").write_text(
        ...     '[{"uuid": "7", "original_filename": "a.jpg", "keywords": ["dog"]}]'
        ... )
        >>> (found,) = read(Path("photos.json"), DEFAULTS)
        >>> found.photos, found.names, found.targets.tolist()
        (('a.jpg',), ('dog',), [[1]])
    """
    entries = read_json(source, list, "a list of photos")
    photos, paths = [], []
    for number, entry in enumerate(entries):
        where = f"{source}: [{number}]"
        given = entry if isinstance(entry, dict) else {}
        name, keywords = given.get("original_filename"), given.get("keywords")
        if not isinstance(name, str) or not isinstance(keywords, list):
            msg = (
                f"{where}: expected 'original_filename' and a list of 'keywords', got "
                f"{shortened(entry)}"
            )
            raise DataError(msg)
        present = {clean_name(str(keyword), where) for keyword in keywords}
        photos.append(PhotoLabels(photo_path(name, where), present))
        path = given.get("path")
        paths.append(photo_path(path if isinstance(path, str) and path else name, where))
    if not any(one.present for one in photos):
        msg = f"{source}: expected photos with keywords, got {amount(len(entries), 'photo')}"
        raise DataError(f"{msg} without; what Photos recognised by itself is not read")
    folders = options.folders_around(source.parent)
    if len({one.photo for one in photos}) < len(photos):  # names of cameras recur in a library
        photos = [one._replace(photo=path) for one, path in zip(photos, paths, strict=True)]
    part = tabulate(source, photos, folders=folders)
    untagged = {one.photo for one in photos} - {one.photo for one in photos if one.present}
    if untagged:
        part.targets[[photo in untagged for photo in part.photos]] = -1
        logger.info("%s: %s without keywords: unknown", source, amount(len(untagged), "photo"))
    others = tuple(paths) if len(set(paths)) == len(part.photos) else ()
    return [replace(part, other_names=others)]


FORMAT = Format(
    "osxphotos",
    "JSON of osxphotos: the keywords of Apple's Photos",
    '[{"uuid": "7", "original_filename": "a.jpg", "keywords": ["dog", "beach"]}]',
    recognises,
    read,
)
