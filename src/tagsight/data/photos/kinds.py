"""Kinds of files that are taken for photos, named by their first bytes."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from PIL import UnidentifiedImageError

from tagsight.errors import UnknownFormatError

if TYPE_CHECKING:
    from collections.abc import Iterator

CUT_OFF = "one that is cut off: copy it again, or save it anew with a program that opens it"
"""A photo whose end is missing."""

NEEDED = 512
"""Bytes at the beginning of a file by which its kind is known."""

_KINDS = (
    (rb"\0+\Z", "only zeros, as an interrupted copy leaves them"),
    (rb"version https://git-lfs", "a pointer of Git LFS: 'git lfs pull' fetches the photo"),
    (rb"\s*<(?i:!doctype html|html|head|body)\b", "a web page: download the photo again"),
    (rb"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*(?i:<!doctype svg|<svg)\b", "a drawing in SVG"),
    (rb"\s*<", "XML"),
    (rb"\s*[\[{]", "JSON"),
    (rb"%PDF", "a PDF"),
    (rb"%!PS", "a file of PostScript"),
    (rb"8BPS", "a file of Photoshop: export it as JPEG or PNG"),
    (rb"gimp xcf", "a file of GIMP: export it as JPEG or PNG"),
    (rb"PK\x03\x04|\x1f\x8b|7z\xbc\xaf|Rar!", "an archive: unpack it"),
    (rb"\0\x05\x16[\0\x07]", "a file in which macOS keeps what belongs to another"),
    (
        rb".{4}ftyp(?:hei[cfmsx]|hev[cmsx]|mif1|msf1)",
        "HEIC that is damaged, or the extra 'heif' is missing: pip install 'tagsight[heif]'",
    ),
    (rb".{4}ftyp(?:avif|avis)", "a damaged AVIF, or one of a kind that is not read"),
    (rb".{4}ftypcrx|FUJIFILMCCD-RAW|IIRO|IIU\0", "a raw file without the ending that says so"),
    (rb".{4}ftyp", "a video"),
    (rb"\0\0\0\x0cJXL |\xff\x0a", "JPEG XL: save it as JPEG or PNG"),
    (rb"\x76\x2f\x31\x01", "a file of OpenEXR: save it in 8 or 16 bits"),
    (rb"#\?RADIANCE", "a file of Radiance: save it in 8 or 16 bits"),
    (rb"P[fF]\s", "a PFM of colours: save it in 8 or 16 bits"),
    (
        rb"II[*+]\0|MM\0[*+]",
        "a TIFF that is cut off, or of a kind that is not read: save it as RGB in 8 or 16 bits",
    ),
    (rb"\xff\xd8\xff", "a JPEG that is cut off or damaged"),
    (rb"\x89PNG", "a PNG that is cut off or damaged"),
    (rb"RIFF.{4}WEBP|GIF8|BM", "a photo that is cut off or damaged"),
)
_COMPILED = [(re.compile(start, re.DOTALL), kind) for start, kind in _KINDS]


def kind_of(start: bytes) -> str:
    """Name the kind of a file that cannot be opened as a photo, and what to do about it.

    Args:
        start: Its first `NEEDED` bytes, or all.

    Example:
        >>> kind_of(b""), kind_of(b"%PDF-1.7"), kind_of(b"some text")
        ('an empty file', 'a PDF', 'a file of another kind')
    """
    if not start:
        return "an empty file"
    found = (kind for pattern, kind in _COMPILED if pattern.match(start))
    return next(found, "a file of another kind")


@contextmanager
def recognised(start: bytes) -> Iterator[None]:
    """Name the kind of a file that Pillow does not know.

    Args:
        start: As for `kind_of`.

    Raises:
        UnknownFormatError: If Pillow does not know it.

    Example:
        >>> from io import BytesIO
        >>> from PIL import Image
        >>> try:
        ...     with recognised(b"%PDF-1.7"):
        ...         Image.open(BytesIO(b"%PDF-1.7"))
        ... except UnknownFormatError as error:
        ...     print(error)
        expected a photo, got a PDF
    """
    try:
        yield
    except UnidentifiedImageError as error:
        msg = f"expected a photo, got {kind_of(start)}"
        raise UnknownFormatError(msg) from error
