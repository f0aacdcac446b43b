"""How far a measured number can be trusted: intervals from resampled photos."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch

from tagsight.metrics.classification import average_precision, mean_average_precision

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

_WEIGHTS_AT_ONCE = 10_000_000


class Interval(NamedTuple):
    """Where the true value lies, at the level that was asked for."""

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
    """Confidence interval of a statistic of photos, which are drawn anew with replacement.

    The basic interval (Davison and Hinkley, Bootstrap Methods and their Application, 1997, Chapter
    5): the estimate minus the quantiles of the resamples' error. A resample repeats photos, which
    raises average precision much as a small split does; this interval corrects for it, the
    percentile interval would count it twice. It always holds the estimate itself.

    Args:
        statistic: From ``(N,)`` int, indices of photos, to the number of interest.
        size: Number of photos ``N``.
        seed: Decides the resamples.
        resamples: Number of resamples; those in which the statistic is NaN are left out.
        level: Probability that the interval covers the true value, in (0, 1).

    Raises:
        ValueError: If there is no photo, no resample, or the level is not in (0, 1).
    """
    _check(size, resamples, level)
    draws = [statistic(photos) for photos in _resampled(size, resamples, seed)]
    return basic_interval(statistic(torch.arange(size)), torch.tensor(draws).double(), level)


def bootstrap_map(
    logits: Tensor, targets: Tensor, *, seed: int, resamples: int = 1000, level: float = 0.95
) -> Interval:
    """Confidence interval of the mean average precision, within [0, 1].

    The same as `bootstrap` of it, hundreds of times faster: a photo that is drawn twice counts
    twice in one ranking. A label without a present target in a resample has no part in that one.

    Args:
        logits: ``(N, L)`` float.
        targets: ``(N, L)`` int in {1, 0, -1}.
        seed: Decides the resamples.
        resamples: Number of resamples.
        level: Probability that the interval covers the true value, in (0, 1).

    Raises:
        ValueError: As `bootstrap` and `tagsight.metrics.classification.average_precision`.
    """
    _check(len(logits), resamples, level)
    draws = map_draws(logits, targets, seed=seed, resamples=resamples)
    estimate, _ = mean_average_precision(average_precision(logits, targets))
    low, high = basic_interval(estimate, draws, level)
    return Interval(max(low, 0.0), min(high, 1.0))


def map_draws(logits: Tensor, targets: Tensor, *, seed: int, resamples: int = 1000) -> Tensor:
    """Mean average precision of every resample: ``(R,)`` float64, NaN without a present target.

    The same seed draws the same photos, whatever the logits: systems can be compared by pairs.

    Args:
        logits: ``(N, L)`` float.
        targets: ``(N, L)`` int in {1, 0, -1}.
        seed: Decides the resamples.
        resamples: Their number ``R``.

    Raises:
        ValueError: As `tagsight.metrics.classification.average_precision`.
    """
    size = len(logits)
    counts = [
        torch.bincount(photos, minlength=size).to(torch.int16)
        for photos in _resampled(size, resamples, seed)
    ]
    at_once = max(1, _WEIGHTS_AT_ONCE // size)
    draws = [
        average_precision(logits, targets, weights=torch.stack(counts[i : i + at_once], 1))
        for i in range(0, resamples, at_once)
    ]
    return torch.cat(draws, 1).nanmean(0)


def basic_interval(estimate: float, draws: Tensor, level: float = 0.95) -> Interval:
    """Interval around an estimate, from the statistic in resamples; see `bootstrap`.

    Args:
        estimate: The statistic of the photos themselves.
        draws: ``(R,)`` float, the statistic of each resample; NaN is left out.
        level: Probability that the interval covers the true value, in (0, 1).
    """
    tail = (1 - level) / 2
    low, high = draws.nanquantile(torch.tensor([tail, 1 - tail], dtype=draws.dtype)).tolist()
    # Where the bias is larger than the spread the corrected interval would not hold the estimate.
    return Interval(min(2 * estimate - high, estimate), max(2 * estimate - low, estimate))


def _resampled(size: int, resamples: int, seed: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randint(size, (size,), generator=generator) for _ in range(resamples)]


def _check(size: int, resamples: int, level: float) -> None:
    if size < 1 or resamples < 1 or not 0 < level < 1:
        msg = (
            "expected at least one photo, one resample and a level in (0, 1), "
            f"got size={size!r}, resamples={resamples!r}, level={level!r}"
        )
        raise ValueError(msg)
