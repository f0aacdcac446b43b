"""Two models side by side: differences with significance, and photos with the evidence of both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tagsight.evaluation.mistakes import worst_mistakes
from tagsight.evaluation.paired import SIGNIFICANT, decided_labels, paired_lines
from tagsight.visualize.reports.charts import difference_bar
from tagsight.visualize.reports.elements import Html, element, joined, name
from tagsight.visualize.reports.evidence_figures import EvidenceFigures
from tagsight.visualize.reports.page import Cell, Column, Section, row, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tagsight.evaluation.measured import Measured
    from tagsight.runtime.device import Runtime
    from tagsight.visualize.reports.pictures import Pictures

COLUMNS = (
    Column("label", number=False),
    Column("AP, this model", meaning="average precision of this model in %"),
    Column("AP, other model", meaning="average precision of the other model in %"),
    Column("difference", meaning="this model minus the other, with its 95 % interval"),
    Column("p", meaning="two-sided, of no difference, corrected for all labels (Holm)"),
    Column("mended", meaning="photos that only this model decides rightly"),
    Column("broken", meaning="photos that only the other model decides rightly"),
)
CORRECTED = (
    "Intervals are of 95 % for each label by itself; p is corrected for the number of labels, "
    "since of many labels some differ by chance."
)
MOST = 8
"""Photos of each kind that are shown."""


class Against:
    """Shows a model beside another one, on the same photos.

    Args:
        first: The model on the split; its report has ``against``, the `paired_report`.
        second: The other model on the split.
        runtime: Device, precision, and threads that decode photos.
        pictures: Embeds pictures in the page.

    Example:
        >>> import tagsight as ts
        >>> from tagsight.evaluation.evaluate import measured
        >>> from tagsight.evaluation.paired import paired_report
        >>> from tagsight.visualize.reports.pictures import Pictures
        >>> model, runtime = ts.load("runs/first/model").network.model, ts.Runtime.choose("cpu")
        >>> found = measured(model, ts.read_annotations("labels.csv").rows("test"), runtime)
        >>> found.report["against"] = {**paired_report(found, found), "model": "itself"}
        >>> [title for title, _ in Against(found, found, runtime, Pictures()).sections()]
        ['Against the other model', 'Mended', 'Broken']
    """

    def __init__(
        self, first: Measured, second: Measured, runtime: Runtime, pictures: Pictures
    ) -> None:
        self._paths = first.rows.paths
        self._report = first.report["against"]
        self._names = list(self._report["per_label"])
        sides = first, second
        self._decided = [decided_labels(side, self._names) for side in sides]
        self._figures = [EvidenceFigures(side.model, runtime, pictures) for side in sides]

    def sections(self) -> Iterator[Section]:
        """Yield the sections of differences, and of photos mended and broken."""
        lines = [
            element("li", f"{line[0].upper()}{line[1:]}.") for line in paired_lines(self._report)
        ]
        yield Section(
            "Against the other model",
            joined(
                element("ul", lines),
                element("p", CORRECTED, class_="faint"),
                table("Differences of labels", COLUMNS, list(self._rows())),
            ),
        )
        yield Section("Mended", self._cards(0, "Wrong in the other model and right in this one."))
        yield Section("Broken", self._cards(1, "Right in the other model and wrong in this one."))

    def _rows(self) -> Iterator[Html]:
        labels = self._report["per_label"]
        reach = max((abs(end) for one in labels.values() for end in _ends(one)), default=0)
        for label in sorted(labels, key=lambda one: labels[one]["difference"]):
            values = labels[label]
            shown = joined(element("b", f"{values['difference']:+z.1f}"), *_interval(values, reach))
            sure = "sure" if values["p"] < SIGNIFICANT else ""
            yield row(
                COLUMNS,
                [
                    name(label),
                    *(Cell(f"{value:.1f}", value) for value in values["AP"]),
                    Cell(shown, values["difference"], sure),
                    Cell(f"{values['p']:.3f}", values["p"], sure),
                    f"{values['mended']:,}",
                    f"{values['broken']:,}",
                ],
            )

    def _cards(self, right: int, note: str) -> Html:
        """Show photos that one side decides rightly and the other wrongly, the worst first."""
        wrong = self._decided[1 - right]
        only = self._decided[right].right & ~wrong.right & (wrong.targets >= 0)
        mistakes = worst_mistakes(wrong, only, most=MOST, per_label=2)
        if not mistakes:
            return element("p", "There are none.")
        for figures in self._figures:
            figures.recognise(self._paths[mistake.photo] for mistake in mistakes)
        cards = [element("li", self._card(one.photo, one.label)) for one in mistakes]
        sides = "Left: this model. Right: the other one."
        return joined(
            element("p", f"{note} {sides}", class_="faint"),
            element("ul", cards, class_="cards pairs"),
        )

    def _card(self, photo: int, label: int) -> Html:
        path, asked = self._paths[photo], self._names[label]
        scores = [
            f"{one.scores[photo, label]:.2f} (threshold {one.thresholds[label]:.2f})"
            for one in self._decided
        ]
        has = "has it" if self._decided[0].targets[photo, label] == 1 else "does not have it"
        caption = element(
            "figcaption",
            element("div", element("b", name(asked)), f", the photo {has}"),
            element("div", f"score {scores[0]}; other model {scores[1]}", class_="faint"),
            element("div", name(path.name), class_="file"),
        )
        return element("figure", element("div", self._pair(path, asked), class_="pair"), caption)

    def _pair(self, path: Path, label: str) -> list[Html]:
        """Draw the evidence of both models; the photo alone if neither has any."""
        alt = f"{path.name}, evidence for {label}"
        drawn = [figures.evidence(path, label, alt) for figures in self._figures]
        shown = [(one.picture, one.scale, one.found) for one in drawn if one is not None]
        if shown and not any(found for *_, found in shown):
            shown = [(shown[0][0], element("small", "no evidence in either model"), False)]
        return [
            element("div", picture, element("div", scale, class_="scale"))
            for picture, scale, _ in shown
        ]


def _ends(values: Mapping[str, Any]) -> list[float]:
    """Return the difference of a label and the ends of its interval, if it has one."""
    return [one for one in (values["difference"], *values["interval"]) if one is not None]


def _interval(values: Mapping[str, Any], reach: float) -> tuple[Html, ...]:
    low, high = values["interval"]
    if low is None:
        return (element("span", "one photo, no interval", class_="bounds"),)
    bar = difference_bar(values["difference"], low, high, reach)
    return element("span", f"{low:+z.1f} to {high:+z.1f}", class_="bounds"), bar
