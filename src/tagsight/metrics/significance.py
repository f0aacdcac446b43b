"""Significance of differences between systems, by a paired bootstrap over photos.

Davison and Hinkley, Bootstrap Methods and their Application, 1997, Chapter 4. Both systems are
measured on the same resamples, so that the difficulty of a photo cancels in the difference. The
test covers variation over photos, not over training seeds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch

from tagsight.metrics.bootstrap import Interval, basic_interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

LABELS_TO_COMPARE = 10
"""From so many labels on, how much their differences vary says how far a mean of them is due to
chance."""


class Estimate(NamedTuple):
    """A statistic of photos and of their resamples.

    Attributes:
        value: The statistic of the photos.
        draws: ``(R,)`` float64, the statistic of each resample.

    Example:
        >>> Estimate(0.5, torch.tensor([0.5, 0.5]).double()).interval
        Interval(low=0.5, high=0.5)
    """

    value: float
    draws: Tensor

    @property
    def interval(self) -> Interval:
        """The 95 % confidence interval."""
        return basic_interval(self.value, self.draws)


class Difference(NamedTuple):
    """The difference of two estimates.

    Attributes:
        value: The first minus the second.
        interval: Its 95 % confidence interval.
        p: Two-sided p-value under the hypothesis of no difference, in (0, 1].
    """

    value: float
    interval: Interval
    p: float


def map_standard_error(ap: Tensor, positives: Tensor) -> float:
    """Estimate the standard error of an mAP from the number of photos of each label.

    A label's average precision is taken for a share of its photos (Boyd, Eng and Page, Area under
    the Precision-Recall Curve, ECML PKDD 2013, section 3.2), with two more photos that are found
    and two that are not, so that few photos do not look certain (Agresti and Coull, Approximate Is
    Better than "Exact", The American Statistician 52, 1998). Labels are taken for independent.

    Args:
        ap: ``(L,)`` float, average precisions as fractions; NaN where undefined.
        positives: ``(L,)`` int, photos with the label.

    Returns:
        The standard error as a fraction; NaN if no label is defined.

    Example:
        >>> ap, positives = torch.tensor([0.5, 0.5, torch.nan]), torch.tensor([96, 96, 0])
        >>> round(map_standard_error(ap, positives), 4)  # that of one label is 0.05
        0.0354
    """
    defined = ~ap.isnan()
    count = positives[defined].double() + 4
    share = (ap[defined].double() * (count - 4) + 2) / count
    variance = share * (1 - share) / count
    return (variance.sum().sqrt() / len(variance)).item()


def difference_standard_error(first: Tensor, second: Tensor, positives: Tensor) -> float:
    """Estimate the standard error of the difference of two mAPs of the same photos.

    From ``LABELS_TO_COMPARE`` labels on it is that of a mean over labels, whose differences show
    how much they vary. A few say little about that, so the larger `map_standard_error` of the first
    stands in.

    Args:
        first: ``(L,)`` float, average precisions as fractions; NaN where undefined.
        second: ``(L,)`` float, others, of the same labels and photos.
        positives: ``(L,)`` int, photos with the label.

    Returns:
        The standard error as a fraction; NaN if no label is defined.

    Example:
        >>> many = torch.full((12,), 200)
        >>> first = torch.tensor([0.5, 0.7] * 6)
        >>> difference_standard_error(first, first - 0.01, many) < 1e-6  # the same for all labels
        True
        >>> difference_standard_error(first[:2], first[:2] - 0.01, many[:2]) > 0.02
        True
    """
    difference = (first - second)[~first.isnan()].double()
    if len(difference) < LABELS_TO_COMPARE:
        return map_standard_error(first, positives)
    return (difference.std() / len(difference) ** 0.5).item()


def mean_estimate(estimates: Sequence[Estimate]) -> Estimate:
    """Average estimates on the same resamples, such as those of one system's seeds.

    Args:
        estimates: At least one.

    Raises:
        ValueError: If there are none.

    Example:
        >>> one, other = (Estimate(v, torch.full((3,), v)) for v in (1.0, 2.0))
        >>> mean_estimate([one, other]).value
        1.5
    """
    if not estimates:
        msg = "expected at least one estimate to average, got none"
        raise ValueError(msg)
    values = sum(estimate.value for estimate in estimates) / len(estimates)
    return Estimate(values, torch.stack([estimate.draws for estimate in estimates]).mean(0))


def paired_difference(first: Estimate, second: Estimate) -> Difference:
    """Compare two estimates on the same resamples.

    The spread of the resamples' differences around the measured difference is the effect of chance.
    The p-value is the fraction of resamples, the photos themselves included, whose difference
    deviates from the measured one by at least the measured one's distance from zero. It is never 0.

    Args:
        first: An estimate.
        second: Another, with the same seed and number of resamples.

    Raises:
        ValueError: If the numbers of resamples differ.

    Example:
        >>> first = Estimate(2.0, torch.tensor([2.0, 3.0, 0.0, 5.0]).double())
        >>> second = Estimate(0.0, torch.zeros(4).double())
        >>> paired_difference(first, second).p  # errors 0, 1, 2, 3: two of four reach 2
        0.6
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
    """Adjust p-values of several comparisons to control the family-wise error rate.

    Holm, A Simple Sequentially Rejective Multiple Test Procedure, 1979: the smallest of ``m`` is
    multiplied by ``m``, the next by ``m - 1``, and so on; none falls below a smaller one's result.

    Args:
        p_values: In any order.

    Example:
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
