"""Tables of any layout, for formats that hold one beside something else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tagsight.data.format import DEFAULTS
from tagsight.data.formats import csv_columns, csv_list, csv_long
from tagsight.data.tables.layout import layout_of

if TYPE_CHECKING:
    from tagsight.data.format import Labelled, ReadOptions
    from tagsight.data.tables.layout import Kind
    from tagsight.data.tables.table import Table

READERS = {module.KIND: module.read_table for module in (csv_columns, csv_list, csv_long)}


def read_table(table: Table, options: ReadOptions = DEFAULTS, kind: Kind | None = None) -> Labelled:
    r"""Read the labels of a table, by the layout that its columns show.

    Args:
        table: The table.
        options: Columns, and the folder of the photos.
        kind: The layout, if it is known.

    Raises:
        DataError: If its columns or a row cannot be understood.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.data.tables.csv_table import CsvTable
        >>> file = Path("table.csv")
        >>> for text in ("photo,tags\na.jpg,dog;sky\n", "photo,dog,sky\na.jpg,1,\n"):
        ...     _ = file.write_text(text)
        ...     read_table(CsvTable(file)).targets.tolist()
        [[1, 1]]
        [[1, -1]]
    """
    layout = layout_of(table, options.columns, kind)
    return READERS[layout.kind](table, layout, options)
