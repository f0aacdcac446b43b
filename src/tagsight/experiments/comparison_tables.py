"""The tables of a comparison, as Markdown, CSV and LaTeX."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tagsight.experiments.results import RATES
from tagsight.experiments.tables import Table, latex, markdown
from tagsight.runtime.escaping import csv_line
from tagsight.runtime.files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tagsight.experiments.summary import Row, Summary

DECISIONS = {
    "all": "score 0.5",
    "thresholds": "thresholds",
    "top3": "top 3",
    "top3_from_half": "top 3, from 0.5",
}
"""Decision rules: prefix of the metrics, and name in tables."""

EVIDENCE = {
    "pointing": "pointing",
    "energy_in_box": "energy in box",
    "chance": "chance of both",
    "error_flip": "error under flip",
    "error_scale": "error under scale",
}
DIGITS = 4


def write_tables(out: Path, summary: Summary) -> None:
    """Write ``table.md``, ``table.csv`` and ``table.tex``.

    Args:
        out: Folder of the comparison.
        summary: Results of the comparison.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.experiments.comparison import Progress
        >>> from tagsight.experiments.results import read_results
        >>> from tagsight.experiments.summary import summarise
        >>> results = read_results(Path("runs/compared/results"))
        >>> write_tables(Path("runs/compared"), summarise(Progress(tuple(results))))
        >>> sorted(file.name for file in Path("runs/compared").glob("table.*"))
        ['table.csv', 'table.md', 'table.tex']
    """
    shown = tables(summary)
    write_atomically(out / "table.md", markdown(shown[0].title, shown, summary.notes))
    write_atomically(out / "table.csv", comma_separated(summary))
    write_atomically(out / "table.tex", latex(shown, summary.notes))


def tables(summary: Summary) -> list[Table]:
    """Lay out the main table, precision and recall by decision rule, and the evidence if measured.

    Args:
        summary: Results of the comparison.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.experiments.comparison import Progress
        >>> from tagsight.experiments.results import read_results
        >>> from tagsight.experiments.summary import summarise
        >>> results = read_results(Path("runs/compared/results"))
        >>> for table in tables(summarise(Progress(tuple(results)))):
        ...     table.head[:3], [row[0] for row in table.rows]
        (('', 'seeds', 'mAP'), ['knn-cpu'])
        (('', 'decided by', 'CP'), ['knn-cpu', 'knn-cpu', 'knn-cpu', 'knn-cpu'])
    """
    measured = [row for row in summary.rows if row.results]
    found = [_main(summary)]
    if measured:
        found.append(_decisions(measured))
    if summary.has_evidence:
        found.append(_evidence(measured))
    return found


def comma_separated(summary: Summary) -> str:
    """Write a CSV line for each row, with mean and standard deviation of every metric.

    Args:
        summary: Results of the comparison.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.experiments.comparison import Progress
        >>> from tagsight.experiments.results import read_results
        >>> from tagsight.experiments.summary import summarise
        >>> results = read_results(Path("runs/compared/results"))
        >>> lines = comma_separated(summarise(Progress(tuple(results)))).splitlines()
        >>> lines[0].split(",")[:3], lines[1].split(",")[:3]
        (['name', 'system', 'seeds'], ['knn-cpu', 'knn', '0'])
    """
    metrics = list(
        dict.fromkeys(name for row in summary.rows if row.results for name in row.metrics)
    )
    head: list[object] = [
        *("name", "system", "seeds", "failed", "split", "image_size", "weights"),
        *("mAP_low", "mAP_high"),
        *("difference", "difference_low", "difference_high", "p_uncorrected", "p"),
        *(column for name in metrics for column in (name, f"{name}_sd")),
    ]
    rows = ([*_about(row), *_certainty(row), *_numbers(row, metrics)] for row in summary.rows)
    return "".join(csv_line(cells) for cells in [head, *rows])


def _about(row: Row) -> list[object]:
    failed = " ".join(str(failure.run.seed) for failure in row.failures)
    if not row.results:
        return [row.name, "", "", failed, "", "", ""]
    record = row.record
    seeds = " ".join(map(str, row.seeds))
    return [
        *(row.name, record.recipe["system"], seeds, failed),
        *(record.split, record.image_size, record.weights),
    ]


def _certainty(row: Row) -> list[object]:
    low, high = row.interval or (None, None)
    if row.difference is None:
        return [_exact(low), _exact(high), *[""] * 5]
    value, interval, p = row.difference
    percents = [100 * number for number in (value, *interval)]
    return [_exact(number) for number in (low, high, *percents, p, row.p)]


def _numbers(row: Row, metrics: Sequence[str]) -> Iterator[object]:
    for name in metrics:
        yield _exact(row.mean(name))
        yield _exact(row.deviation(name))


def _exact(value: float | None) -> object:
    return "" if value is None else round(value, DIGITS)


def _main(summary: Summary) -> Table:
    pointing = ("pointing",) if summary.has_evidence else ()
    head = (
        *("", "seeds", "mAP", "95 % interval", "difference", "p", "CF1", "OF1", *pointing),
        *("parameters", "minutes", "photos/s"),
    )
    rows = [_main_row(row, head) for row in summary.rows]
    return Table("Comparison", head, tuple(rows))


def _main_row(row: Row, head: Sequence[str]) -> tuple[str, ...]:
    if not row.results:
        return (row.name, "0", "failed", *[""] * (len(head) - 3))
    cells = {
        "seeds": f"{len(row.seeds)}" + (f", {len(row.failures)} failed" if row.failures else ""),
        "mAP": _spread(row, "mAP"),
        "95 % interval": _range(row.interval),
        "difference": "best",
        "p": "",
        "CF1": _spread(row, "all_CF1"),
        "OF1": _spread(row, "all_OF1"),
        "pointing": _spread(row, "pointing"),
        "parameters": f"{(row.mean('parameters') or 0) / 1e6:.2f} M",
        "minutes": _plain(row.mean("minutes")),
        "photos/s": f"{row.mean('photos_per_second') or 0:.0f}",
    }
    if row.difference is not None and row.p is not None:
        low, high = row.difference.interval
        cells["difference"] = (
            f"{100 * row.difference.value:+z.1f} ({_range((100 * low, 100 * high))})"
        )
        cells["p"] = f"{row.p:.3f}"
    return (row.name, *(cells[column] for column in head[1:]))


def _decisions(measured: Sequence[Row]) -> Table:
    rows = [
        (row.name, words, *(_spread(row, f"{prefix}_{rate}") for rate in RATES))
        for prefix, words in DECISIONS.items()
        for row in measured
    ]
    return Table("Precision, recall and F1", ("", "decided by", *RATES), tuple(rows))


def _evidence(measured: Sequence[Row]) -> Table:
    rows = [(row.name, *(_spread(row, metric) for metric in EVIDENCE)) for row in measured]
    return Table("Evidence", ("", *EVIDENCE.values()), tuple(rows))


def _spread(row: Row, metric: str) -> str:
    deviation = row.deviation(metric)
    return _plain(row.mean(metric)) + ("" if deviation is None else f" ± {deviation:.1f}")


def _range(bounds: tuple[float, float] | None) -> str:
    return "" if bounds is None else f"{bounds[0]:.1f} to {bounds[1]:.1f}"


def _plain(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"
