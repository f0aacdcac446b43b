"""The figures of a reproduction: curves, bars and sweeps. Needs the extra ``plots``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tagsight.experiments.plots import INK, LONGEST_NAME, SEED, saved_figure, write_plot
from tagsight.experiments.reproduction import curves_of, label_remarks, label_values
from tagsight.inference.lettering import drawable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from matplotlib.axes import Axes

    from tagsight.experiments.reproduction import Curve, Reproduction

COLOURS = (INK, SEED, "#5a9e6f", "#8c6bb1")
BAR_HEIGHT = 0.34
SYMBOLS = {"epsilon": "ε", "delta": "δ", "lambda": "λ"}
"""Symbols of the varied settings on the axes, as in the paper."""

WINDOW = 0.02
"""Window of the running mean of a drawn loss, as a fraction of the training."""


def write_figure(file: Path, reproduction: Reproduction) -> bool:
    """Draw the figure of a reproduction.

    Args:
        file: An SVG file.
        reproduction: Has at least one finished run.

    Returns:
        Whether there is a figure of its shape.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.experiments.comparison import Progress
        >>> from tagsight.experiments.paper import experiment_of
        >>> from tagsight.experiments.reproduction import entries_of, reproduced
        >>> from tagsight.experiments.results import read_results
        >>> (result,) = read_results(Path("runs/compared/results"))
        >>> table = experiment_of("table1")
        >>> entries = entries_of(table, "cpu")
        >>> name = next(iter(entries.values())).name  # as if this were a result of the first row
        >>> record = result.record.model_copy(update={"name": name})
        >>> progress = Progress((type(result)(record, result.logits, result.targets),))
        >>> done = reproduced(progress, "table1", table, "cpu", "demo", entries, Path("runs"))
        >>> write_figure(Path("runs/table1.svg"), done)
        True
    """
    shape = reproduction.experiment.shape
    if shape in {"systems", "ablation"}:
        write_plot(file, reproduction.own_summary())
        return True
    drawings: dict[str, tuple[Callable[[Axes, Reproduction], None], tuple[float, float]]] = {
        "losses": (_draw_losses, (6.4, 4.0)),
        "labels": (_draw_labels, (6.4, 1.2 + BAR_HEIGHT * _labels_in(reproduction))),
        "sweep": (_draw_sweep, (6.4, 3.6)),
    }
    if shape not in drawings:
        return False
    draw, size = drawings[shape]
    with saved_figure(file, size) as figure:
        draw(figure.subplots(), reproduction)
    return True


def smoothed(losses: np.ndarray, width: int) -> np.ndarray:
    """Compute the running mean of the last ``width`` values: ``(N,) -> (N,)``.

    Args:
        losses: ``(N,)`` float.
        width: Values in the window; fewer at the start.

    Example:
        >>> smoothed(np.array([4.0, 2.0, 0.0]), 2).tolist()
        [4.0, 3.0, 1.0]
    """
    sums = np.concatenate([[0.0], np.cumsum(losses)])
    ends = np.arange(1, len(losses) + 1)
    starts = np.maximum(0, ends - width)
    means: np.ndarray = (sums[ends] - sums[starts]) / (ends - starts)
    return means


def _draw_losses(axes: Axes, reproduction: Reproduction) -> None:
    for curve, colour in zip(curves_of(reproduction), COLOURS, strict=False):
        _draw_loss(axes, curve, colour)
    axes.set_xlabel("iteration")
    axes.set_ylabel("loss, mean over a fiftieth of the training")
    axes.legend(frameon=False)


def _draw_loss(axes: Axes, curve: Curve, colour: str) -> None:
    width = max(1, round(WINDOW * len(curve.losses)))
    axes.plot(curve.steps, curve.losses, color=colour, alpha=0.25, linewidth=0.6)
    means = smoothed(np.asarray(curve.losses), width)
    axes.plot(curve.steps, means, color=colour, linewidth=1.6, label=curve.name)


def _draw_labels(axes: Axes, reproduction: Reproduction) -> None:
    rows = [(variant, row) for variant, row in reproduction.rows() if row is not None]
    thickness = 0.8 / len(rows)
    names: list[str] = []
    for place, ((variant, row), colour) in enumerate(zip(rows, COLOURS, strict=False)):
        values = label_values(row) | {"mean": row.mean("mAP")}
        names = list(values)
        at = np.arange(len(names)) + (place - (len(rows) - 1) / 2) * thickness
        lengths = [value or 0.0 for value in values.values()]
        axes.barh(at, lengths, thickness, color=colour, label=variant.name)
    remarks = {name: f" ({text})" for name, text in label_remarks(rows[0][1]).items() if text}
    shown = [drawable(name, LONGEST_NAME) + remarks.get(name, "") for name in names]
    axes.set_yticks(range(len(names)), shown)
    axes.invert_yaxis()
    axes.set_xlabel("average precision, in percent")
    axes.legend(frameon=False, loc="lower right", bbox_to_anchor=(1, 1), ncols=len(rows))


def _draw_sweep(axes: Axes, reproduction: Reproduction) -> None:
    points = [
        (float(variant.name), row, bool(variant.note))
        for variant, row in reproduction.rows()
        if row is not None
    ]
    means = [(at, row.mean("mAP") or 0.0) for at, row, _ in points]
    axes.plot(*zip(*means, strict=True), color=INK, linewidth=1.4, zorder=1)
    for at, row, degenerate in points:
        face = "white" if degenerate else INK
        axes.plot([at], [row.mean("mAP") or 0.0], "o", color=INK, markerfacecolor=face, zorder=2)
        seeds = row.values("mAP")
        axes.plot([at] * len(seeds), seeds, "o", color=SEED, markersize=3, zorder=3)
        if row.interval is not None:
            axes.plot([at, at], row.interval, color=INK, linewidth=0.8, alpha=0.6, zorder=0)
    axes.set_xlabel(f"{SYMBOLS[reproduction.experiment.varied]}; open circles are degenerate")
    axes.set_ylabel("mAP in percent, 95 % interval over photos")


def _labels_in(reproduction: Reproduction) -> int:
    counts = [len(label_values(row)) for _, row in reproduction.rows() if row is not None]
    return max(counts, default=1)
