"""Messages about the columns of a table: what they are taken for, and which are not used."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from tagsight.data.tables.names import IMAGE_COLUMNS, LABEL_COLUMNS, key_of
from tagsight.data.tables.row_flags import is_row_flag, log_row_flags

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tagsight.data.tables.layout import Layout
    from tagsight.data.tables.table import Table

MOST_NAMED = 6
ALONE = "labels alone"
"""What `log_layout` is told of cells with one label each."""

logger = logging.getLogger(__name__)


def log_layout(table: Table, layout: Layout, labels: str) -> None:
    r"""Log what the columns are taken for unless their names say it, and which are not used.

    Args:
        table: The table.
        layout: The meaning of its columns.
        labels: What the labels' columns hold, in words.

    Example:
        >>> from pathlib import Path
        >>> from unittest import TestCase
        >>> from tagsight.data.format import Columns
        >>> from tagsight.data.tables.csv_table import CsvTable
        >>> from tagsight.data.tables.layout import layout_of
        >>> _ = Path("table.csv").write_text("image,dog,sky,note\na.jpg,1,0,mine\n")
        >>> table = CsvTable(Path("table.csv"))
        >>> with TestCase().assertLogs(logger) as logged:
        ...     log_layout(table, layout_of(table, Columns()), "targets")
        >>> logged.records[-1].getMessage()
        "table.csv: not used as labels: 'note'; `label_columns` decides"
    """
    names = table.names
    several = listed([names[place] for place in layout.labels])
    parts = [f"photos in column {names[layout.image]!r}", f"{labels} in {several}"]
    if layout.split is not None:
        parts.append(f"splits in {names[layout.split]!r}")
        parts[-1] += _meaning(layout.split_names)
    if not table.has_header:
        parts.insert(0, "no header")
    parts[:0] = table.notes
    has_numbers = layout.split is not None and "1" in layout.split_names
    if table.notes or has_numbers or not _is_plain(table, layout, labels):
        logger.info("%s: %s", table.source, ", ".join(parts))
    if layout.ignored:
        logger.warning(
            "%s: not used as labels: %s; `label_columns` decides",
            table.source,
            listed(layout.ignored),
        )
    if layout.kind == "csv-columns" and table.has_header:
        flags = filter(is_row_flag, layout.ignored)
        log_row_flags(table.source, flags, (names[place] for place in layout.labels))


def _is_plain(table: Table, layout: Layout, labels: str) -> bool:
    """Return whether names say what the columns are, and no cell has several labels."""
    keys = [key_of(name) for name in table.names]
    named = layout.kind == "csv-columns" or (
        labels == ALONE and all(keys[place] in LABEL_COLUMNS for place in layout.labels)
    )
    return table.has_header and keys[layout.image] in IMAGE_COLUMNS and named


def _meaning(splits: Mapping[str, str]) -> str:
    """Return what numbers mean in a column of splits, in words, or nothing."""
    numbers = [f"{number} {splits[number]}" for number in "012" if number in splits]
    return f" ({', '.join(numbers)})" if numbers else ""


def listed(names: Sequence[str]) -> str:
    """Return the first names, quoted, and dots for the others.

    Example:
        >>> listed(["dog", "sky"])
        "'dog', 'sky'"
    """
    shown = ", ".join(map(repr, names[:MOST_NAMED]))
    return f"{shown}, ..." if len(names) > MOST_NAMED else shown
