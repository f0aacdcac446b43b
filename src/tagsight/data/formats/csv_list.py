"""A CSV with one column of labels: ``image,labels[,split]``."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

from tagsight.data.annotations import Annotations, clean_name
from tagsight.data.formats.csv_columns import holds_targets
from tagsight.data.formats.csv_table import CsvTable, Labelled, header_of
from tagsight.data.source import photo_folder
from tagsight.data.targets import target_table
from tagsight.errors import DataError
from tagsight.runtime.escaping import csv_content

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from tagsight.data.formats.csv_table import Entry

SEPARATORS = (";", "|", ",")
QUOTED = re.compile(r"""'([^'\\]*)'|"([^"\\]*)\"""")

logger = logging.getLogger(__name__)


def recognises(source: Path) -> bool:
    """Whether a file has a column for the photo and one other, not of 1, 0 and -1 alone."""
    table = header_of(source)
    return table is not None and len(table.columns) == 1 and not holds_targets(table)


def read(source: Path, *, images: Path | None = None, labels_only: bool = False) -> Annotations:
    """Read lists of the labels that are present; what is not listed is absent.

    The labels are put in alphabetical order. What separates them, ``;``, ``|`` or ``,``, is found
    in the cells and logged. Cells may also be written as Python writes lists, ``['sea', 'sky']``:
    so is NUS-WIDE's table of ASL.

    Args:
        source: The file.
        images: The photos' folder; by default the file's own, or ``images`` beside the file.
        labels_only: Whether it is no error that none of the photos exists.

    Raises:
        DataError: If a line cannot be understood, or none of the photos exists.
    """
    folders = CsvTable.of(source).folders(images)
    rows = labelled(source)
    folder = photo_folder(rows.photos, folders, source=source, labels_only=labels_only)
    return rows.annotations(folder, "csv-list")


def labelled(source: Path) -> Labelled:
    """Read the labels alone.

    Raises:
        DataError: If a line cannot be understood.
    """
    table = CsvTable.of(source)
    if len(table.columns) != 1:
        msg = (
            f"{source}:1: expected one column of labels beside the photo and the split, "
            f"got {list(table.columns)!r}"
        )
        raise DataError(msg)
    entries = table.entries(lambda row: row.cells[0].strip())
    present = _present(list(entries.values()), source)
    names = sorted(set().union(*present))
    targets = target_table(len(entries), len(names), value=0, source=source)
    column = {name: index for index, name in enumerate(names)}
    cells = [(row, column[name]) for row, labels in enumerate(present) for name in labels]
    rows, columns = zip(*cells, strict=True)
    targets[list(rows), list(columns)] = 1
    splits = [entry.split for entry in entries.values() if entry.split]
    return Labelled(tuple(names), tuple(entries), targets, tuple(splits) if splits else None)


def _present(entries: Sequence[Entry[str]], source: Path) -> list[set[str]]:
    cells = [entry.value for entry in entries]
    if next(filter(None, cells), "").startswith(("['", '["', "[]")):
        return [_python_list(entry, source) if entry.value else set() for entry in entries]
    separator = _separator(cells, source)
    return [_labels(entry, separator, source) for entry in entries]


def _python_list(entry: Entry[str], source: Path) -> set[str]:
    """The labels of a cell such as ``['sea', 'sky']``, which is looked at and not run."""
    where, inside = f"{source}:{entry.line}", entry.value[1:-1]
    labels = ["".join(groups) for groups in QUOTED.findall(inside)]
    skeleton = "[" + "".join(QUOTED.sub("x", inside).split()).removesuffix(",") + "]"
    if entry.value != f"[{inside}]" or skeleton != f"[{','.join('x' * len(labels))}]":
        msg = f"{where}: expected a list such as ['sea', 'sky'], got {entry.value[:80]!r}"
        raise DataError(msg)
    return {clean_name(label, where) for label in labels} - {""}


def _labels(entry: Entry[str], separator: str, source: Path) -> set[str]:
    where = f"{source}:{entry.line}"
    return {clean_name(csv_content(part), where) for part in entry.value.split(separator)} - {""}


def _separator(cells: Iterable[str], source: Path) -> str:
    counts = {mark: sum(mark in cell for cell in cells) for mark in SEPARATORS}
    separator = max(SEPARATORS, key=counts.__getitem__)
    others = [mark for mark in SEPARATORS if counts[mark] and mark != separator]
    if others:
        logger.warning(
            "%s: labels are taken to be separated by %r (in %d photos); %s is then part of a name",
            source,
            separator,
            counts[separator],
            " or ".join(map(repr, others)),
        )
    elif counts[separator]:
        logger.info("%s: labels are separated by %r", source, separator)
    return separator
