"""Text of others at the borders where it would be obeyed: terminals, spreadsheets, Markdown."""

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
"""Control characters, which a terminal obeys; marks that turn the direction of text, which make a
name look like another (Unicode Technical Report 36); separators of lines and paragraphs; and halves
of characters, which cannot be shown."""

_IN_CELLS = re.compile(f"(?![\\t\\r\\n]){CONTROLS.pattern}")
_SHORT = {"\t": r"\t", "\n": r"\n", "\r": r"\r"}

_RUN = re.compile(r"'*[=+\-@\t\r\n＝＋－＠].", re.DOTALL)  # noqa: RUF001 - a spreadsheet runs these too
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?%?")

_MARKUP = re.compile(
    r"""[\\`*\[\]<>&|~$@]|(?<![^\W_])_|_(?![^\W_])|:(?=//)|(?<=www)\.""", re.IGNORECASE
)
"""What Markdown takes for markup, or GitHub for a formula, an address or a person."""


def printable(text: str) -> str:
    r"""Write a line so that a terminal shows it and does nothing else.

    >>> printable("a\x1b[2J.jpg, two\nlines")
    'a\\x1b[2J.jpg, two\\nlines'
    """
    return CONTROLS.sub(_escaped, text)


def csv_line(cells: Iterable[object]) -> str:
    r"""Write a row of a table, with its end, of which a spreadsheet runs no cell.

    Cells are `csv_cell`s, in which control characters are written as `printable` does, but for tabs
    and the ends of lines, which a CSV can hold.

    >>> csv_line(["=1+1.jpg", "dog", -0.5])
    "'=1+1.jpg,dog,-0.5\n"
    """
    line = io.StringIO()
    # With its usual end of lines, for it quotes a carriage return only then.
    csv.writer(line).writerow([csv_cell(_IN_CELLS.sub(_escaped, str(cell))) for cell in cells])
    return line.getvalue().removesuffix("\r\n") + "\n"


def csv_cell(text: str) -> str:
    """Write an apostrophe before text that a spreadsheet would take for a formula.

    It does so where a cell begins with ``=``, ``+``, ``-``, ``@``, a tab or the end of a line, and
    more follows. Numbers stay as they are. What begins with apostrophes and then one of these gets
    one more, so that `csv_content` gives every text back.

    Source: OWASP, *CSV Injection*.

    >>> [csv_cell(text) for text in ("=A1", "-dog", "-0.5", "-", "'=A1", "it's")]
    ["'=A1", "'-dog", '-0.5', '-', "''=A1", "it's"]
    """
    return f"'{text}" if _RUN.match(text) and not _NUMBER.fullmatch(text) else text


def csv_list(names: Sequence[str]) -> str:
    r"""Write names with semicolons between them, for a cell of `csv_line`.

    Many spreadsheets take a semicolon for the end of a cell, so that each name is written as a cell
    would be; the first as the whole cell is.

    >>> csv_list(["dog", "=A1"]), csv_line([csv_list(["=A1", "dog"])])
    ("dog;'=A1", "'=A1;dog\n")
    """
    return ";".join([*names[:1], *map(csv_cell, names[1:])])


def csv_content(cell: str) -> str:
    """Read what `csv_cell` has written.

    >>> [csv_content(cell) for cell in ("'=A1", "''=A1", "-0.5", "'tis")]
    ['=A1', "'=A1", '-0.5', "'tis"]
    """
    return cell[1:] if cell.startswith("'") and _RUN.match(cell) else cell


def markdown_text(text: str) -> str:
    r"""Write text so that Markdown shows it, in a line or a table's cell, and obeys none of it.

    >>> markdown_text("<b>a|b</b>"), markdown_text("blue_sky"), markdown_text("http://a.example")
    ('\\<b\\>a\\|b\\</b\\>', 'blue_sky', 'http\\://a.example')
    """
    return _MARKUP.sub(r"\\\g<0>", printable(text))


def _escaped(match: re.Match[str]) -> str:
    character = match[0]
    if character in _SHORT:
        return _SHORT[character]
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
