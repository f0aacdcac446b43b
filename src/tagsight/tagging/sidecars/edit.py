"""What is put into a sidecar, whatever its form."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable

Form = Literal["xmp", "txt"]
Existing = Literal["append", "replace", "keep"]
FORMS, EXISTING = get_args(Form), get_args(Existing)

LARGEST = 2**24
"""Bytes of a sidecar; real ones have some thousands."""

_UNWRITABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
"""What XML cannot hold, and control characters, which no keyword has."""


class Tag(NamedTuple):
    """A label of a photo, with its score in [0, 1]; ``/`` in a name divides levels."""

    name: str
    score: float


class Stamp(NamedTuple):
    """Who tags: the model, and the time in ISO 8601."""

    model: str
    date: str


class Addition(NamedTuple):
    """A value that was added, and the array that it was added to."""

    place: str
    value: str


class Edit(NamedTuple):
    """A sidecar's new content.

    Attributes:
        content: All of it.
        names: The labels that are new in it.
        additions: What was added, to take just that out again.
    """

    content: bytes
    names: tuple[str, ...]
    additions: tuple[Addition, ...]


def leaf(name: str) -> str:
    """The last level of a label: ``dog`` of ``animal/dog``."""
    return name.rpartition("/")[2]


def same(word: str) -> str:
    """What is equal for words that a person takes for the same."""
    return " ".join(word.split()).casefold()


def check_names(names: Iterable[str]) -> None:
    """Refuse labels that no sidecar can hold.

    Raises:
        DataError: If one is empty, or has control characters or halves of characters.
    """
    for name in names:
        if not leaf(name).strip() or _UNWRITABLE.search(name):
            msg = (
                f"expected a label's name with words behind its last / and without control "
                f"characters, got {name!r}: give another in its place with --replace"
            )
            raise DataError(msg)
