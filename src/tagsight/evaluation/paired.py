"""Two models on the same photos: differences with intervals and tests of significance."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from tagsight.evaluation import evaluate
from tagsight.evaluation.mistakes import decisions_of
from tagsight.evaluation.percents import percent
from tagsight.metrics.bootstrap import label_draws, varies
from tagsight.metrics.classification import average_precision, mean_over_labels
from tagsight.metrics.measured_labels import counted_targets
from tagsight.metrics.significance import Estimate, holm, paired_difference
from tagsight.runtime.amounts import amount

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tagsight.evaluation.evaluate import Report
    from tagsight.evaluation.measured import Measured
    from tagsight.evaluation.mistakes import Decisions
    from tagsight.metrics.significance import Difference


def paired_report(first: Measured, second: Measured, *, seed: int = 0) -> Report:
    """Compare two models on the same photos, by a paired bootstrap over the photos.

    Args:
        first: The model.
        second: Another one, on the same photos in the same order; it may know other labels.
        seed: Seed of the bootstrap.

    Returns:
        ``labels``, the number of labels that both know, and the names ``only_first`` and
        ``only_second``. ``mAP`` of both over these labels, with the ``difference``, the first minus
        the second, its 95 % ``interval``, and the two-sided ``p``. ``per_label``, for each label
        with a defined average precision: ``AP`` of both, ``difference``, ``interval``, ``p``
        corrected for all labels (Holm), and the photos ``mended``, which only the first decides
        rightly, and ``broken``, which only the second does.

    Example:
        >>> import tagsight as ts
        >>> from tagsight.evaluation.evaluate import measured
        >>> model, runtime = ts.load("runs/first/model").network.model, ts.Runtime.choose("cpu")
        >>> found = measured(model, ts.read_annotations("labels.csv").rows("test"), runtime)
        >>> report = paired_report(found, found)
        >>> report["difference"], report["p"], report["per_label"]["dog"]["mended"]
        (0.0, 1.0, 0)
    """
    names = [name for name in first.rows.names if name in second.rows.names]
    estimates = [
        _estimates(measured, other, names, seed)
        for measured, other in ((first, second), (second, first))
    ]
    known = [i for i in range(len(names)) if not math.isnan(estimates[0][i].value)]
    testable = varies(first.rows.targets[:, _places(names, first)]).tolist()
    differences = {
        i: paired_difference(*(own[i] if testable[i] else _untested(own[i]) for own in estimates))
        for i in known
    }
    corrected = dict(zip(known, holm([differences[i].p for i in known]), strict=True))
    means = [_mean(own, known) for own in estimates]
    right = [decided_labels(measured, names).right for measured in (first, second)]
    return {
        "labels": len(names),
        "only_first": [name for name in first.rows.names if name not in names],
        "only_second": [name for name in second.rows.names if name not in names],
        "mAP": [percent(mean.value) for mean in means],
        **_percents(paired_difference(*means)),
        "per_label": {
            names[i]: {
                "AP": [percent(own[i].value) for own in estimates],
                **_percents(differences[i]),
                "p": round(corrected[i], 4),
                "mended": int((right[0] & ~right[1])[:, i].sum()),
                "broken": int((right[1] & ~right[0])[:, i].sum()),
            }
            for i in known
        },
    }


SIGNIFICANT, TEST = 0.05, "p below 0.05, corrected for all"
"""Below which p a difference is taken for more than chance, and how that is said of labels."""


def verdict(report: Report, first: str = "this model") -> str:
    """Say in words what the difference of two models means.

    Args:
        report: The report, with ``model``, what to call the second one.
        first: What to call the first one.

    Example:
        >>> report = {"model": "old/model", "difference": -2.0, "p": 0.01}
        >>> verdict(report)
        'old/model has the higher mAP, by more than chance'
        >>> verdict(report | {"p": 0.2})
        'the difference may be chance: neither is shown to have the higher mAP'
    """
    if report["p"] >= SIGNIFICANT:
        return "the difference may be chance: neither is shown to have the higher mAP"
    better = first if report["difference"] > 0 else report["model"]
    return f"{better} has the higher mAP, by more than chance"


def paired_lines(report: Report) -> Iterator[str]:
    """Write a report of `paired_report` as lines of text.

    Args:
        report: The report, with ``model``, what to call the second one, and ``outside``, the
            photos that its training did not hold out.

    Example:
        >>> report = {"mAP": [60.0, 50.0], "interval": [2.0, 18.0], "difference": 10.0, "p": 0.01}
        >>> report |= {"labels": 2, "per_label": {}, "model": "old/model"}
        >>> next(paired_lines(report))[-41:]
        'difference +10.0 (+2.0 to +18.0), p 0.010'
    """
    name, (own, other) = report["model"], report["mAP"]
    low, high = report["interval"]
    yield (
        f"mAP {own:.1f} against {other:.1f} of {name}, over {amount(report['labels'], 'label')}: "
        f"difference {report['difference']:+z.1f} ({low:+z.1f} to {high:+z.1f}), "
        f"p {report['p']:.3f}"
    )
    yield verdict(report)
    if outside := report.get("outside"):
        yield (
            f"{amount(outside, 'photo')} of these were not in this split when {name} was trained, "
            "which may have learned from them: its figures may be too high"
        )
    sure = [label for label, values in report["per_label"].items() if values["p"] < SIGNIFICANT]
    if sure:
        shown = (f"{label} {report['per_label'][label]['difference']:+z.1f}" for label in sure)
        yield f"labels that differ by more than chance ({TEST}): {', '.join(shown)}"
    elif report["per_label"]:
        yield f"no label differs by more than chance ({TEST})"


def decided_labels(measured: Measured, names: Sequence[str]) -> Decisions:
    """Return what a model decides about some of its labels.

    Args:
        measured: The model on the split.
        names: Labels that it knows.

    Example:
        >>> import tagsight as ts
        >>> from tagsight.evaluation.evaluate import measured
        >>> model, runtime = ts.load("runs/first/model").network.model, ts.Runtime.choose("cpu")
        >>> found = measured(model, ts.read_annotations("labels.csv").rows("test"), runtime)
        >>> decided_labels(found, ["sky"]).predicted.shape
        (4, 1)
    """
    model, rows, logits, _ = measured
    decided = decisions_of(model.decision, logits.numpy(), rows.targets.numpy())
    return decided.of_labels(_places(names, measured))


def _places(names: Sequence[str], measured: Measured) -> list[int]:
    place = {name: column for column, name in enumerate(measured.rows.names)}
    return [place[name] for name in names]


def _estimates(
    measured: Measured, other: Measured, names: Sequence[str], seed: int
) -> list[Estimate]:
    """Estimate the average precision of labels; NaN if one of the models was not trained on it."""
    own, beside = _places(names, measured), _places(names, other)
    trained = measured.model.labels.trained[own] & other.model.labels.trained[beside]
    targets = counted_targets(measured.rows.targets[:, own], trained)
    logits = measured.logits[:, own]
    draws = label_draws(logits, targets, seed=seed, resamples=evaluate.RESAMPLES)
    values = average_precision(logits, targets).tolist()
    return [Estimate(value, drawn) for value, drawn in zip(values, draws, strict=True)]


def _untested(estimate: Estimate) -> Estimate:
    """Forget the resamples of a label of which they repeat a single photo."""
    return estimate._replace(draws=torch.full_like(estimate.draws, torch.nan))


def _mean(estimates: Sequence[Estimate], known: Sequence[int]) -> Estimate:
    draws = torch.stack([estimates[i].draws for i in known]).nanmean(0)
    value, _ = mean_over_labels(torch.tensor([estimates[i].value for i in known]).double())
    return Estimate(value, draws)


def _percents(difference: Difference) -> Report:
    low, high = difference.interval
    return {
        "difference": percent(difference.value),
        "interval": [percent(low), percent(high)],
        "p": round(difference.p, 4),
    }
