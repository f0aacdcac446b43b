"""Tables of photos: the header, rows and splits of CSV files and pandas data frames."""

from __future__ import annotations

import csv
import logging
from abc import ABC, abstractmethod
from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING, Generic, NamedTuple, TextIO, TypeAlias, TypeVar

from tagsight.data.annotations import clean_name
from tagsight.data.format import Labelled
from tagsight.data.source import photo_name, require_file
from tagsight.errors import DataError
from tagsight.runtime.amounts import amount
from tagsight.runtime.escaping import csv_content

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from torch import Tensor

Cell: TypeAlias = str | tuple[str, ...]
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
    """A row of a table, its special columns taken out."""

    number: int
    image: str
    split: str | None
    cells: list[Cell]


class Entry(NamedTuple, Generic[Value]):
    """The labels of one photo, and the row that states them."""

    number: int
    split: str | None
    value: Value


class PhotoTable(ABC):
    """A table with a row for each photo, whose header has been read.

    Args:
        source: The file, or how errors name the table.
        header: Names of all columns.

    Attributes:
        image: Position of the column with the photo.
        split: Position of the column with the split, or None.
        columns: Names of the other columns.

    Raises:
        DataError: If there is no column for the photo, or a name is empty or repeated.
    """

    row_word = "row"

    def __init__(self, source: Path | str, header: Sequence[str]) -> None:
        self.source = source
        if not _has_image(header):
            msg = (
                f"{self.where()}: expected a header with a column 'image' (or 'path', 'file', "
                f"'filename', 'photo'), got {list(header[:5])!r}"
            )
            raise DataError(msg)
        lower = [name.lower() for name in header]
        self.image = next(i for i, name in enumerate(lower) if name in IMAGE_COLUMNS)
        self.split = next((i for i, name in enumerate(lower) if name in SPLIT_COLUMNS), None)
        special = {self.image, self.split}
        self.columns = tuple(name for i, name in enumerate(header) if i not in special)
        if odd := sorted(name for name, count in Counter(header).items() if count > 1 or not name):
            msg = (
                f"{self.where()}: expected a header of different names, "
                f"got {odd!r} empty or repeated"
            )
            raise DataError(msg)

    @abstractmethod
    def where(self, number: int | None = None) -> str:
        """Name a row of the table, or its header, for errors."""

    @abstractmethod
    def records(self) -> Iterator[tuple[int, list[Cell]]]:
        """Yield the number and the cells of each row below the header."""

    @abstractmethod
    def folders(self, images: Path | None) -> list[Path]:
        """Return the folders that may hold the photos, the likeliest first."""

    def photo(self, cell: Cell, where: str) -> str:
        """Return the photo's path below the folder of the photos."""
        return photo_name(csv_content(str(cell)), where)

    def rows(self) -> Iterator[Row]:
        """Yield the rows below the header.

        Raises:
            DataError: If a photo or a split is not valid.
        """
        special = [self.image] if self.split is None else [self.image, self.split]
        for number, cells in self.records():
            where = self.where(number)
            image = self.photo(cells[self.image], where)
            split = None if self.split is None else _split(cells[self.split], where)
            for position in sorted(special, reverse=True):
                del cells[position]
            yield Row(number, image, split, cells)

    def entries(self, parse: Callable[[Row], Value]) -> dict[str, Entry[Value]]:
        """Map each photo to its labels, in the order of the table.

        Args:
            parse: Reads the label cells of a row into a value that can be compared.

        Raises:
            DataError: If there are no rows, or two rows contradict each other.
        """
        entries: dict[str, Entry[Value]] = {}
        repeated = 0
        for row in self.rows():
            entry = Entry(row.number, row.split, parse(row))
            first = entries.setdefault(row.image, entry)
            repeated += first is not entry
            if first[1:] != entry[1:]:
                msg = (
                    f"{self.where(row.number)}: expected {row.image!r} once, or always with the "
                    f"same labels and split, but {self.row_word} {first.number} differs"
                )
                raise DataError(msg)
        if repeated:
            lines = amount(repeated, self.row_word)
            logger.warning("%s: %s left out as repeated", self.source, lines)
        if not entries:
            msg = f"{self.source}: expected rows below the header, got none"
            raise DataError(msg)
        return entries


class CsvTable(PhotoTable):
    """A CSV file of photos.

    Args:
        source: The file.

    Attributes:
        delimiter: Separator of its cells, the one that makes most of the header.
        width: Number of cells of every row.

    Raises:
        DataError: If the file is no CSV with a column for the photo.
    """

    row_word = "line"

    def __init__(self, source: Path) -> None:
        self.file = require_file(source, largest=LARGEST_FILE)
        self.delimiter, header = max(
            _headers(source).items(), key=lambda item: (_has_image(item[1]), len(item[1]))
        )
        self.width = len(header)
        super().__init__(source, header)

    def where(self, number: int | None = None) -> str:
        """Name the file and the line."""
        return f"{self.file}:{1 if number is None else number}"

    def folders(self, images: Path | None) -> list[Path]:
        """Return ``images``, else the file's folder and its ``images``."""
        return [images] if images else [self.file.parent, self.file.parent / "images"]

    def records(self) -> Iterator[tuple[int, list[Cell]]]:
        """Yield the line number and the cells of each row; blank lines are skipped.

        Raises:
            DataError: If a row has another number of cells than the header.
        """
        for line, cells in islice(_records(self.file, self.delimiter), 1, None):
            if len(cells) != self.width:
                msg = (
                    f"{self.where(line)}: expected {amount(self.width, 'cell')} as in the header, "
                    f"got {len(cells)}: "
                    f"{cells[:5]!r}; is a cell with a {self.delimiter!r} in it unquoted?"
                )
                raise DataError(msg)
            yield line, [*cells]


def labelled(
    table: PhotoTable,
    names: Sequence[str],
    entries: Mapping[str, Entry[Value]],
    targets: Tensor,
    images: Path | None,
) -> Labelled:
    """Combine a table, its labels, the entries they were read from, and the targets."""
    splits = [entry.split for entry in entries.values() if entry.split]
    return Labelled(
        source=table.source,
        names=tuple(names),
        photos=tuple(entries),
        targets=targets,
        splits=tuple(splits) if splits else None,
        folders=tuple(table.folders(images)),
    )


def header_of(source: Path) -> CsvTable | None:
    """Return a file's table, or None if it is no CSV of photos: to find the format."""
    try:
        return CsvTable(source)
    except DataError:
        return None


def _headers(source: Path) -> dict[str, list[str]]:
    headers: dict[str, list[str]] = {}
    errors: list[DataError] = []
    for delimiter in DELIMITERS:
        try:
            _, cells = next(_records(source, delimiter), (1, []))
            headers[delimiter] = [clean_name(csv_content(cell), f"{source}:1") for cell in cells]
        except DataError as error:  # quotes may be valid with another delimiter
            errors.append(error)
    if not headers:
        raise errors[0]
    return headers


def _has_image(names: Sequence[str]) -> bool:
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
    """Yield lines, refusing rows of too many cells and endless blank lines before parsing.

    Raises:
        DataError: If a line has more than `MOST_COLUMNS`, or more than `MOST_BLANK` are blank.
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


def _split(cell: Cell, where: str) -> str:
    try:
        return SPLIT_NAMES[str(cell).strip().lower()]
    except KeyError:
        msg = f"{where}: expected the split 'train', 'val' or 'test', got {cell!r}"
        raise DataError(msg) from None
