"""Tables whose first column joins photo and label, as in competitions: ``ID_0a1_epidural,1``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tagsight.data.tables.layout import Layout, layout_of
from tagsight.data.tables.names import LABEL_COLUMNS, OUTLINES, VALUE_COLUMNS, is_photo, is_target
from tagsight.data.tables.names import key_of as key
from tagsight.data.tables.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tagsight.data.format import Columns
    from tagsight.data.tables.csv_table import CsvTable
    from tagsight.data.tables.layout import Kind
    from tagsight.data.tables.table import Cell

MARK = "_"
FEWEST_LABELS = 3
"""Labels from which on a column called ID is taken for photos and labels: two may be sides."""

FULL = 0.6
"""Share of the rows for each photo and label of a sample that must be there."""


class JoinedTable(Table):
    r"""A table of photos, labels and targets, made of one that joins the first two in a cell.

    Args:
        table: A table of two columns, of which `is_joined` is true.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.data.tables.csv_table import CsvTable
        >>> text = "Image_Label,EncodedPixels\na.jpg_Fish,1 2\na.jpg_Sugar,\n"
        >>> _ = Path("a.csv").write_text(text)
        >>> [cells for _, cells in JoinedTable(CsvTable(Path("a.csv"))).records()]
        [['a.jpg', 'Fish', '1'], ['a.jpg', 'Sugar', '0']]
    """

    row_word = "line"
    layout = Layout("csv-long", image=0, labels=(1,), confidence=2)

    def __init__(self, table: CsvTable) -> None:
        self._table = table
        self._is_outline = key(table.names[1]) in OUTLINES
        self.delimiter, self.encoding = table.delimiter, table.encoding
        self.notes = (*table.notes, f"photos and labels joined in {table.names[0]!r}")
        super().__init__(table.source, ("image", "label", "present"), has_header=True)

    def where(self, number: int | None = None) -> str:
        """Name the file and the line."""
        return self._table.where(number)

    def folders(self, images: Path | None) -> list[Path]:
        """Return the folders of the table that is read."""
        return self._table.folders(images)

    def records(self, joined_from: int | None = None) -> Iterator[tuple[int, list[Cell]]]:
        """Yield the photo, the label and the target of each row; an outline is a target 1."""
        del joined_from  # there are few cells
        for number, (joined, value) in self._table.records():
            photo, _, label = str(joined).strip().rpartition(MARK)
            target = str(int(bool(str(value).strip()))) if self._is_outline else value
            yield number, [photo, label, target]


def kind_of(table: CsvTable, columns: Columns) -> Kind:
    r"""Return the layout of a table.

    Args:
        table: The table.
        columns: Columns that the user names.

    Raises:
        DataError: If its columns cannot be understood.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.data.format import DEFAULTS
        >>> from tagsight.data.tables.csv_table import CsvTable
        >>> _ = Path("table.csv").write_text("image,labels\na.jpg,dog\n")
        >>> kind_of(CsvTable(Path("table.csv")), DEFAULTS.columns)
        'csv-list'
    """
    if is_joined(table, columns):
        return JoinedTable.layout.kind
    return layout_of(table, columns).kind


def is_joined(table: CsvTable, columns: Columns) -> bool:
    r"""Return whether the first of two columns has photos and labels, and the second targets.

    The first column is called as both are, such as ``Image_Label``, or ID where the second is
    called label. Most photos have a row for most labels.

    Args:
        table: The table.
        columns: Columns that the user names; if there are any of photos or labels, it is not.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.data.format import DEFAULTS
        >>> from tagsight.data.tables.csv_table import CsvTable
        >>> rows = "".join(f"ID_{photo}_{label},0\n" for photo in "ab" for label in ("x", "y", "z"))
        >>> _ = Path("rows.csv").write_text(f"ID,Label\n{rows}")
        >>> is_joined(CsvTable(Path("rows.csv")), DEFAULTS.columns)
        True
    """
    named = columns.image_column or columns.labels_column or columns.label_columns
    if named or len(table.names) != 2 or not table.has_header or not table.sample:
        return False
    first, second = table.names
    is_outline = key(second) in OUTLINES
    if not is_outline and not all(map(is_target, table.column(1))):
        return False
    cells = [str(row[0]).strip().rpartition(MARK) for row in table.sample]
    photos, labels = {photo for photo, _, _ in cells}, {label for _, _, label in cells}
    if "" in photos | labels or len({*cells}) < FULL * len(photos) * len(labels):
        return False
    if key(first.rpartition(MARK)[2]) in LABEL_COLUMNS and MARK in first:
        return True
    is_named = key(first) == "id" and key(second) in {*LABEL_COLUMNS, *VALUE_COLUMNS}
    several = len(labels) >= FEWEST_LABELS and not any(map(str.isdecimal, labels))
    return (is_named and several and len(photos) > 1) or (is_outline and all(map(is_photo, photos)))
