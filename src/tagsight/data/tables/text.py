"""Text files as rows of cells: their encoding, and bounds on what is parsed."""

from __future__ import annotations

import codecs
import csv
import logging
import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, TextIO

from tagsight.data.source import require_file
from tagsight.data.tables.encodings import fitting
from tagsight.data.tables.names import ENDINGS
from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

logger = logging.getLogger(__name__)

DELIMITERS = (",", ";", "\t", "|")
COLON = ":"
"""Delimiter of lists with a photo, a colon, an arrow or a dash, and the photo's labels."""

_PHOTO = rf"(.+?\.(?:{'|'.join(sorted(ending[1:] for ending in ENDINGS))}))"
_COLON = re.compile(
    rf"{_PHOTO}(?:\s*(?:[-=]+>|[:=\u2192\u21d2])|\s+[-\u2013\u2014](?!\S))\s*(.*)", re.IGNORECASE
)
"""A photo, which may have a colon of its own, such a mark, and the rest of the line."""

_BRACKETS = re.compile(rf"{_PHOTO}\s*(?:\(([^()]*)\)|\[([^\[\]]*)\])", re.IGNORECASE)
"""A photo, and its labels in brackets."""

LONGEST_LINE = 2**24
MOST_COLUMNS = 100_000
MOST_BLANK = 10_000
"""Blank lines, one after another."""

CHUNK = 2**20
MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""Byte order marks; that of UTF-32 begins as that of UTF-16."""

WESTERN = "cp1252"

_LETTER = rb"[A-Za-z\x8a\x8c\x8e\x9a\x9c\x9e\x9f\xc0-\xd6\xd8-\xf6\xf8-\xff]"
_NOT_AFTER = rb"[\x80\x82\x84\x86-\x89\x8b\x93\x95\x98\xa1-\xa9\xac\xaf\xb1\xb6\xb8\xbc-\xbf]"
_NOT_BEFORE = rb"[\x88\x89\x94\x98\xa8\xb2\xb3\xb9\xbb]"
FOREIGN = re.compile(
    rb"[\x80-\xff]{4}|[\xc2\xc3][\x80-\xbf]|[\xa2-\xa9\xac-\xb1\xb6-\xba\xbc-\xbe]{2}|"
    + (_LETTER + _NOT_AFTER + rb"|" + _NOT_BEFORE + _LETTER)
)
"""Bytes that Western text in one byte a letter hardly has.

Those are four in a row, as in other alphabets; letters of UTF-8; and signs beside one another, or
beside a letter where they do not stand, such as a superscript 3 before one.
"""

STRAY = "\ufeff\x1a"
"""A byte order mark that joining files leaves inside, and the end of a file as DOS marks it."""

_APOSTROPHES = re.compile(rb"'[^'\r\n]+'(?:[,;\t|]|$)")
"""Beginning of a row in which apostrophes are quotation marks."""

SAMPLE = 100
"""Rows that say whether they are."""

DELIMITER_LINE = re.compile(r"\"?sep=(.)\"?\s*")
"""First line of a file that tells Excel the delimiter."""


class Writing(NamedTuple):
    """Encoding and line ends of a text file.

    Attributes:
        encoding: Name of its encoding.
        quote: The mark that encloses cells, so that a line may not be a row; empty if none does.
    """

    encoding: str
    quote: str


def writing_of(file: Path, encoding: str | None = None) -> Writing:
    r"""Return how a text file is written: by its byte order mark, else UTF-8 or Windows-1252.

    The whole file is decoded, so that reading it later cannot fail in the middle.

    Args:
        file: The file.
        encoding: Its encoding, if the user names it.

    Raises:
        DataError: If it is none of them; the message names the line, and encodings that fit.

    Example:
        >>> from pathlib import Path
        >>> _ = Path("table.csv").write_bytes("image,tags\na.jpg,Café".encode("utf-16"))
        >>> writing_of(Path("table.csv"))
        Writing(encoding='utf-16', quote='')
    """
    status = file.stat()
    return _writing(file, encoding, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=8)
def _writing(file: Path, given: str | None, _size: int, _changed: int) -> Writing:
    with file.open("rb") as handle:
        start = handle.read(4)
        handle.seek(0)
        has_quotes = any(b'"' in content for content in iter(lambda: handle.read(CHUNK), b""))
    quote = '"' if has_quotes else "'" if _has_apostrophes(file) else ""
    known = given or next((name for mark, name in MARKS if start.startswith(mark)), _wide(file))
    encoding = known or "utf-8"
    if (line := _undecodable_line(file, encoding)) is None:
        return Writing(encoding, quote)
    with file.open("rb") as handle:
        foreign = any(FOREIGN.search(text) for text in iter(lambda: handle.read(CHUNK), b""))
    if known or foreign or _undecodable_line(file, WESTERN):
        named = "UTF-8" if encoding.startswith("utf-8") else encoding.upper()
        msg = f"{file}:{line}: expected {named} text, got other bytes{_perhaps(file)}"
        raise DataError(msg)
    logger.warning(
        "%s:%d: not UTF-8, read as Windows-1252; if names look wrong, name another `encoding`",
        file,
        line,
    )
    return Writing(WESTERN, quote)


def _has_apostrophes(file: Path) -> bool:
    """Return whether apostrophes enclose the first cell of the first rows below the header."""
    with file.open("rb") as handle:
        lines = [line.strip() for line in handle.read(CHUNK).splitlines()[1 : SAMPLE + 1]]
    filled = [line for line in lines if line]
    return bool(filled) and all(map(_APOSTROPHES.match, filled))


def _perhaps(file: Path) -> str:
    """List the encodings that fit a whole file, each with its first line of other letters."""
    with file.open("rb") as handle:
        line = next((one for one in handle if not one.isascii()), b"")
    fit = {
        name: text for name, text in fitting(line).items() if _undecodable_line(file, name) is None
    }
    told = " or ".join(f"{name} ({text.strip()[:40]!r})" for name, text in fit.items())
    return (
        f", perhaps of {told}; name its `encoding`, or save the file as UTF-8"
        if told
        else ("; name its `encoding`, or save the file as UTF-8")
    )


def text_of(file: Path, *, largest: int, otherwise: str | None = None) -> str:
    r"""Return the text of a file, without a byte order mark.

    Args:
        file: The file.
        largest: Bytes that it may have.
        otherwise: Its encoding if it is not in UTF-8; by default as `writing_of` finds it.

    Raises:
        DataError: If there is no such file, or it is empty, too large, or in another encoding.

    Example:
        >>> from pathlib import Path
        >>> _ = Path("classes.txt").write_bytes("\u72d7\n\u72ac\n".encode("gbk"))
        >>> text_of(Path("classes.txt"), largest=100, otherwise="gbk") == "\u72d7\n\u72ac\n"
        True
    """
    require_file(file, largest=largest)
    is_unicode = otherwise is None or _undecodable_line(file, "utf-8") is None
    encoding = writing_of(file, None if is_unicode else otherwise).encoding
    return file.read_text(encoding=encoding).removeprefix("\ufeff")


def _wide(file: Path) -> str | None:
    """Return which UTF-16 a file without a byte order mark is in, by where its zeros are."""
    with file.open("rb") as handle:
        start = handle.read(CHUNK)
    even, odd = start[::2].count(0), start[1::2].count(0)
    if max(even, odd) < len(start) / 8:
        return None
    return "utf-16-be" if even > odd else "utf-16-le"


def _undecodable_line(file: Path, encoding: str) -> int | None:
    """Return the number of the first line that cannot be decoded, if there is one."""
    decoder = codecs.getincrementaldecoder(encoding)()
    lines = 1
    with file.open("rb") as handle:
        while True:
            content = handle.read(CHUNK)
            try:
                text = decoder.decode(content, final=not content)
            except UnicodeDecodeError as error:
                return lines + error.object[: error.start].count(b"\n")
            except UnicodeError:  # no byte order mark where the encoding needs one
                return lines
            if not content:
                return None
            lines += text.count("\n")


def records(
    source: Path,
    delimiter: str,
    joined_from: int | None = None,
    encoding: str | None = None,
    *,
    is_quoted: bool = True,
) -> Iterator[tuple[int, list[str]]]:
    r"""Yield the line number and the cells of each row of a file; blank lines are skipped.

    So are a first line that tells Excel the delimiter, and byte order marks before a line.

    Args:
        source: The file.
        delimiter: The delimiter; of a blank, any number is one, and a colon is the first mark
            behind a photo.
        joined_from: Position from which on the cells may be left joined, as one: they are if the
            file has no quotation marks.
        encoding: The encoding, if the user names it.
        is_quoted: Whether quotation marks enclose cells; otherwise they are part of them.

    Raises:
        DataError: If quotes or the encoding are damaged, or a row exceeds the bounds.

    Example:
        >>> from pathlib import Path
        >>> _ = Path("table.csv").write_text('image,tags\n\na.jpg,"dog,sky"\n')
        >>> list(records(Path("table.csv"), ","))
        [(1, ['image', 'tags']), (3, ['a.jpg', 'dog,sky'])]
    """
    encoding, quote = writing_of(source, encoding)
    is_blank = delimiter == " "
    with source.open(encoding=encoding, newline="") as handle:
        lines = _bounded_lines(handle, delimiter, source)
        if not (quote and is_quoted) or delimiter == COLON:
            most = -1 if joined_from is None else joined_from
            for number, line in enumerate(lines, 1):
                if delimiter == COLON and (found := _parted(line.strip())):
                    yield number, found
                elif text := line.strip() if is_blank else line.rstrip("\r\n"):
                    yield number, text.split(None if is_blank else delimiter, most)
            return
        # A cell may be a photo. The limit is one of the process, for all readers.
        csv.field_size_limit(max(csv.field_size_limit(), LONGEST_LINE))
        reader = csv.reader(
            lines, delimiter=delimiter, quotechar=quote, strict=True, skipinitialspace=True
        )
        try:
            for cells in reader:
                if cells:
                    yield reader.line_num, cells
        except csv.Error as error:
            msg = f"{source}:{reader.line_num}: expected a well-formed CSV, got: {error}"
            raise DataError(msg) from error


def _parted(line: str) -> list[str] | None:
    """Return a photo and its labels, behind a mark or in brackets, or None."""
    if found := _BRACKETS.fullmatch(line):
        return [found[1], found[2] or found[3] or ""]
    found = _COLON.fullmatch(line)
    return [*found.groups()] if found else None


def _bounded_lines(handle: TextIO, delimiter: str, source: Path) -> Iterator[str]:
    """Yield lines, refusing rows of too many cells and endless blank lines before parsing.

    Raises:
        DataError: If a line has more than `MOST_COLUMNS`, or more than `MOST_BLANK` are blank.
    """
    blank = 0
    for number, line in enumerate(iter(lambda: handle.readline(LONGEST_LINE), ""), 1):
        if line.count(delimiter) > MOST_COLUMNS:
            msg = f"{source}:{number}: expected at most {MOST_COLUMNS:,} cells in a row, got more"
            raise DataError(msg)
        if line[0] in STRAY or number == 1:
            line = line.lstrip(STRAY) or "\n"  # noqa: PLW2901 - the same line
            line = DELIMITER_LINE.sub("\n", line) if DELIMITER_LINE.fullmatch(line) else line  # noqa: PLW2901
        blank = blank + 1 if line.isspace() else 0
        if blank > MOST_BLANK:
            msg = f"{source}:{number}: expected rows, got {MOST_BLANK:,} blank lines"
            raise DataError(msg)
        yield line
