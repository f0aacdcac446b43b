"""Errors that a client of a project can tell apart."""

from __future__ import annotations

from tagsight.errors import DataError


class NoRoomError(DataError):
    """The disk is full; nothing was changed."""


class UnknownIdError(DataError):
    """There is no photo or label of this id."""

    def __init__(self, what: str, number: int) -> None:
        super().__init__(f"expected the id of a {what} of this project, got {number}")
