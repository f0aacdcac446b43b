"""Whether one system is better than another: differences on the same resampled photos.

A paired bootstrap over photos (Davison and Hinkley, Bootstrap Methods and their Application, 1997,
Chapter 4): what makes a photo hard is the same for both systems and falls out of the difference.
It says what other photos would change, not what other seeds would.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch

from tagsight.metrics.bootstrap import Interval, basic_interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor


class Estimate(NamedTuple):
    """A number that was measured on photos, and on resamples of them.

    Attributes:
        value: On the photos themselves.
        draws: ``(R,)`` float64, on each resample.
    """

    value: float
    draws: Tensor

    @property
    def interval(self) -> Interval:
        """The 95 % interval of the value."""
        return basic_interval(self.value, self.draws)


class Difference(NamedTuple):
    """How much two estimates differ.

    Attributes:
        value: The first minus the second.
        interval: 95 % interval of it.
        p: Two-sided p-value of there being no difference, in (0, 1].
    """

    value: float
    interval: Interval
    p: float


def mean_estimate(estimates: Sequence[Estimate]) -> Estimate:
    """Average estimates on the same resamples, such as those of one system's seeds.

    Raises:
        ValueError: If there are none.
    """
    if not estimates:
        msg = "expected at least one estimate to average, got none"
        raise ValueError(msg)
    values = sum(estimate.value for estimate in estimates) / len(estimates)
    return Estimate(values, torch.stack([estimate.draws for estimate in estimates]).mean(0))


def paired_difference(first: Estimate, second: Estimate) -> Difference:
    """Compare two estimates that were made on the same resamples.

    The resamples' differences, around the one that was measured, are what chance does to it. The
    p-value is the share of them, the measured one among them, that are at least as far from their
    centre as that is from zero; it is never 0.

    Raises:
        ValueError: If the numbers of resamples differ.
    """
    if first.draws.shape != second.draws.shape:
        msg = (
            "expected estimates on the same resamples, "
            f"got {len(first.draws)} and {len(second.draws)} of them"
        )
        raise ValueError(msg)
    value, draws = first.value - second.value, first.draws - second.draws
    errors = (draws - value)[~draws.isnan()].abs()
    p = (1 + int((errors >= abs(value)).sum())) / (1 + len(errors))
    return Difference(value, basic_interval(value, draws), p)


def holm(p_values: Sequence[float]) -> list[float]:
    """Raise p-values of several comparisons so that the chance of any false finding is theirs.

    Holm, A Simple Sequentially Rejective Multiple Test Procedure, 1979: the smallest of ``m`` is
    multiplied by ``m``, the next by ``m - 1``, and none is below one before it.

    >>> holm([0.01, 0.5, 0.02])
    [0.03, 0.5, 0.04]
    """
    order = sorted(range(len(p_values)), key=lambda place: p_values[place])
    adjusted = [1.0] * len(p_values)
    highest = 0.0
    for rank, place in enumerate(order):
        highest = max(highest, min(1.0, (len(order) - rank) * p_values[place]))
        adjusted[place] = highest
    return adjusted
