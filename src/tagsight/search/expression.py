"""Boolean expressions over labels: ``dog and not (person or "dining table")``.

A label is a name in the index, with or without quotes; a quote within quotes is doubled. ``dog >=
0.8`` compares the score with a number instead of the model's threshold. ``not`` binds more tightly
than ``and``, and ``and`` more tightly than ``or``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

LONGEST, DEEPEST = 10_000, 50
"""Most characters of an expression, and most nested parentheses and negations."""

_TOKEN = re.compile(
    r"""\s*(?:"((?:[^"]|"")*)"|'((?:[^']|'')*)'|(>=|[()])|([^\s()"'>][^\s()">]*))"""
)
_WORDS = {"and", "or", "not"}


@dataclass(frozen=True)
class Has:
    """Matches photos with a label: those found by threshold, or with at least some score.

    Args:
        label: Index of the label.
        name: Name of the label.
        score: Least score in [0, 1], or None for the model's threshold.
    """

    label: int
    name: str
    score: float | None = None


@dataclass(frozen=True)
class Not:
    """Matches photos that another expression does not match."""

    of: Expression


@dataclass(frozen=True)
class Both:
    """Matches photos that all of several expressions match."""

    of: tuple[Expression, ...]


@dataclass(frozen=True)
class Either:
    """Matches photos that at least one of several expressions matches."""

    of: tuple[Expression, ...]


Expression = Has | Not | Both | Either


def parse(text: str, names: Sequence[str]) -> Expression:
    """Parse an expression.

    Args:
        text: The expression.
        names: The ``L`` labels of the index.

    Raises:
        DataError: If the expression is malformed, or names a label that is not in the index.

    Example:
        >>> parse("not dog >= 0.8", ["cat", "dog"])
        Not(of=Has(label=1, name='dog', score=0.8))
    """
    if len(text) > LONGEST:
        msg = f"expected an expression of at most {LONGEST:,} characters, got {len(text):,}"
        raise DataError(msg)
    parser = _Parser(_tokens(text), names)
    found = parser.either(0)
    if parser.rest:
        msg = f"expected 'and' or 'or' before {parser.rest[0].text!r} in {text!r}"
        raise DataError(msg)
    return found


def wanted(expression: Expression) -> frozenset[int]:
    """Return the labels that are not negated; results are ranked by their scores.

    Example:
        >>> sorted(wanted(parse("dog and not cat", ["cat", "dog"])))
        [1]
    """
    match expression:
        case Has(label):
            return frozenset({label})
        case Not():
            return frozenset()
        case Both(of) | Either(of):
            return frozenset().union(*map(wanted, of))


def condition(expression: Expression) -> str:
    """Translate an expression into SQL over the columns ``labels`` and ``scores``.

    Example:
        >>> condition(parse("dog and not cat >= 0.8", ["cat", "dog"]))
        "(array_has(labels, 'dog')) AND (NOT (scores[1] >= 0.8))"
    """
    match expression:
        case Has(_, name, None):
            return f"array_has(labels, {quoted(name)})"
        case Has(label, _, score):
            return f"scores[{label + 1}] >= {score!r}"  # SQL counts from 1
        case Not(of):
            return f"NOT ({condition(of)})"
        case Both(of):
            return " AND ".join(f"({condition(part)})" for part in of)
        case Either(of):
            return " OR ".join(f"({condition(part)})" for part in of)


def quoted(text: str) -> str:
    """Quote text as an SQL string."""
    return "'" + text.replace("'", "''") + "'"


@dataclass(frozen=True)
class _Token:
    text: str
    is_name: bool


def _tokens(text: str) -> list[_Token]:
    found, place = [], 0
    while text[place:].strip():
        match = _TOKEN.match(text, place)
        if match is None:
            msg = f"expected labels with and, or, not, ( ) and >=, got {text[place:].strip()!r}"
            raise DataError(msg)
        double, single, sign, word = match.groups()
        name = single.replace("''", "'") if double is None and single is not None else double
        name = name.replace('""', '"') if double is not None else name
        if name is not None:
            found.append(_Token(name, is_name=True))
        else:
            bare = sign or word
            found.append(_Token(bare, is_name=sign is None and bare.lower() not in _WORDS))
        place = match.end()
    return found


class _Parser:
    """Recursive descent over tokens, with one method per level of precedence."""

    def __init__(self, tokens: list[_Token], names: Sequence[str]) -> None:
        self.rest = tokens
        self._names = names

    def either(self, depth: int) -> Expression:
        parts = [self._both(depth)]
        while self._next_is("or"):
            parts.append(self._both(depth))
        return parts[0] if len(parts) == 1 else Either(tuple(parts))

    def _both(self, depth: int) -> Expression:
        parts = [self._one(depth)]
        while self._next_is("and"):
            parts.append(self._one(depth))
        return parts[0] if len(parts) == 1 else Both(tuple(parts))

    def _one(self, depth: int) -> Expression:
        if depth > DEEPEST:
            msg = f"expected at most {DEEPEST} parentheses within one another, got more"
            raise DataError(msg)
        if self._next_is("not"):
            return Not(self._one(depth + 1))
        if self._next_is("("):
            found = self.either(depth + 1)
            if not self._next_is(")"):
                msg = "expected a ')' for every '(', got too few"
                raise DataError(msg)
            return found
        return self._label()

    def _label(self) -> Has:
        words = []
        while self.rest and self.rest[0].is_name:
            words.append(self.rest.pop(0).text)
        if not words:
            got = repr(self.rest[0].text) if self.rest else "nothing"
            msg = f"expected a label, such as {self._names[0]!r}, got {got}"
            raise DataError(msg)
        if not self._next_is(">="):
            label = self._found(" ".join(words))
            return Has(label, self._names[label])
        label = self._found(" ".join(words))
        return Has(label, self._names[label], self._score())

    def _score(self) -> float:
        text = self.rest.pop(0).text if self.rest else "nothing"
        if re.fullmatch(r"\d*\.?\d+", text) and float(text) <= 1:
            return float(text)
        msg = f"expected a score in [0, 1] after '>=', got {text!r}"
        raise DataError(msg)

    def _found(self, name: str) -> int:
        if name in self._names:
            return self._names.index(name)
        alike = [i for i, known in enumerate(self._names) if known.lower() == name.lower()]
        if len(alike) == 1:
            return alike[0]
        msg = f"expected a label of the index, such as {list(self._names[:3])!r}, got {name!r}"
        raise DataError(msg)

    def _next_is(self, word: str) -> bool:
        if self.rest and not self.rest[0].is_name and self.rest[0].text.lower() == word:
            self.rest.pop(0)
            return True
        return False
