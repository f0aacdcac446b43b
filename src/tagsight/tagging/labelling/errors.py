"""Errors that a client of a project can tell apart."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from tagsight.errors import FULL, DataError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class NoRoomError(DataError):
    """The disk is full; nothing was changed."""


class UnknownIdError(DataError):
    """There is no photo or label of this id."""

    def __init__(self, what: str, number: int) -> None:
        super().__init__(f"expected the id of a {what} of this project, got {number}")


@contextmanager
def disk_problems(place: Path) -> Iterator[None]:
    """Describe in one sentence why a file or folder cannot be written, such as a full disk.

    Args:
        place: The file or folder that the block writes.

    Raises:
        NoRoomError: If the disk is full.
        DataError: If the block raises another `OSError`.

    Example:
        >>> from pathlib import Path
        >>> try:
        ...     with disk_problems(Path("project")):
        ...         raise OSError(28, "No space left on device")
        ... except NoRoomError as error:
        ...     print(error)
        project: expected a place that can be written, got: No space left on device
    """
    try:
        yield
    except OSError as error:
        msg = f"{place}: expected a place that can be written, got: {error.strerror or error}"
        raise (NoRoomError if error.errno in FULL else DataError)(msg) from error
