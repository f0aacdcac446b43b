"""What the CSV formats share: delimiter, header, rows with their line numbers."""

from __future__ import annotations

import csv
import logging
from collections import Counter
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Generic, NamedTuple, TextIO, TypeVar

from tagsight.data.annotations import Annotations, clean_name
from tagsight.data.source import photo_name, require_file
from tagsight.errors import DataError
from tagsight.runtime.amounts import amount
from tagsight.runtime.escaping import csv_content

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from torch import Tensor

Value = TypeVar("Value")

logger = logging.getLogger(__name__)

IMAGE_COLUMNS = frozenset(
    {"image", "path", "file", "filename", "photo", "file_name", "filepath", "file_path"}
)
SPLIT_COLUMNS = frozenset({"split", "split_name"})
DELIMITERS = (",", ";", "\t")
LARGEST_FILE = 2**30
LONGEST_LINE = 2**24
MOST_COLUMNS = 100_000
MOST_BLANK = 10_000
"""Blank lines, one after another."""

SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}


class Row(NamedTuple):
    """A row of a CSV, its special columns taken out."""

    line: int
    image: str
    split: str | None
    cells: list[str]


class Entry(NamedTuple, Generic[Value]):
    """What a file says about one photo, and in which line."""

    line: int
    split: str | None
    value: Value


class Labelled(NamedTuple):
    """What a CSV says, before it is asked where the photos are.

    Attributes:
        names: The ``L`` labels.
        photos: The ``N`` photos as the file names them.
        targets: ``(N, L)`` int8, 1 present, 0 absent, -1 unknown.
        splits: The split of each row, or None.
    """

    names: tuple[str, ...]
    photos: tuple[str, ...]
    targets: Tensor
    splits: tuple[str, ...] | None

    def annotations(self, folder: Path, format: str) -> Annotations:  # noqa: A002 - its field's name
        """Say where the photos are, and which reader read this."""
        paths = tuple(folder / photo for photo in self.photos)
        return Annotations(self.names, paths, self.targets, self.splits, format, folder)


@dataclass(frozen=True)
class CsvTable:
    """A CSV of photos whose header has been read.

    Attributes:
        source: The file.
        delimiter: What stands between its cells.
        width: Number of cells of every row.
        image: Position of the column with the photo.
        split: Position of the column with the split, or None.
        columns: Names of the other columns.
    """

    source: Path
    delimiter: str
    width: int
    image: int
    split: int | None
    columns: tuple[str, ...]

    @classmethod
    def of(cls, source: Path) -> CsvTable:
        """Read the header, which decides the delimiter.

        Raises:
            DataError: If the file is no CSV with a column for the photo.
        """
        require_file(source, largest=LARGEST_FILE)
        headers = _headers(source)
        delimiter, names = max(
            headers.items(), key=lambda item: (_has_image(item[1]), len(item[1]))
        )
        if not _has_image(names):
            msg = (
                f"{source}:1: expected a header with a column 'image' (or 'path', 'file', "
                f"'filename', 'photo'), got {names[:5]!r}"
            )
            raise DataError(msg)
        lower = [name.lower() for name in names]
        image = next(i for i, name in enumerate(lower) if name in IMAGE_COLUMNS)
        split = next((i for i, name in enumerate(lower) if name in SPLIT_COLUMNS), None)
        columns = tuple(name for i, name in enumerate(names) if i not in {image, split})
        if odd := sorted(name for name, count in Counter(names).items() if count > 1 or not name):
            msg = f"{source}:1: expected a header of different names, got {odd!r} empty or repeated"
            raise DataError(msg)
        return cls(source, delimiter, len(names), image, split, columns)

    def folders(self, images: Path | None) -> list[Path]:
        """Where the photos may lie: where the user says, else beside the file or in ``images``."""
        return [images] if images else [self.source.parent, self.source.parent / "images"]

    def rows(self) -> Iterator[Row]:
        """The rows below the header; blank lines are passed over.

        Raises:
            DataError: If a row has another number of cells than the header, or an odd split.
        """
        special = [self.image] if self.split is None else [self.image, self.split]
        records = _records(self.source, self.delimiter)
        for line, cells in islice(records, 1, None):
            where = f"{self.source}:{line}"
            if len(cells) != self.width:
                msg = (
                    f"{where}: expected {amount(self.width, 'cell')} as in the header, "
                    f"got {len(cells)}: "
                    f"{cells[:5]!r}; is a cell with a {self.delimiter!r} in it unquoted?"
                )
                raise DataError(msg)
            image = photo_name(csv_content(cells[self.image]), where)
            split = None if self.split is None else _split(cells[self.split], where)
            for position in sorted(special, reverse=True):
                del cells[position]
            yield Row(line, image, split, cells)

    def entries(self, parse: Callable[[Row], Value]) -> dict[str, Entry[Value]]:
        """What the rows say, by photo, in the order of the file.

        Args:
            parse: Reads the label cells of a row into something that can be compared.

        Raises:
            DataError: If there are no rows, or two rows contradict each other.
        """
        entries: dict[str, Entry[Value]] = {}
        repeated = 0
        for row in self.rows():
            entry = Entry(row.line, row.split, parse(row))
            first = entries.setdefault(row.image, entry)
            repeated += first is not entry
            if first[1:] != entry[1:]:
                msg = (
                    f"{self.source}:{row.line}: expected {row.image!r} once, or always with the "
                    f"same labels and split, but line {first.line} says otherwise"
                )
                raise DataError(msg)
        if repeated:
            logger.warning("%s: %d lines repeat an earlier one: left out", self.source, repeated)
        if not entries:
            msg = f"{self.source}: expected rows below the header, got none"
            raise DataError(msg)
        return entries


def header_of(source: Path) -> CsvTable | None:
    """The header of a file, or None if it is no CSV of photos: to find the format."""
    try:
        return CsvTable.of(source)
    except DataError:
        return None


def _headers(source: Path) -> dict[str, list[str]]:
    headers: dict[str, list[str]] = {}
    errors: list[DataError] = []
    for delimiter in DELIMITERS:
        try:
            _, cells = next(_records(source, delimiter), (1, []))
            headers[delimiter] = [clean_name(csv_content(cell), f"{source}:1") for cell in cells]
        except DataError as error:  # perhaps of quotes that make sense with another delimiter
            errors.append(error)
    if not headers:
        raise errors[0]
    return headers


def _has_image(names: list[str]) -> bool:
    return any(name.lower() in IMAGE_COLUMNS for name in names)


def _records(source: Path, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    with source.open(encoding="utf-8-sig", newline="") as handle:
        lines = _bounded_lines(handle, delimiter, source)
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        try:
            for cells in reader:
                if cells:
                    yield reader.line_num, cells
        except csv.Error as error:
            msg = f"{source}:{reader.line_num}: expected a well-formed CSV, got: {error}"
            raise DataError(msg) from error
        except UnicodeDecodeError as error:
            msg = f"{source}:{_undecodable_line(source)}: expected UTF-8 text, got {error.reason}"
            raise DataError(msg) from error


def _bounded_lines(handle: TextIO, delimiter: str, source: Path) -> Iterator[str]:
    """Lines with no more cells than a row may have, and not for ever blank.

    Raises:
        DataError: If a line has more than `MOST_COLUMNS`, or more than `MOST_BLANK` have nothing.
    """
    blank = 0
    for number, line in enumerate(iter(lambda: handle.readline(LONGEST_LINE), ""), 1):
        if line.count(delimiter) > MOST_COLUMNS:
            msg = f"{source}:{number}: expected at most {MOST_COLUMNS:,} cells in a row, got more"
            raise DataError(msg)
        blank = blank + 1 if line.isspace() else 0
        if blank > MOST_BLANK:
            msg = f"{source}:{number}: expected rows, got {MOST_BLANK:,} blank lines"
            raise DataError(msg)
        yield line


def _undecodable_line(source: Path) -> int:
    with source.open("rb") as handle:
        for number, line in enumerate(handle, 1):
            try:
                line.decode()
            except UnicodeDecodeError:
                return number
    return 1


def _split(text: str, where: str) -> str:
    try:
        return SPLIT_NAMES[text.strip().lower()]
    except KeyError:
        msg = f"{where}: expected the split 'train', 'val' or 'test', got {text!r}"
        raise DataError(msg) from None
