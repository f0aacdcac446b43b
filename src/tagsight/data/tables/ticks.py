"""Columns of ticks, such as ``x`` and blanks, and cells with a digit for each label."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from tagsight.data.tables.names import TARGETS, UNKNOWN, target_of
from tagsight.data.tables.pairs import Pair, paired
from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

TICKS = frozenset(
    "\u2713\u2714\u2705\u2611\u2612\u221a\u25cb\u25ef\u25cf\u2022"
)  # check marks, boxes, root, circles, bullet
"""Marks that only say yes."""

LETTERS = frozenset("xX")
CROSSES = frozenset("\u2717\u2718\u274c\u2716\u00d7\u2715")
"""Marks that say no beside `TICKS`, and yes where they are the only mark, as `LETTERS` do."""

EMPTY_BOXES = frozenset("\u2610\u25a1")
SELECTOR = "\ufe0f"
"""Character that asks for a coloured picture of the mark before it."""

LONGEST_WORD = 40
"""Characters of a mark, or of a target, at most."""

BLANK = 2
"""Code of a cell that says nothing in a column of ticks: absent, unless other cells say no."""

_BLANKS = frozenset(("", "-", "\u2013", "\u2014"))
_DIGITS = frozenset(("1", "1.0", "0", "0.0", "-1", "-1.0"))
_YES = frozenset(word for word, target in TARGETS.items() if target == 1) - _DIGITS
BITS = re.compile("[01]{2,}")
_ONE = r"(?:-?1|0)(?:\.0*)?"
VECTOR = re.compile(
    rf"(?:(?:\w+\.)*(?:array|tensor)\()?\[?\s*{_ONE}(?:\s*[,;|\s]\s*{_ONE})+\s*\]?(?:,\s*\w+=[\w.]+)*\)?"
)
"""A target for each label in one cell."""

_PART = re.compile(r"(?<![\w.=])-?[\d.]+(?![\w(])")


def is_ticked(cells: Collection[str]) -> bool:
    """Return whether cells, other than those that say nothing, are all marks such as ``x``.

    Example:
        >>> is_ticked(["x", "", "X"]), is_ticked(["x", "1"]), is_ticked(["", "?"])
        (True, False, False)
    """
    if max(map(len, cells), default=0) > LONGEST_WORD:
        return False
    marks = TICKS | LETTERS | CROSSES | EMPTY_BOXES
    filled = {_plain(cell) for cell in cells if target_of(cell) != UNKNOWN}
    return bool(filled) and filled <= marks and not filled <= EMPTY_BOXES


def repeats_name(name: str, cells: Collection[str]) -> bool:
    """Return whether cells, other than blank ones, all repeat the name of their column.

    Example:
        >>> repeats_name("dog", ["dog", "", "Dog"]), repeats_name("dog", ["cat", ""])
        (True, False)
    """
    filled = {cell.strip().casefold() for cell in cells} - {""}
    return filled == {name.strip().casefold()}


def has_ticks_and_targets(cells: Collection[str]) -> bool:
    """Return whether cells are marks such as ``x`` and targets such as 1.

    Example:
        >>> [has_ticks_and_targets(cells) for cells in (["x", "1"], ["x", ""], ["x", "y"])]
        [True, False, False]
    """
    if max(map(len, cells), default=0) > LONGEST_WORD:
        return False
    filled = [cell for cell in cells if target_of(cell) != UNKNOWN]
    targets = [cell for cell in filled if cell.strip() in _DIGITS]
    return 0 < len(targets) < len(filled) and is_ticked(set(filled).difference(targets))


def is_worded(cells: Collection[str]) -> bool:
    """Return whether a column says yes in words, so that its blanks may say no.

    Example:
        >>> is_worded(["yes", ""]), is_worded(["yes", "no"]), is_worded(["1", ""])
        (True, False, False)
    """
    filled = {cell for cell in cells if target_of(cell) != UNKNOWN}
    return bool(filled) and all(cell in _YES or cell.casefold() in _YES for cell in filled)


class Ticks(NamedTuple):
    """Columns of a table in which people tick what is present.

    Attributes:
        columns: Which columns they are.
        targets: The target of each mark, as an unsigned byte, or `BLANK`.
        pairs: Words for present and absent among the marks.

    Example:
        >>> ticks = Ticks.of({"dog": ["x", ""], "cat": ["1", "0"]}, "labels.csv")
        >>> ticks.columns, ticks.target("x"), ticks.target("") == BLANK, ticks.target("dog")
        (frozenset({'dog'}), 1, True, None)
    """

    columns: frozenset[str]
    targets: Mapping[str, int]
    pairs: tuple[Pair, ...] = ()

    @classmethod
    def of(cls, columns: Mapping[str, Collection[str]], where: str) -> Ticks:
        """Find the columns of ticks, and what each mark means beside the others.

        Args:
            columns: The different cells of each column of labels, by its name.
            where: The table, for the error.

        Raises:
            DataError: If there are two kinds of marks and none of them is a tick.
        """
        ticked = {name: set(cells) for name, cells in columns.items() if is_ticked(cells)}
        worded = frozenset(name for name, cells in columns.items() if is_worded(cells))
        if any(_says_no(cell) for cells in columns.values() for cell in cells):
            worded = frozenset()
        named = {name: set(cells) for name, cells in columns.items() if repeats_name(name, cells)}
        marks = {_plain(cell) for cells in ticked.values() for cell in cells}
        pairs = paired(columns)
        crosses = LETTERS | CROSSES
        if not marks & TICKS:
            kinds = [kind for kind in (LETTERS, CROSSES) if marks & kind]
            if len(kinds) > 1:
                shown = " and ".join(repr(min(marks & kind)) for kind in kinds)
                msg = f"{where}: expected marks of one kind, got {shown}; write 1 and 0 for them"
                raise DataError(msg)
            crosses = frozenset[str]()
        meaning = dict.fromkeys(TICKS | LETTERS | CROSSES, 1)
        meaning |= dict.fromkeys(crosses | EMPTY_BOXES, 0) | dict.fromkeys(_BLANKS, BLANK)
        for pair in pairs.values():
            meaning |= pair.meaning
        meaning |= {_plain(cell): 1 for cells in named.values() for cell in cells if cell.strip()}
        others = [name for name in pairs if not set(columns[name]) <= set(TARGETS)]
        said = tuple(dict.fromkeys(pairs[name] for name in others))
        return cls(frozenset((*ticked, *worded, *named, *others)), meaning, said)

    def target(self, cell: str) -> int | None:
        """Return the target of a cell in a column of ticks, or None if it is no mark."""
        mark = _plain(cell)
        return self.targets[mark] if mark in self.targets else target_of(cell)


def _says_no(cell: str) -> bool:
    return target_of(cell) == 0 and cell.strip()[:1].isalpha()


def _plain(cell: str) -> str:
    return cell.strip().removesuffix(SELECTOR)


def parts_of(cell: str) -> list[str]:
    """Return the targets of a cell that has one for each label.

    Example:
        >>> parts_of("[1 0 -1]"), parts_of("1;0")
        (['1', '0', '-1'], ['1', '0'])
    """
    return _PART.findall(cell)


def are_vectors(cells: Counter[str]) -> bool:
    """Return whether each cell has a target for each label.

    Example:
        >>> are_vectors(Counter(["1,0", "0, 1"])), are_vectors(Counter(["1,0", "1"]))
        (True, False)
    """
    filled = [cell for cell in cells if cell]
    lengths = {len(parts_of(cell)) for cell in filled}
    return are_bits(cells) or (len(lengths) == 1 and all(map(VECTOR.fullmatch, filled)))


def are_bits(cells: Counter[str]) -> bool:
    """Return whether cells have a digit for each label, 1 or 0, as ``101``.

    Numbers of classes, such as 10 and 11, do not begin with 0, and hardly ever are three or more
    that have no other digits.

    Example:
        >>> are_bits(Counter(["101", "011"])), are_bits(Counter(["10", "11"]))
        (True, False)
    """
    filled = {cell for cell in cells if cell}
    if not filled or not all(set(cell) <= {"0", "1"} for cell in filled):
        return False
    longest = max(map(len, filled))
    begins = any(len(cell) > 1 and cell.startswith("0") for cell in filled)
    return begins or (longest > 2 and len(filled) > 2)
