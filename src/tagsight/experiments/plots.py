"""The plot of a comparison. Needs the extra ``plots``."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

from tagsight.inference.lettering import drawable
from tagsight.runtime.files import replacing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from tagsight.experiments.summary import Row, Summary

INK, SEED, CHANCE = "#1f4e79", "#e08214", "#888888"
ROW_HEIGHT, PANEL_WIDTH, MARGIN = 0.34, 4.2, 1.1
"""Inches."""

LONGEST_NAME = 40
"""Longest label of an axis, in characters."""


def can_plot() -> bool:
    """Return whether the extra ``plots`` is installed.

    Example:
        >>> can_plot()
        True
    """
    return find_spec("matplotlib") is not None


def write_plot(file: Path, summary: Summary) -> None:
    """Draw the mAP with its interval and a dot for each seed, and beside it pointing if measured.

    Args:
        file: An SVG file.
        summary: Has at least one measured row.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.experiments.comparison import Progress
        >>> from tagsight.experiments.results import read_results
        >>> from tagsight.experiments.summary import summarise
        >>> results = read_results(Path("runs/compared/results"))
        >>> write_plot(Path("runs/plot.svg"), summarise(Progress(tuple(results))))
        >>> "knn" in Path("runs/plot.svg").read_text(encoding="utf-8")
        True
    """
    rows = [row for row in reversed(summary.rows) if row.results]
    panels = 2 if summary.has_evidence else 1
    size = (MARGIN + PANEL_WIDTH * panels, MARGIN + ROW_HEIGHT * len(rows))
    with saved_figure(file, size) as figure:
        axes = figure.subplots(1, panels, sharey=True, squeeze=False)[0]
        _draw_map(axes[0], rows)
        if panels == 2:
            _draw_pointing(axes[1], rows)


@contextmanager
def saved_figure(file: Path, size: tuple[float, float]) -> Iterator[Figure]:
    """Yield a figure, and save it if the block succeeds.

    Args:
        file: An SVG file; its folder exists.
        size: Width and height in inches.

    Example:
        >>> from pathlib import Path
        >>> with saved_figure(Path("line.svg"), size=(3.0, 2.0)) as figure:
        ...     _ = figure.subplots().plot([1, 2], [3, 4])
        >>> Path("line.svg").read_text(encoding="utf-8").startswith("<?xml")
        True
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    # Text as text, not outlines, can be searched; without salt and date the file is reproducible.
    look = mpl.rc_context(
        {
            "svg.fonttype": "none",
            "svg.hashsalt": "tagsight",
            "font.size": 9,
            "text.parse_math": False,
        }
    )
    with look, warnings.catch_warnings():
        # The SVG has the characters, so that a glyph missing in Matplotlib's font does not matter.
        warnings.filterwarnings("ignore", "Glyph .* missing", UserWarning)
        figure = Figure(figsize=size, layout="constrained")
        yield figure
        with replacing(file) as temporary:
            figure.savefig(temporary, format="svg", metadata={"Date": None})


def _draw_map(axes: Axes, rows: Sequence[Row]) -> None:
    for place, row in enumerate(rows):
        if row.interval is not None:
            axes.plot(row.interval, [place, place], color=INK, linewidth=1.6, zorder=1)
    _draw_seeds(axes, rows, "mAP")
    split = rows[0].record.split
    axes.set_xlabel(f"mAP on {split} in percent; line: 95 % over photos, dots: seeds")
    axes.set_yticks(range(len(rows)), [drawable(row.name, LONGEST_NAME) for row in rows])


def _draw_pointing(axes: Axes, rows: Sequence[Row]) -> None:
    _draw_seeds(axes, rows, "pointing")
    if (chance := rows[0].mean("chance")) is not None:
        axes.axvline(chance, color=CHANCE, linewidth=1, linestyle=":")
        axes.annotate(
            "chance", (chance, 1), xycoords=("data", "axes fraction"), color=CHANCE, fontsize=8
        )
    axes.set_xlabel("pointing at objects, in percent; dots: seeds")


def _draw_seeds(axes: Axes, rows: Sequence[Row], metric: str) -> None:
    for place, row in enumerate(rows):
        values = row.values(metric)
        if (mean := row.mean(metric)) is not None:
            axes.plot([mean], [place], "o", color=INK, markersize=7, zorder=2)
        axes.plot(values, [place] * len(values), "o", color=SEED, markersize=3.5, zorder=3)
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.grid(axis="x", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(axis="y", length=0)
