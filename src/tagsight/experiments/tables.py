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
    """A table of formatted cells.

    Attributes:
        title: Title.
        head: Names of the columns.
        rows: Cells, as many in each row as columns.
    """

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def markdown_table(table: Table) -> list[str]:
    """Write a table as lines of Markdown.

    Example:
        >>> markdown_table(Table("mAP", ("", "mAP"), (("gcam", "81.4"),)))
        ['|  | mAP |', '| --- | --- |', '| gcam | 81.4 |']
    """
    head, *rows = [tuple(map(markdown_text, cells)) for cells in (table.head, *table.rows)]
    lines = [head, tuple("---" for _ in table.head), *rows]
    return [f"| {' | '.join(cells)} |" for cells in lines]


def markdown(title: str, tables: Sequence[Table], notes: Sequence[str]) -> str:
    """Write a page of Markdown with tables, and with notes below the first one.

    Args:
        title: Title of the page.
        tables: The tables.
        notes: Notes for the reader.

    Example:
        >>> table = Table("Results", ("system", "mAP"), (("gcam", "81.2"),))
        >>> print(markdown("Results", [table], ["On one machine."]), end="")
        # Results
        <BLANKLINE>
        | system | mAP |
        | --- | --- |
        | gcam | 81.2 |
        <BLANKLINE>
        - On one machine.
    """
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
    r"""Write tables as LaTeX, with the notes in the caption of the first one.

    Args:
        tables: The tables.
        notes: Notes for the reader.

    Example:
        >>> table = Table("Results", ("system", "mAP"), (("gcam & co", "81.2"),))
        >>> r"gcam \& co & 81.2 \\" in latex([table], ["On one machine."])
        True
    """
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
    r"""Write tables as CSV, one after another, each after a line with its title.

    Example:
        >>> comma_separated([Table("mAP", ("", "mAP"), (("gcam", "81.4"),))])
        'mAP\n,mAP\ngcam,81.4\n'
    """
    parts = [map(csv_line, [[table.title], table.head, *table.rows]) for table in tables]
    return "\n".join("".join(lines) for lines in parts)


def escaped(text: str) -> str:
    r"""Escape text for LaTeX.

    Example:
        >>> escaped("95 % of a_b")
        '95 \\% of a\\_b'
    """
    return "".join(_LATEX.get(character, character) for character in printable(text))


def _latex_row(cells: Sequence[str]) -> str:
    return " & ".join(map(escaped, cells)) + r" \\"
