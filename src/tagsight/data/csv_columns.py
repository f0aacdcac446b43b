"""A CSV with one column per label: ``image[,split],label...``."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import torch

from tagsight.data.annotations import Annotations
from tagsight.data.csv_table import CsvTable, Row, header_of
from tagsight.data.source import photo_folder, target_table
from tagsight.errors import DataError

TARGETS = {"1": 1, "0": 0, "-1": -1, "": -1, "1.0": 1, "0.0": 0, "-1.0": -1}


def recognises(source: Path) -> bool:
    """Whether a file has a column for the photo and several others, or one of 1, 0 and -1."""
    table = header_of(source)
    if table is None or not table.columns:
        return False
    return len(table.columns) > 1 or holds_targets(table)


def holds_targets(table: CsvTable) -> bool:
    """Whether the first rows have nothing but 1, 0, -1 and empty cells."""
    try:
        return all(cell.strip() in TARGETS for row in islice(table.rows(), 20) for cell in row.cells)
    except DataError:
        return False


def read(source: Path, *, images: Path | None = None) -> Annotations:
    """Read 1 present, 0 absent, and -1 or an empty cell unknown.

    Args:
        source: The file.
        images: The photos' folder; by default the file's own, or ``images`` beside the file.

    Raises:
        DataError: If a line cannot be understood, or none of the photos exists.
    """
    table = CsvTable.of(source)
    if not table.columns:
        msg = f"{source}:1: expected a column per label after the photo and the split, got none"
        raise DataError(msg)
    entries = table.entries(lambda row: _targets(row, table))
    names = list(entries)
    folder = photo_folder(
        names, images=images, candidates=[source.parent, source.parent / "images"], source=source
    )
    targets = target_table(len(names), len(table.columns), value=0, source=source)
    packed = bytearray().join(entry.value for entry in entries.values())
    torch.frombuffer(packed, dtype=torch.int8, out=targets)
