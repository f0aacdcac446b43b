"""PASCAL VOC's XML: a file of objects for each photo, as labelImg and Roboflow write them."""

from __future__ import annotations

import logging
from itertools import islice
from pathlib import PurePath
from typing import TYPE_CHECKING, NamedTuple

from tagsight.data.annotations import SPLITS
from tagsight.data.format import Format
from tagsight.data.formats import voc
from tagsight.data.photo_labels import PhotoLabels, tabulate
from tagsight.data.source import clean_name, is_folder, photo_path, require_file
from tagsight.data.tables.names import SPLIT_NAMES, is_photo
from tagsight.data.xml_files import elements, root_name
from tagsight.errors import DataError
from tagsight.runtime.amounts import amount

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from pathlib import Path

    from tagsight.data.format import Labelled, ReadOptions

logger = logging.getLogger(__name__)

XML = "*.[xX][mM][lL]"
LARGEST_FILE = 2**22
LARGEST_LIST = 2**26
MOST_LOOKED_AT = 5
"""Files of a folder that are looked at to find the format."""


def recognises(source: Path) -> bool:
    """Return whether a folder has files of objects, in ``Annotations``, itself or its splits.

    Example:
        >>> from pathlib import Path
        >>> Path("Annotations").mkdir()
        >>> _ = Path("Annotations/a.xml").write_text("<annotation></annotation>")
        >>> recognises(Path())
        True
    """
    if not source.is_dir() or voc.recognises(source):
        return False
    return any(
        root_name(file) == "annotation"
        for folder in _folders(source)
        for file in islice(_files(folder), MOST_LOOKED_AT)
    )


def read(source: Path, options: ReadOptions) -> list[Labelled]:
    """Read the names of a photo's objects as its labels.

    A label without an object is absent, as in a photo whose file has none; a photo without a file
    is left out. A label of which all objects are marked as difficult is unknown, unless told
    otherwise. Splits are those of ``ImageSets/Main/train.txt`` and so on, else those of the folders
    ``train``, ``valid`` and ``test``.

    Args:
        source: A folder with ``Annotations``; with files beside photos; or of one such folder for
            each split.
        options: The photos' folder, by default ``JPEGImages`` or ``images`` beside
            ``Annotations``, or the folder of the files; and the target of difficult objects.

    Raises:
        DataError: If a file cannot be understood.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.data.format import DEFAULTS
        >>> dog = "<object><name>dog</name></object>"
        >>> Path("Annotations").mkdir()
        >>> for name, objects in {"a": dog, "b": ""}.items():
        ...     text = f"<annotation><filename>{name}.jpg</filename>{objects}</annotation>"
        ...     _ = Path(f"Annotations/{name}.xml").write_text(text)
        >>> (found,) = read(Path(), DEFAULTS)
        >>> found.photos, found.names, found.targets.tolist()
        (('a.jpg', 'b.jpg'), ('dog',), [[1], [0]])
    """
    folders = _folders(source)
    if not folders:
        msg = f"expected a folder with Annotations/*.xml, or *.xml beside photos, got {source}"
        raise DataError(msg)
    listed = _listed(source)
    objects = {
        (folder, file): _read_file(file) for folder in folders for file in sorted(_files(folder))
    }
    photos = [_photo(*place, one, options, listed) for place, one in objects.items()]
    if listed:
        known = [photo for photo in photos if photo.split]
        if without := len(photos) - len(known):
            files = amount(without, "file")
            logger.warning("%s: %s left out, which no list in ImageSets names", source, files)
        photos = known
    names = {name for one in objects.values() for name in one.difficult}
    places = _photo_folders(source, folders, options)
    _log_photos_without_file({*places, *folders}, {file.stem for _, file in objects}, source)
    return [tabulate(source, photos, names=names, folders=places)]


def _folders(source: Path) -> list[Path]:
    own = [source / "Annotations", source / "annotations", source]
    order = {name: place for place, name in enumerate(SPLIT_NAMES)}
    splits = [one for one in source.iterdir() if one.name in order] if is_folder(source) else []
    splits.sort(key=lambda one: order[one.name])
    for places in (own[:1], own[1:2], own[2:], splits):
        found = [place for place in places if is_folder(place) and any(_files(place))]
        if found:
            return found
    return []


def _files(folder: Path) -> Iterator[Path]:
    """Yield the files of a folder; within ``Annotations`` they may lie in further folders."""
    deep = folder.name.lower() == "annotations" and not any(folder.glob(XML))
    return folder.glob(f"**/{XML}" if deep else XML)


def _photo_folders(source: Path, folders: Sequence[Path], options: ReadOptions) -> list[Path]:
    if options.images:
        return [options.images]
    beside = [source / "JPEGImages", source / "images", source / "Images"]
    return (
        [*beside, source] if folders[0].parent == source and not _is_split(folders[0]) else [source]
    )


def _log_photos_without_file(folders: Iterable[Path], stems: Collection[str], source: Path) -> None:
    entries = (entry for folder in folders if is_folder(folder) for entry in folder.iterdir())
    without = sum(is_photo(entry.name) and entry.stem not in stems for entry in entries)
    if without:
        photos = amount(without, "photo")
        logger.info("%s: %s without a file of objects left out", source, photos)


def _is_split(folder: Path) -> bool:
    return folder.name.lower() in SPLIT_NAMES


class _Objects(NamedTuple):
    """The description of a photo in its file.

    Attributes:
        photo: The photo's name, as it was once.
        difficult: For each label, whether its objects are marked as difficult.
        has_nameless: Whether an object has no label.
    """

    photo: str
    difficult: dict[str, set[bool]]
    has_nameless: bool


def _read_file(file: Path) -> _Objects:
    if root_name(file) != "annotation":
        msg = f"{file}: expected PASCAL VOC's XML, which begins with <annotation>"
        raise DataError(msg)
    difficult: dict[str, set[bool]] = {}
    photo, has_nameless = "", False
    for element in elements(file, largest=LARGEST_FILE):
        if element.name == "filename":
            photo = element.text
        elif element.name == "object":
            label = clean_name(element.child_text("name"), str(file))
            if element.child_text("deleted") == "1":  # as LabelMe marks them
                continue
            if not label:
                has_nameless = True
                continue
            difficult.setdefault(label, set()).add(
                element.child_text("difficult").lower() in {"1", "true"}
            )
    return _Objects(photo, difficult, has_nameless)


def _photo(
    folder: Path, file: Path, objects: _Objects, options: ReadOptions, listed: dict[str, str]
) -> PhotoLabels:
    surely = {label for label, difficult in objects.difficult.items() if False in difficult}
    doubtful = objects.difficult.keys() - surely
    present = surely | doubtful if options.difficult == "present" else surely
    unknown = doubtful if options.difficult in {None, "unknown"} else ()
    is_split = _is_split(file.parent)
    within = file.parent.name if is_split else file.parent.relative_to(folder).as_posix()
    name = f"{within}/{_named(objects.photo, file)}"
    split = file.parent.name if is_split else listed.get(file.stem)
    return PhotoLabels(
        photo_path(name, str(file)),
        present,
        unknown,
        split,
        has_nameless=objects.has_nameless,
    )


def _named(name: str, file: Path) -> str:
    """Return the photo's name: that of the file, with the ending of the one that is stated.

    Files are renamed together with their photos, and what stands in them stays as it was.
    """
    stated = name.replace("\\", "/").rpartition("/")[2]
    stem, dot, ending = stated.rpartition(".")
    return (
        stated if stem == file.stem else f"{file.stem}{dot}{ending}" if dot else f"{file.stem}.jpg"
    )


def _listed(source: Path) -> dict[str, str]:
    """Return the split of each photo in ``ImageSets/Main``; ``trainval`` counts without others."""
    main = source / "ImageSets" / "Main"
    files = {split: main / f"{split}.txt" for split in SPLITS}
    there = {split: file for split, file in files.items() if file.is_file()}
    trainval = main / "trainval.txt"
    if not there.keys() & {"train", "val"} and trainval.is_file():
        there["train"] = trainval
    split_of: dict[str, str] = {}
    for split, file in there.items():
        text = require_file(file, largest=LARGEST_LIST).read_text(
            encoding="utf-8", errors="replace"
        )
        for photo in _stems(text.splitlines()):
            if split_of.setdefault(photo, split) != split:
                msg = f"{main}: expected each photo in one split, got {photo!r} in two"
                raise DataError(msg)
    return split_of


def _stems(lines: Sequence[str]) -> list[str]:
    names = [line.strip() for line in lines if line.strip()]
    return [PurePath(name).stem if is_photo(name) else name for name in names]


FORMAT = Format(
    "voc-xml",
    "PASCAL VOC's XML, a file a photo: Annotations/*.xml, or beside the photos",
    "Annotations/a.xml   <annotation><filename>a.jpg</filename>\n"
    "                    <object><name>dog</name></object></annotation>\n"
    "JPEGImages/a.jpg",
    recognises,
    read,
    ("Annotations",),
)
