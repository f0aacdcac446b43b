"""A folder for each label, with the photos that have it."""

from __future__ import annotations

import logging
import os
import re
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from tagsight.data.format import Format
from tagsight.data.json_files import outline
from tagsight.data.photo_labels import PhotoLabels, tabulate
from tagsight.data.photos.hidden import is_hidden
from tagsight.data.photos.suffixes import PHOTO_SUFFIXES
from tagsight.data.source import clean_name, first_of, is_file, is_folder
from tagsight.data.tables.cells import MARKS_OF_NAMES, SEPARATORS, WEAK_SEPARATORS, separates
from tagsight.data.tables.names import SPLIT_NAMES, key_of
from tagsight.errors import DataError
from tagsight.runtime.amounts import amount
from tagsight.runtime.files import sha256_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from tagsight.data.format import Labelled, ReadOptions

logger = logging.getLogger(__name__)

MOST_LOOKED_AT = 100
"""Files of a folder that are looked at to find the format."""

LARGEST_LIST = 2**16
"""Bytes of a list of labels beside the folders, such as ``synsets.txt``."""

MOST_ABOVE = 4
"""Folders, each alone in another, that may be above those of labels."""

_PHOTOS = r"images?|imgs?|jpegimages|photos?|pictures?|data|media|dcim|uploads?|sets?"
_MONTHS = (
    "jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    "|sep(?:t(?:ember)?)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?"
)
NO_LABEL = re.compile(
    rf"[\d\W_]+|{_PHOTOS}"
    r"|\d{3}(?:[a-z\d]{5}|_(?:pana|fuji|pent))"  # as cameras name them: 100CANON
    r"|(?:photos?|fotos?|bilder|images?)\s\w+\s\d{4}"  # as Google Photos: Photos from 2019
    rf"|(?=.*\d)[\d\W_]*(?:{_MONTHS})[\d\W_]*"
    r"|(?:part|batch|chunk|set|group|folder|session|roll|card|shard|fold|page|disk|day|week)[\W_]*\d+"
    rf"|(?:{'|'.join(map(re.escape, SPLIT_NAMES))})[\W_]*(?:{_PHOTOS})"
    r"|masks?|labels?|annotations?|segmentations?|ground[\W_]?truth|gt|inputs?|outputs?|targets?"
    r"|originals?|raw|edited|processed|resized|exports?|thumb(?:nail)?s?|previews?"
    r"|jpe?gs?|pngs?|tiffs?|heics?|webps?"
)
"""Names of folders, in lower case, that hold photos of a day, of all kinds or of a form."""


LEFT_BEHIND = re.compile(
    r"\..*|icon\r|(?:readme|licen[cs]e|attribution|citation|checksums?)\b.*|"
    r".*\.(?:zip|html?|log|md|py|ipynb|sh|db|ini|lnk|url|cff|bib|md5|sha256)",
    re.IGNORECASE,
)
"""Names of files that say nothing of labels: of systems, of those who collected the photos, pages
and scripts."""

WRITTEN = frozenset({"photos", "counts", "problems"})
"""Keys of what ``tagsight data --json`` writes, perhaps beside the folders."""

RUN_LOG = "run.jsonl"
"""File of the folder of a training run, which may be beside those of labels."""


PICTURE = re.compile(
    r"(?:.*[\W_])?(?:graph|chart|plot|figure|confusion|matrix|curves?|histogram|distribution|results|"
    r"sheet|samples?|preview|montage|labels|cover|logo|banner|folder|thumb(?:nail)?)[\W\d_]*\.\w+",
    re.IGNORECASE,
)
"""Names of pictures of a collection, such as ``graph.png``, that are no photos of it."""

MOST_LOOSE = 0.05
"""Fraction of other photos, of those in folders, that are left out; with more it is an album."""


UNSORTED = frozenset(
    {"unlabeled", "unlabelled", "unsorted", "untagged", "unclassified", "unannotated"}
)
"""Names of folders, as `key_of` gives them, whose photos nobody has sorted."""


class _Folder(NamedTuple):
    """A folder of photos: its label, or None if nobody has sorted them, and its split."""

    path: Path
    label: str | None
    split: str | None


class _PhotoFile(NamedTuple):
    """A photo in the folder of a label."""

    path: Path
    label: str | None
    split: str | None


def recognises(source: Path) -> bool:
    """Return whether all that is in a folder are folders of photos, whose names may be labels.

    A few photos may lie beside, and pictures such as ``graph.png``.

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
    top = _top(source)
    tops, found = _tops(top), _label_folders(top)
    folders = [one.path for one in found]
    names = {one.label.lower() for one in found if one.label is not None}
    if len(names) < 2 or all(NO_LABEL.fullmatch(name) for name in names):
        return False
    above = [place for one in tops for place in one.parents if source in {place, *place.parents}]
    listings = dict.fromkeys([*above, *tops, *folders[:MOST_LOOKED_AT]])
    files = [file for place in listings for file in _some_files(place)]
    others = [file for file in files if not _is_photo(file.name)]
    photos = [file for file in files if _is_photo(file.name)]
    flat = _without_labels(top)
    with_photos = {file.parent for file in photos}
    known = {*folders, *flat}
    beside = [photo for photo in photos if photo.parent not in known]
    loose = [photo for photo in beside if not PICTURE.fullmatch(photo.name)]
    inside = len(photos) - len(beside)
    are_labelled = inside > 0 and len(loose) <= MOST_LOOSE * inside
    # One with folders alone may be above those of labels, beside another that is a label or not.
    looked_at = [one.path for one in found[:MOST_LOOKED_AT] if one.label is not None]
    are_labelled &= not any(_folders(one) for one in looked_at if one not in with_photos)
    return are_labelled and all(
        LEFT_BEHIND.fullmatch(file.name)
        or outline(file).keys.keys() >= WRITTEN
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
    return name.lower().endswith(tuple(PHOTO_SUFFIXES)) and not is_hidden(name)


def _some_files(folder: Path) -> list[Path]:
    return [path for path in first_of(folder.iterdir(), MOST_LOOKED_AT) if is_file(path)]


def _folders(place: Path) -> list[Path]:
    entries = (path for path in sorted(place.iterdir()) if not is_hidden(path.name))
    return [path for path in entries if is_folder(path) and not is_file(path / RUN_LOG)]


def _top(source: Path) -> Path:
    """Return the folder with those of labels or splits, below folders that are each alone."""
    top = source
    for _ in range(MOST_ABOVE):
        folders = _folders(top)
        if len(folders) > 1 or not any(map(_folders, folders)) or _has_splits(folders):
            break
        (top,) = folders
    return top


def _tops(source: Path) -> dict[Path, str | None]:
    """Return the folders that hold folders of labels, each with its split.

    In the folder of a split that may be ``images`` or the like, if it is alone there.
    """
    folders = [folder for folder in _folders(source) if not _is_unsorted(folder)]
    named = [folder for folder in folders if folder.name.lower() in SPLIT_NAMES]
    if _has_splits(folders):
        return {_below(folder): folder.name for folder in named}
    return {source: None}


def _has_splits(folders: Sequence[Path]) -> bool:
    """Return whether folders are those of splits: all of them, or of several splits."""
    named = [folder.name.lower() for folder in folders if folder.name.lower() in SPLIT_NAMES]
    return bool(named) and (
        len({SPLIT_NAMES[name] for name in named}) > 1 or len(named) == len(folders)
    )


def _below(split: Path) -> Path:
    folders = _folders(split)
    is_above = len(folders) == 1 and NO_LABEL.fullmatch(folders[0].name.lower())
    return folders[0] if is_above and _folders(folders[0]) else split


def _is_unsorted(folder: Path) -> bool:
    return key_of(folder.name) in UNSORTED


def _without_labels(source: Path) -> list[Path]:
    """Return the folders of splits that hold photos, as of a test, and no folders of labels."""
    tops = [top for top, split in _tops(source).items() if split is not None]
    flat = [top for top in tops if not _folders(top)]
    return flat if len(flat) < len(tops) else []


def _label_folders(source: Path) -> list[_Folder]:
    """Return the folders of labels, and those that nobody has sorted.

    Folders of splits may be above those of labels, or in each of them.
    """
    tops = _tops(source)
    is_split = None not in tops.values()
    beside = list(filter(_is_unsorted, _folders(source))) if is_split else []
    pairs = [(folder, split) for top, split in tops.items() for folder in _folders(top)]
    pairs += [(folder, "train") for folder in beside]  # which learn from them, if at all
    found = [
        _Folder(folder, None if _is_unsorted(folder) else folder.name, split)
        for folder, split in pairs
    ]
    if is_split:
        return found
    inner: list[_Folder] = []
    for one in found:
        if not (within := _splits_in(one.path)):
            return found
        inner += [_Folder(path, one.label, path.name) for path in within]
    return inner if len({SPLIT_NAMES[one.path.name.lower()] for one in inner}) > 1 else found


def _splits_in(folder: Path) -> list[Path]:
    """Return the folders of splits in that of a label, if it has nothing else than such."""
    some = first_of(folder.iterdir(), MOST_LOOKED_AT)
    if any(_is_photo(path.name) for path in some):
        return []
    folders = _folders(folder)
    return folders if all(path.name.lower() in SPLIT_NAMES for path in folders) else []


def read(source: Path, options: ReadOptions) -> list[Labelled]:
    """Read the names of folders as the labels of the photos in them.

    Files of equal content are one photo, which has the labels of all their folders. A label in
    whose folder a photo is not is absent. Folders within the folder of a label make no further
    labels, and one that is alone above those of labels is none. Folders ``train``, ``val`` and
    ``test``, above those of labels or in each of them, are the splits; photos of a split without
    folders of labels are left out. Of photos in a folder called ``unlabeled``, ``unsorted`` or the
    like all labels are unknown.

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
    top = _top(source)
    folders = _label_folders(top)
    files = [
        _PhotoFile(path, one.label and clean_name(one.label, str(one.path)), one.split)
        for one in folders
        for path in _photos(one.path)
    ]
    if top != source:
        logger.info("%s: the names of the folders in %s are the labels", source, top)
    labelled = {one.path for one in folders}
    if below := next((file for file in files if file.path.parent not in labelled), None):
        logger.info(
            "%s: folders in the folder of a label are no labels, such as %s in %s",
            *(source, below.path.parent.name, below.label),
        )
    _log_left_out(source, top, labelled)
    names = {file.label for file in files if file.label is not None}
    groups = _groups(files)
    photos = [_labels_of(group, names) for group in groups]
    if unsorted := sum(not photo.present for photo in photos):
        logger.info("%s: %s in folders of no label: all unknown", source, amount(unsorted, "photo"))
    if several := sum(len(photo.present) > 1 for photo in photos):
        logger.info("%s: %s in the folders of several labels", source, amount(several, "photo"))
    else:
        logger.info("%s: each photo is in the folder of one label, and has no other", source)
        _warn_of_joined(source, sorted(names))
    return [tabulate(source, photos, root=source)]


def _warn_of_joined(source: Path, names: Sequence[str]) -> None:
    """Warn if a mark joins labels in most names of folders."""
    for mark in (*SEPARATORS, *WEAK_SEPARATORS, *MARKS_OF_NAMES):
        if separates(mark, names):
            several = max(names, key=lambda name: name.count(mark))
            logger.warning(
                "%s: names of folders seem to join labels by %r, such as %r: each is one label; if "
                "it is several, write a table with the columns image and labels, as "
                "'tagsight data FOLDER --template labels.csv' begins",
                *(source, mark, several),
            )
            return


def _labels_of(group: list[_PhotoFile], names: set[str]) -> PhotoLabels:
    """Return the labels of a photo; all are unknown of one that nobody has sorted."""
    labels = {file.label for file in group if file.label is not None}
    return PhotoLabels(group[0].path, labels, () if labels else names, split=group[0].split)


def _log_left_out(source: Path, top: Path, labelled: set[Path]) -> None:
    """Log how many photos are in no folder of a label, and which other folders there are."""
    tops = _tops(top)
    others = dict.fromkeys([source, top, *tops, *(one.parent for one in tops if one != top)])
    photos = [file for place in others for file in place.iterdir() if _is_photo(file.name)]
    if photos and not labelled.issuperset(others):
        logger.warning(
            "%s: %s in no folder of a label left out, such as %s",
            *(source, amount(len(photos), "photo"), photos[0].relative_to(source)),
        )
    known = {place for folder in (*tops, *labelled) for place in (folder, *folder.parents)}
    if beside := [folder.name for folder in _folders(top) if folder not in known]:
        logger.warning(
            "%s: beside the folders of splits, left out: %s", source, ", ".join(beside[:5])
        )


def _photos(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not is_hidden(name))
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
