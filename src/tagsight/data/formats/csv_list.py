"""Tables with one column of labels: ``image,labels[,split]``."""

from __future__ import annotations

import re
from array import array
from typing import TYPE_CHECKING

import numpy as np

from tagsight.data.annotations import target_table
from tagsight.data.format import Format
from tagsight.data.source import clean_name
from tagsight.data.tables.cells import SeparatorSearch, Vocabulary
from tagsight.data.tables.csv_table import TABLE_FILES, CsvTable
from tagsight.data.tables.layout import layout_of
from tagsight.data.tables.messages import log_layout
from tagsight.data.tables.names import is_number, target_of
from tagsight.data.tables.table import Photos
from tagsight.data.tables.transposed import part_of, with_photo_rows
from tagsight.data.tables.unfilled import unfilled
from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from torch import Tensor

    from tagsight.data.format import Labelled, ReadOptions
    from tagsight.data.tables.cells import Separator
    from tagsight.data.tables.layout import Kind, Layout
    from tagsight.data.tables.table import Cell, Table

KIND: Kind = "csv-list"
YES = frozenset({"1", "true", "yes"})
_SAID = re.compile(r".+?\s*[=:]\s*(0|1|true|false|yes|no)", re.IGNORECASE)
"""A label and what is said of it, as ``dog=0``."""

_DENIED = re.compile(r"[!~-]\s*(\S.*)")
"""A label that is said to be absent, as ``!dog``, beside ``dog``."""

BLOCK = 10_000
"""Photos whose targets are written at a time."""

LONGEST_LABEL = 200
WORDS_OF_SENTENCES = 6
FEWEST_SENTENCES = 20


def recognises(source: Path) -> bool:
    r"""Return whether a file is a CSV with a column of lists of labels.

    Example:
        >>> from pathlib import Path
        >>> file = Path("table.csv")
        >>> _ = file.write_text("image,tags\na.jpg,dog;sky\nb.jpg,sky\n")
        >>> recognises(file)
        True
    """
    return CsvTable.kind_of(source) == KIND


def read(source: Path, options: ReadOptions) -> list[Labelled]:
    r"""Read lists of the labels that are present; a label that is not listed is absent.

    The labels are sorted alphabetically. Their separator, ``;``, ``|``, ``,`` or a line end, is
    found in the cells; a blank, ``#``, ``/``, ``+`` or ``&`` is one if nearly all its parts recur
    in other cells. Cells may also be lists as Python, NumPy and databases write them,
    ``['sea', 'sky']``, ``['sea' 'sky']`` and ``{sea,sky}``. Each column has a separator of its own.
    Numbers are named by a file such as ``classes.txt`` beside, if there is one.

    Args:
        source: The file.
        options: Columns and separator; the photos' folder, as for ``csv-columns``.

    Raises:
        DataError: If a line cannot be understood, or cells hold sentences.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.data.format import DEFAULTS
        >>> file = Path("table.csv")
        >>> _ = file.write_text("image,tags\na.jpg,sky|dog\nb.jpg,sky\n")
        >>> (found,) = read(file, DEFAULTS)
        >>> found.names, found.targets.tolist()
        (('dog', 'sky'), [[1, 1], [0, 1]])
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
        >>> _ = file.write_text("image,tags\na.jpg,dog;sky\nb.jpg,sky\n")
        >>> table = CsvTable(file)
        >>> read_table(table, layout_of(table, DEFAULTS.columns), DEFAULTS).names
        ('dog', 'sky')
    """
    separators = _separators(table, layout, options.columns.separator)
    photos, vocabulary = Photos(table, layout, options), Vocabulary()
    labels, ends = array("i"), array("q", [0])
    has_lists = any(separator.is_list for separator in separators)
    for row in photos.rows():
        cells = _cells(row.cells, table, layout)
        several = separators if table.has_header else separators * len(cells)
        where = table.where(row.number) if has_lists else ""
        try:
            present = {
                vocabulary[text]
                for cell, separator in zip(cells, several, strict=True)
                for text in separator.labels(cell, where)
            }
        except DataError:
            _name_line(zip(cells, several, strict=True), table.where(row.number))
            raise
        present.discard(-1)
        if row.is_new:
            labels.extend(present)
            ends.append(len(labels))
        elif present != set(labels[ends[row.photo] : ends[row.photo + 1]]):
            raise photos.contradiction(row.number, row.photo)
    if not vocabulary.names and not any(any(table.column(place)) for place in layout.labels):
        raise unfilled(table.where(), [table.names[place] for place in layout.labels])
    vocabulary.warn_of_marks(table.source)
    if options.columns.separator is None:
        _require_labels(vocabulary.names, table)
    log_layout(table, layout, f"labels {' and '.join(dict.fromkeys(map(str, separators)))}")
    photos.warn_of_repeated()
    described = table.named(vocabulary.names)
    names = sorted(set(described))
    targets = target_table(len(ends) - 1, len(names), value=0, source=table.source)
    place = {name: index for index, name in enumerate(names)}
    order = np.array([place[name] for name in described], dtype=np.int64)
    _mark(targets, labels, ends, order)
    marks = {separator.mark for separator in separators}
    mark = marks.pop() if len(marks) == 1 else None
    return photos.labelled(names, targets, lists_present=True, separator=mark)


def _separators(table: Table, layout: Layout, given: str | None) -> list[Separator]:
    """Return the separator of each column, or of all columns without a header."""
    columns = len(layout.labels) if table.has_header else 1
    searches = [SeparatorSearch(table.source, given) for _ in range(columns)]
    if given is None:
        for _, row in table.records():
            for number, cell in enumerate(_cells(row, table, layout)):
                searches[min(number, columns - 1)].add(cell)
    return [search.found() for search in searches]


def _cells(row: Sequence[Cell], table: Table, layout: Layout) -> list[Cell]:
    """Return the cells of a row with labels; rows without a header may be longer or shorter."""
    if table.has_header:
        return [row[place] for place in layout.labels]
    inside = (row[place] for place in layout.labels if place < len(row))
    return [*inside, *row[len(table.names) :]]


def _name_line(pairs: Iterable[tuple[Cell, Separator]], where: str) -> None:
    """Raise the error of a row's labels with the place of the row."""
    for cell, separator in pairs:
        for label in separator.labels(cell, where):
            clean_name(label, where)


def _require_labels(names: Sequence[str], table: Table) -> None:
    """Refuse sentences, which hardly two photos share."""
    if names and not any(map(is_number, names)) and {*map(target_of, names)} == {0, 1}:
        said = " and ".join(sorted(names)[:2])
        msg = (
            f"{table.source}: expected names of labels, got {said} alone: call the column what it "
            "says is present, such as 'dog'"
        )
        raise DataError(msg)
    known = set(names)
    marks = [_SAID.fullmatch(name) for name in names]
    is_said = all(marks) and {match[1].lower() in YES for match in marks if match} == {True, False}
    denied = (name for name in names if (match := _DENIED.fullmatch(name)) and match[1] in known)
    if names and (odd := names[0] if is_said else next(denied, None)):
        msg = (
            f"{table.source}: expected the labels that are present, got {odd!r}, which may say that"
            " one is not: write a column for each label, with 1 and 0"
        )
        raise DataError(msg)
    sentences = [name for name in names if len(name.split()) >= WORDS_OF_SENTENCES]
    longest = max(names, key=len, default="")
    if len(longest) <= LONGEST_LABEL and (
        len(sentences) < FEWEST_SENTENCES or len(sentences) < len(names) / 2
    ):
        return
    msg = (
        f"{table.source}: expected labels, got text such as {longest[:60]!r}; are these captions? "
        "`labels_column` names another column, `separator` what stands between labels"
    )
    raise DataError(msg)


def _mark(targets: Tensor, labels: array[int], ends: array[int], order: np.ndarray) -> None:
    """Set the targets of each photo's labels to 1, a block of photos at a time."""
    table, columns = targets.numpy(), np.frombuffer(labels, dtype=np.int32)
    for first in range(0, len(table), BLOCK):
        limits = np.array(ends[first : first + BLOCK + 1])
        rows = np.repeat(np.arange(first, first + len(limits) - 1), np.diff(limits))
        table[rows, order[columns[limits[0] : limits[-1]]]] = 1


FORMAT = Format(
    KIND,
    "a CSV with one column of labels, separated by ; , or |",
    "image,labels,split\na.jpg,dog;sky,train\nb.jpg,sky,test",
    recognises,
    read,
    TABLE_FILES,
    has_columns=True,
    is_text=True,
)
