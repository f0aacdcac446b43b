"""The digest that an exported file carries of itself: whether any byte has changed since."""

from __future__ import annotations

import hashlib
import mmap
import re
from typing import TYPE_CHECKING

from tagsight.errors import DataError
from tagsight.inference.networks.exported import KEY

if TYPE_CHECKING:
    from pathlib import Path

SEAL_KEY = f"{KEY}_digest"
"""Under which a file keeps its digest."""

_BLANK = b"0" * 64
UNSEALED = f"sha256:{_BLANK.decode()}"
"""What an exporter writes under `SEAL_KEY`, for `seal` to fill in."""

_SEAL = re.compile(SEAL_KEY.encode() + rb".{1,16}?sha256:([0-9a-f]{64})", re.DOTALL)


def seal(file: Path) -> None:
    """Write a file's digest into it, over `UNSEALED` or an earlier digest.

    Raises:
        DataError: If the file has no place for it.
    """
    digest, place = _digest(file)
    with file.open("r+b") as opened:
        opened.seek(place)
        opened.write(digest)


def check_seal(file: Path) -> None:
    """See that a file is, to the byte, what was exported.

    This finds damage. Who changes a file on purpose can write its digest anew.

    Raises:
        DataError: If it has no digest, or another.
    """
    digest, place = _digest(file)
    with file.open("rb") as opened:
        opened.seek(place)
        found = opened.read(len(digest))
    if found != digest:
        msg = f"expected {file} as it was exported, got it changed or damaged; copy it again"
        raise DataError(msg)


def _digest(file: Path) -> tuple[bytes, int]:
    """SHA-256 of a file whose own digest is blank, and where the digest is: hexadecimal."""
    with file.open("rb") as opened:
        size = file.stat().st_size
        mapped = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) if size else b""
        place = _SEAL.search(mapped)
        if place is None:
            msg = (
                f"expected a file that this 'tagsight export' wrote, got {file} without a digest; "
                "export the model again"
            )
            raise DataError(msg)
        start, end = place.span(1)
        place = None  # lets go of the map
        whole = hashlib.sha256()
        with memoryview(mapped) as content:
            for part in (content[:start], _BLANK, content[end:]):
                whole.update(part)
    return whole.hexdigest().encode(), start
