"""Headers of photos that somebody made to be expensive, read before a decoder sees them."""

from __future__ import annotations

import os
import re
import struct
from io import BytesIO
from math import inf, prod
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from tagsight.errors import TooLargeError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PIL import ImageFile

MOST_READS = 2**18
"""Pieces that a file is read in: one of millions of empty chunks is refused within a second."""

MOST_STRIPS = 2**17
"""Strips or tiles of a TIFF; a photo with a strip for each line has some thousands."""

MOST_SCANS = 100
"""Of a JPEG; encoders write about ten."""

MOST_SEGMENTS = 100 * MOST_SCANS
"""Of a JPEG behind its first scan, where there are tables and scans."""

_COMMENT = re.compile(rb"#[^\r\n]*")


class Metered:
    """A file that can be read so many times, for decoders that read headers piece by piece.

    Args:
        file: The file, of which everything else is passed on.
        reads: How many times.
    """

    def __init__(self, file: IO[bytes], reads: int = MOST_READS) -> None:
        self._file = file
        self._read = file.read
        self._left: float = reads
        self.seek = file.seek
        self.tell = file.tell

    def unmetered(self) -> None:
        """Let it be read as often as anybody likes, by decoders whose work is known."""
        self._left = inf

    def read(self, size: int = -1) -> bytes:
        """Read as the file does.

        Raises:
            TooLargeError: If that was too often.
        """
        self._left -= 1
        if self._left < 0:
            msg = f"expected a photo of at most {MOST_READS:,} pieces, got more: most are empty"
            raise TooLargeError(msg)
        return self._read(size)

    def __getattr__(self, name: str) -> object:
        return getattr(self._file, name)


def prepared(file: IO[bytes]) -> IO[bytes]:
    """Give a file that Pillow can open at a cost that its size bounds: in most cases the same.

    Of PNM in plain text Pillow takes comments out one by one, in time that grows with their square;
    here they are taken out before.

    Args:
        file: Any photo, at its beginning; it is left there.

    Raises:
        TooLargeError: If it is a TIFF of too many strips.
    """
    start = file.read(16)
    file.seek(0)
    if start[:2] in {b"P1", b"P2", b"P3"}:
        return BytesIO(_COMMENT.sub(b"", file.read()))
    if start[:4] in _TIFF:
        require_few_strips(file)
    return file


class _Layout(NamedTuple):
    """How a TIFF writes places and numbers, where that of its directory is, and their counter."""

    number: str
    directory: int
    counter: str


_TIFF = {
    b"II*\0": ("<", _Layout("L", 4, "H")),
    b"MM\0*": (">", _Layout("L", 4, "H")),
    b"II+\0": ("<", _Layout("Q", 8, "Q")),
    b"MM\0+": (">", _Layout("Q", 8, "Q")),
}
_STRIP_PLACES = {273, 324}
_MOST_TAGS = 2**16


def require_few_strips(file: IO[bytes]) -> None:
    """Refuse a TIFF of too many strips or tiles: Pillow makes objects of each when it opens it.

    Args:
        file: Any photo, at its beginning; it is left there.

    Raises:
        TooLargeError: If it is such.
    """
    start = file.read(16)
    order, layout = _TIFF.get(start[:4], ("", None))
    if layout is not None and len(start) == 16:
        (place,) = struct.unpack_from(order + layout.number, start, layout.directory)
        file.seek(min(place, 2**62))
        (tags,) = _unpacked(order + layout.counter, file)
        for _ in range(min(tags, _MOST_TAGS)):
            tag, _, count, _ = _unpacked(f"{order}HH{2 * layout.number}", file)
            if tag in _STRIP_PLACES and count > MOST_STRIPS:
                msg = f"expected at most {MOST_STRIPS:,} strips or tiles, got {count:,}"
                raise TooLargeError(msg)
    file.seek(0)


def _unpacked(layout: str, file: IO[bytes]) -> tuple[Any, ...]:
    size = struct.calcsize(layout)
    return struct.unpack(layout, file.read(size).ljust(size, b"\0"))


# In the pixels 0xFF is followed by zero, or by the marks of restarts.
_SEGMENT = re.compile(rb"\xff+([\x02-\xcf\xd8-\xfe])")
_START_OF_PHOTO, _END_OF_PHOTO, _START_OF_SCAN = 0xD8, 0xD9, 0xDA


def count_scans(photo: ImageFile.ImageFile, components: int, *, progressive: bool) -> int:
    """Count the passes that a JPEG's decoder makes over the whole photo.

    Args:
        photo: As Pillow has opened it.
        components: Of its colours.
        progressive: Whether it says that it comes in several scans. Others may do so as well; of
            those in one scan, as most are, only the header is read.

    Raises:
        TooLargeError: If there are more than `MOST_SCANS`, or too many other segments.
    """
    file = photo.fp
    assert file is not None
    here = file.tell()
    try:
        if not progressive and _is_one_scan(file, components, here or _first_scan(file)):
            return 1
        return _scans(file)
    finally:
        file.seek(here)


def _is_one_scan(file: IO[bytes], components: int, end: int) -> bool:
    """Whether the header that ends there begins a scan of all components.

    If that of a scan of fewer does, its mark is found in what would be the components of this one.
    """
    size = 8 + 2 * components
    file.seek(max(0, end - size))
    header = file.read(size)
    start = bytes((0xFF, _START_OF_SCAN, 0, size - 2, components))
    return header.startswith(start) and header.rfind(start[:2]) == 0


def _first_scan(file: IO[bytes]) -> int:
    """Where the header of the first scan ends, or 0 if it is far behind."""
    file.seek(0)
    content = file.read(2**16)
    for marker, at in _segments(content):
        if marker == _START_OF_SCAN:
            return at + int.from_bytes(content[at : at + 2], "big")
    return 0


def _scans(file: IO[bytes]) -> int:
    file.seek(0)
    content, scans, segments = file.read(), 0, 0
    for marker, _ in _segments(content):
        scans += marker == _START_OF_SCAN
        segments += scans > 0
        if marker == _END_OF_PHOTO:
            break
        if scans > MOST_SCANS or segments > MOST_SEGMENTS:
            msg = f"expected a JPEG of at most {MOST_SCANS} scans, got more: save it as baseline"
            raise TooLargeError(msg)
    return scans


def _segments(content: bytes) -> Iterator[tuple[int, int]]:
    """The markers of a JPEG, and where what belongs to them begins."""
    at = 2
    while found := _SEGMENT.search(content, at):
        marker, at = found[1][0], found.end()
        yield marker, at
        if marker not in {_START_OF_PHOTO, _END_OF_PHOTO}:
            at += int.from_bytes(content[at : at + 2], "big")


class Tile(NamedTuple):
    """What a decoder of JPEG 2000 holds at a time.

    Attributes:
        pixels: Of the tile.
        samples: Of a pixel.
        depth: Bytes that a sample has when it is handed over; until then it is four.
    """

    pixels: int
    samples: int
    depth: int


_CODESTREAM = b"\xff\x4f\xff\x51"


def largest_tile(photo: ImageFile.ImageFile) -> Tile:
    """Find what a JPEG 2000 photo is decoded by; all of it, if its header does not tell."""
    file = photo.fp
    assert file is not None
    here = file.tell()
    _seek_codestream(file)
    mark, _, _, right, bottom, left, top, width, height, _, _, samples = _unpacked(">4s2H8IH", file)
    depths = file.read(3 * min(samples, 4))[::3]
    file.seek(here)
    if mark != _CODESTREAM:
        return Tile(prod(photo.size), len(photo.getbands()), 2)
    sides = min(width, right - left, photo.width), min(height, bottom - top, photo.height)
    return Tile(prod(sides), samples, max(1 + (depth & 0x7F) // 8 for depth in depths or b"\x0f"))


def _seek_codestream(file: IO[bytes]) -> None:
    """Go through the boxes of a file up to the one that holds the codestream."""
    file.seek(0)
    start = file.read(4)
    file.seek(0)
    while start != _CODESTREAM:
        size, kind, large = _unpacked(">L4sQ", file)
        head = 16 if size == 1 else 8
        length = large if size == 1 else size
        file.seek(head - 16, os.SEEK_CUR)
        if kind == b"jp2c" or length < head:
            return
        file.seek(length - head, os.SEEK_CUR)
