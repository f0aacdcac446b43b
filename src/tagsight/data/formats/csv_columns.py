"""Tables with a column for each label: ``image[,split],label...``."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import torch

from tagsight.data.format import Format
from tagsight.data.formats.csv_table import CsvTable, header_of, labelled
from tagsight.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from tagsight.data.format import Labelled, ReadOptions
    from tagsight.data.formats.csv_table import Cell, PhotoTable, Row

UNKNOWN = 255  # -1 as an unsigned byte
TARGETS: dict[Cell, int] = {
    "1": 1,
    "1.0": 1,
    "0": 0,
    "0.0": 0,
    "-1": UNKNOWN,
    "-1.0": UNKNOWN,
    "": UNKNOWN,
}


def recognises(source: Path) -> bool:
    """Return whether a file is a CSV with columns of targets."""
    table = header_of(source)
    return table is not None and has_target_columns(table)


def has_target_columns(table: PhotoTable) -> bool:
    """Return whether there are several columns beside the photo and the split, or one of targets.

    One column is taken for targets if its first rows hold nothing but 1, 0, -1 and empty cells.
    """
    if len(table.columns) != 1:
        return bool(table.columns)
    try:
        return all(str(row.cells[0]).strip() in TARGETS for row in islice(table.rows(), 20))
    except DataError:
        return False


def read(source: Path, options: ReadOptions) -> list[Labelled]:
    """Read 1 as present, 0 as absent, and -1 or an empty cell as unknown.

    Args:
        source: The file.
        options: The photos' folder; by default the file's own, or ``images`` beside the file.

    Raises:
        DataError: If a line cannot be understood.
    """
    return [read_table(CsvTable(source), options)]


def read_table(table: PhotoTable, options: ReadOptions) -> Labelled:
    """Read the labels of a table.

    Raises:
        DataError: If a row cannot be understood.
    """
    if not table.columns:
        msg = (
            f"{table.where()}: expected a column per label after the photo and the split, got none"
        )
        raise DataError(msg)
    entries = table.entries(lambda row: _targets(row, table))
    targets = bytearray().join(entry.value for entry in entries.values())
    rows = torch.frombuffer(targets, dtype=torch.int8).view(len(entries), -1)
    return labelled(table, table.columns, entries, rows, options.images)


def _targets(row: Row, table: PhotoTable) -> bytes:
    try:
        return bytes(map(TARGETS.__getitem__, row.cells))
    except KeyError:
        return bytes(
            _target(cell, name, row.number, table)
            for name, cell in zip(table.columns, row.cells, strict=True)
        )


def _target(cell: Cell, name: str, number: int, table: PhotoTable) -> int:
    try:
        return TARGETS[str(cell).strip()]
    except KeyError:
        msg = (
            f"{table.where(number)}: expected 1, 0, -1 or nothing in the column {name!r}, "
            f"got {cell!r}; a list of labels goes into one column, 'image,labels[,split]'"
        )
        raise DataError(msg) from None


FORMAT = Format(
    "csv-columns",
    "a CSV with one column per label, of 1, 0 and -1 or nothing",
    "image,split,dog,sky\na.jpg,train,1,0\nb.jpg,test,,1",
    recognises,
    read,
)
