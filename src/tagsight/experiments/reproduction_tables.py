"""The tables of a reproduction: our results beside the published ones."""

from __future__ import annotations

import math
from statistics import fmean
from typing import TYPE_CHECKING

from tagsight.experiments.published_tables import ABLATION, ALL, COCO, FLICKR25K, NUS_WIDE, TOP3
from tagsight.experiments.reproduction import curves_of, label_remarks, label_values
from tagsight.experiments.tables import Table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tagsight.experiments.paper import Variant
    from tagsight.experiments.published_tables import Number, PublishedRow
    from tagsight.experiments.reproduction import Curve, Reproduction
    from tagsight.experiments.summary import Row

PUBLISHED: Mapping[str, tuple[PublishedRow, ...]] = {
    "table1": FLICKR25K,
    "table2": COCO,
    "table3": NUS_WIDE,
}
MILESTONES = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0)
"""Fractions of a training at which its loss is listed."""

SMOOTHED = 0.02
"""Fraction of a training over which a listed loss is averaged."""


def tables_of(reproduction: Reproduction) -> list[Table]:
    """Lay out the tables of a reproduction.

    Args:
        reproduction: Results and published numbers.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.experiments.comparison import Progress
        >>> from tagsight.experiments.paper import experiment_of
        >>> from tagsight.experiments.reproduction import entries_of, reproduced
        >>> table = experiment_of("table4")
        >>> entries = entries_of(table, "cpu")
        >>> found = reproduced(Progress(()), "table4", table, "cpu", "demo", entries, Path("runs"))
        >>> (laid_out,) = tables_of(found)
        >>> laid_out.rows[1]
        ('coco2014', 'published', '77.5', '83.0', '84.1')
    """
    shapes = {
        "systems": _system_tables,
        "ablation": _ablation_tables,
        "losses": _loss_tables,
        "labels": _label_tables,
        "sweep": _sweep_tables,
        "retrieval": lambda _: [],
    }
    return shapes[reproduction.experiment.shape](reproduction)


def _system_tables(reproduction: Reproduction) -> list[Table]:
    published = {row.method: row for row in PUBLISHED[reproduction.name]}
    everything = [
        _pair(variant, row, published[variant.name].all_labels, ("mAP", *_all_columns()))
        for variant, row in reproduction.rows()
    ]
    top3 = [
        _pair(variant, row, published[variant.name].top3, _top3_columns(published[variant.name]))
        for variant, row in reproduction.rows()
    ]
    conventions = [
        (row.method, row.setting, row.class_f1, row.top3_rule, row.note)
        for row in published.values()
    ]
    return [
        Table("All labels", ("", "", *ALL), tuple(line for pair in everything for line in pair)),
        Table(
            "Three labels a photo, by the rule of the published row",
            ("", "", *TOP3),
            tuple(line for pair in top3 for line in pair),
        ),
        Table(
            "How the published rows were measured",
            ("", "setting", "class F1", "top 3", "note"),
            tuple(conventions),
        ),
    ]


def _all_columns() -> tuple[str, ...]:
    return tuple(f"all_{rate}" for rate in ALL[1:])


def _top3_columns(row: PublishedRow) -> tuple[str, ...]:
    prefix = "top3" if row.top3_rule == "exactly 3" else "top3_from_half"
    return tuple(f"{prefix}_{rate}" for rate in TOP3)


def _pair(
    variant: Variant, row: Row | None, published: Sequence[Number], metrics: Sequence[str]
) -> list[tuple[str, ...]]:
    """Lay out two lines: the published numbers, and ours."""
    ours = ["-"] * len(metrics) if row is None else [_spread(row, metric) for metric in metrics]
    return [
        (variant.name, "published", *(plain(value) for value in published)),
        ("", "ours", *ours),
    ]


def _ablation_tables(reproduction: Reproduction) -> list[Table]:
    variants = reproduction.experiment.variants
    lines = [
        (dataset, "published", *(plain(value) for value in values))
        for dataset, values in ABLATION.items()
    ]
    ours = ["-" if row is None else _spread(row, "mAP") for _, row in reproduction.rows()]
    lines.append((reproduction.dataset, "ours", *ours))
    head = ("mAP", "", *(variant.name for variant in variants))
    return [Table("Without its parts", head, tuple(lines))]


def _loss_tables(reproduction: Reproduction) -> list[Table]:
    curves = curves_of(reproduction)
    head = ("loss after", *(curve.name for curve in curves))
    lines = [
        (f"{part:.0%} of the training", *(f"{_loss_at(curve, part):.2f}" for curve in curves))
        for part in MILESTONES
    ]
    return [Table("Loss, mean over the last iterations", head, tuple(lines))]


def _loss_at(curve: Curve, part: float) -> float:
    """Average the loss over the last iterations before a fraction of the training."""
    end = max(1, round(part * len(curve.losses)))
    width = max(1, math.ceil(SMOOTHED * len(curve.losses)))
    return fmean(curve.losses[max(0, end - width) : end])


def _label_tables(reproduction: Reproduction) -> list[Table]:
    columns = {v.name: label_values(row) for v, row in reproduction.rows() if row is not None}
    if not columns:
        return []
    rows = [row for _, row in reproduction.rows() if row is not None]
    lines = [
        (label, *(plain(values[label]) for values in columns.values()), remark)
        for label, remark in label_remarks(rows[0]).items()
    ]
    lines.append(("mean", *(plain(row.mean("mAP")) for row in rows), ""))
    return [Table("Average precision", ("", *columns, ""), tuple(lines))]


def _sweep_tables(reproduction: Reproduction) -> list[Table]:
    lines = [
        (variant.name, "-" if row is None else _spread(row, "mAP"), variant.note)
        for variant, row in reproduction.rows()
    ]
    experiment = reproduction.experiment
    return [Table(experiment.title, (experiment.varied, "mAP", ""), tuple(lines))]


def _spread(row: Row, metric: str) -> str:
    """Format the mean of a metric, with its standard deviation if there are several seeds."""
    deviation = row.deviation(metric)
    return plain(row.mean(metric)) + ("" if deviation is None else f" ± {deviation:.1f}")


def plain(value: float | None) -> str:
    """Format a number with one decimal, or a dash for None.

    Example:
        >>> plain(81.44), plain(None)
        ('81.4', '-')
    """
    return "-" if value is None else f"{value:.1f}"
