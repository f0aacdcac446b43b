"""Cells with several labels: text with a separator, or lists as Python and NumPy write them."""

from __future__ import annotations

import json
import logging
import re
from ast import literal_eval
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from tagsight.data.source import clean_name
from tagsight.data.tables.bare_marks import is_bare_mark, warn_of_bare_marks
from tagsight.data.tables.names import NAME_KEYS
from tagsight.data.tables.said import is_denied
from tagsight.errors import DataError
from tagsight.runtime.amounts import amount
from tagsight.runtime.escaping import csv_content

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tagsight.data.tables.table import Cell

logger = logging.getLogger(__name__)

SEPARATORS = (";", "|", ",", "\n", "\t", "\uff1b", "\uff0c", "\u3001", "\uff5c", "\u2022", "\xa6")
"""Marks that separate labels wherever they occur; the first ones win ties."""

ASCII_SEPARATORS = tuple(filter(str.isascii, SEPARATORS))
WEAK_SEPARATORS = (" and ", " ", "#", "/", "+", "&", "::")
"""Marks that names of labels have as well."""

MARKS_OF_NAMES = ("_", "-", ":", ".", "~", "\\", ">")
"""Marks that are part of names more often, so that they are told and not taken to separate."""

HASHTAGS = re.compile(r"(?:#[^#]*[^\W\d][^#]*)+")
"""Cells of labels that each begin with ``#``, as ``#dog #sky``, and not numbers such as ``#12``."""

MOST_KEPT = 10_000
"""Different cells that are kept to decide on a weak separator."""

_KIND = r"(?:\w+\.)*(?:array|tensor|list|set|frozenset|tuple|(?:Categorical)?Index)"
OPENING = re.compile(rf"\s*(?:{_KIND}\(|\[|\{{|\(['\"])")
"""Beginning of a list."""

CALL = re.compile(rf"{_KIND}\((?P<inside>.*?)(?:,\s*\w+=.*)?\)", re.DOTALL)
LIST = re.compile(r"[\[({](?P<inside>.*)[\])}]", re.DOTALL)
LABEL = re.compile(
    r"""(?:\b[bu]|\b(?:np|numpy)\.str_\()?(?:'((?:[^'\\]|\\.|'')*)'|"((?:[^"\\]|\\.|"")*)")\)?"""
    r"""|(?<![^\s,\[])(-?\d+(?:\.\d*)?|nan|NaN|None|null|<NA>)(?![^\s,\]])"""
)
BARE = re.compile(r"[^\[\](){}'\":=,]+(?:,[^\[\](){}'\":=,]+)*")
"""Words in brackets without quotes, as databases write them; several need commas."""

LONGEST_OBJECTS = 100_000
"""Characters of a cell with objects, which take many times the memory."""

SCORE_KEYS = frozenset({"score", "confidence", "probability"})
"""Keys of objects that a model has named."""

NOTHING = frozenset({"nan", "none", "null", "na", "n/a", "<na>"})
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(.))", re.DOTALL)
_QUOTED = re.compile(r"""\s*(?:[bu]?(['"])(.*)\1)\s*""", re.DOTALL)
_WHOLE = re.compile(r"(-?\d+)(?:\.0*)?")


class Separator(NamedTuple):
    """Separator of the labels of a cell.

    Attributes:
        mark: Text between two labels; empty if a cell has one label.
        is_list: Whether cells are lists in brackets.
        others: Marks that separate only some cells, whose parts are all labels by themselves.
        is_quoted: Whether every label is in quotation marks.

    Example:
        >>> list(Separator(";").labels("dog;sky"))
        ['dog', 'sky']
        >>> Separator(is_list=True).labels("['dog', 'sky']")
        ['dog', 'sky']
    """

    mark: str = ""
    is_list: bool = False
    others: tuple[str, ...] = ()
    is_quoted: bool = False

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
        labels = cell.split(self.mark) if self.mark else (cell,)
        return map(_unquoted, labels) if self.is_quoted else labels

    def __str__(self) -> str:
        if self.is_list:
            return "written as lists"
        names = {" ": "blanks", "\n": "line ends", "\t": "tabs"}
        return f"separated by {names.get(self.mark, repr(self.mark))}" if self.mark else "alone"


def list_labels(text: str, where: str) -> list[str]:
    """Parse a cell such as ``['sea', 'sky']`` or ``['sea' 'sky']`` without evaluating it.

    Lists may also be those of databases, ``{sea,sky}``, or named, as in ``array(['sea'])``; of
    objects with a name; or one object with 1 or 0, or true or false, for each label, of which those
    with 1 are listed. Words for a missing value are no labels.

    Raises:
        DataError: If it is no such list.

    Example:
        >>> list_labels("['sea' 'sky']", "labels.csv:2"), list_labels("[3, 17]", "labels.csv:2")
        (['sea', 'sky'], ['3', '17'])
        >>> list_labels("array(['sea'], dtype=object)", "labels.csv:2")
        ['sea']
        >>> list_labels("{'sea': 1, 'sky': 0}", ""), list_labels('[{"id": 3, "name": "sea"}]', "")
        (['sea'], ['sea'])
    """
    inside = text
    while call := CALL.fullmatch(inside):
        inside = call["inside"].strip()
    if not inside or inside.casefold() in NOTHING:
        return []
    if "{" in inside and ":" in inside and (objects := _of_objects(inside)) is not None:
        return objects
    if found := LIST.fullmatch(inside):
        inside = found["inside"].strip()
        if inside.startswith('""') and inside.endswith('""'):  # quoted twice
            inside = inside.replace('""', '"')
        labels = [_item(*groups) for groups in LABEL.findall(inside)]
        rest = " ".join(LABEL.sub("x", inside).split())
        commas = re.sub(r"\s*,\s*", ",", rest).removesuffix(",")
        if commas in {",".join("x" * len(labels)), " ".join("x" * len(labels))}:
            return [label for label in labels if label is not None]
        bare = [word.strip() for word in inside.split(",")]
        is_plain = BARE.fullmatch(inside) and not {"...", "True", "False"}.intersection(bare)
        if is_plain and (len(bare) > 1 or len(inside.split()) == 1):
            return bare
    msg = f"{where}: expected a list such as ['sea', 'sky'], got {text[:80]!r}"
    raise DataError(msg)


def _of_objects(text: str) -> list[str] | None:
    """Return the labels of an object of marks, or of a list of objects; None if it is neither."""
    content = _parsed(text) if len(text) <= LONGEST_OBJECTS else None
    if isinstance(content, dict):
        are_marks = all(isinstance(value, int | float) for value in content.values())
        if are_marks and {*content.values()} <= {0, 1} and all(isinstance(k, str) for k in content):
            return [name for name, value in content.items() if value]
    elif isinstance(content, list) and all(isinstance(one, dict) for one in content):
        found = [next((one[key] for key in NAME_KEYS if key in one), None) for one in content]
        are_of_model = any(not SCORE_KEYS.isdisjoint(one) for one in content)
        if all(isinstance(name, str) for name in found) and not are_of_model:
            pairs = zip(found, content, strict=True)
            return [str(name) for name, one in pairs if not is_denied(one)]
    return None


def _parsed(text: str) -> object:
    """Return the value of JSON, or of a literal of Python, or None."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        return literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None


def _item(single: str, double: str, bare: str) -> str | None:
    """Return the label that one of a list's items is, or None for a missing value."""
    if bare:
        number = _WHOLE.fullmatch(bare)
        return number[1] if number else bare if bare[-1].isdigit() else None
    text = single.replace("''", "'") or double.replace('""', '"')
    return _ESCAPE.sub(lambda found: _character(*found.groups()), text)


def _character(short: str | None, byte: str | None, other: str | None) -> str:
    code = short or byte
    return chr(int(code, 16)) if code else {"n": " ", "t": " "}.get(other or "", other or "")


def _unquoted(label: str) -> str:
    found = _QUOTED.fullmatch(label)
    return found[2] if found else label


def without_decimals(names: Sequence[str]) -> list[str]:
    """Return labels that are all whole numbers without the decimals that tables give them.

    Example:
        >>> without_decimals(["3.0", "17"]), without_decimals(["3.0", "3.5"])
        (['3', '17'], ['3.0', '3.5'])
    """
    whole = [_WHOLE.fullmatch(name) for name in names]
    return [found[1] for found in whole if found] if all(whole) else list(names)


class Vocabulary(dict[str, int]):
    """The labels of a table, and the position of each by every way in which it is written.

    Attributes:
        names: The labels, in the order of their first use.
        marks: Text that is no label, as it has no letter, digit or symbol: ``->`` or ``?``.

    Example:
        >>> labels = Vocabulary()
        >>> labels["dog"], labels[" dog "], labels["hot  dog"], labels[""], labels.names
        (0, 0, 1, -1, ['dog', 'hot dog'])
        >>> labels["->"], labels.marks
        (-1, ['->'])
    """

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self.marks: list[str] = []
        self._places: dict[str, int] = {}

    def __missing__(self, written: str) -> int:
        name = clean_name(csv_content(written.strip()))
        if is_bare_mark(name):
            self.marks += [] if name in self.marks else [name]
            name = ""
        place = self._places.setdefault(name, len(self.names)) if name else -1
        if place == len(self.names):
            self.names.append(name)
        self[written] = place
        return place

    def warn_of_marks(self, source: object) -> None:
        """Warn of text that is no label.

        Args:
            source: What messages call the table.

        Raises:
            DataError: If there is no other text.
        """
        warn_of_bare_marks(source, self.marks, self.names)


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
        self._lists += OPENING.match(cell) is not None
        for mark in ASCII_SEPARATORS if cell.isascii() else SEPARATORS:
            if mark in cell:
                self._marks[mark] += 1
        if len(self._cells) < MOST_KEPT:
            self._cells[cell.strip()] += 1

    def found(self) -> Separator:
        """Return the separator, and warn of others that occur."""
        if self._given is not None:
            return Separator(self._given)
        if self._filled and self._lists >= self._filled / 2:
            return Separator(is_list=True)
        if self._cells and all(map(HASHTAGS.fullmatch, filter(None, self._cells))):
            return Separator("#", others=tuple(mark for mark in SEPARATORS if self._marks[mark]))
        mark = max(SEPARATORS, key=self._marks.__getitem__)
        found = self._strong(mark) if self._marks[mark] else Separator(self._weak())
        if found.mark in SEPARATORS:
            self._warn_of_weak(found)
        parts = [part for cell in self._cells for part in found.labels(cell) if part.strip()]
        return found._replace(is_quoted=bool(parts) and all(map(_QUOTED.fullmatch, parts)))

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

    def _warn_of_weak(self, found: Separator) -> None:
        """Warn of parts of cells that another mark joins, as their parts are labels elsewhere."""
        parts = dict.fromkeys(
            part.strip() for cell in self._cells for part in found.labels(cell) if part.strip()
        )
        for mark in WEAK_SEPARATORS:
            if separates(mark, list(parts)):
                several = next(part for part in parts if mark in part)
                logger.warning(
                    "%s: labels are taken to be separated by %r, but %s joins others, such as %r; "
                    "write one of them in all rows",
                    *(self._source, found.mark, "a space" if mark == " " else repr(mark), several),
                )

    def _weak(self) -> str:
        """Return the mark that the cells' vocabulary shows to separate labels, if any does."""
        cells = [cell for cell in self._cells if cell]
        for mark in (*WEAK_SEPARATORS, *MARKS_OF_NAMES):
            if (verdict := separates(mark, cells)) is None:
                continue
            verdict = verdict and mark not in MARKS_OF_NAMES
            several = next(cell for cell in cells if mark in cell)
            name = "spaces" if mark == " " else repr(mark)
            logger.warning(
                "%s: labels %s separated by %s, such as %r; `separator` decides",
                self._source,
                "are taken to be" if verdict else "may be",
                name,
                several,
            )
            return mark if verdict else ""
        return ""


def separates(mark: str, cells: Sequence[str]) -> bool | None:
    """Judge whether a mark joins labels, or is part of their names: True, None, or False if unsure.

    Labels recur in other cells, alone or in other company, so that there are fewer of them than
    different cells. Words of a name, as in ``polar bear``, recur as well, but hardly alone, and
    seldom three together; other marks are in fewer names. Cells of which all words are labels alone
    as well are several labels: of the words of one name that may be so by chance, but not of two.
    Numbers are no words of a name.

    Example:
        >>> separates("_", ["dog", "sky", "dog_sky", "sky_sea", "sea"])
        True
    """
    each = [_parts(mark, cell) for cell in cells]
    several = [parts for parts in each if len(parts) > 1]
    uses = Counter(part for parts in each for part in set(parts))
    if not several or not all(any(map(str.isalnum, part)) for part in uses):
        return None
    if all(map(str.isdecimal, uses)):
        return None if mark in MARKS_OF_NAMES else True
    alone = {parts[0] for parts in each if len(parts) == 1}
    if len(set(map(tuple, several))) > 1 and all(alone.issuperset(parts) for parts in several):
        return True
    long = sum(len(parts) > 2 for parts in several)
    once = sum(count == 1 for count in uses.values())
    allowed = 0.1 if mark in {" ", *MARKS_OF_NAMES} else 0.25
    if once > max(allowed * len(uses), 1) or len(uses) >= len(cells):
        inner = {part for parts in several for part in parts[:-1]}
        moves = long and not inner.isdisjoint(parts[-1] for parts in several)
        known = any(uses[part] > 1 and part in alone for parts in several for part in parts)
        return False if moves or known else None
    with_known = sum(any(part in alone for part in parts) for parts in several)
    return with_known >= 0.5 * len(several) or long >= 0.2 * len(several)


def _parts(mark: str, cell: str) -> list[str]:
    return cell.split() if mark == " " else [part.strip() for part in cell.split(mark)]
