"""A CSV with one column per label: ``image[,split],label...``."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import torch

from tagsight.data.annotations import Annotations
from tagsight.data.formats.csv_table import CsvTable, Labelled, Row, header_of
from tagsight.data.source import photo_folder
from tagsight.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

UNKNOWN = 255  # -1 as an unsigned byte
TARGETS = {"1": 1, "0": 0, "-1": UNKNOWN, "": UNKNOWN, "1.0": 1, "0.0": 0, "-1.0": UNKNOWN}


def recognises(source: Path) -> bool:
    """Whether a file has a column for the photo and several others, or one of 1, 0 and -1."""
    table = header_of(source)
    if table is None or not table.columns:
        return False
    return len(table.columns) > 1 or holds_targets(table)


def holds_targets(table: CsvTable) -> bool:
    """Whether the first rows have nothing but 1, 0, -1 and empty cells."""
    try:
        return all(
            cell.strip() in TARGETS for row in islice(table.rows(), 20) for cell in row.cells
        )
    except DataError:
        return False


def read(source: Path, *, images: Path | None = None, labels_only: bool = False) -> Annotations:
    """Read 1 present, 0 absent, and -1 or an empty cell unknown.

    Args:
        source: The file.
        images: The photos' folder; by default the file's own, or ``images`` beside the file.
        labels_only: Whether it is no error that none of the photos exists.

    Raises:
        DataError: If a line cannot be understood, or none of the photos exists.
    """
    folders = CsvTable.of(source).folders(images)
    rows = labelled(source)
    folder = photo_folder(rows.photos, folders, source=source, labels_only=labels_only)
    return rows.annotations(folder, "csv-columns")


def labelled(source: Path) -> Labelled:
    """Read the labels alone.

    Raises:
        DataError: If a line cannot be understood.
    """
    table = CsvTable.of(source)
    if not table.columns:
        msg = f"{source}:1: expected a column per label after the photo and the split, got none"
        raise DataError(msg)
    entries = table.entries(lambda row: _targets(row, table))
    targets = bytearray().join(entry.value for entry in entries.values())
    splits = [entry.split for entry in entries.values() if entry.split]
    return Labelled(
        table.columns,
        tuple(entries),
        torch.frombuffer(targets, dtype=torch.int8).view(len(entries), -1),
        tuple(splits) if splits else None,
    )


def _targets(row: Row, table: CsvTable) -> bytes:
    try:
        return bytes(map(TARGETS.__getitem__, row.cells))
    except KeyError:
        return bytes(
            _target(cell, name, row.line, table)
            for name, cell in zip(table.columns, row.cells, strict=True)
        )


def _target(cell: str, name: str, line: int, table: CsvTable) -> int:
    try:
        return TARGETS[cell.strip()]
    except KeyError:
        msg = (
            f"{table.source}:{line}: expected 1, 0, -1 or nothing in the column {name!r}, "
            f"got {cell!r}; a list of labels goes into one column, 'image,labels[,split]'"
        )
        raise DataError(msg) from None
