"""Protocol buffers, read field by field where they lie, without a copy."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_FIELDS = 1_000_000
"""Fields of one file that are looked at; a network of a thousand layers has some 50,000."""

_VARINT, _LONG, _BYTES, _SHORT = 0, 1, 2, 5
_FIXED = {_LONG: 8, _SHORT: 4}


class Field(NamedTuple):
    """A field of a message.

    Attributes:
        number: Which field of the message.
        value: Of a whole number; -1 for anything else.
        content: Of text, bytes, a message, or a number of fixed length; empty for a whole number.
    """

    number: int
    value: int
    content: memoryview


class Reader:
    """Reads messages, and counts their fields so that a file of nothing but fields ends."""

    def __init__(self) -> None:
        self._left = MOST_FIELDS

    def fields(self, message: memoryview) -> Iterator[Field]:
        """The fields of a message, in their order.

        Raises:
            DataError: If it is malformed, or the file has more than `MOST_FIELDS`.
        """
        place, nothing = 0, message[:0]
        while place < len(message):
            self._left -= 1
            if self._left < 0:
                msg = f"more than {MOST_FIELDS:,} fields"
                raise DataError(msg)
            key, place = _varint(message, place)
            number, kind = key >> 3, key & 7
            if not 0 < number < 2**29:
                msg = f"a field of the number {number}"
                raise DataError(msg)
            if kind == _VARINT:
                value, place = _varint(message, place)
                yield Field(number, value, nothing)
                continue
            size = _FIXED.get(kind, -1)
            if kind == _BYTES:
                size, place = _varint(message, place)
            if not 0 <= size <= len(message) - place:
                msg = "a field that is cut short"
                raise DataError(msg)
            yield Field(number, -1, message[place : place + size])
            place += size


def varints(content: memoryview) -> list[int]:
    """Whole numbers that are packed into one field, without sign.

    Raises:
        DataError: If the last one is cut short.
    """
    found: list[int] = []
    place = 0
    while place < len(content):
        value, place = _varint(content, place)
        found.append(value)
    return found


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if place >= len(message):
            break
        byte = message[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, place
    msg = "a field that is cut short"
    raise DataError(msg)
