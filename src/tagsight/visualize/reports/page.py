"""The page that all reports are: one HTML file of sections, with a style and a script of its own.

The page loads nothing, and runs no script but those that were put into it here: its policy names
their hashes. Without JavaScript all of it is readable; with it, tables can be sorted.
"""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, NamedTuple

from tagsight.visualize.reports.elements import Html, element, joined, text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_IN_SCRIPTS = {ord("<"): r"\u003c", ord(">"): r"\u003e", ord("&"): r"\u0026"}
"""Characters that would end a script or be read as markup, as JSON writes them, too."""


class Section(NamedTuple):
    """A part of a page.

    Attributes:
        title: Its heading.
        content: What is below; a section without content is left out.
    """

    title: str
    content: Html


class Column(NamedTuple):
    """A column of a table.

    Attributes:
        title: Its heading.
        number: Whether its cells are numbers, which are aligned to the right.
        meaning: What it means, in a sentence, if that is not plain.
        sortable: Whether rows can be sorted by it.
    """

    title: str
    number: bool = True
    meaning: str | None = None
    sortable: bool = True


class Cell(NamedTuple):
    """A cell of a table that is sorted by something else than its text.

    Attributes:
        shown: Content of `element`.
        value: What rows are sorted by; None is last in either order.
        kind: Further classes of the cell.
    """

    shown: object
    value: float | None
    kind: str = ""


def html_page(
    title: str,
    lead: Html,
    sections: Iterable[Section],
    *,
    data: object = None,
    scripts: Sequence[str] = (),
) -> str:
    """Write a report as one HTML file.

    Args:
        title: Heading of the page.
        lead: What stands below it: the summary.
        sections: Parts of the page, which the navigation lists if there are several.
        data: JSON values for scripts, which find them in the element ``#data``.
        scripts: Names of further scripts beside ``report.js``, in this package.

    Example:
        >>> sections = [Section("Labels", Html("none")), Section("Notes", Html("none"))]
        >>> page = html_page("<b>", element("p", "one & all"), sections)
        >>> "<h1>&lt;b&gt;</h1>" in page, '<a href="#labels">Labels</a>' in page
        (True, True)
    """
    shown = [section for section in sections if section.content]
    links = [
        element("li", element("a", section.title, href=f"#{anchor(section.title)}"))
        for section in shown
    ]
    parts = [
        element("section", element("h2", heading), content, id=anchor(heading))
        for heading, content in shown
    ]
    programs = [resource(name) for name in ("report.js", *scripts)]
    body = element(
        "main",
        element("header", element("h1", text(title)), lead),
        element("nav", element("ul", links), aria_label="Sections") if links[1:] else None,
        parts,
    )
    return (
        f'<!doctype html>\n<html lang="en"><head>{_head(title, programs)}</head>\n'
        f"<body>{body}\n{_data_block(data)}{_script_blocks(programs)}</body></html>\n"
    )


def table(
    title: str,
    columns: Sequence[Column],
    rows: Iterable[Html],
    *,
    kind: str = "",
    foot: object = None,
) -> Html:
    """Write a table that can be sorted by each column, and that scrolls within the page.

    Args:
        title: What it shows, for those who do not see it.
        columns: Headings.
        rows: Of `row`.
        kind: Further classes of the table; ``fixed`` keeps the order of its rows.
        foot: Rows below, which are not sorted.

    Example:
        >>> columns = [Column("label", number=False), Column("photos")]
        >>> rows = [row(columns, ["cat", 3])]
        >>> "<th" in table("Labels", columns, rows)
        True
    """
    head = [_heading(column) for column in columns]
    whole = element(
        "table",
        element("thead", element("tr", head)),
        element("tbody", list(rows)),
        None if foot is None else element("tfoot", foot),
        class_=kind or None,
    )
    return element("div", whole, class_="wide", role="region", aria_label=title, tabindex="0")


def row(columns: Sequence[Column], cells: Sequence[object], **attributes: object) -> Html:
    """Write a row of a table, whose first cell is its heading.

    Args:
        columns: Those of the table.
        cells: A `Cell`, or content of `element`, for each column.
        attributes: Of the row.

    Example:
        >>> row([Column("label", number=False), Column("photos")], ["cat", 3])
        '<tr><th scope="row" class="name">cat</th><td class="number">3</td></tr>'
    """
    written = [
        _cell(column, cell, is_heading=place == 0)
        for place, (column, cell) in enumerate(zip(columns, cells, strict=True))
    ]
    return element("tr", written, **attributes)


def anchor(title: str) -> str:
    """Return the identifier of a section.

    Example:
        >>> anchor("Labels together")
        'labels-together'
    """
    return title.lower().replace(" ", "-")


@cache
def resource(file: str) -> str:
    """Read a style or a script of this package.

    Example:
        >>> "table" in resource("report.css")
        True
    """
    return files(__package__).joinpath(file).read_text(encoding="utf-8")


def _heading(column: Column) -> Html:
    if not column.title:
        return element("td")
    kinds = ["number" if column.number else "", "" if column.sortable else "unsorted"]
    kind = " ".join(filter(None, kinds)) or None
    return element("th", column.title, scope="col", class_=kind, title=column.meaning)


def _cell(column: Column, cell: object, *, is_heading: bool) -> Html:
    shown, value, kind = cell if isinstance(cell, Cell) else (cell, None, "")
    known = ["name" if is_heading else "number" if column.number else "", kind]
    return element(
        "th" if is_heading else "td",
        shown,
        scope="row" if is_heading else None,
        class_=" ".join(filter(None, known)) or None,
        data_value=value,
    )


def _head(title: str, programs: Sequence[str]) -> Html:
    hashes = " ".join(f"'sha256-{_digest(program)}'" for program in programs)
    policy = (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src {hashes}; base-uri 'none'; form-action 'none'"
    )
    return joined(
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", title),
        Html(f"<style>{resource('report.css')}</style>"),
    )


def _data_block(data: object) -> str:
    if data is None:
        return ""
    written = json.dumps(data, separators=(",", ":"), allow_nan=False).translate(_IN_SCRIPTS)
    return f'<script type="application/json" id="data">{written}</script>\n'


def _script_blocks(programs: Sequence[str]) -> str:
    return "".join(f"<script>{program}</script>\n" for program in programs)


def _digest(program: str) -> str:
    return base64.b64encode(hashlib.sha256(program.encode()).digest()).decode()
