"""Columns of a table that hold no labels: numbers of rows, folders of photos, and splits."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tagsight.data.tables.cells import SEPARATORS
from tagsight.data.tables.names import (
    FOLDER_COLUMNS,
    INDEX_NAME,
    LABEL_COLUMNS,
    MAYBE_IDS,
    MAYBE_SPLIT,
    NUMBERED_SPLIT_COLUMNS,
    NUMBERED_SPLITS,
    ROW_NAMES,
    SPLIT_COLUMNS,
    SPLIT_NAMES,
    UNASSIGNED,
    is_number,
    is_photo,
    is_target,
    key_of,
)
from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Collection, Mapping, Sequence

    from tagsight.data.tables.table import Table

WHOLE = re.compile(r"\d+(?:\.0*)?")


def share_of(counts: Counter[str], fits: Callable[[str], object]) -> float:
    """Return the share of the cells, other than blank ones, that a test accepts.

    Example:
        >>> from collections import Counter
        >>> share_of(Counter({"3": 2, "dog": 1, "": 5}), str.isdecimal) > 0.6
        True
    """
    filled = sum(count for cell, count in counts.items() if cell)
    fitting = sum(count for cell, count in counts.items() if cell and fits(cell))
    return fitting / filled if filled else 0.0


def is_index(table: Table, place: int) -> bool:
    r"""Return whether a column has the numbers of rows, as pandas writes them, or nothing.

    Its name is empty or ``Unnamed: 0``. Tables that were joined repeat their numbers.

    Args:
        table: The table.
        place: Position of the column.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.data.tables.csv_table import CsvTable
        >>> _ = Path("table.csv").write_text(",image,dog\n0,a.jpg,1\n0,b.jpg,0\n")
        >>> [is_index(CsvTable(Path("table.csv")), place) for place in range(3)]
        [True, False, False]
    """
    key = key_of(table.names[place])
    if not table.has_header or not INDEX_NAME.fullmatch(key):
        return False
    counts = table.column(place)
    if not any(counts):
        return True
    if place and not key:  # perhaps a label whose name is missing
        return False
    is_first_of_all = place == 0 and not key
    return all(
        WHOLE.fullmatch(cell) and (count == 1 or is_first_of_all) for cell, count in counts.items()
    )


def is_row_number(table: Table, place: int) -> bool:
    r"""Return whether a column counts the rows, at least two, from 0 or 1 and is called so.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.data.tables.csv_table import CsvTable
        >>> _ = Path("table.csv").write_text("No.,image,dog\n0,a.jpg,0\n1,b.jpg,1\n")
        >>> [is_row_number(CsvTable(Path("table.csv")), place) for place in range(3)]
        [True, False, False]
    """
    name = table.names[place]
    is_called = ROW_NAMES.fullmatch(key_of(name)) or name == f"...{place + 1}"  # as R has it
    if not table.has_header or not is_called:
        return False
    cells = [str(row[place]).strip() for row in table.sample]
    counts = (list(map(str, range(first, first + len(cells)))) for first in (0, 1))
    return len(cells) > 1 and cells in counts


def require_names(table: Table, left_out: Collection[int]) -> None:
    r"""Refuse a header that does not name each column, other than an index of photos.

    Args:
        table: The table.
        left_out: Positions of columns that are not used.

    Raises:
        DataError: If a name is empty or repeated.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.data.tables.csv_table import CsvTable
        >>> _ = Path("table.csv").write_text("image,dog,dog\na.jpg,1,0\n")
        >>> require_names(CsvTable(Path("table.csv")), {2})
    """
    names = [name for i, name in enumerate(table.names) if i not in left_out]
    if names.count("") == 1 and (
        share_of(table.column(table.names.index("")), is_photo) > 0.5
        or names_of_rows(table, [i for i in range(len(table.names)) if i not in left_out])
    ):
        names.remove("")  # an index of photos that pandas or R wrote
    if odd := sorted({name for name in names if not name or names.count(name) > 1}):
        msg = (
            f"{table.where()}: expected a header of different names, "
            f"got {odd!r} empty or repeated; give every column its own name there"
        )
        raise DataError(msg)


def repeats_photos(table: Table, image: int, place: int) -> bool:
    r"""Return whether a photo has rows with different labels, one label each.

    Args:
        table: The table.
        image: Position of the column with the photos.
        place: Position of the column with the labels.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.data.tables.csv_table import CsvTable
        >>> _ = Path("table.csv").write_text("image,label\na.jpg,dog\na.jpg,sky\n")
        >>> repeats_photos(CsvTable(Path("table.csv")), 0, 1)
        True
    """
    if any(mark in cell for cell in table.column(place) for mark in (*SEPARATORS, "[")):
        return False
    first: dict[str, str] = {}
    return any(
        first.setdefault(str(cells[image]), str(cells[place])) != str(cells[place])
        for cells in table.sample
        if len(cells) > max(image, place)
    )


def folder_of(table: Table, image: int, free: Sequence[int]) -> int | None:
    r"""Return the column with the folders of photos, if their names alone do not tell them apart.

    Args:
        table: The table.
        image: Position of the column with the names.
        free: Positions of the columns that it may be.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.data.tables.csv_table import CsvTable
        >>> _ = Path("table.csv").write_text("file,folder,dog\n1.jpg,a,1\n1.jpg,b,0\n")
        >>> folder_of(CsvTable(Path("table.csv")), 0, [1, 2])
        1
    """
    for place in free:
        if table.has_header and key_of(table.names[place]) in FOLDER_COLUMNS:
            pairs = {(row[image], row[place]) for row in table.sample}
            if len(pairs) > len({name for name, _ in pairs}):
                return place
    return None


def ids_of(table: Table, free: Sequence[int]) -> list[int]:
    r"""Return the columns of ids, by their names, whose cells all differ.

    Args:
        table: The table.
        free: Positions of the columns that it may be.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.data.tables.csv_table import CsvTable
        >>> _ = Path("table.csv").write_text("StudyInstanceUID,dog,PatientID\n1.2,1,a\n1.3,0,a\n")
        >>> ids_of(CsvTable(Path("table.csv")), [0, 1, 2])
        [0]
    """
    named = (place for place in free if MAYBE_IDS.search(key_of(table.names[place])))
    return [place for place in named if max(table.column(place).values(), default=0) == 1]


def names_of_rows(table: Table, free: Sequence[int]) -> list[int]:
    r"""Return the first column if its cells are words that differ, and all others hold targets.

    Args:
        table: The table.
        free: Positions of the columns that it may be beside.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.data.tables.csv_table import CsvTable
        >>> _ = Path("table.csv").write_text("thing,dog,sky\nIMG_1,1,0\nIMG_2,0,1\n")
        >>> names_of_rows(CsvTable(Path("table.csv")), [0, 1, 2])
        [0]
    """
    if len(free) < 3 or free[0] or not table.has_header:
        return []
    names = table.column(0)
    are_names = len(names) > 1 and max(names.values()) == 1
    are_names = are_names and not any(not cell or is_number(cell) for cell in names)
    others = (cell for place in free[1:] for cell in table.column(place))
    return [0] if are_names and all(map(is_target, others)) else []


def split_of(table: Table, free: Sequence[int]) -> tuple[int | None, Mapping[str, str]]:
    r"""Return the position of the column with the splits, or None, and what its cells mean.

    Its name says so, or all its cells are splits, more than one of them.

    Args:
        table: The table.
        free: Positions of the columns that it may be.

    Raises:
        DataError: If there is a column of 1 and 0 for each split.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.data.tables.csv_table import CsvTable
        >>> _ = Path("table.csv").write_text("image,dog,use\na.jpg,1,train\nb.jpg,0,dev\n")
        >>> place, meanings = split_of(CsvTable(Path("table.csv")), [1, 2])
        >>> place, meanings["dev"]
        (2, 'val')
    """
    keys = [key_of(name) for name in table.names]
    one_a_split = [place for place in free if keys[place] in SPLIT_NAMES]
    for place in free:
        key = keys[place]
        if is_numbered(table, place):
            return place, NUMBERED_SPLITS
        if key in {"split", "splitname"}:
            return place, SPLIT_NAMES
        cells = {cell.lower() for cell in table.column(place)} - {UNASSIGNED}
        meanings = SPLIT_COLUMNS.get(key, SPLIT_NAMES)
        known = {meanings[cell] for cell in cells if cell in meanings}
        if not table.has_header:
            if 2 * len(known) > len(cells) or (not cells and len(free) > 1):
                return place, meanings
        elif known and cells <= meanings.keys():
            is_named = key in SPLIT_COLUMNS or key in MAYBE_SPLIT or "split" in key
            if is_named or (key not in LABEL_COLUMNS and len(known) > 1):
                if place in one_a_split:
                    _require_one_column(table, one_a_split)
                return place, meanings
    _require_one_column(table, one_a_split)
    return None, SPLIT_NAMES


def is_numbered(table: Table, place: int) -> bool:
    r"""Return whether a column has the numbers 0, 1 and 2 of splits, and is called so.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.data.tables.csv_table import CsvTable
        >>> _ = Path("table.csv").write_text("image,split\na.jpg,0\nb.jpg,1\nc.jpg,2\n")
        >>> is_numbered(CsvTable(Path("table.csv")), 1)
        True
    """
    is_named = key_of(table.names[place]) in NUMBERED_SPLIT_COLUMNS
    return is_named and set(table.column(place)) == NUMBERED_SPLITS.keys()


def _require_one_column(table: Table, places: Sequence[int]) -> None:
    """Refuse a column of 1 and 0 for each split, which would be learned as labels."""
    names = [table.names[place] for place in places]
    splits = {SPLIT_NAMES[key_of(name)] for name in names}
    cells = {cell for place in places for cell in table.column(place)}
    if len(splits) > 1 and cells <= {"0", "1", "0.0", "1.0", "True", "False", ""}:
        msg = (
            f"{table.where()}: expected the split in one column, as train, val or test, got "
            f"{', '.join(map(repr, names))}; write one, or name the others as `label_columns`"
        )
        raise DataError(msg)
