"""CSV files of photos: their delimiter, and whether they have a header."""

from __future__ import annotations

import re
from codecs import BOM_UTF8, BOM_UTF16_LE
from functools import lru_cache
from itertools import islice, takewhile
from typing import TYPE_CHECKING, cast

from tagsight.data.format import DEFAULTS, usual_folders
from tagsight.data.json_comments import behind_comments
from tagsight.data.source import clean_name, is_file, require_file
from tagsight.data.strangers import BOXES_IN_LINES
from tagsight.data.tables.header_rows import (
    header_in_comment,
    is_comment,
    lacks_photos,
    levels_of,
    rows_above,
)
from tagsight.data.tables.joined import kind_of
from tagsight.data.tables.label_studio import is_label_studio
from tagsight.data.tables.names import IMAGE_COLUMNS, LABEL_COLUMNS, is_photo, key_of, names_photos
from tagsight.data.tables.other_rows import OtherRows, numbered_labels
from tagsight.data.tables.table import Table, shown_cells
from tagsight.data.tables.text import COLON, DELIMITERS, records, writing_of
from tagsight.errors import DataError
from tagsight.runtime.amounts import amount
from tagsight.runtime.escaping import csv_content

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tagsight.data.format import Columns
    from tagsight.data.tables.layout import Kind
    from tagsight.data.tables.table import Cell

NOT_NAMED = DEFAULTS.columns
BLANK = " "
"""Delimiter of lists of photos, which names with blanks make ambiguous elsewhere."""

LOOK = 2**12
"""Bytes that say whether a file is JSON or the like."""

TABLE_FILES = (".csv", ".tsv", ".txt")
LARGEST_FILE = 2**30
ROWS_TRIED = 20
LARGEST_TRIED = 2**22
"""Characters of these rows, after which no more are looked at."""

OTHERS = (
    frozenset({"region_shape_attributes"}),
    frozenset({"Labeled Data", "Label"}),
    frozenset({"HITId", "AssignmentStatus"}),
    frozenset({"classification_id", "annotations"}),
)
"""Columns of the VGG Image Annotator, Labelbox, Mechanical Turk and Zooniverse: other formats."""


class CsvTable(Table):
    r"""A CSV file of photos, or any text file of rows with delimiters.

    Args:
        source: The file.
        columns: Columns that the user names.

    Attributes:
        delimiter: The delimiter with which most cells result, among those with which a column
            names photos or holds them.

    Raises:
        DataError: If the file is no text, or damaged.

    Example:
        >>> from pathlib import Path
        >>> file = Path("table.csv")
        >>> _ = file.write_text("image;tags\na.jpg;dog, sky\n\nb.jpg;sky\n")
        >>> table = CsvTable(file)
        >>> table.names, list(table.records()), CsvTable.kind_of(file)
        (('image', 'tags'), [(2, ['a.jpg', 'dog, sky']), (4, ['b.jpg', 'sky'])], 'csv-list')
    """

    row_word = "line"

    def __init__(self, source: Path, columns: Columns = NOT_NAMED) -> None:
        self.file = require_file(source, largest=LARGEST_FILE)
        self._given = columns.encoding
        written = writing_of(source, columns.encoding).encoding
        self.encoding = None if written.startswith("utf") else written
        self.delimiter, self._above, ((line, first), *rest) = _dialect(source, columns)
        below = [cells for _, cells in rest]
        self._header, self._line = first, line
        self.notes = (f"header in line {line}",) if self._above else ()
        if found := header_in_comment(self._comments_above(), first):
            below.insert(0, first)
            self._header, self._above, first = found, -1, found
            self.notes = ("header in a comment",)
        if lacks_photos(first, below):
            first = ["image", *first]
            self.notes += ("no name above the photos",)
        has_header = not any(map(is_photo, first)) or _is_named(first, columns)
        if has_header and (levels := levels_of([first, *below])):
            last, self._header = rest[levels.rows - 2]
            self._above += levels.rows - 1
            self.notes = (f"header in lines {line} to {last}",)
            names = [clean_name(csv_content(name), f"{source}:{line}") for name in levels.names]
        elif has_header:
            names = [clean_name(csv_content(cell), f"{source}:{line}") for cell in first]
            while names and not names[-1] and not any(row[len(names) - 1 :] for row in below):
                names.pop()
            names = numbered_labels(names, below)
        else:
            names = [str(place) for place in range(1, max(map(len, [first, *below])) + 1)]
        super().__init__(source, names, has_header=has_header)
        self._other_rows = OtherRows(self.names, below)

    @classmethod
    def kind_of(cls, source: Path) -> Kind | None:
        """Return the format of a file's table, or None if it is no table of photos."""
        if not is_file(source):
            return None
        status = source.stat()
        return _kind(source, status.st_size, status.st_mtime_ns)

    @property
    def other_rows(self) -> tuple[int, str]:
        """How many rows are no photos, such as totals, and the first, once all were read."""
        return self._other_rows.count, self._other_rows.first

    def where(self, number: int | None = None) -> str:
        """Name the file and the line."""
        return f"{self.file}:{self._line if number is None else number}"

    def folders(self, images: Path | None) -> list[Path]:
        """Return ``images``, else the file's folder and the usual ones in it."""
        return [images] if images else usual_folders(self.file.parent)

    def records(self, joined_from: int | None = None) -> Iterator[tuple[int, list[Cell]]]:
        """Yield the line number and the cells of each row; blank rows are skipped.

        So are rows that repeat the header, as files have that were joined.

        Raises:
            DataError: If a row has another number of cells than the header.
        """
        mark, width = self.delimiter, len(self.names)
        if mark in {BLANK, COLON} or writing_of(self.file, self._given).quote:
            joined_from = None
        found = records(self.file, mark, joined_from, self._given)
        rows = cast("Iterator[tuple[int, list[Cell]]]", self._without_comments(found))
        if not self.has_header:
            yield from rows
            return
        fewest = width if joined_from is None else joined_from + 1
        header, self.repeated_headers = mark.join(self._header), 0
        self.longer_rows = 0
        self._other_rows.clear()
        for line, cells in islice(rows, self._above + 1, None):
            if cells[0] == self._header[0] and mark.join(map(str, cells)) == header:
                self.repeated_headers += 1
            elif self._is_other(cast("list[str]", cells)):
                continue
            elif len(cells) == width or (
                len(cells) == fewest and str(cells[-1]).count(mark) == width - fewest
            ):
                yield line, cells
            elif joined_from is None:
                yield line, self._complete(line, cells)
            else:
                yield line, self._complete(line, [*mark.join(map(str, cells)).split(mark)])

    def _is_other(self, cells: list[str]) -> bool:
        """Return whether a row is a line of Markdown, blank, or no photo's."""
        mark = self.delimiter
        if mark == "|" and not "".join(cells).strip("-:+| "):
            return True  # the line below the header of a table in Markdown
        is_blank = not cells[0].strip() and not mark.join(cells).strip(f"{mark} ")
        return is_blank or self._other_rows.has(cells, mark)

    def _comments_above(self) -> list[list[str]]:
        """Return the comments above the first row."""
        found = (cells for _, cells in records(self.file, self.delimiter, encoding=self._given))
        return list(islice(takewhile(is_comment, found), ROWS_TRIED))

    def _without_comments(
        self, rows: Iterator[tuple[int, list[str]]]
    ) -> Iterator[tuple[int, list[str]]]:
        self.comments = 0
        for row in rows:
            if is_comment(row[1]):
                self.comments += 1
            else:
                yield row

    def _complete(self, line: int, cells: list[Cell]) -> list[Cell]:
        """Return the cells of a row that is too long only by blank cells, as spreadsheets write."""
        width, last = len(self.names), key_of(self.names[-1])
        if len(cells) > width and last in LABEL_COLUMNS:
            self.longer_rows += any(cells[width:])
            return [*cells[: width - 1], self.delimiter.join(map(str, cells[width - 1 :]))]
        if len(cells) == width - 1 and is_photo(cells[-1]) and last in LABEL_COLUMNS:
            return [*cells, ""]
        if len(cells) < width or any(cells[width:]):
            msg = (
                f"{self.where(line)}: expected {amount(width, 'cell')} as in the header, got "
                f"{len(cells)}: {shown_cells(cells)}; is a cell with a {self.delimiter!r} in it "
                "unquoted?"
            )
            raise DataError(msg)
        return cells[:width]


@lru_cache(maxsize=8)  # several formats ask
def _kind(source: Path, _size: int, _changed: int) -> Kind | None:
    if not is_text_table(source) or is_label_studio(source):
        return None
    try:
        table = CsvTable(source)
        is_other = any(names.issubset(table.names) for names in OTHERS)
        return None if is_other else kind_of(table, NOT_NAMED)
    except DataError:
        return None


def is_text_table(source: Path) -> bool:
    """Return whether a file is no YAML, and no JSON, XML, whose lines may be endless, or Parquet.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     file = Path(folder, "labels")
        ...     _ = file.write_text("image,labels")
        ...     is_text_table(file)
        True
    """
    if source.suffix.lower() in {".yaml", ".yml"}:
        return False
    with source.open("rb") as handle:
        start = handle.read(LOOK).replace(b"\0", b"").lstrip(BOM_UTF8 + BOM_UTF16_LE).lstrip()
    if start.startswith((b"//", b"/*")):
        start = behind_comments(start.decode(errors="replace"))[:1].encode()
    if re.match(BOXES_IN_LINES, start):
        return False
    return not start.startswith((b"{", b"[", b"<", b"PAR1"))


def _dialect(source: Path, columns: Columns) -> tuple[str, int, list[tuple[int, list[str]]]]:
    """Return the delimiter that fits best, how many rows are above the header, and some below."""
    rows: dict[str, list[tuple[int, list[str]]]] = {}
    errors: list[DataError] = []
    for delimiter in (*DELIMITERS, BLANK, COLON):
        try:
            rows[delimiter] = _few(records(source, delimiter, encoding=columns.encoding))
        except DataError as error:  # quotes may be valid with another delimiter
            errors.append(error)
    above = {
        mark: rows_above([cells for _, cells in found], lambda cells: _is_named(cells, columns))
        for mark, found in rows.items()
    }
    fitness = {
        mark: _fitness(mark, [cells for _, cells in found[above[mark] :]], columns)
        for mark, found in rows.items()
        if found
    }
    if errors and not any(fits for fits, *_ in fitness.values()):
        raise errors[0]
    if not fitness:
        msg = f"{source}: expected rows, got blank lines"
        raise DataError(msg)
    best = max(fitness, key=fitness.__getitem__)
    return best, above[best], rows[best][above[best] :]


def _few(rows: Iterator[tuple[int, list[str]]]) -> list[tuple[int, list[str]]]:
    found: list[tuple[int, list[str]]] = []
    size = 0
    for line, cells in islice((row for row in rows if not is_comment(row[1])), ROWS_TRIED):
        found.append((line, cells))
        size += sum(map(len, cells))
        if size > LARGEST_TRIED:
            break
    return found


def _fitness(
    delimiter: str, rows: Sequence[Sequence[str]], columns: Columns
) -> tuple[int, bool, int]:
    """Rank a delimiter: 2 if a column has photos or a name for them, 1 if it may, 0 if none."""
    first, *below = rows
    is_sure = delimiter not in {BLANK, COLON}
    below = [cells for cells in below if cells != first]
    keys = {key_of(cell) for cell in first} if is_sure else set()
    photos = any(
        all(is_photo(cell) and not (delimiter == BLANK and _has_mark(cell)) for cell in column)
        for column in zip(*(below or rows), strict=False)
    )
    is_maybe = any(map(names_photos, keys)) or sum(map(is_photo, first)) > 1
    rank = 1 if is_maybe else 0
    if photos or keys & IMAGE_COLUMNS or (keys and _is_named(first, columns)):
        rank = 2
    if delimiter == COLON:  # blanks then separate labels, unless another mark does
        is_sure = any(_has_mark(cell) for row in rows for cell in row[1:])
    return rank if len(first) > 1 else 0, is_sure, len(first)


def _has_mark(cell: str) -> bool:
    return any(mark in cell for mark in DELIMITERS)


def _is_named(first: Sequence[str], columns: Columns) -> bool:
    given = (columns.image_column, columns.labels_column, *columns.label_columns)
    names = {name for name in given if name and not name.isdecimal()}  # a number is a position
    return any(cell.strip() in names for cell in first)
