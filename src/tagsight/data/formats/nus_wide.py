"""NUS-WIDE: a file of 0 and 1 for each concept and split, with a line for each photo."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import torch

from tagsight.data.annotations import target_table
from tagsight.data.format import Format, Labelled
from tagsight.data.source import clean_name, photo_name, require_file
from tagsight.errors import DataError
from tagsight.runtime.amounts import amount

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from torch import Tensor

    from tagsight.data.format import ReadOptions

PARTS = {"train": "Train", "test": "Test"}
"""Names of the splits in file names."""

LARGEST_FILE = 2**26
"""Bytes of a list of photos or of the marks of one concept."""

LARGEST_LIST_OF_CONCEPTS = 2**16

LONGEST_NAME = 80
"""Characters of a concept's name."""

_CONCEPTS = ("Concepts81.txt", "ConceptsList/Concepts81.txt")
_MARKS = ("Groundtruth/TrainTestLabels", "TrainTestLabels")


def recognises(source: Path) -> bool:
    """Return whether a folder has the list of concepts and a list of photos.

    Example:
        >>> from pathlib import Path
        >>> for folder in ("ConceptsList", "ImageList"):
        ...     Path(folder).mkdir()
        >>> Path("ConceptsList/Concepts81.txt").touch()
        >>> recognises(Path())
        True
    """
    return _first(source, _CONCEPTS).is_file() and (source / "ImageList").is_dir()


def read(source: Path, options: ReadOptions) -> list[Labelled]:
    r"""Read the official files; a concept that is not marked in a photo is absent.

    The labels are sorted alphabetically. Any white space separates marks, as some copies have
    double spaces. The lists name photos with backslashes, below a folder for the concept that
    they were searched by.

    Args:
        source: The folder with ``ConceptsList``, ``ImageList`` and ``Groundtruth``, as unpacked
            side by side.
        options: The photos' folder; by default ``Flickr``, ``images`` or the source itself.

    Raises:
        DataError: If a file is missing or cannot be understood.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.data.format import DEFAULTS
        >>> files = {"ConceptsList/Concepts81.txt": "sky"}
        >>> for part, mark in {"Train": "1", "Test": "0"}.items():
        ...     files[f"ImageList/{part}Imagelist.txt"] = rf"sky\{part}.jpg"
        ...     files[f"Groundtruth/TrainTestLabels/Labels_sky_{part}.txt"] = mark
        >>> for file, text in files.items():
        ...     Path(file).parent.mkdir(parents=True, exist_ok=True)
        ...     _ = Path(file).write_text(text)
        >>> (found,) = read(Path(), DEFAULTS)
        >>> found.photos, found.splits, found.targets.tolist()
        (('sky/Train.jpg', 'sky/Test.jpg'), ('train', 'test'), [[1], [0]])
    """
    names = sorted(_concepts(_first(source, _CONCEPTS)))
    marks = _first(source, _MARKS)
    photos = {
        split: _photos(source / "ImageList" / f"{part}Imagelist.txt")
        for split, part in PARTS.items()
    }
    files = [name for part in photos.values() for name in part]
    _require_different(source, files)
    targets = target_table(len(files), len(names), value=0, source=source)
    for column, name in enumerate(names):
        targets[:, column] = torch.cat(
            [
                _read_marks(marks / f"Labels_{name}_{PARTS[split]}.txt", len(part))
                for split, part in photos.items()
            ]
        )
    usual = (source / "Flickr", source / "images", source)
    return [
        Labelled(
            source=source,
            names=tuple(names),
            photos=tuple(files),
            targets=targets,
            splits=tuple(split for split, part in photos.items() for _ in part),
            folders=(options.images,) if options.images else usual,
        )
    ]


def _first(source: Path, places: Sequence[str]) -> Path:
    """Return the first place that exists, or else the first."""
    return next((source / p for p in places if (source / p).exists()), source / places[0])


def _lines(file: Path, largest: int = LARGEST_FILE) -> list[str]:
    text = require_file(file, largest=largest).read_text(encoding="utf-8", errors="replace")
    return text.splitlines()


def _concepts(file: Path) -> list[str]:
    lines = enumerate(_lines(file, LARGEST_LIST_OF_CONCEPTS), 1)
    names = {number: clean_name(line, f"{file}:{number}") for number, line in lines}
    for number, name in names.items():
        if "/" in name or "\\" in name or len(name) > LONGEST_NAME:  # it is part of a file's name
            msg = f"{file}:{number}: expected the name of a concept, got {name[:LONGEST_NAME]!r}"
            raise DataError(msg)
    return [name for name in names.values() if name]


def _photos(file: Path) -> list[str]:
    lines = enumerate(_lines(file), 1)
    return [photo_name(line, f"{file}:{number}") for number, line in lines if line.strip()]


def _require_different(source: Path, names: Sequence[str]) -> None:
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        msg = f"{source}: expected each photo once in its lists, got {repeated[0]!r} again"
        raise DataError(msg)


def _read_marks(file: Path, photos: int) -> Tensor:
    fields = require_file(file, largest=LARGEST_FILE).read_bytes().split()
    if strange := set(fields) - {b"0", b"1"}:
        msg = f"{file}: expected 0 or 1 for each photo, got {min(strange)[:40]!r}"
        raise DataError(msg)
    if len(fields) != photos:
        msg = f"{file}: expected a mark for each of {amount(photos, 'photo')}, got {len(fields):,}"
        raise DataError(msg)
    return torch.from_numpy(np.frombuffer(b"".join(fields), dtype=np.int8) - ord("0"))


FORMAT = Format(
    "nus-wide",
    "a NUS-WIDE folder with ConceptsList, ImageList and Groundtruth/TrainTestLabels",
    "ConceptsList/Concepts81.txt   sky\n"
    "ImageList/TrainImagelist.txt   sky\\0001_2124494179.jpg\n"
    "Groundtruth/TrainTestLabels/Labels_sky_Train.txt   1",
    recognises,
    read,
    ("ConceptsList", "Groundtruth", "ImageList"),
)
