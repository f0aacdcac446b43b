"""Expressions that a person may have meant by one that names an unknown label."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from tagsight.errors import DataError
from tagsight.search.expression import UnknownLabelError, parse, written
from tagsight.search.spelling import similar_names

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MOST, MOST_MISTAKES = 3, 5
"""Most expressions that are offered, and most unknown labels in one of them."""


def corrections(error: UnknownLabelError, names: Sequence[str]) -> list[str]:
    """Return expressions in which all unknown labels are replaced by labels of the index.

    Args:
        error: The error of `parse`.
        names: The ``L`` labels of the index.

    Returns:
        Up to three expressions that `parse` accepts, the most probable first.

    Example:
        >>> names = ["cat", "dining table", "dog"]
        >>> try:
        ...     parse("dgo and not tabel", names)
        ... except UnknownLabelError as error:
        ...     corrections(error, names)
        ['dog and not "dining table"']
    """
    found: dict[str, None] = {}
    for replacement in _replacements(error.name, names):
        if (text := _completed(_replaced(error, replacement), names)) is not None:
            found[text] = None
    return list(found)[:MOST]


def _replacements(name: str, names: Sequence[str]) -> Iterator[str]:
    """Yield labels that an unknown name may stand for, or several without ``and``."""
    by_case = {known.lower(): known for known in names}
    words = name.split()
    if len(words) > 1 and all(word.lower() in by_case for word in words):
        yield " and ".join(written(by_case[word.lower()]) for word in words)
    yield from map(written, similar_names(name, names, MOST))


def _completed(text: str, names: Sequence[str]) -> str | None:
    """Replace further unknown labels by the most similar ones; None if that is impossible."""
    for mistakes in count(1):
        try:
            parse(text, names)
        except UnknownLabelError as error:
            best = next(_replacements(error.name, names), None)
            if best is None or mistakes == MOST_MISTAKES:
                return None
            text = _replaced(error, best)
        except DataError:
            return None
        else:
            return text
    return None


def _replaced(error: UnknownLabelError, replacement: str) -> str:
    start, end = error.span
    return error.text[:start] + replacement + error.text[end:]
