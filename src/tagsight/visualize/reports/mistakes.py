"""The mistakes of a model on a page: the worst, with evidence, and what is taken for what."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tagsight.evaluation.mistakes import confusions, decisions_of, worst_mistakes
from tagsight.runtime.amounts import amount
from tagsight.visualize.reports.elements import Html, element, joined, name, text
from tagsight.visualize.reports.evidence_figures import EvidenceFigures, evidence_figure
from tagsight.visualize.reports.page import Cell, Column, Section, row, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from tagsight.evaluation.measured import Measured
    from tagsight.evaluation.mistakes import Mistake
    from tagsight.runtime.device import Runtime
    from tagsight.visualize.reports.pictures import Pictures

MOST, MOST_NAMED = 24, 4
"""Mistakes of each kind, and labels named below a photo."""

SCALE = (
    "Colour shows where the evidence for the label is, on the scale below each photo; a photo "
    "without evidence is as it was."
)


class Mistakes:
    """Shows the mistakes of a model on a split.

    Args:
        measured: The model on the split.
        runtime: Device, precision, and threads that decode photos.
        pictures: Embeds pictures in the page.

    Example:
        >>> import tagsight as ts
        >>> from tagsight.evaluation.evaluate import measured
        >>> model, runtime = ts.load("runs/first/model").network.model, ts.Runtime.choose("cpu")
        >>> found = measured(model, ts.read_annotations("labels.csv").rows("test"), runtime)
        >>> from tagsight.visualize.reports.pictures import Pictures
        >>> [title for title, _ in Mistakes(found, runtime, Pictures()).sections()]
        ['Worst misses', 'Worst false alarms', 'Confused labels']
    """

    def __init__(self, measured: Measured, runtime: Runtime, pictures: Pictures) -> None:
        model, rows, logits, _ = measured
        self._rows = rows
        self._decided = decisions_of(model.decision, logits.numpy(), rows.targets.numpy())
        self._figures = EvidenceFigures(measured.model, runtime, pictures)

    def sections(self) -> Iterator[Section]:
        """Yield the sections of misses, false alarms and confusions."""
        decided = self._decided
        misses = worst_mistakes(decided, (decided.targets == 1) & ~decided.predicted, most=MOST)
        alarms = worst_mistakes(decided, (decided.targets == 0) & decided.predicted, most=MOST)
        self._figures.recognise(self._rows.paths[one.photo] for one in (*misses, *alarms))
        yield Section(
            "Worst misses",
            self._cards(
                misses,
                "Photos with a label that is not predicted, the furthest below its threshold "
                "first.",
                "No label of these photos is missed.",
            ),
        )
        yield Section(
            "Worst false alarms",
            self._cards(
                alarms,
                "Labels that are predicted where they are absent, the furthest above the "
                "threshold first. Some may be labels that were forgotten: “tagsight data LABELS "
                "--errors” looks for these.",
                "No label is predicted where it is absent.",
            ),
        )
        yield Section("Confused labels", self._confusions())

    def _cards(self, mistakes: Sequence[Mistake], note: str, none: str) -> Html:
        if not mistakes:
            return element("p", none)
        cards = [element("li", self._card(mistake)) for mistake in mistakes]
        return joined(
            element("p", note, " ", SCALE, class_="faint"), element("ul", cards, class_="cards")
        )

    def _card(self, mistake: Mistake) -> Html:
        photo, label, _ = mistake
        path, asked = self._rows.paths[photo], self._rows.names[label]
        evidence = self._figures.evidence(path, asked, f"{path.name}, evidence for {asked}")
        threshold = self._decided.thresholds[label]
        score = f" {self._decided.scores[photo, label]:.2f}, threshold {threshold:.2f}"
        lines = [
            joined(element("b", name(asked)), element("span", score, class_="faint")),
            joined("has ", self._named(photo, self._decided.targets[photo] == 1)),
            joined("predicted ", self._named(photo, self._decided.predicted[photo])),
        ]
        lines.append(element("span", name(path.name), class_="file"))
        return evidence_figure(evidence, lines)

    def _named(self, photo: int, which: NDArray[np.bool_]) -> Html:
        """Name the labels of a photo, those with the highest scores first."""
        labels = np.flatnonzero(which)
        if not len(labels):
            return text("none")
        order = labels[np.argsort(-self._decided.scores[photo, labels], kind="stable")].tolist()
        parts = [joined(", " if i else "", name(self._rows.names[k])) for i, k in enumerate(order)]
        more = len(parts) - MOST_NAMED
        return joined(parts[:MOST_NAMED], f" and {more} more" if more > 0 else None)

    def _confusions(self) -> Html:
        found = confusions(self._decided)
        if not found:
            return element("p", "No two labels are taken for one another more than once.")
        columns = [
            Column("missed", number=False),
            Column("predicted instead", number=False),
            Column("photos", meaning="photos where the first is missed and the second is wrong"),
            Column("of the misses", meaning="share of the misses of the first label, in %"),
            Column("by chance", meaning="photos to expect if the second had nothing to do with it"),
        ]
        names = self._rows.names
        rows = [
            row(
                columns,
                [
                    name(names[one.missed]),
                    name(names[one.predicted]),
                    Cell(f"{one.photos:,}", one.photos),
                    Cell(f"{100 * one.photos / one.misses:.0f} %", one.photos / one.misses),
                    Cell(f"{one.expected:.1f}", one.expected),
                ],
            )
            for one in found
        ]
        note = (
            "Photos on which a label is missed and another one, which is absent, is predicted; "
            f"the {amount(len(found), 'most frequent pair')} above chance."
        )
        return joined(element("p", note, class_="faint"), table("Confused labels", columns, rows))
