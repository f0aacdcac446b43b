"""The summary of a comparison: a row for each system over its seeds, with tests of differences."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any

from tagsight.evaluation.percents import percent_interval
from tagsight.experiments.results import RESAMPLES
from tagsight.metrics.measured_labels import FEW, left_out_sentences, mean_over, rare_sentence
from tagsight.metrics.significance import holm, mean_estimate, paired_difference
from tagsight.runtime.amounts import amount

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tagsight.experiments.comparison import Failure, Progress
    from tagsight.experiments.results import Record, Result
    from tagsight.experiments.run import Run
    from tagsight.metrics.significance import Difference, Estimate

SPREAD = (
    "Mean ± standard deviation over seeds. Interval: 95 %, by bootstrap over photos "
    f"({RESAMPLES:,} resamples, the same for all) of the mAP averaged over seeds."
)
DIFFERENCES = (
    "Difference: to the highest mAP, {best}, with its 95 % interval by paired bootstrap over "
    "photos; p: two-sided, of no difference, corrected for all differences by Holm. Neither says "
    "what other seeds would change, and the best was found on the same photos."
)
FIGURES = (
    "CF1 is the harmonic mean of CP and CR, CF1_mean the mean of the labels' F1; all labels at a "
    "score of 0.5; top 3 exactly, or of these the scores of at least 0.5."
)
"""Notes for the reader of a comparison."""


@dataclass(frozen=True, eq=False)
class Row:
    """One system, or one variant, over its seeds.

    Args:
        name: Name in the comparison.
        results: A result for each seed; empty if all runs failed.
        failures: Failed runs.
        estimate: mAP as a fraction, averaged over seeds.
        difference: mAP minus that of the best row, as a fraction; None for the best row.
        p: p-value of the difference, corrected for the number of rows.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.experiments.results import read_results
        >>> row = Row("knn-cpu", tuple(read_results(Path("runs/compared/results"))))
        >>> row.seeds, row.mean("mAP") == row.values("mAP")[0], row.deviation("mAP")
        ((0,), True, None)
    """

    name: str
    results: tuple[Result, ...] = ()
    failures: tuple[Failure, ...] = ()
    estimate: Estimate | None = None
    difference: Difference | None = None
    p: float | None = None

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seeds with a result."""
        return tuple(result.record.seed for result in self.results)

    @property
    def record(self) -> Record:
        """Record of the first seed, for values that all seeds share."""
        return self.results[0].record

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the metrics that all seeds have."""
        first, *others = (result.metrics for result in self.results)
        return tuple(name for name in first if all(name in other for other in others))

    def values(self, metric: str) -> list[float]:
        """List the values of a metric over the seeds where it is defined."""
        found = (result.metrics.get(metric) for result in self.results)
        return [value for value in found if value is not None]

    def mean(self, metric: str) -> float | None:
        """Compute the mean of a metric over the seeds, or None if it is not defined."""
        values = self.values(metric)
        return fmean(values) if values else None

    def deviation(self, metric: str) -> float | None:
        """Compute the standard deviation of a metric over the seeds, if there are at least two."""
        values = self.values(metric)
        return stdev(values) if len(values) > 1 else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 % interval of the mAP, in percent; None if all resamples are alike."""
        if self.estimate is None:
            return None
        low, high = percent_interval(self.estimate.interval)
        return None if low is None or high is None else (low, high)


@dataclass(frozen=True, eq=False)
class Summary:
    """All rows, the best first and the failed last, with notes for the reader.

    Args:
        rows: Rows of the table.
        notes: Notes, in whole sentences.
        has_evidence: Whether a row was measured with boxes.
    """

    rows: tuple[Row, ...]
    notes: tuple[str, ...]
    has_evidence: bool


def summarise(progress: Progress) -> Summary:
    """Summarise a comparison, finished or not.

    Args:
        progress: Results and failures.

    Example:
        >>> from tagsight.experiments.comparison import Progress
        >>> summarise(Progress(results=())).rows
        ()
    """
    results, failures = progress.results, progress.failures
    names = [result.record.name for result in results] + [f.run.name for f in failures]
    rows = [_row(name, results, failures) for name in dict.fromkeys(names)]
    measured = sorted((row for row in rows if row.results), key=_place, reverse=True)
    failed = [row for row in rows if not row.results]
    compared = _compared(measured)
    return Summary(
        rows=(*compared, *failed),
        notes=(*_notes(compared), *_missing(failures, progress.left_out)),
        has_evidence=any("pointing" in row.metrics for row in compared),
    )


def _row(name: str, results: Sequence[Result], failures: Sequence[Failure]) -> Row:
    own = sorted((r for r in results if r.record.name == name), key=lambda r: r.record.seed)
    return Row(
        name,
        results=tuple(own),
        failures=tuple(failure for failure in failures if failure.run.name == name),
        estimate=mean_estimate([result.estimate for result in own]) if own else None,
    )


def _place(row: Row) -> float:
    return row.estimate.value if row.estimate else 0.0


def _compared(measured: Sequence[Row]) -> list[Row]:
    """Add to each row its difference to the first."""
    if not measured:
        return []
    best, *others = measured
    differences = [_difference(row, best) for row in others]
    corrected = holm([difference.p for difference in differences])
    return [
        best,
        *(
            Row(row.name, row.results, row.failures, row.estimate, difference, p)
            for row, difference, p in zip(others, differences, corrected, strict=True)
        ),
    ]


def _difference(row: Row, best: Row) -> Difference:
    assert row.estimate is not None
    assert best.estimate is not None
    return paired_difference(row.estimate, best.estimate)


def _notes(rows: Sequence[Row]) -> Iterator[str]:
    if not rows:
        return
    yield _measured_on(rows[0])
    for sentence in _label_sentences(rows[0].results[0]):
        yield f"{sentence[0].upper()}{sentence[1:]}."
    yield from _alike("images of {} pixels", [(row.name, row.record.image_size) for row in rows])
    yield from _alike("backbone and first weights: {}", [(r.name, r.record.weights) for r in rows])
    yield from _alike("epochs: {}", [(row.name, _training(row)["epochs"]) for row in rows])
    changed = [(row.name, _changes(row)) for row in rows]
    if any(change for _, change in changed):
        yield from _alike("changes to the recipes: {}", [(n, c or "none") for n, c in changed])
    yield SPREAD
    if len(rows) > 1:
        yield DIFFERENCES.format(best=rows[0].name)
    yield FIGURES
    yield from _machines(rows)
    for row in rows:
        yield from _exceptions(row)


def _measured_on(row: Row) -> str:
    """Note the split and the photos of a row, which are those of all."""
    record, report = row.record, row.record.report
    photos = report["photos"]
    assert isinstance(photos, int)
    labels = len(row.results[0].positives)
    counted = {"labels_counted": report["labels_counted"], "labels": labels}
    split = (
        "Selected on val, reported on test"
        if record.split == "test"
        else "Selected and reported on val, so that another split will give less"
    )
    return (
        f"{split}: {amount(photos, 'photo')}, mAP {mean_over(counted)} (data "
        f"{record.data_hash[:12]}, split {record.split_hash[:12]}); values in percent."
    )


def _exceptions(row: Row) -> Iterator[str]:
    """Note what is otherwise than in most rows: no selection, or another rule of decision."""
    if _training(row).get("selection") == "last":
        yield f"{row.name}: no selection, the last epoch is kept."
    if (rule := row.record.report.get("all_rule", "score 0.5")) != "score 0.5":
        yield f"{row.name}: the scores are no probabilities; all labels are by {rule}."


def _label_sentences(result: Result) -> Iterator[str]:
    """Note the labels that are left out of the mAP or rare, as in all runs of a comparison."""
    yield from left_out_sentences(result.left_out)
    if rare := {name: count for name, count in result.positives.items() if 0 < count < FEW}:
        yield rare_sentence(rare, result.record.split)


def _alike(sentence: str, values: Sequence[tuple[str, object]]) -> Iterator[str]:
    """Note the value that all rows share, or the values with the names of their rows."""
    different = list(dict.fromkeys(str(value) for _, value in values))
    listed = (
        f"{value} ({', '.join(name for name, own in values if str(own) == value)})"
        for value in different
    )
    text = sentence.format(different[0] if len(different) == 1 else "; ".join(listed))
    yield text[0].upper() + text[1:] + "."


def _machines(rows: Sequence[Row]) -> Iterator[str]:
    kinds = sorted({result.record.runtime for row in rows for result in row.results})
    yield f"Minutes of training, and photos/s of recognising with decoding, on {', '.join(kinds)}."


def _training(row: Row) -> dict[str, Any]:
    training = row.record.recipe["training"]
    assert isinstance(training, dict)
    return training


def _changes(row: Row) -> str:
    """Return the changes to the recipe of that name, as `choose_recipe` words them."""
    recipe = row.record.recipe
    changed = str(recipe["name"]).endswith(", changed")
    return str(recipe["source"]).partition(" with ")[2] if changed else ""


def _missing(failures: Sequence[Failure], left_out: Sequence[Run]) -> Iterator[str]:
    for run, message in failures:
        yield f"Failed: {run}: {' '.join(message.split())}"
    if left_out:
        yield f"Not run: {'; '.join(str(run) for run in left_out)}."
