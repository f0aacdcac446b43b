"""A comparison of systems as a self-contained HTML page."""

from __future__ import annotations

from statistics import fmean
from types import MappingProxyType
from typing import TYPE_CHECKING

from tagsight.evaluation.paired import SIGNIFICANT
from tagsight.experiments.comparison_tables import tables
from tagsight.experiments.training_curves import training_curves
from tagsight.visualize.reports.charts import interval_bar
from tagsight.visualize.reports.elements import Html, element, joined, name
from tagsight.visualize.reports.page import Cell, Column, Section, html_page, row, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tagsight.experiments.summary import Row, Summary
    from tagsight.experiments.tables import Table
    from tagsight.experiments.training_curves import Histories

SHADES = 6
"""Shades of a table of labels, besides none."""

MEANINGS = {
    "Precision, recall and F1": "P is precision, R recall, in %: C with each label by itself and "
    "then the mean over labels, O over all decisions together. CF1 is of CP and CR, CF1_mean the "
    "mean of the labels' F1. Decided by: a score of 0.5, fitted thresholds, or the three labels "
    "with the highest scores.",
    "Evidence": "On photos with boxes, in %, the mean over labels: how often the strongest "
    "evidence is in a box of the label (pointing), and how much of all evidence is; chance of both "
    "is what uniform evidence has. Errors say how much evidence changes, beyond moving along, when "
    "a photo is mirrored or scaled: the lower, the better.",
}
"""What the columns of a table are, by its title."""


def comparison_report(
    summary: Summary, title: str = "Comparison", histories: Histories = MappingProxyType({})
) -> str:
    """Show a comparison as a page: intervals and tests, each label, how runs learned, and notes.

    Args:
        summary: Results of the comparison.
        title: Heading of the page.
        histories: Of each system by its name, the epochs of each of its runs, as `read_histories`
            gives them.

    Example:
        >>> from tagsight.experiments.comparison import Progress
        >>> from tagsight.experiments.summary import summarise
        >>> "No run has a result yet." in comparison_report(summarise(Progress(())))
        True
    """
    main, *others = tables(summary)
    measured = [one for one in summary.rows if one.results]
    sections = [
        Section("Systems", _systems(main, summary)),
        Section("Labels", _labels(measured)),
        *(
            Section(
                one.title, joined(element("p", MEANINGS[one.title], class_="faint"), _plain(one))
            )
            for one in others
        ),
        Section("Training", training_curves(histories)),
        Section("Notes", element("ul", [element("li", note) for note in summary.notes])),
    ]
    return html_page(title, element("p", _lead(measured)), sections)


def _lead(measured: list[Row]) -> str:
    if not measured:
        return "No run has a result yet."
    best, *others = measured
    text = f"{best.name} has the highest mAP, {best.mean('mAP') or 0:.1f}."
    sure = [one.name for one in others if one.p is not None and one.p < SIGNIFICANT]
    maybe = [one.name for one in others if one.name not in sure]
    if sure:
        text += f" Worse by more than chance (p below 0.05, corrected): {', '.join(sure)}."
    if maybe:
        text += f" The difference may be chance: {', '.join(maybe)}."
    return text


def _systems(main: Table, summary: Summary) -> Html:
    columns = [Column(title or "system", number=bool(title)) for title in main.head]
    places = {title: place for place, title in enumerate(main.head)}
    rows = []
    for one, cells in zip(summary.rows, main.rows, strict=True):
        shown: list[object] = [name(cells[0]), *cells[1:]]
        if one.interval is not None:
            bar = interval_bar(one.mean("mAP"), *one.interval)
            place = places["95 % interval"]
            shown[place] = Cell(joined(cells[place], bar), one.interval[0])
        rows.append(row(columns, shown))
    return table("Systems", columns, rows)


def _labels(measured: list[Row]) -> Html:
    """Show the average precision of each label by each system, averaged over seeds."""
    if not measured:
        return Html()
    precisions = {one.name: dict(_average_precisions(one)) for one in measured}
    columns = [
        Column("label", number=False),
        Column("photos"),
        *(Column(name(one.name)) for one in measured),
    ]
    counts = measured[0].results[0].positives
    rows = [
        row(
            columns,
            [
                name(label),
                f"{count:,}",
                *(_shaded(precisions[one.name].get(label)) for one in measured),
            ],
        )
        for label, count in counts.items()
    ]
    note = "Average precision in %, the mean over seeds. The shade is the value."
    return joined(
        element("p", note, class_="faint"),
        table("Average precision of each label", columns, rows, kind="matrix"),
    )


def _average_precisions(one: Row) -> Iterator[tuple[str, float]]:
    reports: list[Mapping[str, object]] = [result.record.report for result in one.results]
    for label in one.results[0].positives:
        values = [_of_label(report, label) for report in reports]
        known = [value for value in values if value is not None]
        if known:
            yield label, fmean(known)


def _of_label(report: Mapping[str, object], label: str) -> float | None:
    labels = report["per_label"]
    values = labels.get(label) if isinstance(labels, dict) else None
    value = values.get("AP") if isinstance(values, dict) else None
    return float(value) if isinstance(value, int | float) else None


def _shaded(value: float | None) -> Cell:
    if value is None:
        return Cell("-", None)
    return Cell(f"{value:.1f}", value, f"shade{round(SHADES * value / 100)}")


def _plain(shown: Table) -> Html:
    columns = [
        Column(title or "system", number=title not in {"", "decided by"}) for title in shown.head
    ]
    rows = [row(columns, [name(cells[0]), *cells[1:]]) for cells in shown.rows]
    return table(shown.title, columns, rows)
