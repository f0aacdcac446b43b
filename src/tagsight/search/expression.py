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
from tagsight.search.spelling import similar_names

if TYPE_CHECKING:
    from collections.abc import Sequence

LONGEST, DEEPEST = 10_000, 50
"""Most characters of an expression, and most nested parentheses and negations."""

_TOKEN = re.compile(
    r"""\s*(?:"((?:[^"]|"")*)"|'((?:[^']|'')*)'|(>=|[()])|([^\s()"'>][^\s()">]*))"""
)
_WORDS = {"and", "or", "not"}


class UnknownLabelError(DataError):
    """An expression names a label that is not in the index.

    Args:
        text: The expression.
        name: The name.
        span: Where the name is in the expression: its first character, and the one after its last.
        names: The ``L`` labels of the index.

    Example:
        >>> str(UnknownLabelError("dgo", "dgo", (0, 3), ["cat", "dog"]))
        "expected a label of the index, got 'dgo': did you mean 'dog'?"
    """

    def __init__(self, text: str, name: str, span: tuple[int, int], names: Sequence[str]) -> None:
        self.text = text
        self.name = name
        self.span = span
        similar = similar_names(name, names)
        hint = f": did you mean {similar[0]!r}?" if similar else ""
        such = "" if similar else f", such as {list(names[:3])!r}"
        super().__init__(f"expected a label of the index{such}, got {name!r}{hint}")


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
        UnknownLabelError: If the expression names a label that is not in the index.
        DataError: If it is malformed.

    Example:
        >>> parse("not dog >= 0.8", ["cat", "dog"])
        Not(of=Has(label=1, name='dog', score=0.8))
    """
    if len(text) > LONGEST:
        msg = f"expected an expression of at most {LONGEST:,} characters, got {len(text):,}"
        raise DataError(msg)
    parser = _Parser(text, names)
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


def written(name: str) -> str:
    """Write a label as an expression, in quotes if it needs them.

    Example:
        >>> written("dog"), written("dining table")
        ('dog', '"dining table"')
    """
    if re.fullmatch(r"[^\W\d][\w-]*", name) and name.lower() not in _WORDS:
        return name
    return '"' + name.replace('"', '""') + '"'


def quoted(text: str) -> str:
    """Quote text as an SQL string.

    Example:
        >>> quoted("it's")
        "'it''s'"
    """
    return "'" + text.replace("'", "''") + "'"


@dataclass(frozen=True)
class _Token:
    text: str
    start: int
    end: int
    is_name: bool


def _tokens(text: str) -> list[_Token]:
    found, place = [], 0
    while text[place:].strip():
        match = _TOKEN.match(text, place)
        if match is None:
            msg = f"expected labels with and, or, not, ( ) and >=, got {text[place:].strip()!r}"
            raise DataError(msg)
        double, single, sign, word = match.groups()
        span = match.end() - len(match.group().lstrip()), match.end()
        name = single.replace("''", "'") if double is None and single is not None else double
        name = name.replace('""', '"') if double is not None else name
        if name is not None:
            found.append(_Token(name, *span, is_name=True))
        else:
            bare = sign or word
            found.append(_Token(bare, *span, is_name=sign is None and bare.lower() not in _WORDS))
        place = match.end()
    return found


class _Parser:
    """Recursive descent over tokens, with one method per level of precedence."""

    def __init__(self, text: str, names: Sequence[str]) -> None:
        self.rest = _tokens(text)
        self._text = text
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
        words: list[_Token] = []
        while self.rest and self.rest[0].is_name:
            words.append(self.rest.pop(0))
        if not words:
            got = repr(self.rest[0].text) if self.rest else "nothing"
            msg = f"expected a label, such as {self._names[0]!r}, got {got}"
            raise DataError(msg)
        label = self._found(words)
        score = self._score() if self._next_is(">=") else None
        return Has(label, self._names[label], score)

    def _score(self) -> float:
        text = self.rest.pop(0).text if self.rest else "nothing"
        if re.fullmatch(r"\d*\.?\d+", text) and float(text) <= 1:
            return float(text)
        msg = f"expected a score in [0, 1] after '>=', got {text!r}"
        raise DataError(msg)

    def _found(self, words: Sequence[_Token]) -> int:
        name = " ".join(word.text for word in words)
        if name in self._names:
            return self._names.index(name)
        alike = [i for i, known in enumerate(self._names) if known.lower() == name.lower()]
        if len(alike) == 1:
            return alike[0]
        raise UnknownLabelError(self._text, name, (words[0].start, words[-1].end), self._names)

    def _next_is(self, word: str) -> bool:
        if self.rest and not self.rest[0].is_name and self.rest[0].text.lower() == word:
            self.rest.pop(0)
            return True
        return False
