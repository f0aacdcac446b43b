"""Text files as rows of cells: their encoding, and bounds on what is parsed."""

from __future__ import annotations

import codecs
import csv
import logging
import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, TextIO

from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

logger = logging.getLogger(__name__)

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
FOREIGN = re.compile(rb"[\x80-\xff]{4}")
"""Bytes that Western text in one byte a letter hardly has: other alphabets, or several bytes."""


class Writing(NamedTuple):
    """How a text file is written.

    Attributes:
        encoding: Name of its encoding.
        has_quotes: Whether it has quotation marks, so that a line may not be a row.
    """

    encoding: str
    has_quotes: bool


def writing_of(file: Path) -> Writing:
    r"""Return how a text file is written: by its byte order mark, else UTF-8 or Windows-1252.

    The whole file is decoded, so that reading it later cannot fail in the middle.

    Raises:
        DataError: If it is none of them; the message names the line.

    Example:
        >>> from pathlib import Path
        >>> _ = Path("table.csv").write_bytes("image,tags\na.jpg,Café".encode("utf-16"))
        >>> writing_of(Path("table.csv"))
        Writing(encoding='utf-16', has_quotes=False)
    """
    status = file.stat()
    return _writing(file, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=8)
def _writing(file: Path, _size: int, _changed: int) -> Writing:
    with file.open("rb") as handle:
        start = handle.read(4)
        handle.seek(0)
        has_quotes = any(b'"' in content for content in iter(lambda: handle.read(CHUNK), b""))
    marked = next((name for mark, name in MARKS if start.startswith(mark)), None)
    encoding = marked or "utf-8"
    if (line := _undecodable_line(file, encoding)) is None:
        return Writing(encoding, has_quotes)
    with file.open("rb") as handle:
        foreign = any(FOREIGN.search(text) for text in iter(lambda: handle.read(CHUNK), b""))
    if marked or foreign or _undecodable_line(file, WESTERN):
        named = "UTF-8" if encoding.startswith("utf-8") else encoding.upper()
        msg = f"{file}:{line}: expected {named} text, got other bytes; save the file as UTF-8"
        raise DataError(msg)
    logger.warning(
        "%s:%d: not UTF-8, read as Windows-1252; if names look wrong, save the file as UTF-8",
        file,
        line,
    )
    return Writing(WESTERN, has_quotes)


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
            if not content:
                return None
            lines += text.count("\n")


def records(
    source: Path, delimiter: str, joined_from: int | None = None
) -> Iterator[tuple[int, list[str]]]:
    r"""Yield the line number and the cells of each row of a file; blank lines are skipped.

    Args:
        source: The file.
        delimiter: The delimiter.
        joined_from: Position from which on the cells may be left joined, as one: they are if the
            file has no quotation marks.

    Raises:
        DataError: If quotes or the encoding are damaged, or a row exceeds the bounds.

    Example:
        >>> from pathlib import Path
        >>> _ = Path("table.csv").write_text('image,tags\n\na.jpg,"dog,sky"\n')
        >>> list(records(Path("table.csv"), ","))
        [(1, ['image', 'tags']), (3, ['a.jpg', 'dog,sky'])]
    """
    encoding, has_quotes = writing_of(source)
    with source.open(encoding=encoding, newline="") as handle:
        lines = _bounded_lines(handle, delimiter, source)
        if not has_quotes:
            most = -1 if joined_from is None else joined_from
            for number, line in enumerate(lines, 1):
                if text := line.rstrip("\r\n"):
                    yield number, text.split(delimiter, most)
            return
        # A cell may be a photo. The limit is one of the process, for all readers.
        csv.field_size_limit(max(csv.field_size_limit(), LONGEST_LINE))
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        try:
            for cells in reader:
                if cells:
                    yield reader.line_num, cells
        except csv.Error as error:
            msg = f"{source}:{reader.line_num}: expected a well-formed CSV, got: {error}"
            raise DataError(msg) from error


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
        blank = blank + 1 if line.isspace() else 0
        if blank > MOST_BLANK:
            msg = f"{source}:{number}: expected rows, got {MOST_BLANK:,} blank lines"
            raise DataError(msg)
        yield line
