"""An evaluation as a self-contained HTML page, to be passed on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from tagsight.evaluation.paired import verdict
from tagsight.evaluation.report_text import report_lines
from tagsight.inference.run import read_epochs
from tagsight.metrics.calibration import reliability
from tagsight.metrics.measured_labels import (
    FEW,
    left_out_sentences,
    mean_over,
    rare_sentence,
)
from tagsight.runtime.amounts import amount, named
from tagsight.runtime.files import write_atomically
from tagsight.visualize.reports.against import Against
from tagsight.visualize.reports.charts import (
    MOST_POINTS,
    Line,
    chart,
    fitting_axis,
    interval_bar,
    percent_axis,
)
from tagsight.visualize.reports.elements import Html, element, joined, name
from tagsight.visualize.reports.label_table import LabelTable
from tagsight.visualize.reports.mistakes import Mistakes
from tagsight.visualize.reports.page import Section, html_page
from tagsight.visualize.reports.pictures import Pictures

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from tagsight.evaluation.evaluate import Report
    from tagsight.evaluation.measured import Measured
    from tagsight.runtime.device import Runtime

    Epochs = Sequence[Mapping[str, float | None]]

EVIDENCE_SIZE, THUMBNAILS_SIZE = 2_000_000, 1_200_000
"""Characters of the pictures with evidence, and of the small ones of photos that change."""


def write_evaluation_report(
    file: Path,
    measured: Measured,
    runtime: Runtime,
    *,
    split: str = "test",
    against: Measured | None = None,
) -> None:
    """Write `evaluation_report`, with the curves of the run if the model lies in a run folder.

    Args:
        file: The HTML file.
        measured: The model on the split.
        runtime: Device, precision, and threads that decode photos.
        split: Name of the split.
        against: Another model on the same photos, as for `evaluation_report`.

    Example:
        >>> import tagsight as ts
        >>> from tagsight.evaluation.evaluate import measured
        >>> model, runtime = ts.load("runs/first/model").network.model, ts.Runtime.choose("cpu")
        >>> found = measured(model, ts.read_annotations("labels.csv").rows("test"), runtime)
        >>> from pathlib import Path
        >>> write_evaluation_report(Path("report.html"), found, runtime)
        >>> Path("report.html").read_text(encoding="utf-8")[:15]
        '<!doctype html>'
    """
    folder = measured.model.folder
    epochs = [] if folder is None else list(read_epochs(folder.parent / "run.jsonl"))
    title = f"Evaluation of {measured.model.title}"
    page = evaluation_report(measured, title, runtime, split=split, epochs=epochs, against=against)
    write_atomically(file, page)


def evaluation_report(
    measured: Measured,
    title: str,
    runtime: Runtime,
    *,
    split: str = "test",
    epochs: Epochs = (),
    against: Measured | None = None,
    evidence_size: int = EVIDENCE_SIZE,
    thumbnails_size: int = THUMBNAILS_SIZE,
) -> str:
    """Show a model on a split as a page: figures, curves, thresholds to move, and mistakes.

    Args:
        measured: The model on the split.
        title: Heading of the page.
        runtime: Device, precision, and threads that decode photos.
        split: Name of the split.
        epochs: The history of the model's run, if it is known.
        against: Another model on the same photos, which the report has ``against``.
        evidence_size: Characters that all pictures with evidence may take.
        thumbnails_size: Characters that all other pictures may take.

    Example:
        >>> import tagsight as ts
        >>> from tagsight.evaluation.evaluate import measured
        >>> model, runtime = ts.load("runs/first/model").network.model, ts.Runtime.choose("cpu")
        >>> found = measured(model, ts.read_annotations("labels.csv").rows("test"), runtime)
        >>> page = evaluation_report(found, "Evaluation", runtime)
        >>> "<h2>Worst misses</h2>" in page, "<h2>Against" in page
        (True, False)
    """
    report = measured.report
    labels = LabelTable(measured, split)
    pictures = Pictures(evidence_size)
    mistakes = Mistakes(measured, runtime, pictures)
    beside = None if against is None else Against(measured, against, runtime, pictures)
    sections = (
        Section("How far to trust it", _trust(measured, split)),
        *(() if beside is None else beside.sections()),
        Section("Labels", labels.content()),
        Section("Curves", _curves(measured, epochs)),
        *mistakes.sections(),
        Section("All figures", _figures(report)),
    )
    data = labels.data(Pictures(thumbnails_size))
    return html_page(title, _lead(report, split), sections, data=data, scripts=["evaluation.js"])


def _lead(report: Report, split: str) -> Html:
    """Write the summary: what was measured, and the figures that count."""
    about = (
        f"{report['system']} by the recipe {report['recipe']}, on "
        f"{amount(report['photos'], 'photo')} of the split {split} at {report['image_size']} "
        "pixels."
    )
    return joined(element("p", about), element("dl", list(_tiles(report)), class_="tiles"))


def _tiles(report: Report) -> Iterator[Html]:
    low, high = report["mAP_interval"]
    bar = interval_bar(report["mAP"], low, high)
    bounds = f"{low:.1f} to {high:.1f}" if bar else ""
    yield _tile("mAP", report["mAP"], bounds, bar, kind="first")
    if "against" in report:
        yield _against_tile(report["against"])
    decided = report["all_at_thresholds"]
    low, high = decided["OF1_interval"]
    bar = interval_bar(decided["OF1"], low, high)
    bounds = f"{low:.1f} to {high:.1f}" if bar else ""
    yield _tile("F1 of all decisions", decided["OF1"], bounds, bar)
    recall = f"at a recall of {_number(decided['OR'])}"
    yield _tile("precision of all decisions", decided["OP"], recall)
    error = report["calibration"]["expected_error"]
    if error is not None:
        yield _tile("calibration error", error, "distance of scores from frequencies")
    if "pointing" in report.get("evidence", {}):
        evidence = report["evidence"]
        chance = f"by chance {_number(evidence['chance'])}"
        yield _tile("evidence on the object", evidence["pointing"], chance)


def _tile(
    title: str, value: float | None, note: str, bar: Html | None = None, *, kind: str = ""
) -> Html:
    shown = element("span", _number(value), class_="figure")
    return element(
        "div",
        element("dt", title),
        element("dd", shown, element("span", note, class_="faint") if note else None, bar),
        class_=kind or None,
    )


def _against_tile(paired: Report) -> Html:
    low, high = paired["interval"]
    difference = f"{paired['difference']:+z.1f}"
    note = f"{low:+z.1f} to {high:+z.1f}, p {paired['p']:.3f}"
    return element(
        "div",
        element("dt", "mAP against ", name(paired["model"])),
        element(
            "dd",
            element("span", difference, class_="figure"),
            element("span", note, class_="faint"),
            element("span", verdict(paired), class_="faint"),
        ),
    )


def _trust(measured: Measured, split: str) -> Html:
    """List what makes figures unreliable, or say that nothing does."""
    sentences = list(_doubts(measured, split))
    if not sentences:
        return element("p", f"Each label has at least {FEW} photos in this split, and all count.")
    items = [element("li", f"{one[0].upper()}{one[1:]}.") for one in sentences]
    return element("ul", items, class_="problems")


def _doubts(measured: Measured, split: str) -> Iterator[str]:
    report = measured.report
    if split == "train":
        yield "the model was trained on these photos, so that all figures are too high"
    if split == "val":
        yield (
            "these photos chose the epoch and fitted the thresholds, so that figures are somewhat "
            "too high; those of the split test are not"
        )
    low, high = report["mAP_interval"]
    if low is not None and high - low > 10:
        yield f"the interval of the mAP is {high - low:.0f} points wide: more photos would help"
    counts = {name: values["count"] for name, values in report["per_label"].items()}
    rare = {name: count for name, count in counts.items() if 0 < count < FEW}
    if rare:
        yield rare_sentence(rare, split)
    yield from left_out_sentences(report["left_out"])
    if report["unmatched"]:
        yield f"labels of the data that the model does not know: {named(report['unmatched'])}"
    if unknown := int((measured.rows.targets < 0).sum()):
        yield f"{amount(unknown, 'target')} of photos and labels are unknown, and not counted"
    if not report["thresholds_fitted"]:
        yield "no thresholds were fitted, all are 0.5"
    if "reason" in report["calibration"]:
        yield report["calibration"]["reason"]


def _curves(measured: Measured, epochs: Epochs) -> Html:
    charts = [_pooled_curve(measured.logits, measured.rows.targets)]
    if measured.model.system.probabilities:
        charts.append(_calibration(measured))
    charts += _run_curves(epochs)
    return element("div", charts, class_="charts")


def _pooled_curve(logits: torch.Tensor, targets: torch.Tensor) -> Html:
    known = targets >= 0
    present = targets[known][logits[known].argsort(descending=True, stable=True)] == 1
    hits = present.double().cumsum(0)
    places = present.nonzero().flatten()
    if not len(places):
        return Html()
    places = places[torch.linspace(0, len(places) - 1, min(120, len(places))).long()]
    recall, precision = hits[places] / hits[-1], hits[places] / (places + 1)
    points = list(zip((100 * recall).tolist(), (100 * precision).tolist(), strict=True))
    drawn = chart(
        "Precision against recall of all labels together",
        percent_axis("recall in %"),
        percent_axis("precision in %"),
        [Line(points)],
    )
    return _figure("Precision and recall, all labels together; by label in the table", drawn)


def _calibration(measured: Measured) -> Html:
    scores = torch.from_numpy(measured.model.decision.scores(measured.logits.numpy()))
    pairs, score, present = reliability(scores, measured.rows.targets, bins=10)
    filled = pairs > 0
    points = [
        (100 * a, 100 * b)
        for a, b in zip(score[filled].tolist(), present[filled].tolist(), strict=True)
    ]
    sizes = (2 + 1.2 * (pairs[filled] + 1).log10()).tolist()
    drawn = chart(
        "Share of labels that are present, by score",
        percent_axis("score in %"),
        percent_axis("present in %"),
        [Line([(0, 0), (100, 100)], "faint"), Line(points, "main", sizes)],
    )
    return _figure("Calibration: on the line, eight in ten labels scored 80 % are present", drawn)


def _run_curves(epochs: Epochs) -> Iterator[Html]:
    for title, key in (("Loss in training", "loss"), ("mAP on the validation split", "mAP")):
        known = [(one["epoch"], one[key]) for one in epochs if one.get(key) is not None]
        points = [(a, b) for a, b in known if a is not None and b is not None]
        if len(points) < 2:
            continue
        x = fitting_axis("epoch", [a for a, _ in points])
        y = fitting_axis("loss" if key == "loss" else "mAP in %", [b for _, b in points])
        dots = [2.5] * len(points) if len(points) <= MOST_POINTS else []
        yield _figure(title, chart(title, x, y, [Line(points, "main", dots)]))


def _figure(caption: str, drawn: Html) -> Html:
    return element("figure", drawn, element("figcaption", caption))


def _figures(report: Report) -> Html:
    """Show the report of the command as it stands."""
    lines = "\n".join(report_lines(report))
    summary = element("summary", "The report of “tagsight evaluate”, with its conventions")
    note = element("p", f"mAP {mean_over(report)}.", class_="faint")
    return element("details", summary, note, element("pre", lines, tabindex="0"))


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"
