"""Tables of photos, whatever holds them, and their rows, each photo once."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from array import array
from collections import Counter
from dataclasses import replace
from functools import cached_property
from hashlib import sha256
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from tagsight.data.format import DEFAULTS, Labelled
from tagsight.data.photos.inside import DATA, PhotosInside, photo_inside
from tagsight.data.source import PLAIN, photo_path
from tagsight.data.tables.cells import without_decimals
from tagsight.data.tables.name_files import named_by_number
from tagsight.data.tables.names import UNASSIGNED
from tagsight.data.tables.split_lists import splits_beside
from tagsight.data.tables.taxon_rows import TaxonRows
from tagsight.errors import DataError
from tagsight.runtime.amounts import amount
from tagsight.runtime.escaping import csv_content

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from torch import Tensor

    from tagsight.data.format import ReadOptions
    from tagsight.data.tables.layout import Layout

Cell: TypeAlias = str | tuple[str, ...]

logger = logging.getLogger(__name__)

SAMPLED_CELLS, FEWEST_SAMPLED, MOST_SAMPLED = 200_000, 20, 10_000
"""Cells, and rows, that decide what the columns are."""

LONGEST_KEPT, LONGEST_SHOWN = 10_000, 60
"""Characters of a cell that a sample keeps, and that an error shows."""

MOST_SHOWN = 5
"""Cells of a row that an error shows."""


class NoRowsError(DataError):
    """A table has a header and nothing below."""


class Table(ABC):
    """A table with a row for each photo, or for each photo and label.

    Args:
        source: The file, or how errors name the table.
        names: Names of the columns; their positions from 1 if the table has no header.
        has_header: Whether it has one. Without, rows may have different numbers of cells.

    Attributes:
        row_word: What errors call a row.
        delimiter: Text between joined cells.
        notes: What messages say of its form.
        repeated_headers: Rows that repeat the header, once all were read.
        comments: Rows that are comments, once all were read.
        longer_rows: Rows whose last cell goes on in further cells, once all were read.
        encoding: Encoding of a file that is not in Unicode.
        is_part: Whether labels that are numbers are named later, together with those of other
            tables.
    """

    row_word = "row"
    delimiter = "\n"
    notes: tuple[str, ...] = ()
    repeated_headers = 0
    comments = 0
    longer_rows = 0
    encoding: str | None = None
    is_part = False

    def __init__(self, source: Path | str, names: Sequence[str], *, has_header: bool) -> None:
        self.source = source
        self.names = tuple(names)
        self.has_header = has_header

    @abstractmethod
    def where(self, number: int | None = None) -> str:
        """Name a row of the table, or its header, for errors."""

    @abstractmethod
    def records(self, joined_from: int | None = None) -> Iterator[tuple[int, list[Cell]]]:
        """Yield the number and the cells of each row below the header.

        Args:
            joined_from: Position from which on the cells may be left joined by ``delimiter``, as
                the last cell, which is quicker.
        """

    @abstractmethod
    def folders(self, images: Path | None) -> list[Path]:
        """Return the folders that may hold the photos, the likeliest first."""

    @property
    def other_rows(self) -> tuple[int, str]:
        """How many rows are no photos, such as totals, and the first of them, joined."""
        return 0, ""

    @property
    def beside(self) -> tuple[Path | str, Path | None, str | None]:
        """The table, the folder of what lies beside it, and its encoding."""
        return self.source, next(iter(self.folders(None)), None), self.encoding

    def named(self, labels: Sequence[str]) -> list[str]:
        """Return the labels; those that are numbers by the names in a file beside."""
        numbers = without_decimals(labels)
        return numbers if self.is_part else named_by_number(numbers, *self.beside)

    def photo(self, cell: Cell, number: int) -> str:
        """Return the photo's path below the folder of the photos."""
        if isinstance(cell, str) and PLAIN.fullmatch(cell):
            return cell
        if not str(cell).strip():
            msg = (
                f"{self.where(number)}: expected a photo, got a blank cell: write the name in each "
                "row, also where a spreadsheet shows it once for several (merged cells)"
            )
            raise DataError(msg)
        return photo_path(csv_content(str(cell)), self.where(number))

    @cached_property
    def sample(self) -> list[list[Cell]]:
        """The first rows."""
        rows = SAMPLED_CELLS // max(len(self.names), 1)
        rows = min(max(rows, FEWEST_SAMPLED), MOST_SAMPLED)
        return [list(map(_kept, cells)) for _, cells in islice(self.records(), rows)]

    def column(self, position: int) -> Counter[str]:
        """Count the different cells of a column in the sample, without surrounding blanks."""
        return Counter(
            str(cells[position]).strip() for cells in self.sample if position < len(cells)
        )


def _kept(cell: Cell) -> Cell:
    """Return a cell; a long one, such as a photo, by its beginning and a number that tells it."""
    if len(cell) <= LONGEST_KEPT or isinstance(cell, tuple):
        return cell
    return f"{cell[:LONGEST_SHOWN]}{hash(cell)}"


def shown_cells(cells: Sequence[Cell]) -> str:
    """Return the first cells of a row as an error shows them, none of them longer than a line.

    Example:
        >>> shown_cells(["a.jpg", "dog" * 100, "1"])[:60]
        "['a.jpg', 'dogdogdogdogdogdogdogdogdogdogdogdogdogdogdogdogd"
    """
    return repr([cell[:LONGEST_SHOWN] for cell in cells[:MOST_SHOWN]])


def _log_left_out(table: Table) -> None:
    """Log the rows that are no photos or go on beyond the header, once all were read."""
    if table.repeated_headers:
        lines = amount(table.repeated_headers, table.row_word)
        logger.warning("%s: repeated headers: %s left out", table.source, lines)
    if table.comments:
        lines = amount(table.comments, table.row_word)
        logger.info("%s: comments, which begin with #: %s left out", table.source, lines)
    if table.longer_rows:
        lines = amount(table.longer_rows, table.row_word)
        logger.warning(
            "%s: %s with more cells than the header: all from %r on are labels",
            *(table.source, lines, table.names[-1]),
        )
    count, first = table.other_rows
    if count:
        logger.warning(
            "%s: %s without a photo left out, such as %r",
            *(table.source, amount(count, table.row_word), first[:LONGEST_SHOWN]),
        )


class Row(NamedTuple):
    """A row of a table.

    Attributes:
        number: Its number, for errors.
        photo: Position of its photo among the photos.
        is_new: Whether no row before has this photo.
        cells: All cells.
    """

    number: int
    photo: int
    is_new: bool
    cells: list[Cell]


class Photos:
    r"""The photos of a table, each once, and the row that states each first.

    Args:
        table: The table.
        layout: The meaning of its columns.
        options: Whether photos that are inside the table are written, and the folder of others.

    Attributes:
        places: Position of each photo, in the order of the table.
        repeated: Rows of photos that an earlier row has.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.data.tables.csv_table import CsvTable
        >>> from tagsight.data.tables.layout import Layout
        >>> _ = Path("table.csv").write_text("image,tag\na.jpg,dog\na.jpg,sky\nb.jpg,sky\n")
        >>> photos = Photos(CsvTable(Path("table.csv")), Layout("csv-long", image=0, labels=(1,)))
        >>> [(row.number, row.photo, row.is_new) for row in photos.rows()], photos.places
        ([(2, 0, True), (3, 0, False), (4, 1, True)], {'a.jpg': 0, 'b.jpg': 1})
    """

    def __init__(self, table: Table, layout: Layout, options: ReadOptions = DEFAULTS) -> None:
        self._table, self._layout, self._images = table, layout, options.images
        self._inside = PhotosInside(table.source, write=options.write_photos)
        self._written: dict[bytes, str] = {}
        self.places: dict[str, int] = {}
        self.repeated = 0
        self._numbers = array("q")
        self._splits: list[str] = []
        self._groups: list[str] = []
        self._other_names: list[str] = []
        self._taxa = TaxonRows(table, layout)

    def rows(self, joined_from: int | None = None) -> Iterator[Row]:
        """Yield the rows of the table.

        Args:
            joined_from: As for `Table.records`.

        Raises:
            DataError: If a photo or a split is not valid, or a photo has two splits.
            NoRowsError: If there is no row.
        """
        table, image, split = self._table, self._layout.image, self._layout.split
        group, folder = self._layout.group, self._layout.folder
        other = self._layout.other_image
        for number, cells in table.records(joined_from):
            if len(cells) <= max(image, split or 0, group or 0, other or 0):
                msg = (
                    f"{table.where(number)}: expected a photo and its labels, got "
                    f"{shown_cells(cells)}"
                )
                raise DataError(msg)
            cell = cells[image]
            if folder is not None:
                cell = f"{cells[folder]}/{cell}"
            name = self._name(cell, number)
            place = self.places.setdefault(name, len(self.places))
            is_new = place == len(self._numbers)
            if is_new:
                self._add(cells, number)
            if split is not None:
                self._add_split(str(cells[split]), place, number, is_new=is_new)
            if self._taxa.is_used:
                self._taxa.add(place, cells)
            self.repeated += not is_new
            yield Row(number, place, is_new, cells)
        _log_left_out(table)
        if not self.places:
            msg = f"{table.source}: expected rows below the header, got none"
            raise NoRowsError(msg)

    def _add(self, cells: list[Cell], number: int) -> None:
        """Note the row that states a photo first."""
        group, other = self._layout.group, self._layout.other_image
        self._numbers.append(number)
        if group is not None:
            self._groups.append(str(cells[group]).strip() or f"row {number}")
        if other is not None:
            self._other_names.append(self._other_name(cells[other], number))

    def _other_name(self, cell: Cell, number: int) -> str:
        """Return what another column calls a photo, or nothing if it is no path."""
        try:
            return self._table.photo(cell, number)
        except DataError:
            return ""

    def _name(self, cell: Cell, number: int) -> str:
        """Return the photo's path, or the name of the file that it was written to."""
        if isinstance(cell, str) and DATA in cell[:LONGEST_SHOWN]:
            where = self._table.where(number)
            if (inside := photo_inside(cell.strip(), where)) is not None:
                digest = sha256(inside.content).digest()
                if digest not in self._written:
                    self._written[digest] = self._inside.add(inside, where)
                return self._written[digest]
        return self._table.photo(cell, number)

    def _add_split(self, cell: str, place: int, number: int, *, is_new: bool) -> None:
        word = cell.strip().lower()
        split = "" if word == UNASSIGNED else self._layout.split_names.get(word)
        if split is None:
            known = "'train', 'val' or 'test'"
            where = self._table.where(number)
            remedy = "write these words, or leave the column out with `ignore`"
            msg = f"{where}: expected the split {known}, got {cell!r}; {remedy}"
            raise DataError(msg)
        if is_new:
            self._splits.append(split)
        elif self._splits[place] != split:
            raise self.contradiction(number, place)

    def contradiction(self, number: int, place: int) -> DataError:
        """Return the error of a row that contradicts the first one of its photo."""
        name = next(name for name, position in self.places.items() if position == place)
        table = self._table
        remedy = (
            "give `format=csv-long` if each row has one label of a photo"
            if self._layout.kind == "csv-list"
            else "write one row, of several people's with what most of them say"
        )
        return DataError(
            f"{table.where(number)}: expected {name!r} once, or always with the same labels and "
            f"split, but {table.row_word} {self._numbers[place]} differs; {remedy}"
        )

    def labelled(
        self,
        names: Sequence[str],
        targets: Tensor,
        *,
        lists_present: bool = False,
        separator: str | None = None,
    ) -> Labelled:
        """Combine the photos with their labels and targets.

        Raises:
            DataError: If some photos have a split and others are unassigned.
        """
        splits = self._splits if any(self._splits) else splits_beside(self._table, self.places)
        if "" in splits:
            where = self._table.where(self._numbers[splits.index("")])
            msg = (
                f"{where}: expected every photo in train, val or test, or none, got {UNASSIGNED!r};"
                " write a split there, or draw all by leaving the column out with `ignore`"
            )
            raise DataError(msg)
        if "1" in self._layout.split_names and 2 * splits.count("train") < len(splits):
            logger.warning(
                "%s: only %s of %s for training by %r; if it says something else of the rows, "
                "leave it out with `ignore`",
                *(self._table.source, f"{splits.count('train'):,}"),
                *(amount(len(splits), "photo"), self._table.names[self._layout.split or 0]),
            )
        if lists_present and self._taxa.is_used:
            self._taxa.settle(names, targets)
        self._inside.log()
        return Labelled(
            source=self._table.source,
            names=tuple(names),
            photos=tuple(self.places),
            targets=targets,
            splits=tuple(splits) or None,
            folders=tuple(self._inside.folders(self._table.folders(self._images))),
            other_names=tuple(self._other_names),
            unused=self._layout.ignored,
            columns=replace(
                self._layout.columns(self._table.names, separator), encoding=self._table.encoding
            ),
            lists_present=lists_present,
            groups=tuple(self._groups) if self._layout.group is not None else None,
        )

    def warn_of_repeated(self) -> None:
        """Log how many rows were left out because an earlier row says the same."""
        if self.repeated:
            lines = amount(self.repeated, self._table.row_word)
            logger.warning("%s: %s left out as repeated", self._table.source, lines)
