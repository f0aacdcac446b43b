"""Cells with several labels: text with a separator, or lists as Python and NumPy write them."""

from __future__ import annotations

import logging
import re
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from tagsight.data.source import clean_name
from tagsight.errors import DataError
from tagsight.runtime.amounts import amount
from tagsight.runtime.escaping import csv_content

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tagsight.data.tables.table import Cell

logger = logging.getLogger(__name__)

SEPARATORS = (";", "|", ",", "\n")
"""Marks that separate labels wherever they occur; the first ones win ties."""

WEAK_SEPARATORS = (" ", "#", "/", "+", "&")
"""Marks that names of labels have as well."""

MOST_KEPT = 10_000
"""Different cells that are kept to decide on a weak separator."""

OPENING = ("[", "{'", '{"', "('", '("', "array([")
LIST = re.compile(r"(?:array\()?[\[({](?P<inside>.*)[\])}](?:,\s*dtype=[\w<>']+\))?", re.DOTALL)
LABEL = re.compile(r"""'([^'\\]*)'|"([^"\\]*)"|(?<![^\s,\[])(-?\d+(?:\.\d*)?)(?![^\s,\]])""")


class Separator(NamedTuple):
    """How the labels of a cell are separated.

    Attributes:
        mark: Text between two labels; empty if a cell has one label.
        is_list: Whether cells are lists in brackets.
        others: Marks that separate only some cells, whose parts are all labels by themselves.

    Example:
        >>> list(Separator(";").labels("dog;sky"))
        ['dog', 'sky']
        >>> Separator(is_list=True).labels("['dog', 'sky']")
        ['dog', 'sky']
    """

    mark: str = ""
    is_list: bool = False
    others: tuple[str, ...] = ()

    def labels(self, cell: Cell, where: str = "") -> Iterable[str]:
        """Return the labels of a cell as they are written, perhaps with blanks around them.

        Raises:
            DataError: If the cell is no list although all are to be.
        """
        if not isinstance(cell, str):
            return cell
        if self.is_list:
            return list_labels(cell.strip(), where)
        for other in self.others:
            cell = cell.replace(other, self.mark)
        return cell.split(self.mark) if self.mark else (cell,)

    def __str__(self) -> str:
        if self.is_list:
            return "written as lists"
        names = {" ": "blanks", "\n": "line ends"}
        return f"separated by {names.get(self.mark, repr(self.mark))}" if self.mark else "alone"


def list_labels(text: str, where: str) -> list[str]:
    """Parse a cell such as ``['sea', 'sky']`` or ``['sea' 'sky']`` without evaluating it.

    Raises:
        DataError: If it is no such list.

    Example:
        >>> list_labels("['sea' 'sky']", "labels.csv:2"), list_labels("[3, 17]", "labels.csv:2")
        (['sea', 'sky'], ['3', '17'])
    """
    if not text:
        return []
    if found := LIST.fullmatch(text):
        labels = ["".join(groups) for groups in LABEL.findall(found["inside"])]
        rest = " ".join(LABEL.sub("x", found["inside"]).split())
        commas = re.sub(r"\s*,\s*", ",", rest).removesuffix(",")
        if commas in {",".join("x" * len(labels)), " ".join("x" * len(labels))}:
            return labels
    msg = f"{where}: expected a list such as ['sea', 'sky'], got {text[:80]!r}"
    raise DataError(msg)


class Vocabulary(dict[str, int]):
    """The labels of a table, and the position of each by every way in which it is written.

    Attributes:
        names: The labels, in the order of their first use.

    Example:
        >>> labels = Vocabulary()
        >>> labels["dog"], labels[" dog "], labels["hot  dog"], labels[""], labels.names
        (0, 0, 1, -1, ['dog', 'hot dog'])
    """

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self._places: dict[str, int] = {}

    def __missing__(self, written: str) -> int:
        name = clean_name(csv_content(written.strip()))
        place = self._places.setdefault(name, len(self.names)) if name else -1
        if place == len(self.names):
            self.names.append(name)
        self[written] = place
        return place


class SeparatorSearch:
    """Finds the separator of labels in the cells of a table.

    Args:
        source: What messages call the table.
        given: The separator, if the user tells it.

    Example:
        >>> search = SeparatorSearch("labels.csv")
        >>> for cell in ("sea;sky", "sea", ""):
        ...     search.add(cell)
        >>> search.found().mark
        ';'
    """

    def __init__(self, source: object, given: str | None = None) -> None:
        self._source, self._given = source, given
        self._marks = dict.fromkeys(SEPARATORS, 0)
        self._cells: Counter[str] = Counter()
        self._filled = self._lists = 0

    def add(self, cell: Cell) -> None:
        """Look at a cell."""
        if not isinstance(cell, str) or not cell:
            return
        self._filled += 1
        self._lists += cell.lstrip().startswith(OPENING)
        for mark in SEPARATORS:
            self._marks[mark] += mark in cell
        if len(self._cells) < MOST_KEPT:
            self._cells[cell.strip()] += 1

    def found(self) -> Separator:
        """Return the separator, and warn of others that occur."""
        if self._given is not None:
            return Separator(self._given)
        if self._filled and self._lists >= self._filled / 2:
            return Separator(is_list=True)
        mark = max(SEPARATORS, key=self._marks.__getitem__)
        if not self._marks[mark]:
            return Separator(self._weak())
        return self._strong(mark)

    def _strong(self, mark: str) -> Separator:
        known = {part.strip() for cell in self._cells for part in cell.split(mark)}
        split: list[str] = []
        for other in SEPARATORS:
            cells = self._marks[other]
            if not cells or other == mark:
                continue
            parts = [p for p in known if other in p]
            known_parts = known - set(parts)
            if all(p.strip() in known_parts for part in parts for p in part.split(other)):
                split.append(other)
            meaning = "separates labels as well" if other in split else "is then part of a name"
            logger.warning(
                "%s: labels are taken to be separated by %r (in %s); %r (in %s) %s",
                self._source,
                mark,
                amount(self._marks[mark], "row"),
                other,
                amount(cells, "row"),
                meaning,
            )
        return Separator(mark, others=tuple(split))

    def _weak(self) -> str:
        """Return the mark that the cells' vocabulary shows to separate labels, if any does."""
        cells = [cell for cell in self._cells if cell]
        for mark in WEAK_SEPARATORS:
            if (verdict := _separates(mark, cells)) is None:
                continue
            several = next(cell for cell in cells if mark in cell)
            name = "spaces" if mark == " " else repr(mark)
            logger.warning(
                "%s: labels %s separated by %s, such as %r; `separator` decides",
                self._source,
                "are taken to be" if verdict else "may be",
                name,
                several,
            )
            if verdict:
                return mark
        return ""


def _separates(mark: str, cells: Sequence[str]) -> bool | None:
    """Judge whether a mark joins labels, or is part of their names: True, None, or False if unsure.

    Labels recur in other cells, alone or in other company, so that there are fewer of them than
    different cells. Words of a name, as in ``polar bear``, recur as well, but hardly alone, and
    seldom three together.
    """
    several = [cell.split(mark) for cell in cells if mark in cell]
    if not several:
        return None
    uses = Counter(part for cell in cells for part in set(cell.split(mark)))
    alone = {cell for cell in cells if mark not in cell}
    recurring = sum(count > 1 for count in uses.values())
    if recurring < 0.9 * len(uses) or len(uses) >= len(cells) or "" in uses:
        return None
    with_known = sum(any(part in alone for part in parts) for parts in several)
    long = sum(len(parts) > 2 for parts in several)
    return with_known >= 0.5 * len(several) or long >= 0.2 * len(several)
