"""Text without a letter or a digit, which is no label: arrows, dashes, question marks."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING
from unicodedata import category

from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

logger = logging.getLogger(__name__)

MOST_SHOWN = 6

_DASH = re.compile(r"[-\u2013\u2014]+|[-=\u2013\u2014]+>|[\u2192\u21d2|*/]")


def is_bare_mark(name: str) -> bool:
    """Return whether text has no letter, digit or symbol such as an emoji.

    Example:
        >>> [is_bare_mark(name) for name in ("->", "?", "c++", "\N{DOG FACE}", "")]
        [True, True, False, False, False]
    """
    return bool(name) and not any(map(_is_of_name, name))


def _is_of_name(letter: str) -> bool:
    return letter.isalnum() or category(letter) == "So"


def is_dash(name: str) -> bool:
    """Return whether text is a dash, an arrow or the like: no tag, as ``:)`` and ``?`` may be.

    Example:
        >>> [is_dash(name) for name in ("-", "->", ":)", "?")]
        [True, True, False, False]
    """
    return _DASH.fullmatch(name) is not None


def warn_of_bare_marks(source: object, marks: Iterable[str], names: Collection[str]) -> None:
    """Warn of text that is no label.

    Args:
        source: What messages call the source.
        marks: The text that is none.
        names: The labels.

    Raises:
        DataError: If there is such text, and no label.

    Example:
        >>> warn_of_bare_marks("labels.csv", ["->"], [])
        Traceback (most recent call last):
        tagsight.errors.DataError: labels.csv: expected labels with a letter or a digit, got only \
'->': write words in their place
    """
    shown = ", ".join(map(repr, list(marks)[:MOST_SHOWN]))
    if shown and not names:
        msg = f"{source}: expected labels with a letter or a digit, got only {shown}"
        raise DataError(f"{msg}: write words in their place")
    if shown:
        logger.warning("%s: %s without a letter or a digit: no label", source, shown)
