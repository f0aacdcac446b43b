"""Bootstrap confidence intervals, from photos resampled with replacement."""

from __future__ import annotations

import math
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

import torch

from tagsight.metrics.classification import Conventions, average_precision, mean_over_labels
from tagsight.metrics.measured_labels import FEW
from tagsight.runtime.counts import column_counts, row_counts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor

_COUNTS_AT_ONCE = 25_000_000
_MOST_IN_BYTE = 255
_ROWS_AT_ONCE = 4096


class Interval(NamedTuple):
    """A confidence interval."""

    low: float
    high: float


def bootstrap(
    statistic: Callable[[Tensor], float],
    size: int,
    *,
    seed: int,
    resamples: int = 1000,
    level: float = 0.95,
) -> Interval:
    """Compute a confidence interval of a statistic, with photos resampled with replacement.

    This is the basic interval (Davison and Hinkley, Bootstrap Methods and their Application, 1997,
    Chapter 5): the estimate minus the quantiles of the resamples' errors. A resample repeats
    photos, which biases average precision upwards, as a small split does. The basic interval
    corrects for this bias; the percentile interval would count it twice. The interval always
    contains the estimate.

    Args:
        statistic: Maps ``(N,)`` int, indices of photos, to a number.
        size: Number of photos ``N``.
        seed: Seed of the resamples.
        resamples: Number of resamples; those in which the statistic is NaN are ignored.
        level: Probability that the interval covers the true value, in (0, 1).

    Raises:
        ValueError: If there is no photo, no resample, or the level is not in (0, 1).

    Example:
        >>> heights = torch.tensor([1.6, 1.7, 1.8, 1.9])
        >>> low, high = bootstrap(lambda photos: heights[photos].mean().item(), 4, seed=0)
        >>> low < 1.75 < high
        True
    """
    _check(size, resamples, level)
    draws = [statistic(photos) for photos in _resampled(size, resamples, seed)]
    return basic_interval(statistic(torch.arange(size)), torch.tensor(draws).double(), level)


def bootstrap_map(
    logits: Tensor, targets: Tensor, *, seed: int, resamples: int = 1000, level: float = 0.95
) -> Interval:
    """Compute a confidence interval of the mean average precision, within [0, 1].

    The result equals that of `bootstrap`, hundreds of times faster: a photo that is drawn twice
    gets weight 2 in one ranking. In each resample, labels without a present target are left out.

    Args:
        logits: ``(N, L)`` float.
        targets: ``(N, L)`` int in {1, 0, -1}.
        seed: Seed of the resamples.
        resamples: Number of resamples.
        level: Probability that the interval covers the true value, in (0, 1).

    Raises:
        ValueError: As `bootstrap` and `tagsight.metrics.classification.average_precision`.

    Example:
        >>> logits = torch.tensor([[2.0], [1.0], [0.5], [-1.0]])
        >>> low, high = bootstrap_map(logits, torch.tensor([[1], [0], [1], [0]]), seed=0)
        >>> 0 <= low < high <= 1
        True
    """
    _check(len(logits), resamples, level)
    draws = map_draws(logits, targets, seed=seed, resamples=resamples)
    estimate, _ = mean_over_labels(average_precision(logits, targets))
    low, high = basic_interval(estimate, draws, level)
    return Interval(max(low, 0.0), min(high, 1.0))


def map_draws(logits: Tensor, targets: Tensor, *, seed: int, resamples: int = 1000) -> Tensor:
    """Compute the mean average precision of every resample: ``(R,)`` float64.

    It is NaN in a resample without a present target. The same seed draws the same photos for all
    logits, so that systems can be compared in pairs.

    Args:
        logits: ``(N, L)`` float.
        targets: ``(N, L)`` int in {1, 0, -1}.
        seed: Seed of the resamples.
        resamples: Their number ``R``.

    Raises:
        ValueError: As `tagsight.metrics.classification.average_precision`.

    Example:
        >>> logits, targets = torch.tensor([[2.0], [1.0], [-1.0]]), torch.tensor([[1], [1], [0]])
        >>> map_draws(logits, targets, seed=0, resamples=5).shape
        torch.Size([5])
    """
    return label_draws(logits, targets, seed=seed, resamples=resamples).nanmean(0)


def label_draws(logits: Tensor, targets: Tensor, *, seed: int, resamples: int = 1000) -> Tensor:
    """Compute the average precision of each label in every resample: ``(L, R)`` float64.

    It is NaN in a resample without a present or without an absent target. Arguments and errors are
    those of `map_draws`, which is the mean over labels.

    Example:
        >>> logits, targets = torch.tensor([[2.0], [1.0], [-1.0]]), torch.tensor([[1], [1], [0]])
        >>> label_draws(logits, targets, seed=0, resamples=5).shape
        torch.Size([1, 5])
    """
    draws = [
        average_precision(logits, targets, weights=counts)
        for counts in multiplicities(len(logits), resamples, seed)
    ]
    return torch.cat(draws, 1)


def multiplicities(size: int, resamples: int, seed: int) -> Iterator[Tensor]:
    """Yield how often each photo is drawn in each resample, in parts: ``(N, R)`` uint8 or int32.

    The parts take at most 25 MB, or the space of one resample.

    Args:
        size: Number of photos ``N``.
        resamples: Number of resamples, over all parts.
        seed: Seed of the resamples.

    Example:
        >>> [tuple(part.shape) for part in multiplicities(3, 4, seed=0)]
        [(3, 4)]
    """
    drawn = _resampled(size, resamples, seed)
    at_once = max(1, _COUNTS_AT_ONCE // size)
    for start in range(0, resamples, at_once):
        rows = min(at_once, resamples - start)
        counts = torch.empty(rows, size, dtype=torch.uint8)
        for row, photos in enumerate(islice(drawn, rows)):
            counted = torch.bincount(photos, minlength=size)
            if counts.dtype == torch.uint8 and int(counted.max()) > _MOST_IN_BYTE:
                counts = counts.int()
            counts[row] = counted
        yield counts.T


def overall_f1_draws(
    predicted: Tensor,
    targets: Tensor,
    conventions: Conventions = Conventions(),
    *,
    seed: int,
    resamples: int = 1000,
) -> Tensor:
    """Compute the F1 over all decisions (OF1) of every resample: ``(R,)`` float64.

    It equals that of `precision_recall` on the resampled rows, but the decisions are counted once.

    Args:
        predicted: ``(N, L)`` bool.
        targets: ``(N, L)`` int in {1, 0, -1}.
        conventions: Conventions of precision and recall.
        seed: Seed of the resamples.
        resamples: Their number ``R``.

    Example:
        >>> predicted, targets = torch.ones(4, 1).bool(), torch.tensor([[1], [1], [1], [0]])
        >>> overall_f1_draws(predicted, targets, seed=0, resamples=5).shape
        torch.Size([5])
    """
    draws = [
        _overall_f1(predicted, targets, conventions, counts)
        for counts in multiplicities(len(targets), resamples, seed)
    ]
    return torch.cat(draws)


def _overall_f1(
    predicted: Tensor, targets: Tensor, conventions: Conventions, counts: Tensor
) -> Tensor:
    totals = torch.zeros(3, counts.shape[1], dtype=torch.double)
    found = torch.zeros(counts.shape[1], targets.shape[1])
    for start in range(0, len(targets), _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        present, chosen = targets[rows] == 1, predicted[rows]
        if conventions.unknown == "left_out":
            chosen = chosen & (targets[rows] >= 0)
        decided = torch.stack([row_counts(one) for one in (chosen & present, chosen, present)])
        totals += decided.double() @ counts[rows].double()
        if conventions.never_predicted == "wrong":
            found += counts[rows].T.float() @ chosen.float()
    correct, predictions, positives = totals
    if conventions.never_predicted == "wrong":
        predictions += (found == 0).sum(1)
    empty = 1.0 if conventions.never_predicted == "one" else 0.0
    precision = torch.where(predictions > 0, correct / predictions, empty)
    recall = correct / positives
    mean = 2 * precision * recall / (precision + recall)
    return mean.where(precision + recall != 0, 0.0)


def average_precision_intervals(
    logits: Tensor, targets: Tensor, *, seed: int, resamples: int = 1000, level: float = 0.95
) -> tuple[Tensor, Tensor]:
    """Compute the basic interval of each label's average precision, within [0, 1].

    Args:
        logits: ``(N, L)`` float.
        targets: ``(N, L)`` int in {1, 0, -1}.
        seed: Seed of the resamples, which are the same for all labels.
        resamples: Number of resamples; those without a present or absent target are ignored.
        level: Probability that the interval covers the true value, in (0, 1).

    Returns:
        The lower and the upper ends, ``(L,)`` float64 each; NaN where there is no interval, as
        `label_intervals` says.

    Raises:
        ValueError: As `bootstrap_map`.

    Example:
        >>> logits, targets = torch.tensor([[2.0], [1.0], [0], [-1]]), torch.tensor([[1, 0, 1, 0]])
        >>> low, high = average_precision_intervals(logits, targets.T, seed=0, resamples=50)
        >>> bool(low < 5 / 6 < high)
        True
    """
    _check(len(logits), resamples, level)
    draws = label_draws(logits, targets, seed=seed, resamples=resamples)
    pairs = label_intervals(average_precision(logits, targets), draws, targets, level)
    ends = torch.tensor(pairs, dtype=torch.double).reshape(-1, 2)
    return ends[:, 0], ends[:, 1]


def label_intervals(
    estimates: Tensor, draws: Tensor, targets: Tensor, level: float = 0.95
) -> list[Interval]:
    """Compute the basic interval of each label's average precision from its resamples.

    There is none, and its ends are NaN, unless the label `varies`. Nor is there one with fewer than
    ``FEW`` photos of a kind whose resamples are all equal, as they are if no photo is ranked
    wrongly: an interval from 1 to 1 would say that so few photos tell the value exactly.

    Args:
        estimates: ``(L,)`` float, average precision of the photos themselves, in [0, 1].
        draws: ``(L, R)`` float, the result of `label_draws`.
        targets: ``(N, L)`` int in {1, 0, -1}.
        level: Probability that an interval covers the true value, in (0, 1).

    Example:
        >>> logits, targets = torch.tensor([[2.0], [1.0], [0], [-1]]), torch.tensor([[1, 0, 1, 0]])
        >>> draws = label_draws(logits, targets.T, seed=0, resamples=50)
        >>> label_intervals(torch.tensor([5 / 6]), draws, targets.T)[0].low < 5 / 6
        True
    """
    differ = draws.nan_to_num(torch.inf).amin(1) < draws.nan_to_num(-torch.inf).amax(1)
    tells = varies(targets) & (differ | varies(targets, least=FEW))
    intervals = []
    for estimate, drawn, told in zip(estimates.tolist(), draws, tells.tolist(), strict=True):
        low, high = basic_interval(estimate, drawn, level)
        within = Interval(max(low, 0.0), min(high, 1.0))
        intervals.append(within if told else Interval(math.nan, math.nan))
    return intervals


def varies(targets: Tensor, *, least: int = 2) -> Tensor:
    """Find labels with enough present and enough absent targets: ``(N, L) -> (L,)`` bool.

    Resamples that repeat a single photo do not show how much a different one would change.

    Args:
        targets: ``(N, L)`` int in {1, 0, -1}.
        least: Targets of each kind that are enough.

    Example:
        >>> varies(torch.tensor([[1, 1], [1, 0], [0, 0], [0, -1]])).tolist()
        [True, False]
    """
    return torch.stack([column_counts(targets == value) >= least for value in (1, 0)]).all(0)


def basic_interval(estimate: float, draws: Tensor, level: float = 0.95) -> Interval:
    """Compute the basic interval from an estimate and its resamples; see `bootstrap`.

    Args:
        estimate: The statistic of the photos themselves.
        draws: ``(R,)`` float, the statistic of each resample; NaN is ignored.
        level: Probability that the interval covers the true value, in (0, 1).

    Example:
        >>> basic_interval(0.5, torch.tensor([0.5, 0.5]).double())
        Interval(low=0.5, high=0.5)
    """
    tail = (1 - level) / 2
    low, high = draws.nanquantile(torch.tensor([tail, 1 - tail], dtype=draws.dtype)).tolist()
    # If the bias exceeds the spread, the corrected interval would not contain the estimate.
    return Interval(min(2 * estimate - high, estimate), max(2 * estimate - low, estimate))


def _resampled(size: int, resamples: int, seed: int) -> Iterator[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    for _ in range(resamples):
        yield torch.randint(size, (size,), generator=generator)


def _check(size: int, resamples: int, level: float) -> None:
    if size < 1 or resamples < 1 or not 0 < level < 1:
        msg = (
            "expected at least one photo, one resample and a level in (0, 1), "
            f"got size={size!r}, resamples={resamples!r}, level={level!r}"
        )
        raise ValueError(msg)
