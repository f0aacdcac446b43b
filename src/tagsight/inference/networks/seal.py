"""Digest of an exported file within the file itself, to detect damage."""

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
"""Key of the digest in the metadata of a file."""

_BLANK = b"0" * 64
UNSEALED = f"sha256:{_BLANK.decode()}"
"""Placeholder that an exporter writes under `SEAL_KEY` and `seal` fills in."""

_SEAL = re.compile(SEAL_KEY.encode() + rb".{1,16}?sha256:([0-9a-f]{64})", re.DOTALL)


def seal(file: Path) -> None:
    """Write the digest of a file into it, over the placeholder or an earlier digest.

    Raises:
        DataError: If the file has no place for the digest.

    Example:
        >>> from pathlib import Path
        >>> file = Path("model.onnx")
        >>> _ = file.write_text(f"{SEAL_KEY}: {UNSEALED}")
        >>> seal(file)
        >>> file.read_text() == f"{SEAL_KEY}: {UNSEALED}", file.stat().st_size
        (False, 88)
    """
    digest, place = _digest(file)
    with file.open("r+b") as opened:
        opened.seek(place)
        opened.write(digest)


def check_seal(file: Path) -> None:
    """Check that no byte of a file has changed since it was exported.

    This finds damage, not attacks: whoever changes a file can update the digest as well.

    Raises:
        DataError: If the file has no digest, or does not match it.

    Example:
        >>> from pathlib import Path
        >>> file = Path("model.onnx")
        >>> _ = file.write_text(f"{SEAL_KEY}: {UNSEALED}, weights")
        >>> seal(file)
        >>> check_seal(file)
        >>> _ = file.write_text(file.read_text().replace("weights", "weighty"))
        >>> try:
        ...     check_seal(file)
        ... except DataError as error:
        ...     print(error)
        expected model.onnx as it was exported, got it changed or damaged; copy it again
    """
    digest, place = _digest(file)
    with file.open("rb") as opened:
        opened.seek(place)
        found = opened.read(len(digest))
    if found != digest:
        msg = f"expected {file} as it was exported, got it changed or damaged; copy it again"
        raise DataError(msg)


def _digest(file: Path) -> tuple[bytes, int]:
    """Return the hexadecimal SHA-256 of a file with a blank digest, and the digest's position."""
    with file.open("rb") as opened:
        size = file.stat().st_size
        mapped = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) if size else b""
        place = _SEAL.search(mapped)
        if place is None:
            msg = (
                f"expected a file exported by this version of tagsight, got {file} without a "
                "digest; export the model again"
            )
            raise DataError(msg)
        start, end = place.span(1)
        place = None  # a match would keep the file mapped
        whole = hashlib.sha256()
        with memoryview(mapped) as content:
            for part in (content[:start], _BLANK, content[end:]):
                whole.update(part)
    return whole.hexdigest().encode(), start
