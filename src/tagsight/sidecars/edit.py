"""What is put into a sidecar, whatever its form."""

from __future__ import annotations

from typing import NamedTuple


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
