"""Tables with one column of labels: ``image,labels[,split]``."""

from __future__ import annotations

import logging
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from tagsight.data.annotations import clean_name, target_table
from tagsight.data.format import Format
from tagsight.data.formats.csv_columns import has_target_columns
from tagsight.data.formats.csv_table import CsvTable, header_of, labelled
from tagsight.errors import DataError
from tagsight.runtime.escaping import csv_content

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from tagsight.data.format import Labelled, ReadOptions
    from tagsight.data.formats.csv_table import Cell, Entry, PhotoTable, Row

SEPARATORS = (";", "|", ",")
QUOTED = re.compile(r"""'([^'\\]*)'|"([^"\\]*)\"""")

logger = logging.getLogger(__name__)


def recognises(source: Path) -> bool:
    """Return whether a file is a CSV with one column beside the photo, not of targets."""
    table = header_of(source)
    return table is not None and len(table.columns) == 1 and not has_target_columns(table)


def read(source: Path, options: ReadOptions) -> list[Labelled]:
    """Read lists of the labels that are present; a label that is not listed is absent.

    The labels are sorted alphabetically. Their separator, ``;``, ``|`` or ``,``, is found in the
    cells and logged. Cells may also be written as Python writes lists, ``['sea', 'sky']``, as in
    the table of NUS-WIDE that ASL published.

    Args:
        source: The file.
        options: The photos' folder; by default the file's own, or ``images`` beside the file.

    Raises:
        DataError: If a line cannot be understood.
    """
    return [read_table(CsvTable(source), options)]


def read_table(table: PhotoTable, options: ReadOptions) -> Labelled:
    """Read the labels of a table.

    Raises:
        DataError: If a row cannot be understood.
    """
    if len(table.columns) != 1:
        msg = (
            f"{table.where()}: expected one column of labels beside the photo and the split, "
            f"got {list(table.columns)!r}"
        )
        raise DataError(msg)
    entries = table.entries(_stripped)
    present = _present(list(entries.values()), table)
    names = sorted(set().union(*present))
    targets = target_table(len(entries), len(names), value=0, source=table.source)
    column = {name: index for index, name in enumerate(names)}
    cells = [(row, column[name]) for row, labels in enumerate(present) for name in labels]
    rows, columns = zip(*cells, strict=True)
    targets[list(rows), list(columns)] = 1
    found = labelled(table, names, entries, targets, options.images)
    return replace(found, lists_present=True)


def _stripped(row: Row) -> Cell:
    (cell,) = row.cells
    return cell.strip() if isinstance(cell, str) else cell


def _present(entries: Sequence[Entry[Cell]], table: PhotoTable) -> list[set[str]]:
    texts = [entry.value for entry in entries if isinstance(entry.value, str)]
    python = next(filter(None, texts), "").startswith(("['", '["', "[]"))
    separator = "" if python else _separator(texts, table)
    present = []
    for entry in entries:
        where = table.where(entry.number)
        labels: Iterable[str] = entry.value
        if isinstance(entry.value, str):
            labels = _parts(entry.value, separator) if separator else _quoted(entry.value, where)
        present.append({clean_name(label, where) for label in labels} - {""})
    return present


def _parts(text: str, separator: str) -> list[str]:
    return [csv_content(part) for part in text.split(separator)]


def _quoted(text: str, where: str) -> list[str]:
    """Parse a cell such as ``['sea', 'sky']`` without evaluating it."""
    if not text:
        return []
    inside = text[1:-1]
    labels = ["".join(groups) for groups in QUOTED.findall(inside)]
    skeleton = "[" + "".join(QUOTED.sub("x", inside).split()).removesuffix(",") + "]"
    if text != f"[{inside}]" or skeleton != f"[{','.join('x' * len(labels))}]":
        msg = f"{where}: expected a list such as ['sea', 'sky'], got {text[:80]!r}"
        raise DataError(msg)
    return labels


def _separator(cells: Sequence[str], table: PhotoTable) -> str:
    counts = {mark: sum(mark in cell for cell in cells) for mark in SEPARATORS}
    separator = max(SEPARATORS, key=counts.__getitem__)
    others = [mark for mark in SEPARATORS if counts[mark] and mark != separator]
    if others:
        logger.warning(
            "%s: labels are taken to be separated by %r (in %d photos); %s is then part of a name",
            table.source,
            separator,
            counts[separator],
            " or ".join(map(repr, others)),
        )
    elif counts[separator]:
        logger.info("%s: labels are separated by %r", table.source, separator)
    return separator


FORMAT = Format(
    "csv-list",
    "a CSV with one column of labels, separated by ; , or |",
    "image,labels,split\na.jpg,dog;sky,train\nb.jpg,sky,test",
    recognises,
    read,
)
