"""Tables with a column for each label: ``image[,split],label...``."""

from __future__ import annotations

import logging
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING

import torch

from tagsight.data.format import Format
from tagsight.data.tables.csv_table import TABLE_FILES, CsvTable
from tagsight.data.tables.layout import layout_of
from tagsight.data.tables.messages import log_layout
from tagsight.data.tables.minus_one import code_of, settle_minus_one, unsettled
from tagsight.data.tables.name_files import NAME_FILES, name_files
from tagsight.data.tables.names import TARGETS, UNKNOWN, is_number, target_of
from tagsight.data.tables.table import Photos, shown_cells
from tagsight.data.tables.ticks import BITS, BLANK, VECTOR, Ticks, are_bits, parts_of
from tagsight.data.tables.transposed import part_of, with_photo_rows
from tagsight.errors import DataError
from tagsight.runtime.amounts import amount

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from torch import Tensor

    from tagsight.data.format import Labelled, ReadOptions
    from tagsight.data.tables.layout import Kind, Layout
    from tagsight.data.tables.table import Cell, Row, Table

logger = logging.getLogger(__name__)

KIND: Kind = "csv-columns"
DIGITS = bytes(byte - 48 if byte in b"01" else 2 for byte in range(256))
"""Target of the byte of a digit; 2 for any other."""


def recognises(source: Path) -> bool:
    r"""Return whether a file is a CSV with columns of targets.

    Example:
        >>> from pathlib import Path
        >>> file = Path("table.csv")
        >>> _ = file.write_text("image,dog,sky\na.jpg,1,0\nb.jpg,0,1\n")
        >>> recognises(file)
        True
    """
    return CsvTable.kind_of(source) == KIND


def read(source: Path, options: ReadOptions) -> list[Labelled]:
    r"""Read 1 as present, 0 as absent, and -1 or an empty cell as unknown.

    If all cells are 1 or -1, as in CelebA, -1 is absent. True and yes mean 1, False and no mean 0,
    and the words for a missing value, such as nan, mean unknown. In columns of ticks, such as
    ``x``, or of yes alone, a blank is absent, unless another cell of such columns says no. Columns
    that hold anything else are not used. Where there is no header, or one cell holds all targets,
    as in ``a.jpg  0,1,1`` or ``a.jpg,011``, the names are in ``labels.txt``, ``label_list.txt`` or
    ``classes.txt`` beside the file.

    Args:
        source: The file.
        options: Columns; the photos' folder, by default the file's own or ``images``, ``photos``,
            ``img`` or ``JPEGImages`` in it.

    Raises:
        DataError: If a line cannot be understood.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.data.format import DEFAULTS
        >>> file = Path("table.csv")
        >>> _ = file.write_text("image,dog,sky\na.jpg,yes,no\nb.jpg,,yes\n")
        >>> (found,) = read(file, DEFAULTS)
        >>> found.names, found.targets.tolist()
        (('dog', 'sky'), [[1, 0], [-1, 1]])
    """
    table = with_photo_rows(CsvTable(source, options.columns))
    part = read_table(table, layout_of(table, options.columns, KIND), options)
    return [part_of(table, part, options.columns)]


def read_table(table: Table, layout: Layout, options: ReadOptions) -> Labelled:
    r"""Read the labels of a table.

    Raises:
        DataError: If a row cannot be understood.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.data.format import DEFAULTS
        >>> file = Path("table.csv")
        >>> _ = file.write_text("image,dog,sky\na.jpg,1,0\nb.jpg,0,1\n")
        >>> table = CsvTable(file)
        >>> read_table(table, layout_of(table, DEFAULTS.columns), DEFAULTS).photos
        ('a.jpg', 'b.jpg')
    """
    names, cells_of = _names_and_cells(table, layout)
    ticks = _ticks(names, table, layout)
    photos = Photos(table, layout, options)
    targets = bytearray()
    for row in photos.rows(_tail(table, layout)):
        values = _targets(cells_of(row.cells), row, names, table, ticks)
        if row.is_new:
            targets += values
        elif unsettled(targets[row.photo * len(names) :][: len(names)]) != unsettled(values):
            raise photos.contradiction(row.number, row.photo)
    log_layout(table, layout, "targets")
    if layout.split is None and "train" in names:
        logger.warning(
            "%s: 'train' taken for a label; if it is the split, name it as `split_column`",
            table.source,
        )
    settle_minus_one(targets, names, table.source)
    for pair in ticks.pairs:
        logger.info("%s: %r read as present, %r as absent", table.source, pair.yes, pair.no)
    photos.warn_of_repeated()
    rows = torch.frombuffer(targets, dtype=torch.int8).view(-1, len(names))
    _fill_blanks(rows, [name in ticks.columns for name in names], table)
    if unknown := targets.count(UNKNOWN):
        logger.info(
            "%s: %s blank or -1: unknown, neither present nor absent",
            table.source,
            amount(unknown, "target"),
        )
        if 0 not in targets:
            logger.warning(
                "%s: no cell says 0, that a label is absent; if blanks, or -1, do, give "
                "`unlisted=absent`",
                table.source,
            )
    return photos.labelled(names, rows)


def _ticks(names: Sequence[str], table: Table, layout: Layout) -> Ticks:
    """Return the columns of labels in which people tick what is present."""
    if len(names) != len(layout.labels):
        return Ticks(frozenset(), {})
    columns = {name: table.column(place) for name, place in zip(names, layout.labels, strict=True)}
    return Ticks.of(columns, table.where())


def _fill_blanks(rows: Tensor, are_ticked: Sequence[bool], table: Table) -> None:
    """Make the blanks of ticked columns absent, or unknown if other cells there say no."""
    chosen = rows[:, are_ticked] if any(are_ticked) else rows[:, :0]
    blank = chosen == BLANK
    if not blank.any():
        return
    says_no = bool((chosen == 0).any())
    rows[:, are_ticked] = chosen.masked_fill(blank, -1 if says_no else 0)
    if not says_no:
        logger.info(
            "%s: marks say what is present; %s without one: absent",
            table.source,
            amount(int(blank.sum()), "cell"),
        )


def _names_and_cells(
    table: Table, layout: Layout
) -> tuple[Sequence[str], Callable[[list[Cell]], Sequence[Cell]]]:
    """Return the labels, and the function that takes their cells from a row."""
    (first, *others), header = layout.labels, table.has_header
    if not others and _is_vector(table, first):
        names = _names_beside(table, _length(table, first))
        return names, partial(_vector, place=first)
    names = [table.names[place] for place in layout.labels]
    if not header:
        names = _names_beside(table, len(names))
    if not others or _tail(table, layout) is not None:
        return names, itemgetter(slice(first, first + len(names)))
    return names, itemgetter(*layout.labels)


def _tail(table: Table, layout: Layout) -> int | None:
    """Return the position of the first label's column if labels are all columns from there on."""
    first = layout.labels[0]
    is_tail = layout.labels == tuple(range(first, len(table.names)))
    others = (layout.image, layout.split or 0)
    return first if table.has_header and is_tail and max(others) < first else None


def _is_vector(table: Table, place: int) -> bool:
    cell = str(table.sample[0][place]) if table.sample else ""
    return VECTOR.fullmatch(cell) is not None or are_bits(table.column(place))


def _length(table: Table, place: int) -> int:
    """Return how many targets each cell has, or refuse different numbers of digits."""
    if not are_bits(table.column(place)):
        return len(parts_of(str(table.sample[0][place])))
    cells = sorted(filter(None, table.column(place)), key=lambda cell: (len(cell), cell))
    if len(cells[0]) < len(cells[-1]):
        msg = (
            f"{table.where()}: expected a digit for each label in {table.names[place]!r}, got "
            f"{cells[0]!r} and {cells[-1]!r}, as if a program had dropped zeros at the beginning; "
            "save the column as text, or give `format=csv-list` if these are names"
        )
        raise DataError(msg)
    return len(cells[0])


def _vector(cells: list[Cell], place: int) -> list[str]:
    cell = str(cells[place]).strip()
    return list(cell) if BITS.fullmatch(cell) else parts_of(cell)


def _names_beside(table: Table, count: int) -> list[str]:
    """Read the names of labels from a file beside a table that does not have them."""
    for file, names, _ in name_files(*table.beside):
        if len(names) == count:
            logger.info("%s: names of the labels from %s", table.source, file)
            return names
    are_names = "; if the cells are names, give `format=csv-list`" * table.has_header
    msg = (
        f"{table.where()}: expected a header with the names of {amount(count, 'label')}, or a "
        f"file beside with a line for each, {' or '.join(NAME_FILES)}, got neither{are_names}"
    )
    raise DataError(msg)


def _targets(
    cells: Sequence[Cell], row: Row, names: Sequence[str], table: Table, ticks: Ticks
) -> bytes:
    """Return a row's targets, bytes of 1, 0, `UNKNOWN` and other codes."""
    mark = table.delimiter
    joined = cells[0] if len(cells) == 1 else mark.join(map(str, cells))
    digits = joined.encode() if isinstance(joined, str) else b""
    if len(digits) == 2 * len(names) - 1 and digits.count(mark.encode()) == len(names) - 1:
        values = digits[::2].translate(DIGITS)
        if not values.translate(None, b"\0\1"):
            return values
    if len(cells) == 1 < len(names):
        cells = str(joined).split(mark)
    if len(cells) != len(names):
        targets = amount(len(names), "target")
        msg = f"{table.where(row.number)}: expected {targets}, got {shown_cells(cells)}"
        raise DataError(msg)
    pairs = zip(names, cells, strict=True)
    if not ticks.columns:
        return bytes(_target(cell, name, row, table) for name, cell in pairs)
    return bytes(
        _target(cell, name, row, table, ticks if name in ticks.columns else None)
        for name, cell in pairs
    )


def _target(cell: Cell, name: str, row: Row, table: Table, ticks: Ticks | None = None) -> int:
    target = TARGETS[cell] if cell in TARGETS else target_of(str(cell))
    if ticks is not None:
        target = ticks.target(str(cell))
    if target is None:
        remedy = (
            "if these are counts, votes or scores, write 1 for present and 0 for absent"
            if is_number(str(cell))
            else "a list of labels goes into one column, 'image,labels[,split]'"
        )
        msg = (
            f"{table.where(row.number)}: expected 1, 0, -1 or nothing in the column {name!r}, got "
            f"{cell!r}; {remedy}, and `ignore` leaves columns out"
        )
        raise DataError(msg)
    return code_of(target, str(cell)) if target == UNKNOWN else target


FORMAT = Format(
    KIND,
    "a CSV with one column per label, of 1, 0 and -1 or nothing",
    "image,split,dog,sky\na.jpg,train,1,0\nb.jpg,test,,1",
    recognises,
    read,
    TABLE_FILES,
    has_columns=True,
    is_text=True,
)
