"""Tables with a row for each photo and label, perhaps with a confidence."""

from __future__ import annotations

import csv
import logging
import re
from array import array
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from tagsight.data.annotations import target_table
from tagsight.data.format import Columns, Format
from tagsight.data.source import clean_name, is_file
from tagsight.data.tables.cells import Vocabulary
from tagsight.data.tables.csv_table import TABLE_FILES, CsvTable
from tagsight.data.tables.joined import JoinedTable, is_joined
from tagsight.data.tables.layout import layout_of
from tagsight.data.tables.measures import may_count
from tagsight.data.tables.messages import listed, log_layout
from tagsight.data.tables.minus_one import code_of, settle_minus_one
from tagsight.data.tables.names import UNKNOWN, target_of
from tagsight.data.tables.pairs import paired, verdict_of
from tagsight.data.tables.photo_columns import PhotoColumnsTable, has_photo_columns
from tagsight.data.tables.photo_rows import PhotoRowsTable, has_photo_rows
from tagsight.data.tables.stated import is_called_value, is_full
from tagsight.data.tables.table import Photos
from tagsight.data.tables.text import text_of
from tagsight.data.tables.transposed import part_of, with_photo_rows
from tagsight.errors import DataError
from tagsight.runtime.amounts import amount

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor

    from tagsight.data.format import Labelled, ReadOptions
    from tagsight.data.tables.layout import Kind, Layout
    from tagsight.data.tables.table import Cell, Row, Table

logger = logging.getLogger(__name__)

KIND: Kind = "csv-long"
PRESENT_FROM = 0.5
DESCRIPTIONS = "*class-descriptions*.csv"
OF_FIFTYONE = "../metadata/classes.csv"
"""Where FiftyOne writes them."""

CODE = re.compile(r"/[a-z]/[0-9a-z_]+")
"""Name of a label in Open Images, as ``/m/0bt9lr``."""

SEVERAL = re.compile("[;|]")

LARGEST_DESCRIPTIONS = 2**24


def recognises(source: Path) -> bool:
    r"""Return whether a file is a CSV in which photos have a row for each label.

    Example:
        >>> from pathlib import Path
        >>> file = Path("table.csv")
        >>> _ = file.write_text("image,label,confidence\na.jpg,dog,1\na.jpg,sky,0\n")
        >>> recognises(file)
        True
    """
    return CsvTable.kind_of(source) == KIND


def read(source: Path, options: ReadOptions) -> list[Labelled]:
    r"""Read a row for each photo and label.

    Without a confidence each row states a label that is present, and other labels are absent. With
    one, a label is present from 0.5 on and absent below; a column such as ``present`` says which by
    1, 0 and -1 or nothing for unknown. If any row states an absence, or that a label is unknown, as
    in Open Images, labels without a row are unknown, otherwise absent. Names such as
    ``/m/0bt9lr`` are looked up in ``*class-descriptions*.csv`` beside the file. One column may join
    photo and label, as ``ID_0a1_epidural`` or ``a.jpg_Fish``.

    Args:
        source: The file.
        options: Columns; the photos' folder, as for ``csv-columns``.

    Raises:
        DataError: If a line cannot be understood.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.data.format import DEFAULTS
        >>> file = Path("table.csv")
        >>> _ = file.write_text("image,label,confidence\na.jpg,dog,1\na.jpg,sky,0\nb.jpg,sky,0.9\n")
        >>> (found,) = read(file, DEFAULTS)
        >>> found.names, found.targets.tolist()
        (('dog', 'sky'), [[1, 0], [-1, 1]])
    """
    table = CsvTable(source, options.columns)
    other: JoinedTable | PhotoColumnsTable | PhotoRowsTable | None = None
    if is_joined(table, options.columns):
        other = JoinedTable(table)
    elif has_photo_columns(table, options.columns):
        other = PhotoColumnsTable(table)
    elif has_photo_rows(table, options.columns):
        other = PhotoRowsTable(table)
    if other is not None:
        own = Columns(encoding=table.encoding)
        return [replace(read_table(other, other.layout, options), columns=own)]
    rows = with_photo_rows(table)
    part = read_table(rows, layout_of(rows, options.columns, KIND), options)
    return [part_of(rows, part, options.columns)]


def read_table(table: Table, layout: Layout, options: ReadOptions) -> Labelled:
    r"""Read the labels of a table.

    Raises:
        DataError: If a row cannot be understood.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.data.format import DEFAULTS
        >>> file = Path("table.csv")
        >>> _ = file.write_text("image,label\na.jpg,dog\na.jpg,sky\nb.jpg,sky\n")
        >>> table = CsvTable(file)
        >>> read_table(table, layout_of(table, DEFAULTS.columns), DEFAULTS).photos
        ('a.jpg', 'b.jpg')
    """
    photos, vocabulary = Photos(table, layout, options), Vocabulary()
    rows, columns, values = array("q"), array("i"), bytearray()
    meaning = _meaning(table, layout)
    for row in photos.rows():
        present = _target(row, layout, table, meaning)
        for place in layout.labels:
            for label in _labels(row, place, vocabulary, table) if place < len(row.cells) else ():
                rows.append(row.photo)
                columns.append(label)
                values.append(present)
    vocabulary.warn_of_marks(table.source)
    settle_minus_one(values, ("all rows",), table.source)
    absent = 0 in values or UNKNOWN in values
    log_layout(table, layout, "one label a row")
    if layout.confidence is not None and not is_called_value(table.names[layout.confidence]):
        logger.info("%s: %r says what is present", table.source, table.names[layout.confidence])
    elif layout.confidence is None and layout.ignored:
        _warn_if_full(table, layout, rows, columns)
    logger.info(
        "%s: %s of %s; labels without a row are %s",
        table.source,
        amount(len(values), "row"),
        amount(len(photos.places), "photo"),
        "unknown" if absent else "absent",
    )
    described = _described(vocabulary.names, table)
    names = sorted(set(described))
    column = {name: place for place, name in enumerate(names)}
    order = np.array([column[name] for name in described], dtype=np.int64)
    targets = target_table(
        len(photos.places), len(names), value=-1 if absent else 0, source=table.source
    )
    labels = order[np.frombuffer(columns, dtype=np.int32)]
    _log_contradictions(table, rows, labels, values)
    _mark(targets, rows, labels, values)
    return photos.labelled(names, targets, lists_present=not absent)


def _labels(row: Row, place: int, vocabulary: Vocabulary, table: Table) -> list[int]:
    """Return the labels of a cell, several of which are separated by ``;`` or ``|``."""
    cell: Cell = row.cells[place]
    if isinstance(cell, str):
        parts = SEVERAL.split(cell)
        try:
            found = [vocabulary[part] for part in parts]
        except DataError:
            clean_name(cell, table.where(row.number))
        return [label for label in found if label >= 0]
    msg = f"{table.where(row.number)}: expected one label, got {cell!r}"
    raise DataError(msg)


def _meaning(table: Table, layout: Layout) -> Mapping[str, int]:
    """Return what words of a pair mean in the column that says whether a label is present."""
    place = layout.confidence
    cells = {} if place is None else {place: table.column(place)}
    pair = paired(cells).get(place or 0) or verdict_of(cells.get(place or 0, ()))
    if pair is None or place is None:
        return {}
    logger.info("%s: %r in %r is absent", table.source, pair.no, table.names[place])
    return pair.meaning


def _target(row: Row, layout: Layout, table: Table, meaning: Mapping[str, int]) -> int:
    """Return the code of what a row states of its label: present, absent or unknown."""
    if layout.confidence is None:
        return 1
    cell = str(row.cells[layout.confidence]).strip()
    target = meaning[cell] if cell in meaning else target_of(cell)
    if target is not None:
        return code_of(target, cell)
    if cell.isdecimal() and may_count(table.names[layout.confidence]):
        return 1
    percent, number = cell.endswith("%"), cell.removesuffix("%").replace(",", ".")
    try:
        confidence = float(number) / (100 if percent else 1)
    except ValueError:
        confidence = -1.0
    if not 0 <= confidence <= 1:
        msg = (
            f"{table.where(row.number)}: expected a confidence in [0, 1], or nothing, got {cell!r}"
            f"; if {table.names[layout.confidence]!r} is something else, leave it out with `ignore`"
        )
        raise DataError(msg)
    return int(confidence >= PRESENT_FROM)


def _warn_if_full(table: Table, layout: Layout, rows: array[int], columns: array[int]) -> None:
    """Warn that each photo has nearly each label, if a column that is not used may deny some."""
    if is_full(rows, columns):
        logger.warning(
            "%s: nearly every photo has every label; if one of %s says whether the label of a row "
            "is present, call it 'present' in the header",
            *(table.source, listed(layout.ignored)),
        )


def _log_contradictions(
    table: Table, rows: array[int], columns: np.ndarray, values: bytearray
) -> None:
    """Log how many labels are stated present in one row of a photo and absent in another."""
    cells = np.frombuffer(rows, dtype=np.int64) * (columns.max(initial=0) + 1) + columns
    stated = np.frombuffer(values, dtype=np.uint8)
    both = np.intersect1d(cells[stated == 1], cells[stated == 0])
    if len(both):
        logger.warning(
            "%s: rows of the same photo contradict each other on %s: present",
            table.source,
            amount(len(both), "label"),
        )


def _mark(targets: Tensor, rows: array[int], columns: np.ndarray, values: bytearray) -> None:
    """Set the stated targets; one that is stated present and absent is present."""
    table, photos = targets.numpy(), np.frombuffer(rows, dtype=np.int64)
    stated = np.frombuffer(values, dtype=np.uint8)
    for value in (0, 1):
        chosen = stated == value
        table[photos[chosen], columns[chosen]] = value


def _described(names: list[str], table: Table) -> list[str]:
    """Translate the codes of Open Images by the file of descriptions beside the table."""
    if not all(map(CODE.fullmatch, names)):
        return table.named(names)
    folders = table.folders(None)[:1]
    files = sorted(file for folder in folders for file in folder.glob(DESCRIPTIONS))
    files = files or [file for folder in folders if is_file(file := folder / OF_FIFTYONE)]
    if not files:
        logger.warning(
            "%s: labels are codes such as %r; a file %s beside gives their names, got none",
            *(table.source, names[0], DESCRIPTIONS),
        )
        return names
    lines = [line for file in files for line in _descriptions(file, table.encoding)]
    meaning = {line[0]: clean_name(line[1], str(files[0])) for line in lines if len(line) > 1}
    told = ", ".join(map(str, files))
    logger.info("%s: names of the labels from %s", table.source, told)
    return [meaning.get(name) or name for name in names]


def _descriptions(file: Path, encoding: str | None) -> list[list[str]]:
    text = text_of(file, largest=LARGEST_DESCRIPTIONS, otherwise=encoding)
    try:
        return list(csv.reader(text.splitlines(), strict=True))
    except csv.Error as error:
        msg = f"{file}: expected lines 'code,name', got: {error}"
        raise DataError(msg) from error


FORMAT = Format(
    KIND,
    "a CSV with a row for each photo and label, perhaps with a confidence",
    "image,label,confidence\na.jpg,dog,1\na.jpg,sky,0\nb.jpg,sky,0.9",
    recognises,
    read,
    TABLE_FILES,
    has_columns=True,
    is_text=True,
)
