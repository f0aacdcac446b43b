"""Tables with a column for each label, which lists the photos that have it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tagsight.data.tables.layout import Layout
from tagsight.data.tables.names import is_photo, key_of, names_photos
from tagsight.data.tables.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tagsight.data.format import Columns
    from tagsight.data.tables.csv_table import CsvTable
    from tagsight.data.tables.table import Cell


class PhotoColumnsTable(Table):
    r"""A table of photos and labels, made of one with the photos of each label in its column.

    Args:
        table: A table of which `has_photo_columns` is true.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.data.tables.csv_table import CsvTable
        >>> _ = Path("a.csv").write_text("dog,sky\na.jpg,b.jpg\nb.jpg,\n")
        >>> [cells for _, cells in PhotoColumnsTable(CsvTable(Path("a.csv"))).records()]
        [['a.jpg', 'dog'], ['b.jpg', 'sky'], ['b.jpg', 'dog']]
    """

    row_word = "line"
    layout = Layout("csv-long", image=0, labels=(1,))

    def __init__(self, table: CsvTable) -> None:
        self._table = table
        self.delimiter, self.encoding = table.delimiter, table.encoding
        self.notes = (*table.notes, "each column lists the photos of a label")
        super().__init__(table.source, ("image", "label"), has_header=True)

    def where(self, number: int | None = None) -> str:
        """Name the file and the line."""
        return self._table.where(number)

    def folders(self, images: Path | None) -> list[Path]:
        """Return the folders of the table that is read."""
        return self._table.folders(images)

    def records(self, joined_from: int | None = None) -> Iterator[tuple[int, list[Cell]]]:
        """Yield a photo and its label for each cell that is not blank."""
        del joined_from  # every cell is a photo
        for number, cells in self._table.records():
            for name, cell in zip(self._table.names, cells, strict=True):
                if photo := str(cell).strip():
                    yield number, [photo, name]


def has_photo_columns(table: CsvTable, columns: Columns) -> bool:
    r"""Return whether each column of a table lists the photos of a label, and has its name.

    Columns then end in different rows, or have photos in common; otherwise a row may be a pair.

    Args:
        table: The table.
        columns: Columns that the user names; if there are any of photos or labels, none does.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.data.format import DEFAULTS
        >>> from tagsight.data.tables.csv_table import CsvTable
        >>> for text in ("dog,sky\na.jpg,b.jpg\nb.jpg,\n", "left,right\na.jpg,b.jpg\n"):
        ...     _ = Path("a.csv").write_text(text)
        ...     has_photo_columns(CsvTable(Path("a.csv")), DEFAULTS.columns)
        True
        False
    """
    named = columns.image_column or columns.labels_column or columns.label_columns
    names = table.names
    if named or not table.has_header or len({*filter(None, names)}) < max(len(names), 2):
        return False
    first = [str(cell).strip() for row in table.sample[:1] for cell in row]
    if any(cell and not is_photo(cell) for cell in first):
        return False
    if any(names_photos(key_of(name)) for name in names):
        return False
    cells = [table.column(place) for place in range(len(names))]
    photos = [{photo for photo in column if photo} for column in cells]
    if not all(photos) or not all(is_photo(photo) for column in photos for photo in column):
        return False
    return any("" in column for column in cells) or len(set().union(*photos)) < sum(
        map(len, photos)
    )
