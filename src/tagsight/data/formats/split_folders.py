"""Folders of photos for each split, with a table in each: Roboflow's and Hugging Face's."""

from __future__ import annotations

import logging
import re
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from tagsight.data.annotations import SPLITS, target_table
from tagsight.data.format import PLACES, Format
from tagsight.data.formats import json_records, parquet
from tagsight.data.formats.hub_features import with_class_names
from tagsight.data.formats.tables import read_table
from tagsight.data.source import is_file, is_folder
from tagsight.data.tables.csv_table import CsvTable
from tagsight.data.tables.name_files import named_by_number
from tagsight.data.tables.names import SPLIT_NAMES, is_photo
from tagsight.data.tables.table import NoRowsError
from tagsight.data.tables.transposed import with_photo_rows
from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tagsight.data.format import Labelled, ReadOptions

logger = logging.getLogger(__name__)

TABLES = (
    "_annotations.csv",
    "_classes.csv",
    *(f"metadata.{e}" for e in ("csv", "jsonl", "parquet")),
)
"""Names of tables; beside Roboflow's boxes its list of classes is none."""

TABLE_ENDINGS, JSON_ENDINGS = (".csv", ".tsv"), (".jsonl", ".json", ".ndjson")
LIST_ENDING = ".txt"
MOST_LOOKED_AT, LONGEST_LINE = 20, 10_000
_OPEN_IMAGES = re.compile(
    r"(?:oidv\d-)?(train|validation|val|test)-annotations-(human-imagelabels|bbox)(?:-boxable)?\.csv"
)
"""Tables of Open Images, also as Datumaro writes them: labels that people verified, and boxes."""

_FIFTYONE = ("labels/classifications.csv", "labels/detections.csv")
"""Tables of Open Images as FiftyOne downloads it, in the folder of a split."""


def recognises(source: Path) -> bool:
    r"""Return whether a folder, or its ``train``, ``valid`` or ``test``, has such a table.

    Example:
        >>> from pathlib import Path
        >>> for split in ("train", "valid"):
        ...     Path(split).mkdir()
        ...     _ = Path(split, "_classes.csv").write_text("filename,dog,sky\na.jpg,1,0\n")
        >>> recognises(Path())
        True
    """
    return source.is_dir() and bool(_tables(source))


def _tables(source: Path) -> list[Path]:
    order = {name: place for place, name in enumerate(SPLIT_NAMES)}
    within = []
    for place in filter(is_folder, (source, source / "data")):
        known = [one for one in place.iterdir() if one.name.lower() in order and is_folder(one)]
        within.append(sorted(known, key=lambda one: order[one.name.lower()]))
    for places in (*within, [source], [source / "data"]):
        for name in TABLES:
            if files := [place / name for place in places if is_file(place / name)]:
                return files
    for places in within:
        if files := _only_tables(places):
            return files
    return _named_tables(source) or _open_images(source)


def _open_images(source: Path) -> list[Path]:
    """Return the tables of Open Images: one for each split, of labels rather than of boxes."""
    splits = [source / name for name in ("train", "validation", "test")]
    for name in _FIFTYONE:
        if files := [split / name for split in splits if is_file(split / name)]:
            return files
    for place in filter(is_folder, (source, source / "annotations")):
        found = [(file, _OPEN_IMAGES.fullmatch(file.name)) for file in sorted(place.glob("*.csv"))]
        for kind in ("human-imagelabels", "bbox"):
            if files := [file for file, match in found if match and match[2] == kind]:
                return files
    return []


def _only_tables(places: Sequence[Path]) -> list[Path]:
    """Return the table of each folder of a split, whatever it is called, if they have one each."""
    each = [list(filter(_has_labels, _some_files(place))) for place in places]
    found = [files[0] for files in each if len(files) == 1]
    return found if len(found) > 1 and all(len(files) < 2 for files in each) else []


def _some_files(folder: Path) -> list[Path]:
    """Return the files of a folder of photos that may be tables."""
    endings = {*TABLE_ENDINGS, *JSON_ENDINGS}
    files = (file for file in folder.iterdir() if file.suffix.lower() in endings)
    return sorted(filter(is_file, islice(files, MOST_LOOKED_AT)))


def _has_labels(file: Path) -> bool:
    if file.suffix.lower() in TABLE_ENDINGS:
        return CsvTable.kind_of(file) is not None
    return _has_records(file)


def _named_tables(source: Path) -> list[Path]:
    """Return ``train.csv``, ``val.csv`` and so on of a folder, if there are two with labels."""
    named = [file for file in sorted(source.iterdir()) if file.stem.lower() in SPLIT_NAMES]
    for endings in (TABLE_ENDINGS, JSON_ENDINGS, (LIST_ENDING,)):
        files = [file for file in named if file.suffix in endings and is_file(file)]
        files = [
            file for file in files if (_is_list if LIST_ENDING in endings else _has_labels)(file)
        ]
        files.sort(key=lambda file: SPLITS.index(SPLIT_NAMES[file.stem.lower()]))
        if len(files) > 1:
            return files
    return []


def _is_list(file: Path) -> bool:
    """Return whether a text file has the photos of a split, first in each line, and their labels.

    Of names alone, which may have blanks, the first line does not begin with a photo.
    """
    with file.open("rb") as handle:
        first = handle.readline(LONGEST_LINE).decode("utf-8-sig", "replace").split()
    return len(first) > 1 and is_photo(first[0]) and CsvTable.kind_of(file) is not None


def _has_records(file: Path) -> bool:
    return json_records.recognises(file)


def _require_one_of_each(files: Sequence[Path], source: Path) -> None:
    """Refuse two tables of one split, of which one may be an old copy of the other."""
    by_split: dict[str, str] = {}
    for file in files:
        split = SPLIT_NAMES.get(file.stem.lower(), file.stem) if file.parent == source else ""
        if (other := by_split.setdefault(split, file.name)) != file.name and split:
            msg = (
                f"{source}: expected one table of the split {split}, got {other} and {file.name}; "
                "join them, or move the one that is not meant elsewhere"
            )
            raise DataError(msg)


def read(source: Path, options: ReadOptions) -> list[Labelled]:
    r"""Read the table of each split, as tables are read on their own.

    With a column for each label, one that only another table has is unknown; in lists of labels,
    one that only another table lists is absent.

    Args:
        source: The folder.
        options: Folder of the photos, or of those of each split; by default those of the tables.

    Raises:
        DataError: If a table cannot be understood.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.data.format import DEFAULTS
        >>> for split in ("train", "valid"):
        ...     Path(split).mkdir()
        ...     _ = Path(split, "_classes.csv").write_text("filename,dog,sky\na.jpg,1,0\n")
        >>> [(part.splits, part.targets.tolist()) for part in read(Path(), DEFAULTS)]
        [(('train',), [[1, 0]]), (('val',), [[1, 0]])]
    """
    files = _tables(source) if is_folder(source) else []
    if not files:
        msg = f"expected folders train, valid and test, each with one of {TABLES}, in {source}"
        raise DataError(msg)
    _require_one_of_each(files, source)
    parts = []
    for file in files:
        try:
            parts.append(_part(file, source, options))
        except NoRowsError as error:
            if file == files[-1] and not parts:
                raise
            logger.warning("%s; left out", error)
    parts = _named(parts, (source, *(file.parent for file in files)))
    names = sorted(set().union(*(part.names for part in parts)))
    return [_widened(part, names) for part in parts]


def _named(parts: Sequence[Labelled], folders: Sequence[Path]) -> list[Labelled]:
    """Name labels that are numbers by a file in a folder, from the numbers of all parts."""
    labels = sorted(set().union(*(part.names for part in parts)))
    for folder in dict.fromkeys(folders):
        named = named_by_number(labels, parts[0].source, folder)
        if named != labels:
            name_of = dict(zip(labels, named, strict=True))
            return [replace(p, names=tuple(name_of[name] for name in p.names)) for p in parts]
    return list(parts)


def _part(file: Path, source: Path, options: ReadOptions) -> Labelled:
    part = with_class_names(_read(file, options), source)
    is_within = file.parent != source
    place = file.parent.name if is_within else file.stem
    folders = part.folders
    if match := _OPEN_IMAGES.fullmatch(file.name):
        place = match[1]
        folders = tuple(source / name / place for name in (".", *PLACES))
    elif file.parent.name == "labels":
        place = file.parent.parent.name
        folders = (file.parent.parent / "data",)
    elif not is_within:
        folders = (*part.folders, *(folder / place for folder in part.folders))
    split = SPLIT_NAMES.get(place.lower())
    if options.images:
        folders = (options.images / place, options.images)
    splits = part.splits or ((split,) * len(part.photos) if split else None)
    return replace(part, folders=folders, splits=splits)


def _read(file: Path, options: ReadOptions) -> Labelled:
    if file.suffix.lower() in {*TABLE_ENDINGS, LIST_ENDING}:
        table = with_photo_rows(CsvTable(file, options.columns))
        table.is_part = True
        return read_table(table, options)
    if file.suffix.lower() in JSON_ENDINGS:
        (part,) = json_records.read(file, options, is_part=True)
    else:
        (part,) = parquet.read(file, options, is_part=True)
    return part


def _widened(part: Labelled, names: Sequence[str]) -> Labelled:
    """Add the labels that only other tables know."""
    value = 0 if part.lists_present else -1
    targets = target_table(len(part.photos), len(names), value=value, source=part.source)
    targets[:, [names.index(name) for name in part.names]] = part.targets
    return replace(part, names=tuple(names), targets=targets)


FORMAT = Format(
    "split-folders",
    "train.csv and val.csv, or folders train, valid and test with photos and a table each: "
    "Roboflow's _classes.csv, or metadata.csv, .jsonl or .parquet of Hugging Face's imagefolder",
    "train/_classes.csv   filename, dog, sky\n                     a.jpg, 1, 0\ntrain/a.jpg",
    recognises,
    read,
    ("_classes.csv",),
    has_columns=True,
    is_text=True,
)
