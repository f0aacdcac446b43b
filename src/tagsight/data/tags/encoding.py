"""Encodings of sidecars: detected, and converted to UTF-8 and back without loss."""

from __future__ import annotations

import codecs
import re
from typing import NamedTuple

from tagsight.errors import DataError

_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (codecs.BOM_UTF8, "utf-8"),
)
"""Byte order marks; that of UTF-32 begins as that of UTF-16."""

_FIRST_LETTERS = (
    (re.compile(rb"(?:[\t-~]\0\0\0){2}"), "utf-32-le"),
    (re.compile(rb"(?:\0\0\0[\t-~]){2}"), "utf-32-be"),
    (re.compile(rb"(?:[\t-~]\0){2}"), "utf-16-le"),
    (re.compile(rb"(?:\0[\t-~]){2}"), "utf-16-be"),
)
"""First two letters of a file without a mark, if they are of ASCII."""

_DECLARED = re.compile(rb"\s*<\?xml\b[^>]{0,200}?\bencoding\s*=\s*[\"']([\w.:-]{1,40})[\"']")
_KNOWN = re.compile(r"ascii|iso8859-\d+|cp(?:125|8\d|93)\d|koi8-[rtu]|mac-\w+|gb\w+|big5|euc_\w+")
"""Encodings that a file may declare besides UTF: in all of them markup is as in ASCII."""


class Encoded(NamedTuple):
    r"""Content of a file in UTF-8, and the encoding of the file.

    Attributes:
        content: The content in UTF-8, a byte order mark included.
        encoding: Name of the encoding.

    Example:
        >>> found = Encoded.of_xml("<a>Größe</a>".encode("utf-16-le"))
        >>> found.encoding, found.encoded(found.content) == "<a>Größe</a>".encode("utf-16-le")
        ('utf-16-le', True)
    """

    content: bytes
    encoding: str

    @classmethod
    def of_xml(cls, content: bytes) -> Encoded:
        """Convert XML to UTF-8; its declaration is left as it is, and no longer holds.

        Raises:
            DataError: If it is not in the encoding that its bytes or its declaration state.
        """
        encoding = unicode_encoding(content) or _declared(content)
        if encoding == "utf-8":
            return cls(content, encoding)
        try:
            text = content.decode(encoding)
            if text.encode(encoding) == content:
                return cls(text.encode(), encoding)
        except UnicodeError:
            pass
        msg = f"expected XML in {encoding.upper()}, got something else: save it as UTF-8"
        raise DataError(msg)

    def encoded(self, content: bytes) -> bytes:
        """Convert content in UTF-8 to the encoding of the file; XML refers to other letters."""
        if self.encoding == "utf-8":
            return content
        return content.decode().encode(self.encoding, "xmlcharrefreplace")


def unicode_encoding(content: bytes) -> str | None:
    """Return the encoding of a file that begins with a byte order mark, or is UTF-16 or UTF-32.

    Example:
        >>> unicode_encoding("dog".encode("utf-16-be")), unicode_encoding(b"dog")
        ('utf-16-be', None)
    """
    marked = (name for mark, name in _MARKS if content.startswith(mark))
    unmarked = (name for letters, name in _FIRST_LETTERS if letters.match(content))
    return next(marked, None) or next(unmarked, None)


def _declared(content: bytes) -> str:
    """Return the encoding that XML declares; a file of bytes is not UTF-16, whatever it says."""
    if (found := _DECLARED.match(content)) is None:
        return "utf-8"
    named = found[1].decode()
    try:
        name = codecs.lookup(named).name
    except LookupError:
        name = named.lower()
    if name.startswith(("utf-8", "utf-16", "utf-32")):
        return "utf-8"
    if _KNOWN.fullmatch(name) is None:
        msg = f"expected XML in UTF-8, got {named}: save it as UTF-8"
        raise DataError(msg)
    return name
