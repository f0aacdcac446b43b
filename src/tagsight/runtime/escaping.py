"""Escaping of untrusted text for terminals, spreadsheets and Markdown."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_BIDI = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
CONTROLS = re.compile(
    f"[\\x00-\\x1f\\x7f-\\x9f{_BIDI}\u2028\u2029\ufeff\ufff9-\ufffb\ud800-\udfff]"
)
"""Control characters, which terminals execute; bidirectional marks, with which one name can look
like another (Unicode Technical Report 36); line and paragraph separators; and surrogates, which
cannot be displayed."""

_IN_CELLS = re.compile(f"(?![\\t\\r\\n]){CONTROLS.pattern}")
_SHORT = {"\t": r"\t", "\n": r"\n", "\r": r"\r"}

_RUN = re.compile(r"'*[=+\-@\t\r\n＝＋－＠].", re.DOTALL)  # noqa: RUF001 - spreadsheets evaluate full-width characters too
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?%?")

_MARKUP = re.compile(
    r"""[\\`*\[\]<>&|~$@]|(?<![^\W_])_|_(?![^\W_])|:(?=//)|(?<=www)\.""", re.IGNORECASE
)
"""Characters that Markdown reads as markup, or GitHub as a formula, an address or a mention."""


def printable(text: str) -> str:
    r"""Escape control characters, so that a terminal only displays the text, on one line.

    Example:
        >>> printable("a\x1b[2J.jpg, two\nlines")
        'a\\x1b[2J.jpg, two\\nlines'
    """
    return CONTROLS.sub(_escaped, text)


def csv_line(cells: Iterable[object]) -> str:
    r"""Write a line of a CSV file in which a spreadsheet evaluates no cell.

    Cells are escaped by `csv_cell`, and control characters as in `printable`, except tabs and line
    ends, which CSV can quote.

    Args:
        cells: Values of the row.

    Example:
        >>> csv_line(["=1+1.jpg", "dog", -0.5])
        "'=1+1.jpg,dog,-0.5\n"
    """
    line = io.StringIO()
    # csv.writer quotes carriage returns only with its default line end.
    csv.writer(line).writerow([csv_cell(_IN_CELLS.sub(_escaped, str(cell))) for cell in cells])
    return line.getvalue().removesuffix("\r\n") + "\n"


def csv_cell(text: str) -> str:
    """Write an apostrophe before text that a spreadsheet would evaluate as a formula.

    Such text begins with ``=``, ``+``, ``-``, ``@``, a tab or a line end, and has at least one more
    character. Numbers are unchanged. Text that already has apostrophes before one of these gets one
    more, so that `csv_content` is the inverse.

    Source: OWASP, *CSV Injection*.

    Example:
        >>> [csv_cell(text) for text in ("=A1", "-dog", "-0.5", "-", "'=A1", "it's")]
        ["'=A1", "'-dog", '-0.5', '-', "''=A1", "it's"]
    """
    return f"'{text}" if _RUN.match(text) and not _NUMBER.fullmatch(text) else text


def csv_list(names: Sequence[str]) -> str:
    r"""Join names by semicolons, for a cell of `csv_line`.

    Many spreadsheets read a semicolon as the end of a cell, so each name is escaped like a cell.
    The first one is left to `csv_line`, which escapes the whole cell.

    Args:
        names: The names.

    Example:
        >>> csv_list(["dog", "=A1"]), csv_line([csv_list(["=A1", "dog"])])
        ("dog;'=A1", "'=A1;dog\n")
    """
    return ";".join([*names[:1], *map(csv_cell, names[1:])])


def csv_content(cell: str) -> str:
    """Undo `csv_cell`.

    Example:
        >>> [csv_content(cell) for cell in ("'=A1", "''=A1", "-0.5", "'tis")]
        ['=A1', "'=A1", '-0.5', "'tis"]
    """
    return cell[1:] if cell.startswith("'") and _RUN.match(cell) else cell


def markdown_text(text: str) -> str:
    r"""Escape text so that Markdown displays it literally, in a paragraph or a table's cell.

    Example:
        >>> markdown_text("<b>a|b</b>"), markdown_text("sky_1"), markdown_text("http://a.example")
        ('\\<b\\>a\\|b\\</b\\>', 'sky_1', 'http\\://a.example')
    """
    return _MARKUP.sub(r"\\\g<0>", printable(text))


def _escaped(match: re.Match[str]) -> str:
    character = match[0]
    if character in _SHORT:
        return _SHORT[character]
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
