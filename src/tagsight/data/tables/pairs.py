"""Words for present and absent, such as ``positive`` and ``negative``, that come in pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeVar

from tagsight.data.tables.names import TARGETS, UNKNOWN, target_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


class Pair(NamedTuple):
    """A word for present and one for absent.

    Attributes:
        yes: The word for present.
        no: The word for absent.

    Example:
        >>> Pair("positive", "negative").meaning["Negative"]
        0
    """

    yes: str
    no: str

    @property
    def meaning(self) -> dict[str, int]:
        """Targets, as unsigned bytes, by the spellings of the words."""
        words = {**dict.fromkeys(_UNSURE, UNKNOWN), self.yes: 1, self.no: 0}
        return {
            spelling: value
            for word, value in words.items()
            for spelling in (word, word.upper(), word.capitalize())
        }

    @property
    def is_initials(self) -> bool:
        """Whether these are first letters, which may stand for other things, as for points."""
        return self in _INITIALS


Key = TypeVar("Key", str, int)
_UNSURE = ("unknown", "uncertain", "unsure", "indeterminate")
_WORDS = (
    *(Pair("positive", "negative"), Pair("pos", "neg"), Pair("present", "absent")),
    *(Pair("t", "f"), Pair("+", "-"), Pair("on", "off"), Pair("detected", "not detected")),
    *(Pair("s\u00ed", "no"), Pair("si", "no"), Pair("s\u00ec", "no"), Pair("sim", "n\u00e3o")),
    *(Pair("sim", "nao"), Pair("ja", "nee"), Pair("tak", "nie"), Pair("ano", "ne")),
    *(Pair("evet", "hay\u0131r"), Pair("evet", "hayir"), Pair("igen", "nem")),
    *(Pair("\u0434\u0430", "\u043d\u0435\u0442"), Pair("\u662f", "\u5426")),
    *(Pair("\u6709", "\u65e0"), Pair("\u6709", "\u7121"), Pair("\uc608", "\uc544\ub2c8\uc624")),
    Pair("\u306f\u3044", "\u3044\u3044\u3048"),
)
_INITIALS = (Pair("j", "n"), Pair("s", "n"), Pair("o", "n"), Pair("p", "n"), Pair("v", "f"))
_MAY_BE_ELSE = {"t", "on", "si", "ja", "ano", *(pair.yes for pair in _INITIALS)}
"""Words for present that, without the one for absent, may be anything."""

PAIRS = (*_WORDS, *_INITIALS)
VERDICTS = (
    *(Pair("accepted", "rejected"), Pair("approved", "rejected"), Pair("confirmed", "rejected")),
    *(Pair("correct", "incorrect"), Pair("correct", "wrong"), Pair("right", "wrong")),
    *(Pair("accept", "reject"), Pair("valid", "invalid")),
)
"""What people say of a label that somebody, or a model, gave before."""


_MEANINGS = {pair: pair.meaning for pair in PAIRS}
_ANY = {word for word in TARGETS if target_of(word) == UNKNOWN}.union(*_MEANINGS.values())
"""All words of pairs, and those for nothing."""


def paired(columns: Mapping[Key, Collection[str]]) -> dict[Key, Pair]:
    """Return the pair of each column of which all cells are words of one.

    Both words occur in the columns together; the word for present may be alone if it says nothing
    else. First letters do in two columns or more, as one may hold, say, points of the compass.

    Args:
        columns: The different cells of each column, by its name or position.

    Example:
        >>> sorted(paired({"covid": ["positive", ""], "flu": ["negative"], "sex": ["m", "f"]}))
        ['covid', 'flu']
        >>> paired({"hemisphere": ["N", "S"]})
        {}
    """
    stripped = {name: {cell.strip() for cell in cells} for name, cells in columns.items()}
    stripped = {name: cells for name, cells in stripped.items() if cells <= _ANY}
    found: dict[Key, Pair] = {}
    for pair, meaning in _MEANINGS.items() if stripped else ():
        filled = {
            name: {cell for cell in cells if cell in meaning or target_of(cell) != UNKNOWN}
            for name, cells in stripped.items()
        }
        names = [name for name, cells in filled.items() if cells and cells <= meaning.keys()]
        said = {meaning[cell] for name in names for cell in filled[name]}
        is_said = said >= {0, 1} or (said == {1} and pair.yes not in _MAY_BE_ELSE)
        if is_said and len(names) > pair.is_initials:
            found |= {name: pair for name in names if name not in found}
    return found


def verdict_of(cells: Collection[str]) -> Pair | None:
    """Return the pair of verdicts of which all cells are words, both of which occur, or None.

    Example:
        >>> verdict_of(["Accepted", "rejected", ""])
        Pair(yes='accepted', no='rejected')
        >>> verdict_of(["accepted"]), verdict_of(["accepted", "rejected", "pending"])
        (None, None)
    """
    filled = {cell.strip() for cell in cells if target_of(cell) != UNKNOWN}
    for pair in VERDICTS:
        meaning = pair.meaning
        if filled <= meaning.keys() and {meaning[cell] for cell in filled} >= {0, 1}:
            return pair
    return None


def mark_of(text: str) -> int | None:
    """Return 1 or 0 for a word for present or absent, or a verdict, and None for any other text.

    Example:
        >>> mark_of("Yes"), mark_of("absent"), mark_of("rejected"), mark_of("dog"), mark_of("")
        (1, 0, 0, None, None)
    """
    if (target := target_of(text)) is not None:
        return target if target in {0, 1} else None
    meanings = (pair.meaning for pair in (*_WORDS, *VERDICTS) if len(pair.yes) > 1)
    marks = (meaning.get(text.strip()) for meaning in meanings)
    return next((mark for mark in marks if mark in {0, 1}), None)


def is_word(cell: str) -> bool:
    """Return whether a cell is a word of a pair, or another target.

    Example:
        >>> is_word("Positive"), is_word("yes"), is_word("dog")
        (True, True, False)
    """
    return target_of(cell) is not None or cell.strip() in _ANY


def has_words_and_targets(cells: Collection[str]) -> bool:
    """Return whether cells are words of a pair beside other targets.

    Example:
        >>> [has_words_and_targets(cells) for cells in (["positive", "1"], ["positive", "neutral"])]
        [True, False]
    """
    filled = {cell.strip() for cell in cells if target_of(cell) != UNKNOWN}
    words = {
        word
        for pair in _WORDS
        for word in filled & _MEANINGS[pair].keys()
        if word not in TARGETS and (len(word) > 1 or filled >= {"T", "F"} or filled >= {"t", "f"})
    }
    rest = filled - words
    return bool(words) and bool(rest) and all(target_of(cell) is not None for cell in rest)
