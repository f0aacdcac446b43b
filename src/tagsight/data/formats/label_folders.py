"""A folder for each label, with the photos that have it."""

from __future__ import annotations

import logging
import os
import re
from collections import defaultdict
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from tagsight.data.format import Format
from tagsight.data.photo_labels import PhotoLabels, tabulate
from tagsight.data.photos.suffixes import PHOTO_SUFFIXES
from tagsight.data.source import clean_name, is_file, is_folder
from tagsight.data.tables.names import SPLIT_NAMES
from tagsight.errors import DataError
from tagsight.runtime.amounts import amount
from tagsight.runtime.files import sha256_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from tagsight.data.format import Labelled, ReadOptions

logger = logging.getLogger(__name__)

MOST_LOOKED_AT = 100
"""Files of a folder that are looked at to find the format."""

LARGEST_LIST = 2**16
"""Bytes of a list of labels beside the folders, such as ``synsets.txt``."""

NO_LABEL = re.compile(r"[\d\W_]+|images?|img|jpegimages|photos?|pictures?|data|media|dcim|uploads?")
"""Names of folders that hold photos of a day or of all kinds."""


LEFT_BEHIND = re.compile(
    r"\..*|thumbs\.db|desktop\.ini|(?:readme|licen[cs]e|attribution)\b.*|.*\.zip", re.IGNORECASE
)
"""Names of files that say nothing of labels: of systems, of those who collected the photos."""


class _PhotoFile(NamedTuple):
    """A photo in the folder of a label."""

    path: Path
    label: str
    split: str | None


def recognises(source: Path) -> bool:
    """Return whether all that is in a folder are folders of photos, whose names may be labels.

    Example:
        >>> from pathlib import Path
        >>> for photo in ("cat/a.jpg", "dog/b.jpg"):
        ...     Path(photo).parent.mkdir()
        ...     Path(photo).touch()
        >>> recognises(Path())
        True
    """
    if not source.is_dir():
        return False
    tops = _tops(source)
    folders = [folder for top, _ in tops for folder in _folders(top)]
    names = {folder.name.lower() for folder in folders}
    if len(names) < 2 or all(NO_LABEL.fullmatch(name) for name in names):
        return False
    listings = [source, *(top for top, _ in tops), *folders[:MOST_LOOKED_AT]]
    files = [file for place in listings for file in _some_files(place)]
    others = [file for file in files if not _is_photo(file.name)]
    photos = [file for file in files if _is_photo(file.name)]
    are_labelled = bool(photos) and all(file.parent in folders for file in photos)
    return are_labelled and all(
        LEFT_BEHIND.fullmatch(file.name)
        or (file.parent not in folders and _lists_labels(file, names))
        for file in others
    )


def _lists_labels(file: Path, names: set[str]) -> bool:
    """Return whether a file lists names of folders, a line each, perhaps with numbers or words."""
    if file.suffix.lower() != ".txt" or file.stat().st_size > LARGEST_LIST:
        return False
    lines = file.read_bytes().decode("utf-8-sig", "replace").lower().splitlines()
    parts = [line.strip().split(None, 1) for line in lines if line.strip()]
    return bool(parts) and all(" ".join(one) in names or names & {*one} for one in parts)


def _is_photo(name: str) -> bool:
    return name.lower().endswith(tuple(PHOTO_SUFFIXES)) and not name.startswith(".")


def _some_files(folder: Path) -> list[Path]:
    return [path for path in islice(folder.iterdir(), MOST_LOOKED_AT) if is_file(path)]


def _folders(place: Path) -> list[Path]:
    entries = (path for path in sorted(place.iterdir()) if not path.name.startswith("."))
    return [path for path in entries if is_folder(path)]


def _tops(source: Path) -> list[tuple[Path, str | None]]:
    """Return the folders that hold folders of labels, each with its split."""
    folders = _folders(source)
    if folders and all(folder.name.lower() in SPLIT_NAMES for folder in folders):
        return [(folder, folder.name) for folder in folders]
    return [(source, None)]


def read(source: Path, options: ReadOptions) -> list[Labelled]:
    """Read the names of folders as the labels of the photos in them.

    Files of equal content are one photo, which has the labels of all their folders. A label in
    whose folder a photo is not is absent. Folders within the folder of a label make no
    further labels. Folders ``train``, ``val`` and ``test`` above are the splits.

    Args:
        source: The folder.
        options: Without a folder of photos, as they are in the folders.

    Raises:
        DataError: If there are no folders of photos.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.data.format import DEFAULTS
        >>> photos = {"cat/a.jpg": b"one", "dog/a.jpg": b"one", "dog/b.jpg": b"two"}
        >>> for photo, content in photos.items():
        ...     Path(photo).parent.mkdir(exist_ok=True)
        ...     _ = Path(photo).write_bytes(content)
        >>> (found,) = read(Path(), DEFAULTS)
        >>> [str(photo) for photo in found.photos], found.names, found.targets.tolist()
        (['cat/a.jpg', 'dog/b.jpg'], ('cat', 'dog'), [[1, 1], [0, 1]])
    """
    if not is_folder(source):
        msg = f"expected a folder with a folder of photos for each label, got {source}"
        raise DataError(msg)
    if options.images is not None:
        msg = f"expected no `images` for {source}, whose folders hold the photos"
        raise DataError(msg)
    tops = _tops(source)
    files = [
        _PhotoFile(path, clean_name(folder.name, str(folder)), split)
        for top, split in tops
        for folder in _folders(top)
        for path in _photos(folder)
    ]
    labelled = {folder for top, _ in tops for folder in _folders(top)}
    if below := next((file for file in files if file.path.parent not in labelled), None):
        logger.info(
            "%s: folders in the folder of a label are no labels, such as %s in %s",
            *(source, below.path.parent.name, below.label),
        )
    groups = _groups(files)
    photos = [
        PhotoLabels(group[0].path, {file.label for file in group}, split=group[0].split)
        for group in groups
    ]
    if several := sum(len(photo.present) > 1 for photo in photos):
        logger.info("%s: %s in the folders of several labels", source, amount(several, "photo"))
    else:
        logger.info("%s: each photo is in the folder of one label, and has no other", source)
    return [tabulate(source, photos, root=source)]


def _photos(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (folder.__class__(place, name) for name in sorted(names) if _is_photo(name))


def _groups(files: Iterable[_PhotoFile]) -> list[list[_PhotoFile]]:
    """Group the files that are one photo: by split and size, then by content."""
    alike: dict[tuple[str | None, int], list[_PhotoFile]] = defaultdict(list)
    for file in files:
        if is_file(file.path):
            alike[file.split, file.path.stat().st_size].append(file)
    groups = []
    for group in alike.values():
        if len(group) == 1:
            groups.append(group)
            continue
        same: dict[bytes, list[_PhotoFile]] = defaultdict(list)
        for file in group:
            same[sha256_of(file.path)].append(file)
        groups += same.values()
    return groups


FORMAT = Format(
    "label-folders",
    "a folder for each label, with the photos that have it, perhaps in train, val and test",
    "dog/a.jpg\ndog/b.jpg\nsky/b.jpg   the same photo: it has both labels",
    recognises,
    read,
    weak=True,
    opens_photos=True,
)
