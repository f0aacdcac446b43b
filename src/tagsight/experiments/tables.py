"""Tables as Markdown, CSV and LaTeX."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tagsight.runtime.escaping import csv_line, markdown_text, printable

if TYPE_CHECKING:
    from collections.abc import Sequence

_LATEX = {
    "\\": r"\textbackslash{}",
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "<": r"$<$",
    ">": r"$>$",
    "|": r"\textbar{}",
}


class Table(NamedTuple):
    """Cells as a reader sees them.

    Attributes:
        title: What it shows.
        head: Of the columns; the first has no name.
        rows: As many cells each.
    """

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def markdown_table(table: Table) -> list[str]:
    """A table's lines."""
    head, *rows = [tuple(map(markdown_text, cells)) for cells in (table.head, *table.rows)]
    lines = [head, tuple("---" for _ in table.head), *rows]
    return [f"| {' | '.join(cells)} |" for cells in lines]


def markdown(title: str, tables: Sequence[Table], notes: Sequence[str]) -> str:
    """A page with tables, and below the first what a reader must know."""
    listed = [f"- {markdown_text(note)}" for note in notes]
    lines = [f"# {markdown_text(title)}"]
    for place, table in enumerate(tables):
        lines += ["", f"## {markdown_text(table.title)}"] if table.title != title else []
        lines += ["", *markdown_table(table)]
        if place == 0:
            lines += ["", *listed]
    if not tables:
        lines += ["", *listed]
    return "\n".join(lines) + "\n"


def latex(tables: Sequence[Table], notes: Sequence[str]) -> str:
    """The same tables for a paper; the notes are in the caption of the first."""
    lines = [r"% \usepackage{booktabs}"]
    for place, table in enumerate(tables):
        caption = f"{table.title}. {' '.join(notes) if place == 0 else ''}".strip()
        lines += [
            r"\begin{table}",
            rf"\caption{{{escaped(caption)}}}",
            rf"\begin{{tabular}}{{l{'r' * (len(table.head) - 1)}}}",
            r"\toprule",
            _latex_row(table.head),
            r"\midrule",
            *map(_latex_row, table.rows),
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
        ]
    return "\n".join(lines) + "\n"


def comma_separated(tables: Sequence[Table]) -> str:
    """All tables one after another, a line with the title before each."""
    parts = [map(csv_line, [[table.title], table.head, *table.rows]) for table in tables]
    return "\n".join("".join(lines) for lines in parts)


def escaped(text: str) -> str:
    r"""Write text so that LaTeX prints it.

    >>> escaped("95 % of a_b")
    '95 \\% of a\\_b'
    """
    return "".join(_LATEX.get(character, character) for character in printable(text))


def _latex_row(cells: Sequence[str]) -> str:
    return " & ".join(map(escaped, cells)) + r" \\"
