"""Tables of logits and targets: thresholds, measures, intervals, significance, a report."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from growing.case import Case, Size, Work

ROWS = 4096
UNKNOWN = 0.02


def drawn(photos: int, labels: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Draw ``(N, L)`` float32 logits and int8 targets; few labels are frequent, most are rare."""
    generator = torch.Generator().manual_seed(seed)
    rate = 1 / torch.arange(1, labels + 1)
    rate = (rate * min(3 + labels / 250, labels / 4) / rate.sum()).clamp(max=0.5)
    logits = torch.empty(photos, labels)
    targets = torch.empty(photos, labels, dtype=torch.int8)
    for start in range(0, photos, ROWS):
        part = slice(start, start + ROWS)
        chance = torch.rand(logits[part].shape, generator=generator)
        present = chance < rate
        targets[part] = present
        targets[part][chance > 1 - UNKNOWN] = -1
        noise = torch.randn(logits[part].shape, generator=generator)
        logits[part] = noise * 2 - 5 + 5 * present
    return logits, targets


def names(count: int) -> tuple[str, ...]:
    return tuple(f"label {number}" for number in range(count))


def thresholds(_: Path, size: Size) -> Work:
    from tagsight.checkpoint.thresholds import fit_decision

    logits, targets = drawn(*size)
    return lambda: fit_decision(logits, targets, names=names(size[1]))


def mean_ap(_: Path, size: Size) -> Work:
    from tagsight.metrics.classification import average_precision

    logits, targets = drawn(*size)
    return lambda: average_precision(logits, targets)


def intervals(_: Path, size: Size) -> Work:
    from tagsight.metrics.bootstrap import average_precision_intervals

    logits, targets = drawn(*size)
    return lambda: average_precision_intervals(logits, targets, seed=0)


def significance(_: Path, size: Size) -> Work:
    from tagsight.metrics.bootstrap import map_draws
    from tagsight.metrics.classification import average_precision, mean_over_labels
    from tagsight.metrics.significance import Estimate, paired_difference

    logits, targets = drawn(*size)
    others, _targets = drawn(*size, seed=1)

    def work() -> object:
        both = (
            Estimate(
                mean_over_labels(average_precision(one, targets))[0],
                map_draws(one, targets, seed=0),
            )
            for one in (logits, others)
        )
        return paired_difference(*both)

    return work


def report(_: Path, size: Size) -> Work:
    from tagsight.checkpoint.decision import Decision
    from tagsight.evaluation.evaluate import measure

    logits, targets = drawn(*size)
    decision = Decision.default(size[1])
    return lambda: measure(logits, targets, names(size[1]), decision, seed=0)


CASES = {
    "thresholds": Case(
        "thresholds and temperature of photos x labels",
        thresholds,
        ((12_500, 2000), (25_000, 2000), (50_000, 2000), (100_000, 2000)),
        60,
        3,
    ),
    "map": Case(
        "average precision of photos x labels",
        mean_ap,
        ((125_000, 80), (250_000, 80), (500_000, 80), (1_000_000, 80)),
        15,
    ),
    "intervals": Case(
        "intervals of the average precision of photos x labels, 1,000 resamples",
        intervals,
        ((12_500, 80), (25_000, 80), (50_000, 80), (100_000, 80)),
        20,
        1,
    ),
    "significance": Case(
        "significance of the difference of two systems, photos x labels, 1,000 resamples",
        significance,
        ((12_500, 80), (25_000, 80), (50_000, 80), (100_000, 80)),
        20,
        1,
    ),
    "report": Case(
        "report of `evaluate`, without the network, photos x labels",
        report,
        ((5000, 2000), (10_000, 2000), (20_000, 2000), (40_000, 2000)),
        30,
    ),
}
