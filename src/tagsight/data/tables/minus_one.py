"""The meaning of -1: unknown, or absent where nothing but 1 and -1 is said, as in CelebA."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np

from tagsight.data.tables.names import UNKNOWN
from tagsight.runtime.amounts import named

if TYPE_CHECKING:
    from collections.abc import Sequence

logger = logging.getLogger(__name__)

MINUS_ONE = 254
"""Code of -1, as an unsigned byte, until all cells of a table are known."""


def code_of(target: int, cell: str) -> int:
    """Return the code of a cell's target: `MINUS_ONE` if it is unknown because it says -1.

    Example:
        >>> code_of(UNKNOWN, "-1.0") == MINUS_ONE, code_of(UNKNOWN, "nan") == UNKNOWN
        (True, True)
    """
    return MINUS_ONE if target == UNKNOWN and cell.lstrip().startswith("-1") else target


def unsettled(codes: bytes | bytearray) -> bytes:
    """Return codes of a row with `MINUS_ONE` as unknown, to compare rows of a photo.

    Example:
        >>> unsettled(bytes([1, MINUS_ONE])) == bytes([1, UNKNOWN])
        True
    """
    return bytes(codes).replace(bytes([MINUS_ONE]), bytes([UNKNOWN]))


def settle_minus_one(codes: bytearray, names: Sequence[str], source: object) -> None:
    """Replace `MINUS_ONE` by absent if all other cells of a table are 1, otherwise by unknown.

    Args:
        codes: Codes of all rows, one for each of L columns, changed in place.
        names: Names of the L columns.
        source: What messages call the table.

    Example:
        >>> codes = bytearray([1, MINUS_ONE, MINUS_ONE, 1])
        >>> settle_minus_one(codes, ("dog", "cat"), "labels.csv")
        >>> list(codes)
        [1, 0, 0, 1]
    """
    if MINUS_ONE not in codes:
        return
    table = np.frombuffer(codes, np.uint8).reshape(-1, len(names))
    ones, minus = table == 1, table == MINUS_ONE
    are_signs = (ones | minus).all(0)
    is_absent = bool(are_signs.all() and ones.any())
    table[minus] = 0 if is_absent else UNKNOWN
    places = np.flatnonzero(are_signs & minus.any(0) & ones.any(0)).tolist()
    if is_absent:
        logger.info(
            "%s: cells are 1 or -1 only: -1 read as absent; leave blank what is unknown", source
        )
    elif places:
        logger.warning(
            "%s: -1 read as unknown, as others are 0 or blank; if it means absent in columns of 1 "
            "and -1 alone, such as %s, write 0 there",
            source,
            named([names[place] for place in places]),
        )
