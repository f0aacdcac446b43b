"""Encodings of text that is not Unicode: which of them bytes make sense in."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable


class _Encoding(NamedTuple):
    """Letters that text has in an encoding, and an encoding of the usual ones among them."""

    letters: re.Pattern[str]
    usual: str


_HANZI = "\u4e00-\u9fff\u3000-\u303f\uff00-\uff5e"
_CYRILLIC = re.compile("[\u0410-\u044f\u0401\u0451\u2013\u2014\u00ab\u00bb\u2116\u00a0]+")
_POLISH = "\u0105\u0107\u0119\u0142\u0144\u00f3\u015b\u017a\u017c"
_CZECH = (
    "\u010d\u010f\u0113\u011b\u0148\u0159\u0161\u0165\u016f\u017e\u00e1\u00e9\u00ed\u00fd"
    "\u0151\u0171"
)
_MIDDLE = re.compile(f"[{_POLISH}{_CZECH}\u00e4\u00f6\u00fc\u00df]+", re.IGNORECASE)
_WEST = re.compile(
    "[\u00e4\u00f6\u00fc\u00df\u00e9\u00e8\u00ea\u00e0\u00e1\u00ed\u00f3\u00fa\u00e7\u00f1]+",
    re.IGNORECASE,
)
OTHERS = {
    "gb18030": _Encoding(re.compile(f"[{_HANZI}]+"), "gb2312"),
    "cp932": _Encoding(re.compile(f"[{_HANZI}\u3040-\u30ff]+"), "cp932"),
    "big5": _Encoding(re.compile(f"[{_HANZI}]+"), "big5"),
    "euc_kr": _Encoding(re.compile("[\uac00-\ud7a3]+"), "euc_kr"),
    "cp1251": _Encoding(_CYRILLIC, "cp1251"),
    "koi8_r": _Encoding(_CYRILLIC, "koi8_r"),
    "cp1250": _Encoding(_MIDDLE, "cp1250"),
    "cp1253": _Encoding(re.compile("[\u0386-\u038f\u0391-\u03af\u03b1-\u03ce]+"), "cp1253"),
    "cp1255": _Encoding(re.compile("[\u05d0-\u05ea]+"), "cp1255"),
    "cp850": _Encoding(_WEST, "cp850"),
}
"""Encodings that are named where they fit, but not read, as several of them mostly do."""

_UPPER_INSIDE = re.compile(
    "[\u0430-\u044f\u0451][\u0410-\u042f\u0401]|[a-z\u03b1-\u03ce][\u00c0-\u00de\u0391-\u03ab]"
)
"""Case that words do not have, as they have if read in a wrong encoding."""

_APART = frozenset({"cp1251", "koi8_r", "cp1253", "cp1255"})
"""Encodings of other alphabets, whose letters are in no word with Latin ones."""

_BESIDE_LATIN = re.compile(r"[A-Za-z][^\x00-\x7f]|[^\x00-\x7f][A-Za-z]")

_WORD = re.compile(r"[A-Za-z]*[^\x00-\x7f]+[A-Za-z]*")
"""Letters that are not of ASCII, with those of ASCII beside them."""

_BLOCKS = (
    *((0x0080, "Latin"), (0x0180, "rare"), (0x0370, "Greek"), (0x0400, "Cyrillic")),
    *(
        (0x0460, "rare"),
        (0x048A, "Cyrillic"),
        (0x0500, "rare"),
        (0x0531, "Armenian"),
        (0x0590, "Hebrew"),
        (0x0600, "Arabic"),
    ),
    *((0x0700, "rare"), (0x0800, "")),
)
"""Alphabets whose letters have two bytes in UTF-8, by their first letter."""


def require_encoding(name: str) -> None:
    """Refuse a name that is none of an encoding of text.

    Raises:
        DataError: If it is none.

    Example:
        >>> require_encoding("gb18030")
    """
    try:
        "a".encode(name)
    except (LookupError, UnicodeError, ValueError) as error:
        msg = f"expected the name of an encoding, such as utf-8, gb18030 or cp1251, got {name!r}"
        raise DataError(msg) from error


def fitting(content: bytes) -> dict[str, str]:
    r"""Return the encodings in which bytes make sense, with the text in each.

    Args:
        content: A line, or a name.

    Example:
        >>> "cp1251" in fitting("dog;\u043a\u043e\u0442".encode("cp1251"))
        True
    """
    found: dict[str, str] = {}
    for name, encoding in OTHERS.items():
        try:
            text = content.decode(name)
            text.encode(encoding.usual)
        except UnicodeError:
            continue
        words = re.findall(r"[^\x00-\x7f]+", text)
        is_so = all(map(encoding.letters.fullmatch, words)) and any(
            map(str.isalpha, "".join(words))
        )
        is_odd = _UPPER_INSIDE.search(text) or (name in _APART and _BESIDE_LATIN.search(text))
        if is_so and not is_odd:
            found[name] = text
    return found


def read_as_unicode(names: Iterable[str]) -> dict[str, dict[str, str]]:
    r"""Return names of a table that is valid UTF-8 by chance, and what each says otherwise.

    The letters of all names then have two bytes in UTF-8, are of several alphabets or of rare
    ones, and their bytes are usual letters in another encoding.

    Args:
        names: All names as they were read.

    Returns:
        The text of each name by encoding; nothing if the names are what they seem to be.

    Example:
        >>> read_as_unicode(["gr\u00fcn", "dog"])
        {}
        >>> read_as_unicode(["\u0467\u0423", "dog"])["\u0467\u0423"]["gb18030"] == "\u5b66\u6821"
        True
    """
    other = [name for name in names if not name.isascii()]
    words = [word for name in other for word in _WORD.findall(name)]
    blocks = {_block(letter) for word in words for letter in word}
    if "" in blocks or not ("rare" in blocks or len(blocks) > 1):
        return {}
    found = {name: fitting(name.encode()) for name in other}
    fit = set.intersection(*map(set, found.values()))
    readings = {
        name: {key: each[key] for key in each if key in fit} for name, each in found.items()
    }
    return readings if fit else {}


def _block(letter: str) -> str:
    """Return the alphabet of a letter that has two bytes in UTF-8, or nothing."""
    code = ord(letter)
    return next((name for first, name in reversed(_BLOCKS) if code >= first), "")
