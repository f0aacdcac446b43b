"""Training curves of a comparison: validation and loss over the epochs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tagsight.inference.run import read_epochs
from tagsight.runtime.amounts import amount
from tagsight.visualize.reports.charts import Line, chart, fitting_axis
from tagsight.visualize.reports.elements import Html, element, joined, name

if TYPE_CHECKING:
    from pathlib import Path

    from tagsight.experiments.summary import Summary

Epochs = Sequence[Mapping[str, float | None]]
Histories = Mapping[str, Sequence[Epochs]]
"""Of each system by its name, the epochs of each of its runs."""

CURVES = (("mAP", "mAP on the validation split, in %"), ("loss", "loss in training"))
"""What is drawn of an epoch, and how it is called."""


def read_histories(folder: Path, summary: Summary) -> dict[str, list[Epochs]]:
    """Read the logs of the runs of a comparison; a run without one is left out.

    Args:
        folder: Folder of the comparison.
        summary: Its results.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.experiments.comparison import Progress
        >>> from tagsight.experiments.summary import summarise
        >>> read_histories(Path("runs"), summarise(Progress(())))
        {}
    """
    found: dict[str, list[Epochs]] = {}
    for one in summary.rows:
        files = (folder / "runs" / f"{one.name}-{seed}" / "run.jsonl" for seed in one.seeds)
        epochs = [list(read_epochs(file)) for file in files]
        if any(epochs):
            found[one.name] = [history for history in epochs if history]
    return found


def training_curves(histories: Histories) -> Html:
    """Draw the curves of each system; nothing if no run has two epochs.

    The axes of all systems are the same for the validation, which can be compared, and each its own
    for the loss, which cannot.

    Args:
        histories: As `read_histories` gives them.

    Example:
        >>> run = [{"epoch": 1, "mAP": 20.0}, {"epoch": 2, "mAP": 40.0}]
        >>> "gcam-cpu</bdi>, 1 run" in training_curves({"gcam-cpu": [run]})
        True
    """
    figures = []
    for key, title in CURVES:
        lines = {system: _points(runs, key) for system, runs in histories.items()}
        everything = [point for runs in lines.values() for points in runs for point in points]
        for system, runs in lines.items():
            if runs:
                figures.append(_figure(system, title, runs, everything if key == "mAP" else None))
    if not figures:
        return Html()
    note = "A line for each seed. Losses of different systems cannot be compared."
    return joined(element("p", note, class_="faint"), element("div", figures, class_="charts"))


def _points(runs: Sequence[Epochs], key: str) -> list[list[tuple[float, float]]]:
    """Collect the values of each run that has two of them."""
    found = []
    for epochs in runs:
        known = ((one["epoch"], one.get(key)) for one in epochs)
        points = [
            (epoch, value) for epoch, value in known if epoch is not None and value is not None
        ]
        if len(points) > 1:
            found.append(points)
    return found


def _figure(
    system: str,
    title: str,
    runs: Sequence[Sequence[tuple[float, float]]],
    everything: Sequence[tuple[float, float]] | None,
) -> Html:
    within = everything or [point for points in runs for point in points]
    x = fitting_axis("epoch", [epoch for epoch, _ in within])
    y = fitting_axis(title, [value for _, value in within])
    drawn = chart(f"{title}: {system}", x, y, [Line(points) for points in runs])
    caption = joined(name(system), f", {amount(len(runs), 'run')}")
    return element("figure", drawn, element("figcaption", caption))
