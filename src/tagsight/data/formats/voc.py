"""PASCAL VOC: ``ImageSets/Main/<label>_<split>.txt`` beside ``JPEGImages``."""

from __future__ import annotations

import logging
import re
from itertools import chain
from typing import TYPE_CHECKING

import torch

from tagsight.data.annotations import SPLITS, target_table
from tagsight.data.format import Format, Labelled
from tagsight.data.source import clean_name, is_file, photo_name, require_file
from tagsight.errors import DataError
from tagsight.runtime.amounts import amount

if TYPE_CHECKING:
    from pathlib import Path

    from tagsight.data.format import ReadOptions

logger = logging.getLogger(__name__)

LABEL_FILE = re.compile(r"(.+)_(train|val|test|trainval)\.txt")
LARGEST_FILE = 2**26
"""Bytes of one label's list."""


def recognises(source: Path) -> bool:
    """Return whether a folder is or contains a folder of lists ``<label>_<split>.txt``.

    Example:
        >>> from pathlib import Path
        >>> Path("VOC2012/ImageSets/Main").mkdir(parents=True)
        >>> Path("VOC2012/ImageSets/Main/dog_train.txt").touch()
        >>> recognises(Path())
        True
    """
    return bool(_main_folders(source))


def read(source: Path, options: ReadOptions) -> list[Labelled]:
    r"""Read 1 as present, -1 as absent, and 0 as an object that is hard to see.

    The labels are sorted alphabetically. Lists of ``trainval`` are used, as ``train``, only if
    there are neither ``train`` nor ``val``. A target is unknown if the label's list lacks the
    photo, as all are of a photo that only the list of its split has, such as ``train.txt``.

    Args:
        source: ``VOCdevkit``, ``VOC2012`` or the like, or its ``ImageSets/Main``.
        options: The photos' folder, by default ``JPEGImages``; the target for 0, by default
            unknown.

    Raises:
        DataError: If a line cannot be understood.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.data.format import DEFAULTS, ReadOptions
        >>> Path("VOC2012/ImageSets/Main").mkdir(parents=True)
        >>> _ = Path("VOC2012/ImageSets/Main/dog_train.txt").write_text("0001 1\n0002 -1\n0003 0\n")
        >>> (found,) = read(Path(), DEFAULTS)
        >>> found.photos, found.targets.T.tolist()
        (('0001.jpg', '0002.jpg', '0003.jpg'), [[1, 0, -1]])
        >>> read(Path(), ReadOptions(difficult="present"))[0].targets.T.tolist()
        [[1, 0, 1]]
    """
    main = _main_folder(source)
    difficult = {"unknown": -1, "present": 1, "absent": 0}[options.difficult or "unknown"]
    values = {"1": 1, "-1": 0, "0": difficult}
    lists = {key: _read_list(file, values) for key, file in _label_files(main).items()}
    names = sorted({label for label, _ in lists})
    split_of = _split_of_each(lists, main)
    if unlisted := _unlisted(split_of, main):
        logger.warning(
            "%s: %s of a split in no list of a label, such as %r: unknown",
            *(main, amount(len(unlisted), "photo"), next(iter(unlisted))),
        )
        split_of |= unlisted
    row = {photo: index for index, photo in enumerate(split_of)}
    targets = target_table(len(row), len(names), value=-1, source=main)
    for (label, _), marks in lists.items():
        rows = torch.tensor([row[photo] for photo in marks], dtype=torch.long)
        targets[rows, names.index(label)] = torch.tensor(list(marks.values()), dtype=torch.int8)
    return [
        Labelled(
            source=main,
            names=tuple(names),
            photos=tuple(photo_name(f"{photo}.jpg", str(main)) for photo in row),
            targets=targets,
            splits=tuple(split_of.values()),
            folders=(options.images or main.parent.parent / "JPEGImages",),
        )
    ]


def _main_folders(source: Path) -> list[Path]:
    places = [source, source / "ImageSets" / "Main", *sorted(source.glob("VOC*/ImageSets/Main"))]
    return [place for place in places if place.name == "Main" and _matches(place)]


def _main_folder(source: Path) -> Path:
    folders = _main_folders(source)
    if len(folders) == 1:
        return folders[0]
    came = ", ".join(str(folder) for folder in folders) or "none"
    msg = f"expected one ImageSets/Main with lists <label>_<split>.txt in {source}, got {came}"
    raise DataError(msg)


def _matches(main: Path) -> list[tuple[Path, str, str]]:
    files = ((file, LABEL_FILE.fullmatch(file.name)) for file in sorted(main.glob("*_*.txt")))
    return [(file, clean_name(match[1], str(file)), match[2]) for file, match in files if match]


def _label_files(main: Path) -> dict[tuple[str, str], Path]:
    matches = _matches(main)
    has_parts = any(split in {"train", "val"} for _, _, split in matches)
    meaning = {split: split for split in SPLITS} | ({} if has_parts else {"trainval": "train"})
    return {(label, meaning[split]): file for file, label, split in matches if split in meaning}


def _read_list(file: Path, values: dict[str, int]) -> dict[str, int]:
    text = require_file(file, largest=LARGEST_FILE).read_text(encoding="utf-8", errors="replace")
    fields = text.split()
    photos, marks = fields[::2], fields[1::2]
    if len(photos) == len(marks) and values.keys() >= set(marks):
        found = dict(zip(photos, map(values.__getitem__, marks), strict=True))
        if len(found) == len(photos):
            return found
    return _read_lines(file, text, values)


def _read_lines(file: Path, text: str, values: dict[str, int]) -> dict[str, int]:
    found: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        fields = line.rsplit(None, 1)
        if not fields:
            continue
        if len(fields) != 2 or fields[1] not in values:
            msg = f"{file}:{number}: expected a photo and 1, 0 or -1, got {line[:80]!r}"
            raise DataError(msg)
        photo, value = fields[0].strip(), values[fields[1]]
        if found.setdefault(photo, value) != value:
            msg = f"{file}:{number}: expected {photo!r} once, got it again with another mark"
            raise DataError(msg)
    return found


def _split_of_each(lists: dict[tuple[str, str], dict[str, int]], main: Path) -> dict[str, str]:
    split_of: dict[str, str] = {}
    for split in SPLITS:
        of_split = [marks for (_, part), marks in lists.items() if part == split]
        photos = dict.fromkeys(chain.from_iterable(of_split), split)
        if shared := photos.keys() & split_of.keys():
            msg = f"{main}: expected each photo in one split, got {min(shared)!r} in two"
            raise DataError(msg)
        split_of |= photos
    return split_of


def _unlisted(split_of: dict[str, str], main: Path) -> dict[str, str]:
    """Return the photos of splits, such as those of ``train.txt``, that no label's list has."""
    found: dict[str, str] = {}
    for split in dict.fromkeys(split_of.values()):
        file = main / f"{split}.txt"
        if is_file(file):
            text = require_file(file, largest=LARGEST_FILE).read_text("utf-8", errors="replace")
            photos = filter(None, map(str.strip, text.splitlines()))
            found |= {photo: split for photo in photos if photo not in split_of}
    return found


FORMAT = Format(
    "voc",
    "a PASCAL VOC folder with ImageSets/Main/<label>_<split>.txt",
    "ImageSets/Main/dog_train.txt   2007_000027  1\nJPEGImages/2007_000027.jpg",
    recognises,
    read,
    ("ImageSets",),
)
