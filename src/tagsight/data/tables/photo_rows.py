"""Lists with a row for each label, which names the photos that have it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tagsight.data.tables.layout import Layout
from tagsight.data.tables.names import is_number, is_photo
from tagsight.data.tables.table import Table, shown_cells
from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tagsight.data.format import Columns
    from tagsight.data.tables.csv_table import CsvTable
    from tagsight.data.tables.table import Cell

FEWEST_LABELS = 2
MARKS = (",", ";", "|")
"""Marks between photos in a cell; a blank is another."""

_LABEL = re.compile(r"([^:/\\\t]+?)\s*(?::\s+|\t\s*)(\S.*)")
"""A label, a colon and a blank, or a tab, and its first photo."""


class PhotoRowsTable(Table):
    r"""A table of photos and labels, made of a list with the photos of each label in its row.

    Args:
        table: A table of which `has_photo_rows` is true.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.data.tables.csv_table import CsvTable
        >>> _ = Path("a.txt").write_text("dog: a.jpg, b.jpg\nsky: b.jpg\n")
        >>> [cells for _, cells in PhotoRowsTable(CsvTable(Path("a.txt"))).records()]
        [['a.jpg', 'dog'], ['b.jpg', 'dog'], ['b.jpg', 'sky']]
    """

    row_word = "line"
    layout = Layout("csv-long", image=0, labels=(1,))

    def __init__(self, table: CsvTable) -> None:
        self._table, self._is_label_last = table, _is_label_last(table)
        self.delimiter, self.encoding = table.delimiter, table.encoding
        self.notes = (*table.notes, "each line lists the photos of a label")
        super().__init__(table.source, ("image", "label"), has_header=True)

    def where(self, number: int | None = None) -> str:
        """Name the file and the line."""
        return self._table.where(number)

    def folders(self, images: Path | None) -> list[Path]:
        """Return the folders of the table that is read."""
        return self._table.folders(images)

    def records(self, joined_from: int | None = None) -> Iterator[tuple[int, list[Cell]]]:
        """Yield a photo and its label for each photo of a row."""
        del joined_from  # every cell is a photo
        for number, cells in self._table.records():
            found = _label_and_photos(cells, is_last=self._is_label_last)
            if found is None:
                msg = f"{self.where(number)}: expected a label and its photos, got"
                raise DataError(f"{msg} {shown_cells(cells)}")
            label, photos = found
            for photo in photos:
                yield number, [photo, label]


def has_photo_rows(table: CsvTable, columns: Columns) -> bool:
    r"""Return whether each row of a list has a label of its own and its photos.

    A row has several of them; otherwise it is a row for each photo and label. Below a header there
    is one column of labels and one of photos.

    Args:
        table: The table.
        columns: Columns that the user names; if there are any of photos or labels, it has not.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.data.format import DEFAULTS
        >>> from tagsight.data.tables.csv_table import CsvTable
        >>> few, one = "dog,a.jpg,b.jpg\nsky,b.jpg\n", "dog,a.jpg\nsky,a.jpg\n"
        >>> for text in (few, one, "label,photos\ndog,a.jpg; b.jpg\nsky,b.jpg\n"):
        ...     _ = Path("a.csv").write_text(text)
        ...     has_photo_rows(CsvTable(Path("a.csv")), DEFAULTS.columns)
        True
        False
        True
    """
    named = columns.image_column or columns.labels_column or columns.label_columns
    are_two = len(table.names) == 2
    if named or len(table.sample) < FEWEST_LABELS or (table.has_header and not are_two):
        return False
    is_last = _is_label_last(table)
    found = [_label_and_photos(cells, is_last=is_last) for cells in table.sample]
    rows = [row for row in found if row is not None]
    labels = {label for label, _ in rows}
    are_labels = len(labels) == len(found) and not any(map(is_number, labels))
    return are_labels and any(len(photos) > 1 for _, photos in rows)


def _is_label_last(table: CsvTable) -> bool:
    """Return whether the first of two columns with a header has photos."""
    return table.has_header and any(is_photo(row[0]) for row in table.sample)


def _label_and_photos(cells: Sequence[Cell], *, is_last: bool) -> tuple[str, list[str]] | None:
    """Return the label of a row and its photos, or None if it is not such a row."""
    label, *others = (str(cell).strip() for cell in (reversed(cells) if is_last else cells))
    if is_photo(label):
        if (match := _LABEL.fullmatch(label)) is None:
            return None
        label, first = match.groups()
        others.insert(0, first)
    photos = [photo for cell in others for photo in _photos_in(cell)]
    label = label.removesuffix(":").rstrip()
    return (label, photos) if label and all(map(is_photo, photos)) else None


def _photos_in(cell: str) -> list[str]:
    """Return the photos that a cell lists; what lists no photos is one."""
    for mark in (*MARKS, None):
        parts = [part.strip() for part in cell.split(mark)]
        if len(parts) > 1 and all(map(is_photo, filter(None, parts))):
            return list(filter(None, parts))
    return [cell] if cell else []
