"""Quality of each label's head by its held-out logits, and advice on what would help most."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from tagsight.metrics.bootstrap import average_precision_intervals
from tagsight.metrics.classification import average_precision
from tagsight.runtime.amounts import amount

if TYPE_CHECKING:
    from torch import Tensor

FEW_PRESENT, FEW_ABSENT = 10, 10
"""Judgements below which more of the kind help most, whatever the measured quality."""

FEWEST_MEASURED = 5
"""Held-out photos of each kind below which there is no average precision: resamples of two or three
photos are alike, and their interval would say that it is known well."""

WIDE = 0.15
"""Width of an interval from which the average precision is not known well."""

GOOD = 0.9
"""Average precision from which more judgements change little."""

SURELY_WRONG = 3.0
"""Held-out logit, either way, that contradicts a judgement strongly: odds of 20 to 1."""


class LabelQuality(NamedTuple):
    """The measured quality of the head of a label.

    Attributes:
        present: Judged photos that have the label.
        absent: Judged photos that do not.
        ap: Average precision of the held-out logits, in [0, 1]; None if fewer than
            `FEWEST_MEASURED` photos of a kind were held out.
        low: Lower end of its 95 % bootstrap interval.
        high: Upper end.
        contradicted: Judgements that the held-out logit contradicts strongly.
    """

    present: int
    absent: int
    ap: float | None
    low: float | None
    high: float | None
    contradicted: int

    def advice(self, present: int, absent: int) -> str:
        """Advise in one sentence what would help most, now that so many photos are judged.

        Args:
            present: Photos that are judged to have the label.
            absent: Photos that are judged not to.

        Example:
            >>> LabelQuality(6, 40, 0.95, 0.93, 0.97, 0).advice(80, 200)
            'good: more judgements will change little'
        """
        ap, low, high = (math.nan if one is None else one for one in (self.ap, self.low, self.high))
        return advice(present, absent, ap, low, high, self.contradicted)


def head_quality(held_out: Tensor, targets: Tensor, *, resamples: int) -> tuple[LabelQuality, ...]:
    """Measure each label on held-out logits.

    Args:
        held_out: ``(N, L)`` float, possibly of no photo; NaN where one was not held out.
        targets: ``(N, L)`` int in {1, 0, -1}.
        resamples: Resamples of the interval.

    Example:
        >>> import torch
        >>> logits, targets = torch.arange(12.0)[:, None], (torch.arange(12) >= 6)[:, None].int()
        >>> quality = head_quality(logits, targets, resamples=10)
        >>> quality[0].ap, quality[0].advice(6, 6)
        (1.0, 'judge more photos that have it: 6 so far')
    """
    measured = targets.masked_fill(held_out.isnan(), -1)
    for kind in (0, 1):
        few = (measured == kind).sum(0) < FEWEST_MEASURED
        measured = measured.masked_fill(few, -1)
    ap = average_precision(held_out, measured)
    low = high = ap
    if len(targets):
        low, high = average_precision_intervals(held_out, measured, seed=0, resamples=resamples)
    strange = ((held_out > SURELY_WRONG) & (measured == 0)).sum(0)
    strange += ((held_out < -SURELY_WRONG) & (measured == 1)).sum(0)
    present, absent = (targets == 1).sum(0).tolist(), (targets == 0).sum(0).tolist()
    columns = zip(
        present, absent, ap.tolist(), low.tolist(), high.tolist(), strange.tolist(), strict=True
    )
    return tuple(
        LabelQuality(p, a, *_numbers(value, bottom, top), odd)
        for p, a, value, bottom, top, odd in columns
    )


def advice(present: int, absent: int, ap: float, low: float, high: float, contradicted: int) -> str:
    """Advise in one sentence what would help a label most.

    Args:
        present: Judged photos that have the label.
        absent: Judged photos that do not.
        ap: Average precision of the held-out logits; NaN if it is not defined.
        low: Lower end of its interval.
        high: Upper end.
        contradicted: Judgements that the held-out logit contradicts strongly.

    Example:
        >>> advice(80, 200, 0.95, 0.93, 0.97, 0)
        'good: more judgements will change little'
        >>> advice(80, 200, 0.6, 0.55, 0.65, 0)
        'judge the photos that are not sure'
    """
    if not present:
        return "find a first photo that has it"
    if not absent:
        return "reject some photos that do not have it: none so far"
    if present < FEW_PRESENT:
        return f"judge more photos that have it: {present} so far"
    if absent < FEW_ABSENT:
        return f"reject more photos that do not have it: {absent} so far"
    return _advice_by_measure(present, ap, low, high, contradicted)


def _advice_by_measure(present: int, ap: float, low: float, high: float, contradicted: int) -> str:
    if contradicted > max(2, present // 50):
        return f"check {amount(contradicted, 'judgement')} that are probably wrong"
    if not high - low < WIDE:
        return f"judge more photos that have it, as {present} leave a wide interval"
    if ap < GOOD:
        return "judge the photos that are not sure"
    return "good: more judgements will change little"


def _numbers(*values: float) -> tuple[float | None, float | None, float | None]:
    ap, low, high = (None if value != value else value for value in values)  # noqa: PLR0124
    return ap, low, high
