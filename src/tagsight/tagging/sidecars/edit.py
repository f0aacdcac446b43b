"""Tags and edits of sidecars, whatever their format."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

from tagsight.data.tags.text import leaf
from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable

Form = Literal["xmp", "txt"]
Existing = Literal["append", "replace", "keep"]
FORMS, EXISTING = get_args(Form), get_args(Existing)
EMBEDDED = "embedded"
"""Form of runs that write keywords into photos."""

_UNWRITABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
"""Characters that XML cannot hold, and control characters."""


class Tag(NamedTuple):
    """A label of a photo and its score in [0, 1]; ``/`` in the name separates levels."""

    name: str
    score: float


class Stamp(NamedTuple):
    """Origin of tags: the model, and the time in ISO 8601."""

    model: str
    date: str


class Addition(NamedTuple):
    """A value that was added, and the array it was added to."""

    place: str
    value: str


class Edit(NamedTuple):
    """New content of a sidecar.

    Attributes:
        content: The whole content.
        names: Labels that are new in it.
        additions: Values that were added, to be removed by undo.
    """

    content: bytes
    names: tuple[str, ...]
    additions: tuple[Addition, ...]


def check_names(names: Iterable[str]) -> None:
    """Check that sidecars can hold some labels.

    Raises:
        DataError: If one is empty, or has control characters or lone surrogates.

    Example:
        >>> check_names(["animal/dog"])
        >>> try:
        ...     check_names(["animal/"])
        ... except DataError as error:
        ...     print(str(error).partition(", got ")[2])
        'animal/': write another in its place with `replace`
    """
    for name in names:
        if not is_writable(name):
            msg = (
                "expected a label with words after its last / and without control characters, "
                f"got {name!r}: write another in its place with `replace`"
            )
            raise DataError(msg)


def is_writable(name: str) -> bool:
    r"""Return whether a name has words after its last ``/``, and no control characters.

    Example:
        >>> is_writable("animal/dog"), is_writable("animal/"), is_writable("dog\n")
        (True, False, False)
    """
    return bool(leaf(name).strip()) and not _UNWRITABLE.search(name)
