"""Keywords inside photos: XMP, IPTC, and those of Windows; pixels are not decoded."""

from __future__ import annotations

import binascii
import contextlib
import re
import struct
import zlib
from io import FileIO
from typing import IO, TYPE_CHECKING, NamedTuple

from PIL import IptcImagePlugin

from tagsight.data.photos.reading import opened_header
from tagsight.data.photos.suffixes import CAMERA_SUFFIXES
from tagsight.data.remote.fetching import local_file
from tagsight.data.tags.xmp_tree import LARGEST
from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from PIL import Image

IPTC_KEYWORDS = (2, 25)
XP_KEYWORDS = 0x9C9E
"""Exif tag of Windows: UTF-16, separated by semicolons."""

MOST_CHUNKS = 10_000
"""Chunks of a PNG that are looked at; photos have some hundreds."""

_HEAD = 2**16
"""Bytes at the start of a JPEG that are searched for signs of keywords."""

_SCAN, _APP1, _APP13 = 0xDA, 0xE1, 0xED
_SIGNS = (b"http://ns.adobe.com/x", b"\x1c\x02\x19", b"\x9e\x9c", b"\x9c\x9e")
"""What segments with XMP, keywords of IPTC, or those of Windows in either byte order contain."""

_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_XMP = b"XML:com.adobe.xmp\0"
_PNG_IPTC = b"Raw profile type iptc\0"
_IPTC_RECORD = re.compile(rb"\x1c\x02\x19([\0-\x7f].)", re.DOTALL)
"""Start of a keyword: marker, record 2, data set 25, and the length of what follows."""


class Embedded(NamedTuple):
    """Keywords inside a photo.

    Attributes:
        iptc: Keywords of IPTC.
        windows: Keywords of Windows.
        xmp: Packet of XMP, or None.

    Example:
        >>> Embedded(iptc=("dog",), windows=("sky",)).words
        ('dog', 'sky')
    """

    iptc: tuple[str, ...] = ()
    windows: tuple[str, ...] = ()
    xmp: bytes | None = None

    @property
    def words(self) -> tuple[str, ...]:
        """Keywords outside XMP."""
        return (*self.iptc, *self.windows)


def embedded_tags(photo: Path) -> Embedded:
    """Read the keywords inside a photo; a raw file, or one that is no photo, has none.

    Example:
        >>> from pathlib import Path
        >>> embedded_tags(Path("missing.jpg"))
        Embedded(iptc=(), windows=(), xmp=None)
    """
    if photo.suffix.lower() in CAMERA_SUFFIXES:
        return Embedded()
    try:
        if _is_bare_jpeg(photo):
            return Embedded()
        with opened_header(photo) as header:
            iptc, windows = _iptc(header), _windows(header)
            xmp = header.info.get("xmp")
            is_png = header.format == "PNG"
        if is_png:
            with local_file(photo).open("rb") as file:
                xmp, iptc = _in_png(file)
    except (DataError, OSError):  # damaged photos are found when they are checked
        return Embedded()
    packet = xmp if isinstance(xmp, bytes) and len(xmp) <= LARGEST else None
    return Embedded(iptc, windows, packet)


def _is_bare_jpeg(photo: Path) -> bool:
    """Return whether a file is a JPEG that surely has no keywords, as most photos: quickly."""
    try:
        with FileIO(local_file(photo)) as file:
            head = file.read(_HEAD)
    except OSError:  # it may be inside another file
        return False
    place = 2
    while head.startswith(b"\xff\xd8\xff") and place + 4 <= len(head) and head[place] == 0xFF:
        kind, end = head[place + 1], place + 2 + int.from_bytes(head[place + 2 : place + 4])
        if kind == _SCAN:
            return True
        if kind in {_APP1, _APP13} and any(sign in head[place:end] for sign in _SIGNS):
            return False
        place = end
    return False


def _iptc(photo: Image.Image) -> tuple[str, ...]:
    entries = None
    # Damaged metadata raise almost any exception.
    with contextlib.suppress(Exception):
        entries = IptcImagePlugin.getiptcinfo(photo)  # type: ignore[arg-type]  # any photo will do
    values = (entries or {}).get(IPTC_KEYWORDS, [])
    found = map(_text, values if isinstance(values, list) else [values])
    return tuple(text for text in found if text)


def _text(value: bytes) -> str:
    """Decode a keyword: many programs do not say that it is UTF-8."""
    try:
        return value.decode().strip("\0 ")
    except UnicodeDecodeError:
        return value.decode("cp1252", "replace").strip("\0 ")


def _windows(photo: Image.Image) -> tuple[str, ...]:
    # For a PNG whose Exif follows the pixels, getexif() would decode them.
    if photo.format == "PNG" and "exif" not in photo.info:
        return ()
    value: object = None
    with contextlib.suppress(Exception):  # as above
        value = photo.getexif().get(XP_KEYWORDS)
    if isinstance(value, tuple) and all(isinstance(one, int) and 0 <= one < 256 for one in value):
        value = bytes(value)
    if not isinstance(value, bytes):
        return ()
    text = value.decode("utf-16-le", "replace").rstrip("\0")
    return tuple(part.strip() for part in text.split(";") if part.strip())


def _in_png(file: IO[bytes]) -> tuple[bytes | None, tuple[str, ...]]:
    """Find XMP and the keywords of IPTC in a PNG, also after the pixels, where Pillow is blind."""
    xmp: bytes | None = None
    iptc: tuple[str, ...] = ()
    for kind, content in _texts(file):
        if kind == b"iTXt" and content.startswith(_PNG_XMP) and xmp is None:
            xmp = _international(content[len(_PNG_XMP) :])
        elif kind in {b"tEXt", b"zTXt"} and content.startswith(_PNG_IPTC) and not iptc:
            text = content[len(_PNG_IPTC) :]
            iptc = _keywords_of(_raw_profile(_unpacked(text[1:]) if kind == b"zTXt" else text))
    return xmp, iptc


def _texts(file: IO[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Yield kind and content of the chunks of a PNG that hold text."""
    if file.read(8) != _PNG:
        return
    for _ in range(MOST_CHUNKS):
        head = file.read(8)
        if len(head) < 8:
            return
        size, kind = struct.unpack(">I4s", head)
        if kind in {b"iTXt", b"tEXt", b"zTXt"} and size <= LARGEST:
            yield kind, file.read(size)
            file.seek(4, 1)
        else:
            file.seek(size + 4, 1)


def _raw_profile(text: bytes | None) -> bytes:
    """Decode a block of metadata as exiftool and ImageMagick write it: name, length, digits."""
    digits = (text or b"").split(None, 2)[2:]
    try:
        return binascii.unhexlify(b"".join(digits[0].split())) if digits else b""
    except binascii.Error:
        return b""


def _keywords_of(block: bytes) -> tuple[str, ...]:
    """Return the keywords among the records of IPTC, which a block of Photoshop may hold."""
    found = []
    for record in _IPTC_RECORD.finditer(block):
        start, size = record.end(), int.from_bytes(record[1], "big")
        found.append(_text(block[start : start + size]))
    return tuple(text for text in found if text)


def _international(content: bytes) -> bytes | None:
    """Return the text of a chunk after its keyword: flags, language, keyword again, text."""
    packed, (*_, text) = content[:1] == b"\1", content[2:].split(b"\0", 2)
    if not packed:
        return text or None
    return _unpacked(text)


def _unpacked(content: bytes) -> bytes | None:
    with contextlib.suppress(zlib.error):
        unpacker = zlib.decompressobj()
        text = unpacker.decompress(content, LARGEST)
        return text if unpacker.eof else None
    return None
