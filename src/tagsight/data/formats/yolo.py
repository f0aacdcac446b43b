"""YOLO: a text file of objects for each photo, and one that names the classes."""

from __future__ import annotations

import logging
import os
import re
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tagsight.data.format import Format
from tagsight.data.formats.yolo_settings import Settings, read_settings, settings_file
from tagsight.data.photo_labels import PhotoLabels, tabulate
from tagsight.data.photos.hidden import is_hidden
from tagsight.data.photos.suffixes import PHOTO_SUFFIXES
from tagsight.data.source import clean_name, is_file, is_folder, photo_path, require_file
from tagsight.data.tables.names import SPLIT_NAMES
from tagsight.errors import DataError
from tagsight.runtime.amounts import amount

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tagsight.data.format import Labelled, ReadOptions

logger = logging.getLogger(__name__)

LARGEST_FILE = 2**22
"""Bytes of the objects of one photo."""

LARGEST_LIST = 2**28
TWIN = re.compile(r"(?<![^/])images(?=/)(?!.*(?<![^/])images/)")
"""The last folder ``images`` of a path, in whose place the files of objects are in ``labels``."""

LABELS = re.compile(r"(?<![^/])labels(?=/)(?!.*(?<![^/])labels/)")
"""The last folder ``labels`` of a path, in whose place the photos are in ``images``."""


def recognises(source: Path) -> bool:
    r"""Return whether a file, or one in a folder, says where photos are and what classes are.

    Example:
        >>> from pathlib import Path
        >>> _ = Path("data.yaml").write_text("train: images/train\nnames: [dog, sky]\n")
        >>> recognises(Path())
        True
    """
    return settings_file(source) is not None


def read(source: Path, options: ReadOptions) -> list[Labelled]:
    r"""Read the classes of a photo's objects as its labels.

    A photo without objects has no label, be its file empty or missing, as in training of YOLO; a
    split without any file is left out. The file of a photo lies beside it, or in ``labels`` where
    the photo is in ``images``.

    Args:
        source: ``data.yaml``, ``obj.data`` or ``classes.txt``, or the folder with it.
        options: Folder of the photos; by default as the file says.

    Raises:
        DataError: If a file cannot be understood, or no file of objects is there.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.data.format import DEFAULTS
        >>> _ = Path("data.yaml").write_text("train: images\nnames: [dog, sky]\n")
        >>> for folder in ("images", "labels"):
        ...     Path(folder).mkdir()
        >>> Path("images/a.jpg").touch()
        >>> _ = Path("labels/a.txt").write_text("1 0.5 0.5 0.2 0.2\n")
        >>> (found,) = read(Path(), DEFAULTS)
        >>> found.names, found.targets.tolist(), found.splits
        (('dog', 'sky'), [[0, 1]], ('train',))
    """
    file = settings_file(source)
    if file is None:
        msg = f"expected data.yaml, obj.data or classes.txt of YOLO, got {source}"
        raise DataError(msg)
    settings = read_settings(file, options.columns.encoding)
    base = _base(settings, file)
    photos: list[PhotoLabels] = []
    for split, places in _splits(settings, file).items():
        names = [name for place in places for name in _photos(base, place, options.images)]
        photos += _labelled(settings, base, split, dict.fromkeys(names))
    if not photos:
        msg = (
            f"{file}: expected files of objects (.txt) in {base}, beside the photos or in 'labels' "
            "beside 'images', got none; give the folder with `format=label-folders` if the names "
            "of folders are labels"
        )
        raise DataError(msg)
    folders = options.folders(base)
    return [tabulate(file, photos, names=settings.names, folders=folders)]


def _splits(settings: Settings, file: Path) -> dict[str, list[str]]:
    """Return the places of each split; one with the places of another is left out, and said."""
    kept: dict[str, list[str]] = {}
    for split, places in settings.splits.items():
        if same := next((other for other, known in kept.items() if known == places), None):
            logger.warning("%s: %s and %s are the same photos: read as %s", file, same, split, same)
        else:
            kept[split] = places
    return kept


def _base(settings: Settings, file: Path) -> Path:
    """Return the folder that the places of splits start from: that of the file, if its is none."""
    stated = file.parent / settings.path
    return stated if is_folder(stated) else file.parent


def _photos(base: Path, place: str, images: Path | None) -> Iterator[str]:
    """Yield the photos of a folder or list below the base, with or without their files."""
    if place.endswith(".txt"):
        # Roboflow writes ../train/images for a folder train that lies beside the file.
        yield from _listed(base, re.sub(r"^(\.\./)+", "", _slashed(place)))
        return
    inside = _inside(base, place)
    objects = base / TWIN.sub("labels", f"{inside}/")
    endings = dict(_with_endings(base / inside))
    if images:
        endings |= dict(_with_endings(images))
    texts = (stem for stem, ending in _files(objects) if ending == ".txt")
    stems = dict.fromkeys(one if one in endings else LABELS.sub("images", one) for one in texts)
    for stem in sorted(stems | endings if not images else stems):
        yield photo_path(f"{inside}/{stem}{endings.get(stem, '.jpg')}", str(base))


def _slashed(place: str) -> str:
    return place.strip().replace("\\", "/").removeprefix("./")


def _inside(base: Path, place: str) -> str:
    """Return the folder below the base that a place means, which may be of another machine.

    Its end, with the word for the split if it has one, may lie there, or in ``images``.
    """
    parts = [part for part in _slashed(place).split("/") if part not in {"", ".", ".."}]
    words = [start for start, part in enumerate(parts) if part.lower() in SPLIT_NAMES]
    last = words[-1] if words else len(parts) - 1
    ends = ["/".join(parts[start:]) for start in range(last + 1)] or ["."]
    for end in (*ends, *(f"images/{end}" for end in ends)):
        if is_folder(base / end) or is_folder(base / TWIN.sub("labels", f"{end}/")):
            return end
    return ends[0]


def _with_endings(folder: Path) -> Iterator[tuple[str, str]]:
    return ((stem, end) for stem, end in _files(folder) if end.lower() in PHOTO_SUFFIXES)


def _files(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield the path below a folder, without and only with its ending, of each file."""
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not is_hidden(name))
        below = Path(place).relative_to(folder).as_posix()
        for name in sorted(names):
            stem, dot, ending = f"{below}/{name}".removeprefix("./").rpartition(".")
            if not is_hidden(name) and name != "classes.txt":
                yield stem, dot + ending


def _listed(base: Path, place: str) -> Iterator[str]:
    file = next((one for one in (base / place, base / Path(place).name) if is_file(one)), None)
    if file is None:
        msg = f"expected a list of photos at {base / place}, got nothing"
        raise DataError(msg)
    require_file(file, largest=LARGEST_LIST)
    dropped = 0
    with file.open(encoding="utf-8", errors="replace") as handle:
        for number, line in enumerate(handle, 1):
            if name := line.strip().replace("\\", "/"):
                below = name.removeprefix(f"{base.as_posix()}/").lstrip("/")
                if not is_folder(base / "data"):  # CVAT's lists say data/ and its archives do not
                    below = below.removeprefix("data/")
                path = photo_path(below, f"{file}:{number}")
                dropped = _dropped(base, path, dropped)
                yield "/".join(path.split("/")[dropped:])


def _dropped(base: Path, path: str, before: int) -> int:
    """Return how many folders at the beginning of a path, of another machine, are not there.

    Args:
        base: Folder that paths start from.
        path: Path of a photo.
        before: The number for the photo before, which is tried first.
    """
    parts = path.split("/")
    for number in (before, *range(len(parts))):
        end = "/".join(parts[number:])
        if end and (is_file(base / end) or _objects(base, end).exists):
            return number
    return 0


class _Objects(NamedTuple):
    """Path of the file of a photo's objects, and whether it exists."""

    file: Path
    exists: bool


def _labelled(
    settings: Settings, base: Path, split: str, names: Sequence[str] | dict[str, None]
) -> list[PhotoLabels]:
    found = {name: _objects(base, name) for name in names}
    missing = sum(not objects.exists for objects in found.values())
    if missing and missing == len(found):
        photos = amount(missing, "photo")
        logger.warning("%s: %s left out, as none has a file of objects", split or base, photos)
        return []
    if missing:
        photos = amount(missing, "photo")
        logger.info("%s: %s without a file of objects: none of the labels", split or base, photos)
    return [
        PhotoLabels(
            name, _classes(objects.file, settings) if objects.exists else (), split=split or None
        )
        for name, objects in found.items()
    ]


def _objects(base: Path, name: str) -> _Objects:
    twin, _, _ = TWIN.sub("labels", name).rpartition(".")
    beside, _, _ = name.rpartition(".")
    for stem in (twin, beside):
        if is_file(file := base / f"{stem}.txt"):
            return _Objects(file, exists=True)
    return _Objects(base / f"{twin}.txt", exists=False)


def _classes(file: Path, settings: Settings) -> set[str]:
    if not file.stat().st_size:
        return set()
    text = require_file(file, largest=LARGEST_FILE).read_text(encoding="utf-8", errors="replace")
    classes: dict[str, int] = {}
    for number, line in _lines(text):
        classes.setdefault(line.split(None, 1)[0], number)
    return {_name(word, f"{file}:{number}", settings) for word, number in classes.items()}


def _lines(text: str) -> Iterator[tuple[int, str]]:
    return ((number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip())


def _name(word: str, where: str, settings: Settings) -> str:
    index = re.fullmatch(r"([0-9]{1,9})(\.0+)?", word)
    if index is None or int(index[1]) not in settings.classes:
        msg = (
            f"{where}: expected the number of a class, such as "
            f"{', '.join(map(str, islice(settings.classes, 3)))}, got {word[:80]!r}"
        )
        raise DataError(msg)
    return clean_name(settings.classes[int(index[1])], where)


FORMAT = Format(
    "yolo",
    "YOLO: data.yaml, obj.data or classes.txt, and a .txt of objects for each photo",
    "data.yaml            train: images/train\n"
    "                     names: {0: dog, 1: cat}\n"
    "images/train/a.jpg\n"
    "labels/train/a.txt   0 0.5 0.5 0.2 0.3",
    recognises,
    read,
    ("data.yaml", "obj.data", ".yaml"),
    is_text=True,
)
