"""The labels of an evaluation as a table whose thresholds can be moved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tagsight.evaluation.operating_points import NEVER, operating_points
from tagsight.metrics.measured_labels import FEW, label_remark
from tagsight.runtime.escaping import printable
from tagsight.visualize.reports.charts import interval_bar, small_curve
from tagsight.visualize.reports.elements import Html, element, joined, name
from tagsight.visualize.reports.label_curves import calibration_curves, precision_recall_curves
from tagsight.visualize.reports.page import Cell, Column, row, table
from tagsight.visualize.reports.pictures import thumbnail

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tagsight.evaluation.evaluate import Report
    from tagsight.evaluation.measured import Measured
    from tagsight.evaluation.operating_points import OperatingPoints
    from tagsight.visualize.reports.pictures import Pictures

    Point = tuple[float, float]

COLUMNS = (
    Column("label", number=False),
    Column("AP", meaning="average precision in %, with its 95 % interval"),
    Column(
        "curves",
        number=False,
        sortable=False,
        meaning="precision against recall; and the share of photos that have the label, against "
        "its score: on the line, eight in ten photos scored 0.8 have it",
    ),
    Column("photos", meaning="photos with the label"),
    Column("threshold", meaning="lowest score at which the label is predicted"),
    Column("predicted", meaning="photos for which the label is predicted"),
    Column("precision", meaning="predictions that are right, in %"),
    Column("recall", meaning="photos with the label for which it is predicted, in %"),
    Column("F1", meaning="harmonic mean of precision and recall, in %"),
    Column("", number=False),
)
STEPS, NEAREST, MANY = 100, 40, 200
"""Thresholds of a label, photos listed on each side of the one in use, and labels from which there
are fewer of both."""

LONG = 30
"""Rows from which the table scrolls within itself."""

NO_INTERVAL = "drawn again, these photos give the same figure"
"""Why an average precision has no interval."""

THUMBNAIL, LONGEST_FILE_NAME = 96, 120
"""Longest side of a small picture in pixels, and longest name of a file in characters."""


class LabelTable:
    """Shows the figures of each label, and what other thresholds would give.

    Args:
        measured: The model on the split.
        split: Name of the split.

    Example:
        >>> import tagsight as ts
        >>> from tagsight.evaluation.evaluate import measured
        >>> model, runtime = ts.load("runs/first/model").network.model, ts.Runtime.choose("cpu")
        >>> found = measured(model, ts.read_annotations("labels.csv").rows("test"), runtime)
        >>> from tagsight.visualize.reports.pictures import Pictures
        >>> labels = LabelTable(found, "test")
        >>> "mean of the labels" in labels.content(), sorted(labels.data(Pictures()))
        (True, ['labels', 'neverPredicted', 'photos', 'pictures'])
    """

    def __init__(self, measured: Measured, split: str) -> None:
        self._measured, self._split = measured, split
        self._points = list(_points_of_labels(measured))

    def content(self) -> Html:
        """Return the table, the label with the lowest average precision first."""
        report, names = self._measured.report, self._measured.rows.names
        curves = list(
            zip(
                precision_recall_curves(self._measured.logits, self._measured.rows.targets),
                calibration_curves(self._measured),
                strict=True,
            )
        )
        order = sorted(range(len(names)), key=lambda i: _order(report["per_label"][names[i]]["AP"]))
        rows = [_row(names[i], i, report, self._points[i], curves[i], self._split) for i in order]
        note = (
            "Intervals are of 95 %, by bootstrap over photos: they say how much chance there is in "
            "the choice of these photos."
        )
        hint = (
            "Move a threshold to see what it changes, and choose a label to see its curve and the "
            "photos that change. Nothing is stored: “tagsight calibrate” fits thresholds."
        )
        kind = "labels long" if len(rows) > LONG else "labels"
        return joined(
            element("p", note, class_="faint"),
            element("p", hint, class_="faint scripted", hidden=True),
            table("Figures of each label", COLUMNS, rows, kind=kind, foot=list(_totals(report))),
        )

    def data(self, pictures: Pictures) -> dict[str, Any]:
        """Return the values with which the script moves thresholds.

        Args:
            pictures: Embeds small pictures of photos that may change, as long as there is room.
        """
        paths = self._measured.rows.paths
        rows = list(_photos_by_closeness(self._points))
        return {
            "neverPredicted": self._measured.report["conventions"]["never_predicted"],
            "labels": [
                {
                    "thresholds": [_shown(cut) for cut in one.thresholds.tolist()],
                    "current": one.current,
                    "correct": one.correct.tolist(),
                    "wrong": one.wrong.tolist(),
                    "positives": one.positives,
                    "nearest": one.nearest.tolist(),
                }
                for one in self._points
            ],
            "photos": {row: printable(paths[row].name)[:LONGEST_FILE_NAME] for row in rows},
            "pictures": dict(_pictures(rows, paths, pictures)),
        }


def _points_of_labels(measured: Measured) -> Iterator[OperatingPoints]:
    decision = measured.model.decision
    scores = decision.exclusive(decision.scores(measured.logits.numpy()))
    targets = measured.rows.targets.numpy().astype(np.int8)
    share = min(1.0, MANY / max(1, len(measured.rows.names)))
    for label, threshold in enumerate(decision.thresholds.tolist()):
        yield operating_points(
            scores[:, label],
            targets[:, label],
            threshold,
            steps=max(30, round(STEPS * share)),
            nearest=max(6, round(NEAREST * share)),
            unknown=measured.report["conventions"]["unknown"],
        )


def _row(
    label: str,
    place: int,
    report: Report,
    points: OperatingPoints,
    curves: tuple[Sequence[Point], Sequence[Point]],
    split: str,
) -> Html:
    values, now = report["per_label"][label], points.current
    correct = int(points.correct[now])
    predicted = correct + int(points.wrong[now])
    total = predicted + points.positives
    f1 = 200 * correct / total if points.positives else None
    cells = [
        name(label),
        _average_precision(values),
        _curves(*curves),
        Cell(f"{values['count']:,}", values["count"]),
        Cell(_threshold(values["threshold"]), values["threshold"], "threshold"),
        Cell(f"{predicted:,}", predicted, "predicted"),
        Cell(_percent(values["precision"]), values["precision"], "precision"),
        Cell(_percent(values["recall"]), values["recall"], "recall"),
        Cell(_percent(f1), f1, "f1"),
        _remark(label, values["count"], report, split),
    ]
    return row(COLUMNS, cells, data_label=place)


def _curves(precision: Sequence[Point], calibration: Sequence[Point]) -> Html:
    return element(
        "span",
        small_curve("precision against recall", precision) if precision else None,
        small_curve("present against score", calibration, "calibration") if calibration else None,
        class_="sparks",
    )


def _average_precision(values: Report) -> Cell:
    ap, (low, high) = values["AP"], values["AP_interval"]
    bounds = None
    if low is not None:
        bounds = element("span", f"{low:.0f} to {high:.0f}", class_="bounds")
    elif ap is not None:
        said = "one photo, no interval" if values["count"] == 1 else "no interval"
        bounds = element("span", said, class_="bounds", title=NO_INTERVAL)
    return Cell(joined(element("b", _percent(ap)), bounds, interval_bar(ap, low, high)), ap)


def _remark(label: str, count: int, report: Report, split: str) -> Html:
    remark = label_remark(label, count, report["left_out"], split)
    if not remark:
        return Html()
    why = f"fewer than {FEW} photos: its figures say little" if 0 < count < FEW else None
    return element("span", remark, class_="few", title=why)


def _totals(report: Report) -> Iterator[Html]:
    values = report["all_at_thresholds"]
    for title, keys, kind in (
        ("mean of the labels", ("CP", "CR", "CF1_mean"), "means"),
        ("all decisions together", ("OP", "OR", "OF1"), "together"),
    ):
        heading = element("th", title, scope="row", class_="name", colspan=6)
        cells = [
            element("td", _percent(values[key]), class_=f"number {column}")
            for key, column in zip(keys, ("precision", "recall", "f1"), strict=True)
        ]
        yield element("tr", heading, cells, element("td"), class_=kind)


def _photos_by_closeness(points: Sequence[OperatingPoints]) -> Iterator[int]:
    """Yield the rows that may change, each once, those nearest to a threshold first."""
    ordered = [
        one.nearest[np.argsort(np.abs(one.nearest[:, 1] - one.current - 0.5), kind="stable"), 0]
        for one in points
    ]
    seen: set[int] = set()
    for place in range(max((len(rows) for rows in ordered), default=0)):
        for rows in ordered:
            if place < len(rows) and (photo := int(rows[place])) not in seen:
                seen.add(photo)
                yield photo


def _pictures(
    rows: Sequence[int], paths: Sequence[Path], pictures: Pictures
) -> Iterator[tuple[int, str]]:
    for photo in rows:
        if pictures.left <= 0:
            return
        small = thumbnail(paths[photo], THUMBNAIL)
        url = None if small is None else pictures.url(small)
        if url is not None:
            yield photo, url


def _order(value: float | None) -> tuple[bool, float]:
    return value is None, value or 0.0


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def _threshold(value: float) -> str:
    return "never" if value >= 1 else f"{value:.2f}" if value >= 0.01 else f"{value:.1g}"


def _shown(value: float) -> float | None:
    """Round a threshold to what is shown; None if no score reaches it."""
    return None if value >= NEVER else float(f"{value:.3g}")
