"""Columns that mostly, but not only, hold targets: refused, as other cells may mean anything."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tagsight.data.tables.measures import may_count
from tagsight.data.tables.names import is_no_label, is_target
from tagsight.data.tables.pairs import has_words_and_targets
from tagsight.data.tables.roles import share_of
from tagsight.data.tables.ticks import has_ticks_and_targets
from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tagsight.data.tables.table import Table


class MixedCellsError(DataError):
    """A column of targets has other cells as well."""


def require_one_kind(table: Table, columns: Mapping[int, Counter[str]]) -> None:
    r"""Refuse columns of marks, or of words such as positive, and of 1 or 0.

    Args:
        table: The table.
        columns: The different cells of columns by position.

    Raises:
        MixedCellsError: If there is such a column.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.data.tables.csv_table import CsvTable
        >>> _ = Path("table.csv").write_text("image,dog\na.jpg,x\nb.jpg,0\n")
        >>> table = CsvTable(Path("table.csv"))
        >>> require_one_kind(table, {1: table.column(1)})
        Traceback (most recent call last):
        tagsight.data.tables.mixtures.MixedCellsError: table.csv:1: expected 1, 0, -1 or ...
    """
    for place, cells in columns.items():
        name = table.names[place]
        if has_ticks_and_targets(cells):
            msg = (
                f"{table.where()}: expected 1, 0, -1 or nothing, or marks such as x, in the column "
                f"{name!r}, got both"
            )
            raise MixedCellsError(msg)
        if has_words_and_targets(cells):
            number, cell = _first(table, place, cells)
            msg = (
                f"{table.where(number)}: expected one pair of words for present and absent in the "
                f"column {name!r}, or 1 and 0, got {cell!r} beside others; write 1 and 0 in all of "
                "it, or leave it out with `ignore`"
            )
            raise MixedCellsError(msg)


def _first(table: Table, place: int, cells: Counter[str]) -> tuple[int, str]:
    """Return the first row with one of the rarer kind of cells."""
    words = Counter({True: 0, False: 0})
    for cell, count in cells.items():
        words[is_target(cell)] += count
    rarer = words[True] <= words[False]
    rows = ((number, str(row[place]).strip()) for number, row in table.records())
    return next((number, cell) for number, cell in rows if cell and is_target(cell) == rarer)


def require_targets(table: Table, columns: Mapping[int, Counter[str]]) -> None:
    r"""Refuse columns of which most cells, but not all, are targets, unless they are called counts.

    Args:
        table: The table.
        columns: The different cells of columns by position, without those of targets alone.

    Raises:
        MixedCellsError: If there is such a column; the message names the first other cell.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.data.tables.csv_table import CsvTable
        >>> _ = Path("table.csv").write_text("image,dog\na.jpg,1\nb.jpg,0\nc.jpg,old\n")
        >>> table = CsvTable(Path("table.csv"))
        >>> require_targets(table, {1: table.column(1)})
        Traceback (most recent call last):
        tagsight.data.tables.mixtures.MixedCellsError: table.csv:4: expected 1, 0, -1 or ...
    """
    for place, cells in columns.items():
        name = table.names[place]
        if is_no_label(name) or may_count(name) or share_of(cells, is_target) < 0.5:
            continue
        number, cell = next(
            (number, row[place])
            for number, row in table.records()
            if not is_target(str(row[place]))
        )
        msg = (
            f"{table.where(number)}: expected 1, 0, -1 or nothing, as in most rows of the column "
            f"{name!r}, got {cell!r}; if these are no targets, leave the column out with `ignore`"
        )
        raise MixedCellsError(msg)
