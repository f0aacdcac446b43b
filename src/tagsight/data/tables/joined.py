"""Tables whose first column joins photo and label, as in competitions: ``ID_0a1_epidural,1``."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from tagsight.data.tables.layout import Layout, layout_of
from tagsight.data.tables.names import (
    ENDINGS,
    LABEL_COLUMNS,
    OUTLINES,
    VALUE_COLUMNS,
    is_photo,
    is_target,
)
from tagsight.data.tables.names import key_of as key
from tagsight.data.tables.photo_columns import PhotoColumnsTable, has_photo_columns
from tagsight.data.tables.photo_rows import has_photo_rows
from tagsight.data.tables.table import Table
from tagsight.data.tables.transposed import with_photo_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tagsight.data.format import Columns
    from tagsight.data.tables.csv_table import CsvTable
    from tagsight.data.tables.layout import Kind
    from tagsight.data.tables.table import Cell

MARK = "_"
FEWEST_LABELS = 3
"""Labels from which on a column called ID is taken for photos and labels: two may be sides."""

FULL = 0.6
"""Share of the rows for each photo and label from which on they are joined without doubt."""

RECURRING = 0.9
"""Share of the rows whose labels other photos have too, where rows are missing."""

FEWEST_SORTED = 1_000
"""Rows of a sample from which on it may have one label, as the rows are sorted by label."""

_Cut: TypeAlias = Callable[[str], tuple[str, str]]

_ENDING = re.compile(
    rf"(.+\.(?:{'|'.join(sorted(ending[1:] for ending in ENDINGS))}))_(.+)", re.IGNORECASE
)
"""A photo with its ending, and a label."""


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
        self._cut = _cut_of(table) or _at_last
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
            photo, label = self._cut(str(joined).strip())
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
    if has_photo_columns(table, columns) or has_photo_rows(table, columns):
        return PhotoColumnsTable.layout.kind
    return layout_of(with_photo_rows(table), columns).kind


def is_joined(table: CsvTable, columns: Columns) -> bool:
    r"""Return whether the first of two columns has photos and labels, and the second targets.

    The first column is called as both are, such as ``Image_Label``, or ID where the second is
    called label. Most photos have a row for most labels, or several labels that others have too.

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
    return _cut_of(table) is not None


def _cut_of(table: CsvTable) -> _Cut | None:
    """Return where the cells of the first column are cut, or None if they are not joined."""
    first, second = table.names
    is_outline = key(second) in OUTLINES
    if not is_outline and not all(map(is_target, table.column(1))):
        return None
    is_called = MARK in first and key(first.rpartition(MARK)[2]) in LABEL_COLUMNS
    is_named = key(first) == "id" and key(second) in {*LABEL_COLUMNS, *VALUE_COLUMNS}
    if not (is_called or is_named or is_outline):
        return None
    sample = list(dict.fromkeys(str(row[0]).strip() for row in table.sample))
    if found := _fitting(sample, is_called=is_called, is_named=is_named):
        return found
    if len(table.sample) < FEWEST_SORTED or not all(MARK in one for one in sample):
        return None
    cells = dict.fromkeys(str(row[0]).strip() for _, row in table.records())  # sorted by label
    return _fitting(list(cells), is_called=is_called, is_named=is_named)


def _fitting(cells: Sequence[str], *, is_called: bool, is_named: bool) -> _Cut | None:
    """Return the first cut with which different photos have the same labels."""
    for cut in _CUTS:
        pairs = list(map(cut, cells))
        photos = Counter(photo for photo, _ in pairs)
        labels = Counter(label for _, label in pairs)
        if not (all(photos) and all(labels) and _are_shared(photos, labels)):
            continue
        several = len(labels) >= FEWEST_LABELS and not any(map(str.isdecimal, labels))
        if is_called and len(labels) > 1:
            return cut
        if is_named and several and len(photos) > 1:
            return cut
        if not (is_called or is_named) and all(map(is_photo, photos)):
            return cut
    return None


def _are_shared(photos: Counter[str], labels: Counter[str]) -> bool:
    """Return whether most photos have most labels, or several of those that others have."""
    if photos.total() >= FULL * len(photos) * len(labels):
        return True
    several = sum(count > 1 for count in photos.values())
    recurring = sum(count for count in labels.values() if count > 1)
    return recurring >= RECURRING * labels.total() and 2 * several >= len(photos) >= len(labels)


def _at_ending(joined: str) -> tuple[str, str]:
    found = _ENDING.fullmatch(joined)
    return (found[1], found[2]) if found else ("", "")


def _at_last(joined: str) -> tuple[str, str]:
    photo, _, label = joined.rpartition(MARK)
    return photo, label


def _after(marks: int) -> _Cut:
    """Cut at a mark counted from the left, so that labels may have marks as well."""

    def cut(joined: str) -> tuple[str, str]:
        parts = joined.split(MARK)
        return MARK.join(parts[:marks]), MARK.join(parts[marks:])

    return cut


_CUTS: tuple[_Cut, ...] = (_at_ending, _at_last, _after(1), _after(2), _after(3))
"""Ways to cut a photo and a label apart, the surest first."""
