"""Tables with a column for each photo and a row for each label."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tagsight.data.source import clean_name
from tagsight.data.tables.names import is_photo
from tagsight.data.tables.table import Table, shown_cells
from tagsight.errors import DataError
from tagsight.runtime.amounts import amount
from tagsight.runtime.escaping import csv_content

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tagsight.data.format import Columns, Labelled
    from tagsight.data.tables.csv_table import CsvTable
    from tagsight.data.tables.table import Cell

FEWEST_PHOTOS = 2


class TransposedTable(Table):
    r"""A table with a row for each photo, made of one with a column for each.

    All cells are held in memory.

    Args:
        table: A table of which `has_photos_across` is true.

    Raises:
        DataError: If a row has another number of cells than the first.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.data.tables.csv_table import CsvTable
        >>> _ = Path("a.csv").write_text("label,a.jpg,b.jpg\ndog,1,0\nsky,1,1\n")
        >>> table = TransposedTable(CsvTable(Path("a.csv")))
        >>> table.names, [cells for _, cells in table.records()]
        (('image', 'dog', 'sky'), [['a.jpg', '1', '1'], ['b.jpg', '0', '1']])
    """

    row_word = "column"

    def __init__(self, table: CsvTable) -> None:
        self._table = table
        self.delimiter, self.encoding = table.delimiter, table.encoding
        self.notes = (*table.notes, "a column for each photo")
        (_, self._first), *rows = table.records()
        while not str(self._first[-1]).strip():
            self._first.pop()
        width = len(self._first)
        names, self._rows = ["image"], list[list["Cell"]]()
        for line, cells in rows:
            if len(cells) < width or any(str(cell).strip() for cell in cells[width:]):
                expected = f"expected {amount(width, 'cell')} as in the first row"
                msg = f"{table.where(line)}: {expected}, got {len(cells)}: {shown_cells(cells)}"
                raise DataError(msg)
            if any(str(cell).strip() for cell in cells):
                names.append(clean_name(csv_content(str(cells[0])), table.where(line)))
                self._rows.append(cells)
        super().__init__(table.source, names, has_header=True)

    @property
    def other_rows(self) -> tuple[int, str]:
        """How many columns are no photos, such as totals, and the name of the first."""
        others = [str(cell) for cell in self._first[1:] if not is_photo(cell)]
        return len(others), next(iter(others), "")

    def where(self, number: int | None = None) -> str:
        """Name the file, and the column."""
        return f"{self.source}" if number is None else f"{self.source}: column {number}"

    def folders(self, images: Path | None) -> list[Path]:
        """Return the folders of the table that is read."""
        return self._table.folders(images)

    def records(self, joined_from: int | None = None) -> Iterator[tuple[int, list[Cell]]]:
        """Yield the number and the cells of each column with a photo."""
        del joined_from  # cells are apart already
        for place, photo in enumerate(self._first):
            if place and is_photo(photo):
                yield place + 1, [photo, *(cells[place] for cells in self._rows)]


def has_photos_across(table: CsvTable) -> bool:
    r"""Return whether the first row of a table names photos, in most columns but the first.

    No other row has a photo: one that has may list the photos of a label.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.data.tables.csv_table import CsvTable
        >>> for text in ("label,a.jpg,b.jpg\ndog,1,0\n", "dog,a.jpg,b.jpg\nsky,b.jpg,c.jpg\n"):
        ...     _ = Path("a.csv").write_text(text)
        ...     has_photos_across(CsvTable(Path("a.csv")))
        True
        False
    """
    if table.has_header or len(table.sample) < FEWEST_PHOTOS:
        return False
    (name, *cells), *below = table.sample
    photos, others = sum(map(is_photo, cells)), sum(bool(str(cell).strip()) for cell in cells)
    if is_photo(name) or photos < FEWEST_PHOTOS or 2 * photos <= others:
        return False
    return not any(is_photo(cell) for row in below for cell in row)


def with_photo_rows(table: CsvTable) -> Table:
    r"""Return a table, or if it has a column for each photo, one that has a row for each.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.data.tables.csv_table import CsvTable
        >>> _ = Path("a.csv").write_text("image,dog,sky\na.jpg,1,0\n")
        >>> with_photo_rows(CsvTable(Path("a.csv"))).names
        ('image', 'dog', 'sky')
    """
    return TransposedTable(table) if has_photos_across(table) else table


def part_of(table: Table, part: Labelled, columns: Columns) -> Labelled:
    r"""Return what was read of a table with the columns by which its file can be read again.

    Columns of a `TransposedTable` are none of the file.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.data.format import DEFAULTS
        >>> from tagsight.data.formats.csv_columns import read
        >>> _ = Path("a.csv").write_text("label,a.jpg,b.jpg\ndog,1,0\nsky,1,1\n")
        >>> read(Path("a.csv"), DEFAULTS)[0].columns.image_column
    """
    return replace(part, columns=columns) if isinstance(table, TransposedTable) else part
