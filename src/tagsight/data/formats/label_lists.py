"""A text file for each label, with the photos that have it."""

from __future__ import annotations

import logging
import re
from collections import defaultdict
from itertools import islice
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from tagsight.data.format import PLACES, Format
from tagsight.data.photo_labels import PhotoLabels, tabulate
from tagsight.data.source import clean_name, first_of, is_file, photo_path
from tagsight.data.tables.names import SPLIT_NAMES, is_photo
from tagsight.data.tables.text import text_of
from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from tagsight.data.format import Labelled, ReadOptions

logger = logging.getLogger(__name__)

LARGEST_FILE = 2**26
LOOK = 2**14
"""Bytes of a list that are looked at to find the format."""

FEWEST, MOST = 2, 10_000
"""Labels of a folder: one list alone may be of anything."""

MOST_PHOTOS = 10_000
"""Photos beside whose names, without their endings, lists may have."""

MARKED = re.compile(r"(.*[^\s,;])(?:\s+|\s*[,;]\s*)(-1|0|1)")
IN_SPLIT = re.compile(r"(.+)[_-](train|val|valid|validation|test)")


class _List(NamedTuple):
    """A list: its label, or None if it is of a split; its split, or None; and its file."""

    label: str | None
    split: str | None
    file: Path


def recognises(source: Path) -> bool:
    r"""Return whether a folder has several lists of photos, such as ``dog.txt``.

    Example:
        >>> from pathlib import Path
        >>> for name in ("dog.txt", "cat.txt"):
        ...     _ = Path(name).write_text("a.jpg\nb.jpg\n")
        >>> recognises(Path())
        True
    """
    return source.is_dir() and len({one.label for one in _lists(source)} - {None}) >= FEWEST


def _lists(folder: Path) -> list[_List]:
    files = first_of(folder.glob("*.txt"), MOST + 1)
    stems = _stems(folder) if files else frozenset()
    files = [file for file in files if is_file(file) and _names_photos(file, stems)]
    found = {file: IN_SPLIT.fullmatch(file.stem) for file in files}
    labels = [file for file in files if file.stem.lower() not in SPLIT_NAMES]
    have_splits = bool(labels) and all(found[file] for file in labels)
    lists = []
    for file in files:
        if file not in labels:
            lists.append(_List(None, SPLIT_NAMES[file.stem.lower()], file))
        elif have_splits and (match := found[file]):
            lists.append(_List(clean_name(match[1], str(file)), SPLIT_NAMES[match[2]], file))
        else:
            lists.append(_List(clean_name(file.stem, str(file)), None, file))
    return lists


def _places(folder: Path) -> list[Path]:
    """Return the folders that may hold the photos: in that of the lists, else beside it."""
    for base in (folder, folder.parent):
        usual = [base / name for name in PLACES if (base / name).is_dir()]
        own = any(is_photo(file.name) for file in base.iterdir())
        if usual or own:
            return [base, *usual] if own else usual
    return [folder]


def _stems(folder: Path) -> frozenset[str]:
    """Return the names, without endings, of some photos that are beside the lists."""
    files = (file for place in _places(folder) for file in place.iterdir())
    return frozenset(file.stem for file in islice(files, MOST_PHOTOS) if is_photo(file.name))


def _names_photos(file: Path, stems: frozenset[str]) -> bool:
    """Return whether most lines at the beginning of a file are photos, perhaps with a mark."""
    with file.open("rb") as handle:
        start = handle.read(LOOK)
    lines = start.decode("utf-8-sig", "replace").splitlines()
    lines = lines[:-1] if len(start) == LOOK else lines
    names = [_parted(line)[0] for line in lines if line.strip()]
    return 2 * sum(_is_listed(name, stems) for name in names) > len(names)


def _is_listed(name: str, stems: frozenset[str]) -> bool:
    return is_photo(name) or PurePosixPath(name).name in stems


def _parted(line: str) -> tuple[str, str]:
    """Return the photo of a line, and its mark or nothing."""
    match = MARKED.fullmatch(line.strip())
    return (match[1], match[2]) if match else (line.strip(), "")


def read(source: Path, options: ReadOptions) -> list[Labelled]:
    r"""Read the photos of each list as having its label; a photo that a list lacks has not.

    Behind a photo may be 1 for present and -1 for absent, or 0 for absent where no list has -1; 0
    beside -1 is an object that is hard to see. A label is then unknown where its list lacks a
    photo. Lists called ``train``, ``val`` and ``test``, or ``dog_train`` and so on, are of splits.
    Photos that are in no list are left out.

    Args:
        source: A folder of lists.
        options: Folder of the photos, by default that of the lists, or the usual ones in it or
            beside it; the target for 0 beside -1, by default unknown.

    Raises:
        DataError: If there are no lists, or a line cannot be understood.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.data.format import DEFAULTS
        >>> _ = Path("dog.txt").write_text("a.jpg\nb.jpg\n")
        >>> _ = Path("cat.txt").write_text("b.jpg\n")
        >>> (found,) = read(Path(), DEFAULTS)
        >>> found.names, dict(zip(found.photos, found.targets.tolist()))
        (('cat', 'dog'), {'b.jpg': [1, 1], 'a.jpg': [0, 1]})
    """
    lists = _lists(source) if source.is_dir() else []
    if not any(one.label for one in lists):
        msg = f"{source}: expected a folder with a list of photos for each label, such as dog.txt"
        raise DataError(f"{msg}, a line each, got none")
    used = {one.file for one in lists}
    if others := sorted(file.name for file in source.glob("*.txt") if file not in used):
        logger.info("%s: %s left out, not lists of photos", source, ", ".join(others[:5]))
    marks, splits = _marks(lists, _stems(source))
    photos = list(_photos(marks, splits, options))
    names = {one.label for one in lists if one.label}
    return [tabulate(source, photos, names=names, folders=options.folders(*_places(source)))]


def _marks(
    lists: Iterable[_List], stems: frozenset[str]
) -> tuple[dict[str, dict[str, str]], dict[str, str]]:
    """Return the mark of each photo's labels, and its split."""
    marks: dict[str, dict[str, str]] = defaultdict(dict)
    splits: dict[str, str] = {}
    for label, split, file in lists:
        for number, line in enumerate(text_of(file, largest=LARGEST_FILE).splitlines(), 1):
            if not line.strip():
                continue
            written, mark = _parted(line)
            if " " in written and not _is_listed(written, stems):
                msg = f"{file}:{number}: expected a photo, or one and 1, 0 or -1, got {line[:80]!r}"
                raise DataError(msg)
            photo = photo_path(written, f"{file}:{number}")
            of_photo = marks[photo]
            if label and of_photo.setdefault(label, mark) != mark:
                msg = f"{file}:{number}: expected {photo!r} once, got it again with another mark"
                raise DataError(msg)
            if split and splits.setdefault(photo, split) != split:
                msg = f"{file}:{number}: expected each photo in one split, got {photo!r} in two"
                raise DataError(msg)
    return marks, splits


def _photos(
    marks: Mapping[str, Mapping[str, str]], splits: Mapping[str, str], options: ReadOptions
) -> Iterator[PhotoLabels]:
    used = {mark for of_photo in marks.values() for mark in of_photo.values()}
    names = {label for of_photo in marks.values() for label in of_photo}
    zero = (options.difficult or "unknown") if "-1" in used else "absent"
    present = {"", "1", *(["0"] if zero == "present" else [])}
    unsure = {"0"} if zero == "unknown" else set()
    for photo, of_photo in marks.items():
        missing = names - of_photo.keys() if used - {""} else set()
        yield PhotoLabels(
            photo,
            {label for label, mark in of_photo.items() if mark in present},
            missing | {label for label, mark in of_photo.items() if mark in unsure},
            splits.get(photo),
        )


FORMAT = Format(
    "label-lists",
    "a folder with a text file for each label, which lists the photos that have it",
    "dog.txt   a.jpg\n          b.jpg\ncat.txt   b.jpg",
    recognises,
    read,
    weak=True,
)
