"""Evaluation of a model on a split: mAP, precision and recall, calibration, with intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from tagsight.evaluation.decided import Decided, decide
from tagsight.evaluation.measured import Measured
from tagsight.evaluation.percents import DIGITS, percent, percent_interval
from tagsight.evaluation.views import evaluation_views, predict_views
from tagsight.metrics.bootstrap import (
    basic_interval,
    bootstrap_map,
    label_draws,
    label_intervals,
    overall_f1_draws,
)
from tagsight.metrics.classification import (
    Conventions,
    LabelRates,
    average_precision,
    average_precisions,
    mean_over_labels,
    precision_recall,
    top_k,
)
from tagsight.metrics.measured_labels import FEW, counted_targets, left_out_labels
from tagsight.metrics.ranking import Rule
from tagsight.nn.one_of import one_of_log_odds
from tagsight.runtime.counts import column_counts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tagsight.checkpoint.decision import Decision
    from tagsight.checkpoint.folder import LoadedModel
    from tagsight.data.annotations import Annotations
    from tagsight.evaluation.predictions import Predictions
    from tagsight.evaluation.views import Predictor
    from tagsight.runtime.device import Runtime

Report = dict[str, Any]
"""JSON values; every fraction in percent, as in the literature."""

RESAMPLES, RATE_RESAMPLES = 1000, 200
"""Resamples of the mAP, and of precision and recall, for their intervals."""

VARIANTS = {
    "ties_in_order": Rule(ties="order"),
    "voc2007": Rule(variant="voc2007"),
    "voc2010": Rule(variant="voc2010"),
}
"""Average precision by other rules than ours, as papers report it."""

UNCALIBRATED: Report = {
    "expected_error": None,
    "expected_error_before": None,
    "reason": "scores of this system rank photos and are no probabilities",
}
"""Calibration of a system whose scores are not probabilities: not defined."""


def evaluate(
    model: LoadedModel,
    annotations: Annotations,
    runtime: Runtime,
    *,
    seed: int = 0,
    conventions: Conventions = Conventions(),
    views: Sequence[str | float] = (),
    progress: Callable[[int], None] | None = None,
) -> Report:
    """Measure a model on the rows of one split.

    Args:
        model: On the runtime's device.
        annotations: The split, its labels matched to the model's.
        runtime: Device and precision.
        seed: Seed of the bootstrap.
        conventions: Conventions of precision and recall.
        views: ``flip``, and factors of the image size, to average logits over
            (`tagsight.evaluation.views`); by default none.
        progress: Called with the number of photos done.

    Returns:
        ``mAP`` with its 95 % interval and variants. ``labels``, their number; ``labels_counted``
        in the mAP; ``left_out`` of it, by reason (`left_out_labels`); ``unmatched`` labels of the
        data, which the model does not know. ``per_label`` values, AP with its interval, and ``few``
        for labels of fewer than 20 photos. Precision, recall and F1: ``all`` at a score of 0.5, or
        at the model's thresholds if its scores are not probabilities (``all_rule``);
        ``all_at_thresholds``; ``top3`` by both rules; and their ``conventions``. ``calibration``.
        ``zero_shot`` (`measure_new_labels`) if the model was trained on some of the labels only.
        ``photos_per_second``. What was measured: split hash, resolution, ``resize``, weights,
        ``selection`` of the epoch, and whether ``thresholds_fitted``; ``views``, if there are any.

    Example:
        >>> import tagsight as ts
        >>> from pathlib import Path
        >>> from tagsight.checkpoint.folder import load_model
        >>> from tagsight.runtime.device import Runtime
        >>> model, runtime = load_model(Path("runs/first/model")), Runtime.choose("cpu", "float32")
        >>> report = evaluate(model, ts.read_annotations("labels.csv").rows("val"), runtime)
        >>> report["photos"], report["labels"]
        (4, 2)
    """
    return measured(
        model,
        annotations,
        runtime,
        seed=seed,
        conventions=conventions,
        views=views,
        progress=progress,
    ).report


def measured(
    model: LoadedModel,
    annotations: Annotations,
    runtime: Runtime,
    *,
    seed: int = 0,
    conventions: Conventions = Conventions(),
    views: Sequence[str | float] = (),
    predict: Predictor = predict_views,
    progress: Callable[[int], None] | None = None,
) -> Measured:
    """Measure a model as `evaluate` does, and keep its predictions.

    ``predict`` computes the logits, here or on other machines.

    Example:
        >>> import tagsight as ts
        >>> model = ts.load("runs/first/model").network.model
        >>> rows = ts.read_annotations("labels.csv").rows("test")
        >>> measured(model, rows, ts.Runtime.choose("cpu")).logits.shape
        torch.Size([4, 2])
    """
    side, stride = model.recipe.training.image_size, model.system.backbone.stride
    chosen = evaluation_views(views, side, stride)
    predictions = predict(model, annotations.paths, chosen, runtime, progress=progress)
    report = report_on(model, annotations, predictions, seed=seed, conventions=conventions)
    if views:
        report["views"] = {"flip": chosen.flip, "sizes": [*chosen.sizes]}
    return Measured(model, annotations, predictions.logits, report)


def report_on(
    model: LoadedModel,
    annotations: Annotations,
    predictions: Predictions,
    *,
    seed: int = 0,
    conventions: Conventions = Conventions(),
) -> Report:
    """Measure a model's predictions for a split; the report is that of `evaluate`.

    Args:
        model: The model.
        annotations: The split, its labels matched to the model's.
        predictions: The model's predictions for the split.
        seed: Seed of the bootstrap.
        conventions: Conventions of precision and recall.

    Example:
        >>> import tagsight as ts
        >>> from pathlib import Path
        >>> from tagsight.checkpoint.folder import load_model
        >>> from tagsight.evaluation.predictions import Predictions
        >>> model, rows = load_model(Path("runs/first/model")), ts.read_annotations("labels.csv")
        >>> perfect = Predictions(2.0 * rows.targets - 1, 1.0)
        >>> report_on(model, rows, perfect)["mAP"]
        100.0
    """
    logits, rate = predictions
    report = measure(
        logits,
        annotations.targets,
        model.labels.names,
        model.decision,
        seed=seed,
        probabilities=model.system.probabilities,
        trained=model.labels.trained,
        conventions=conventions,
    )
    taught = model.labels.taught
    if not bool(taught.all()):
        report["zero_shot"] = measure_new_labels(
            logits, annotations.targets, taught, seed=seed, conventions=conventions
        )
    return report | {
        "photos_per_second": round(rate, 1),
        "photos": len(annotations),
        "unmatched": list(annotations.unmatched),
        "split_hash": annotations.hash(),
        "image_size": model.recipe.training.image_size,
        "resize": model.recipe.training.resize,
        "system": model.recipe.system,
        "recipe": model.recipe.name,
        "weights": _weights(model),
        "selection": model.recipe.training.selection,
        "thresholds_fitted": not model.facts.keys().isdisjoint({"validation", "calibration"}),
        "seed": model.recipe.training.seed,
    }


def measure(
    logits: Tensor,
    targets: Tensor,
    names: tuple[str, ...],
    decision: Decision,
    *,
    seed: int,
    probabilities: bool = True,
    trained: Tensor | None = None,
    conventions: Conventions = Conventions(),
) -> Report:
    """Measure logits against targets; the report is a part of that of `evaluate`.

    Args:
        logits: ``(N, L)`` float.
        targets: ``(N, L)`` int in {1, 0, -1}.
        names: The ``L`` labels.
        decision: Thresholds and temperature.
        seed: Seed of the bootstrap.
        probabilities: Whether the logits are log-odds, so that a score of 0.5 is a threshold.
        trained: ``(L,)`` bool, labels with at least one training photo; the others are left out of
            the mAP. By default all.
        conventions: Conventions of precision and recall.

    Example:
        >>> from tagsight.checkpoint.decision import Decision
        >>> logits = torch.tensor([[2.0, -1.0], [-1.0, 1.0], [0.5, 2.0]])
        >>> targets = torch.tensor([[1, 0], [0, 1], [0, 1]])
        >>> report = measure(logits, targets, ("cat", "dog"), Decision.default(2), seed=0)
        >>> report["mAP"], report["all"]["OP"], report["per_label"]["cat"]["AP"]
        (100.0, 75.0, 100.0)
    """
    trained = torch.ones(len(names), dtype=torch.bool) if trained is None else trained
    decided = decide(logits, targets, decision)
    predicted = decided.predicted
    logits = one_of_log_odds(logits, decision.one_of) if decision.one_of else logits
    precisions = average_precisions(logits, targets, [Rule(), *VARIANTS.values()])
    ap, *variants = precisions.where(trained, torch.nan)
    mean, labels_counted = mean_over_labels(ap)
    draws = label_draws(logits, counted_targets(targets, trained), seed=seed, resamples=RESAMPLES)
    rates = precision_recall(predicted, targets, **conventions._asdict()).per_label
    most_likely = top_k(logits, min(3, len(names)), rule="exact")
    taken = logits >= 0 if probabilities else predicted
    return {
        "mAP": percent(mean),
        "mAP_interval": percent_interval(basic_interval(mean, draws.nanmean(0))),
        "labels": len(names),
        "labels_counted": labels_counted,
        "left_out": left_out_labels(names, targets, trained),
        "mAP_variants": {
            name: percent(mean_over_labels(own)[0])
            for name, own in zip(VARIANTS, variants, strict=True)
        },
        "per_label": _per_label(precisions[0], draws, rates, targets, names, decision),
        "all": _quality(taken, targets, seed, conventions),
        "all_rule": "score 0.5" if probabilities else "thresholds",
        "all_at_thresholds": _quality(predicted, targets, seed, conventions),
        "top3": {
            "exact": _quality(most_likely, targets, seed, conventions),
            "thresholded": _quality(most_likely & taken, targets, seed, conventions),
        },
        "conventions": conventions._asdict(),
        "calibration": {
            **(_calibration(decided) if probabilities else UNCALIBRATED),
            "temperature": round(decision.temperature, DIGITS),
        },
    }


def measure_new_labels(
    logits: Tensor,
    targets: Tensor,
    taught: Tensor,
    *,
    seed: int,
    conventions: Conventions = Conventions(),
) -> Report:
    """Measure zero-shot recognition: trained labels, new labels, and both together.

    Args:
        logits: ``(N, L)`` float.
        targets: ``(N, L)`` int in {1, 0, -1}.
        taught: ``(L,)`` bool, the trained labels.
        seed: Seed of the bootstrap.
        conventions: Conventions of precision and recall.

    Returns:
        For each of ``seen``, ``unseen`` and ``both``: the number of ``labels``; ``mAP`` with its
        interval; ``chance``, the mAP of random logits, which is about the mean frequency of the
        labels; and ``top3``, the three highest of these labels. Also ``harmonic_mean`` of the mAP
        of seen and unseen labels.

    Example:
        >>> logits = torch.tensor([[2.0, -1.0], [-1.0, 1.0], [0.5, 2.0]])
        >>> targets = torch.tensor([[1, 0], [0, 1], [0, 1]])
        >>> report = measure_new_labels(logits, targets, torch.tensor([True, False]), seed=0)
        >>> report["unseen"]["mAP"], report["harmonic_mean"]
        (100.0, 100.0)
    """
    every = torch.ones_like(taught)
    report = {
        name: _of_labels(logits[:, which], targets[:, which], seed, conventions)
        for name, which in (("seen", taught), ("unseen", ~taught), ("both", every))
    }
    seen, unseen = report["seen"]["mAP"], report["unseen"]["mAP"]
    known = bool(seen) and bool(unseen)
    mean = round(2 * seen * unseen / (seen + unseen), DIGITS) if known else None
    return report | {"harmonic_mean": mean}


def _of_labels(logits: Tensor, targets: Tensor, seed: int, conventions: Conventions) -> Report:
    best = top_k(logits, min(3, logits.shape[1]), rule="exact")
    mean, counted = mean_over_labels(average_precision(logits, targets))
    present, known = column_counts(targets == 1), column_counts(targets >= 0)
    counts = present > 0
    chance = (present[counts] / known[counts]).mean().item()
    interval = bootstrap_map(logits, targets, seed=seed, resamples=RESAMPLES)
    return {
        "labels": logits.shape[1],
        "labels_counted": counted,
        "mAP": percent(mean),
        "mAP_interval": percent_interval(interval),
        "chance": percent(chance),
        "top3": _quality(best, targets, seed, conventions),
    }


def _calibration(decided: Decided) -> Report:
    return {
        "expected_error": percent(decided.error),
        "expected_error_before": percent(decided.error_before),
    }


def _per_label(
    ap: Tensor,
    draws: Tensor,
    rates: LabelRates,
    targets: Tensor,
    names: tuple[str, ...],
    decision: Decision,
) -> Report:
    counts = column_counts(targets == 1)
    intervals = label_intervals(ap, draws, targets)
    return {
        name: {
            "AP": percent(ap[i].item()),
            "AP_interval": percent_interval(intervals[i]),
            "count": int(counts[i]),
            "few": int(counts[i]) < FEW,
            "threshold": round(decision.thresholds[i].item(), DIGITS),
            "precision": percent(rates.precision[i].item()),
            "recall": percent(rates.recall[i].item()),
        }
        for i, name in enumerate(names)
    }


def _quality(predicted: Tensor, targets: Tensor, seed: int, conventions: Conventions) -> Report:
    quality = precision_recall(predicted, targets, **conventions._asdict())
    draws = overall_f1_draws(predicted, targets, conventions, seed=seed, resamples=RATE_RESAMPLES)
    interval = basic_interval(quality.overall.f1, draws)
    report = {key: percent(value) for key, value in quality.as_dict().items()}
    return report | {"OF1_interval": percent_interval(interval)}


def _weights(model: LoadedModel) -> str:
    backbone = model.recipe.settings.backbone
    return f"{backbone.name}, {backbone.weights}"
