"""Folders of photos for each split, with a table in each: Roboflow's and Hugging Face's."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from tagsight.data.annotations import SPLITS, target_table
from tagsight.data.format import Format
from tagsight.data.formats import json_records, parquet
from tagsight.data.formats.hub_features import with_class_names
from tagsight.data.formats.tables import read_table
from tagsight.data.source import is_file, is_folder
from tagsight.data.tables.csv_table import CsvTable
from tagsight.data.tables.names import SPLIT_NAMES
from tagsight.data.tables.table import NoRowsError
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
    for places in (*within, [source], []):
        for name in TABLES:
            if files := [place / name for place in places if is_file(place / name)]:
                return files
    return _named_tables(source)


def _named_tables(source: Path) -> list[Path]:
    """Return ``train.csv``, ``val.csv`` and so on of a folder, if there are two with labels."""
    named = [file for file in sorted(source.iterdir()) if file.stem.lower() in SPLIT_NAMES]
    for endings, has_labels in ((TABLE_ENDINGS, CsvTable.kind_of), (JSON_ENDINGS, _has_records)):
        files = [file for file in named if file.suffix in endings and is_file(file)]
        files = [file for file in files if has_labels(file)]
        files.sort(key=lambda file: SPLITS.index(SPLIT_NAMES[file.stem.lower()]))
        if len(files) > 1:
            return files
    return []


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
    names = sorted(set().union(*(part.names for part in parts)))
    return [_widened(part, names) for part in parts]


def _part(file: Path, source: Path, options: ReadOptions) -> Labelled:
    part = with_class_names(_read(file, options), source)
    place = file.stem if file.name not in TABLES else file.parent.name
    split = (
        SPLIT_NAMES.get(place.lower()) if file.name not in TABLES or file.parent != source else None
    )
    folders = part.folders
    if file.name not in TABLES:
        folders = (*part.folders, *(folder / place for folder in part.folders))
    if options.images:
        folders = (options.images / place, options.images)
    splits = part.splits or ((split,) * len(part.photos) if split else None)
    return replace(part, folders=folders, splits=splits)


def _read(file: Path, options: ReadOptions) -> Labelled:
    if file.suffix in TABLE_ENDINGS:
        return read_table(CsvTable(file, options.columns), options)
    (part,) = (json_records if file.suffix in JSON_ENDINGS else parquet).read(file, options)
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
