"""Headers of photos, examined before a decoder runs: files may be made to be expensive."""

from __future__ import annotations

import os
import re
import struct
from io import BytesIO
from math import inf, prod
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from PIL.ExifTags import Base

from tagsight.data.photos.kinds import CUT_OFF
from tagsight.errors import DataError, TooLargeError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PIL import ImageFile

MOST_READS = 2**18
"""Calls of read for one file: millions of empty chunks are refused within a second."""

MOST_STRIPS = 2**17
"""Strips or tiles of a TIFF; a photo with a strip per line has some thousands."""

MOST_SCANS = 100
"""Scans of a JPEG; encoders write about ten."""

MOST_SEGMENTS = 100 * MOST_SCANS
"""Segments of a JPEG after its first scan: tables and further scans."""

_COMMENT = re.compile(rb"#[^\r\n]*")


class Metered:
    """Wrap a file and limit the calls of read, for decoders that read headers in small pieces.

    Args:
        file: The file; all other attributes are those of the file.
        reads: Number of calls.

    Example:
        >>> file = Metered(BytesIO(b"abc"), reads=1)
        >>> file.read(1)
        b'a'
        >>> try:
        ...     file.read(1)
        ... except TooLargeError as error:
        ...     print(str(error).partition(", got")[0])
        expected a photo of at most 262,144 pieces
    """

    def __init__(self, file: IO[bytes], reads: int = MOST_READS) -> None:
        self._file = file
        self._read = file.read
        self._left: float = reads
        self.seek = file.seek
        self.tell = file.tell

    def unmetered(self) -> None:
        """Lift the limit, for decoders whose work is bounded otherwise."""
        self._left = inf

    def read(self, size: int = -1) -> bytes:
        """Read from the file.

        Raises:
            TooLargeError: If there were too many calls.
        """
        self._left -= 1
        if self._left < 0:
            allowed = f"expected a photo of at most {MOST_READS:,} pieces"
            msg = f"{allowed}, got more, most of them empty: save it again"
            raise TooLargeError(msg)
        return self._read(size)

    def __getattr__(self, name: str) -> object:
        return getattr(self._file, name)


def prepared(file: IO[bytes]) -> IO[bytes]:
    r"""Return a file that Pillow opens at a cost proportional to its size: usually the file itself.

    Pillow removes comments from plain-text PNM one by one, in quadratic time; here they are removed
    beforehand.

    Args:
        file: Any photo, at its beginning, where it is left.

    Raises:
        TooLargeError: If it is a TIFF with too many strips.

    Example:
        >>> prepared(BytesIO(b"P2 # drawn by hand\n1 1 255 7")).read()
        b'P2 \n1 1 255 7'
    """
    start = file.read(16)
    file.seek(0)
    if start[:2] in {b"P1", b"P2", b"P3"}:
        return BytesIO(_COMMENT.sub(b"", file.read()))
    if start[:4] in _TIFF:
        require_few_strips(file)
    return file


class _Layout(NamedTuple):
    """Layout of a TIFF: type of offsets, position of the first one, type of the tag count."""

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
    r"""Refuse a TIFF with too many strips or tiles, as Pillow creates objects for each on opening.

    Args:
        file: Any photo, at its beginning, where it is left.

    Raises:
        TooLargeError: If there are more than `MOST_STRIPS`.

    Example:
        >>> header = struct.pack("<4sIH2HII", b"II*\0", 8, 1, 273, 4, 10**6, 0)
        >>> try:
        ...     require_few_strips(BytesIO(header))
        ... except TooLargeError as error:
        ...     print(error)
        expected at most 131,072 strips or tiles, got 1,000,000: save it as PNG
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
                allowed = f"expected at most {MOST_STRIPS:,} strips or tiles"
                msg = f"{allowed}, got {count:,}: save it as PNG"
                raise TooLargeError(msg)
    file.seek(0)


def has_deep_planes(photo: ImageFile.ImageFile) -> bool:
    """Return whether a TIFF has colours of 16 bits in separate planes, which Pillow misreads.

    Example:
        >>> from PIL import Image
        >>> file = BytesIO()
        >>> Image.new("RGB", (8, 8)).save(file, "TIFF")
        >>> with Image.open(file) as photo:
        ...     has_deep_planes(photo)
        False
    """
    tags = getattr(photo, "tag_v2", {})
    deep = max(tags.get(Base.BitsPerSample, (1,))) > 8
    return deep and tags.get(Base.PlanarConfiguration) == 2 and len(photo.getbands()) > 1


def _unpacked(layout: str, file: IO[bytes]) -> tuple[Any, ...]:
    size = struct.calcsize(layout)
    return struct.unpack(layout, file.read(size).ljust(size, b"\0"))


# Within pixel data, 0xFF is followed by 0 or by a restart marker (0xD0 to 0xD7).
_SEGMENT = re.compile(rb"\xff+([\x02-\xcf\xd8-\xfe])")
_START_OF_PHOTO, _END_OF_PHOTO, _START_OF_SCAN = 0xD8, 0xD9, 0xDA


def count_scans(photo: ImageFile.ImageFile, components: int, *, progressive: bool) -> int:
    """Count the scans of a JPEG: the decoder passes over the whole photo in each.

    Args:
        photo: Opened by Pillow.
        components: Number of colour components.
        progressive: Whether it is a progressive JPEG. Others may have several scans too, but if the
            first has all components, as in most, only the header is read.

    Raises:
        TooLargeError: If there are more than `MOST_SCANS`, or too many other segments.

    Example:
        >>> from PIL import Image
        >>> for progressive in (False, True):
        ...     file = BytesIO()
        ...     Image.new("RGB", (64, 64)).save(file, "JPEG", progressive=progressive)
        ...     with Image.open(file) as photo:
        ...         count_scans(photo, 3, progressive=progressive)
        1
        10
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
    """Return whether the scan header that ends at ``end`` has all components.

    The header of a scan with fewer components is shorter, so its marker appears later.
    """
    size = 8 + 2 * components
    file.seek(max(0, end - size))
    header = file.read(size)
    start = bytes((0xFF, _START_OF_SCAN, 0, size - 2, components))
    return header.startswith(start) and header.rfind(start[:2]) == 0


def _first_scan(file: IO[bytes]) -> int:
    """Return the end of the first scan's header, or 0 if it is not in the first 64 KiB."""
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
    """Yield the markers of a JPEG, and the position after each."""
    at = 2
    while found := _SEGMENT.search(content, at):
        marker, at = found[1][0], found.end()
        yield marker, at
        if marker not in {_START_OF_PHOTO, _END_OF_PHOTO}:
            at += int.from_bytes(content[at : at + 2], "big")


TAIL = 2**16
"""Bytes at the end of a JPEG in which its end is looked for first; programs add some behind it."""


def is_cut_off(file: IO[bytes]) -> bool:
    r"""Return whether a JPEG lacks its end: decoders fill the rest of the picture with grey.

    Pillow notices missing bytes, but not the zeros that an interrupted copy has in their place.

    Args:
        file: A JPEG; its position is left as it is.

    Example:
        >>> from PIL import Image
        >>> file = BytesIO()
        >>> Image.new("L", (8, 8)).save(file, "JPEG")
        >>> whole = file.getvalue()
        >>> is_cut_off(BytesIO(whole)), is_cut_off(BytesIO(whole[:-9] + bytes(9)))
        (False, True)
    """
    here, end = file.tell(), bytes((0xFF, _END_OF_PHOTO))
    try:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - TAIL))
        if end in file.read():
            return False
        file.seek(0)
        content = file.read()
        starts = (at for marker, at in _segments(content) if marker == _START_OF_SCAN)
        return content.find(end, next(starts, size)) < 0
    finally:
        file.seek(here)


def require_sound(photo: ImageFile.ImageFile) -> None:
    """Refuse a photo that would be decoded to something else than its picture.

    Args:
        photo: Opened by Pillow, and not decoded yet.

    Raises:
        DataError: If it is a JPEG without its end, or a TIFF that Pillow misreads.

    Example:
        >>> from PIL import Image
        >>> Image.new("L", (8, 8)).save("a.jpg")
        >>> with Image.open("a.jpg") as photo:
        ...     require_sound(photo)
    """
    if photo.format in {"JPEG", "MPO"} and photo.fp is not None and is_cut_off(photo.fp):
        msg = f"expected a whole photo, got {CUT_OFF}"
        raise DataError(msg)
    if photo.format == "TIFF" and has_deep_planes(photo):
        msg = (
            "expected a TIFF with its colours together, got 16 bits in separate planes, which are "
            "not read: save it as interleaved, or as PNG"
        )
        raise DataError(msg)


class Tile(NamedTuple):
    """Unit of decoding of JPEG 2000.

    Attributes:
        pixels: Pixels of the tile.
        samples: Samples per pixel.
        depth: Bytes of a sample in the output; four during decoding.
    """

    pixels: int
    samples: int
    depth: int


_CODESTREAM = b"\xff\x4f\xff\x51"


def largest_tile(photo: ImageFile.ImageFile) -> Tile:
    """Return the tile size of a JPEG 2000 photo; the whole photo if its header has none.

    Example:
        >>> from PIL import Image
        >>> file = BytesIO()
        >>> Image.new("L", (64, 48)).save(file, "JPEG2000", tile_size=(32, 32))
        >>> with Image.open(file) as photo:
        ...     largest_tile(photo)
        Tile(pixels=1024, samples=1, depth=1)
    """
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
    """Skip the boxes of a file up to the one with the codestream."""
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
