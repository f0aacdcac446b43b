"""Rows of a table that are no photos, such as totals and remarks, and rows that go on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tagsight.data.tables.names import (
    IMAGE_COLUMNS,
    LABEL_COLUMNS,
    TOTALS,
    is_number,
    is_photo,
    is_target,
    key_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

USUAL = frozenset(
    spelling
    for ending in (".jpg", "jpeg", ".png", "webp", ".tif", "heic")
    for spelling in (ending, ending.upper())
)
"""Last characters of most photos, which are looked at first."""


class OtherRows:
    """Tells rows that count those above, or are a remark, from rows of photos.

    Args:
        names: Names of the columns.
        rows: The first rows.

    Attributes:
        count: Rows that were found since they were cleared.
        first: The first of them, joined.

    Example:
        >>> rows = OtherRows(["image", "dog"], [["a.jpg", "1"], ["b.jpg", "1"]])
        >>> [rows.has(cells, ",") for cells in (["c.jpg", "0"], ["Total", "2"], ["by Ann", ""])]
        [False, True, True]
        >>> rows.count, rows.first
        (2, 'Total,2')
    """

    def __init__(self, names: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        columns = range(min(map(len, rows), default=0))
        photos = [i for i in columns if 2 * sum(is_photo(row[i]) for row in rows) > len(rows)]
        named = [i for i in columns if i < len(names) and key_of(names[i]) in IMAGE_COLUMNS]
        self._has_endings = bool(photos)
        self._place = next(iter(photos or named), 0)
        self.clear()

    def clear(self) -> None:
        """Forget the rows that were found."""
        self.count, self.first = 0, ""

    def has(self, cells: Sequence[str], mark: str) -> bool:
        """Note a row and return True if it is no photo's.

        Args:
            cells: Its cells; the last may be several, joined.
            mark: Text between joined cells.
        """
        if self._place >= len(cells):
            return False
        name = cells[self._place]
        if name[-4:] in USUAL:
            return False
        if not self._has_endings and name and name.strip().lower() not in TOTALS:
            return False
        if self._is_other(name.strip(), [*cells[: self._place], *cells[self._place + 1 :]], mark):
            self.first = self.first if self.count else mark.join(cells)
            self.count += 1
            return True
        return False

    def _is_other(self, name: str, others: Sequence[str], mark: str) -> bool:
        if is_photo(name):
            return False
        cells = [cell.strip() for joined in others for cell in joined.split(mark)]
        filled = [cell for cell in cells if cell]
        if not filled:
            return self._has_endings and len(name.split()) > 1
        if not all(map(is_number, filled)):
            return False
        words = {word.strip(":.").lower() for word in (name, *name.split())}
        return bool(words & TOTALS) if name else not all(map(is_target, filled))


def numbered_labels(names: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return names of columns, of which those that go on a column of labels are numbered.

    They repeat its name, or have none, as below a merged cell.

    Args:
        names: The names.
        rows: The first rows below.

    Example:
        >>> numbered_labels(["image", "labels", ""], [["a.jpg", "dog", "sky"]])
        ['image', 'label1', 'label2']
        >>> numbered_labels(["image", "label", "label", "by"], [["a.jpg", "dog", "", "Ann"]])
        ['image', 'label1', 'label2', 'by']
    """
    first = next((i for i, name in enumerate(names) if key_of(name) in LABEL_COLUMNS), len(names))
    last = first + 1
    while last < len(names) and (not names[last] or names[last] == names[first]):
        last += 1
    run = range(first, last)
    cells = (row[i] for row in rows for i in run if i < len(row))
    if len(run) < 2 or all(map(is_target, cells)):
        return [*names]
    return [*names[:first], *(f"label{n}" for n, _ in enumerate(run, 1)), *names[last:]]
