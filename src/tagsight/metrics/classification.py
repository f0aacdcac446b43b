"""Metrics of scores and decisions: average precision, precision and recall, the top k.

Pure functions over ``logits: (N, L)`` and ``targets: (N, L)`` in {1, 0, -1}. Unknown targets (-1)
are ignored everywhere. Values are fractions; an undefined quantity is NaN.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import torch

from tagsight.metrics.multiplicities import in_parts
from tagsight.metrics.ranking import Rule, Ties, Variant, areas, ranked_labels, sampled_areas
from tagsight.runtime.counts import column_counts, row_counts
from tagsight.runtime.threads import ordered_map

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import ArrayLike, NDArray
    from torch import Tensor

NeverPredicted = Literal["zero", "one", "wrong"]
Unknown = Literal["left_out", "absent"]


_FEW_LOGITS = 2**20
"""Logits below which labels are not measured in threads."""

_ROWS_AT_ONCE = 4096
"""Photos whose highest logits are found at once, so that memory does not grow with their number."""


class Conventions(NamedTuple):
    """Conventions of precision and recall that differ between papers; compare equal ones only.

    Attributes:
        never_predicted: Precision of a label that is never predicted: ``zero`` (scikit-learn) or
            ``one`` (SRN); or it counts as one ``wrong`` prediction (ML-GCN, CSRA), which makes the
            precision 0 and also lowers OP, whose denominator grows by 1.
        unknown: Whether unknown targets, such as VOC's difficult objects, are ``left_out`` (CSRA),
            or count as ``absent`` (ML-GCN); average precision always ignores them.
    """

    never_predicted: NeverPredicted = "zero"
    unknown: Unknown = "left_out"


def average_precision(
    logits: Tensor,
    targets: Tensor,
    *,
    ties: Ties = "group",
    variant: Variant = "non_interpolated",
    weights: Tensor | None = None,
) -> Tensor:
    """Compute the average precision of each label: the mean precision at the ranks of its photos.

    Pass logits rather than scores: the sigmoid rounds large logits to ties.

    Args:
        logits: ``(N, L)`` float.
        targets: ``(N, L)`` int in {1, 0, -1}.
        ties: ``group`` gives photos of equal logits one rank (scikit-learn); ``order`` ranks them
            in the order of the rows (a stable sort), as ML-GCN's released code does.
        variant: ``non_interpolated``; ``voc2010`` raises each precision to the best at the same or
            a higher recall (PASCAL VOC since 2010; SRN, SSGRL, Query2Label); ``voc2007`` is the
            mean of that over recalls of at least 0, 0.1, ..., 1.
        weights: ``(N,)`` or ``(N, R)`` int, multiplicity of each photo, in one or ``R`` samples.

    Returns:
        ``(L,)`` float64 in [0, 1], or ``(L, R)``. NaN for a label without a present target, and for
        one without an absent target, which would be 1 for any logits.

    Raises:
        ValueError: If shapes differ or a logit with a known target is NaN.

    Example:
        >>> logits = torch.tensor([[3.0], [2.0], [1.0]])
        >>> average_precision(logits, torch.tensor([[1], [0], [1]])).tolist()  # (1/1 + 2/3) / 2
        [0.8333333333333333]
    """
    _check_shapes("logits", logits, targets)
    if weights is not None and len(weights) != len(logits):
        msg = f"expected a weight for each photo, {len(logits)} in all, got {len(weights)}"
        raise ValueError(msg)
    rule = Rule(ties, variant)
    if weights is None:
        return average_precisions(logits, targets, [rule])[0]
    counts = weights.cpu().numpy()
    samples = tuple(in_parts(counts.reshape(len(counts), -1)))

    def measured(keys: NDArray[np.floating], given: NDArray[np.int8]) -> NDArray[np.float64]:
        return sampled_areas(keys, given, rule, samples).reshape(counts.shape[1:])

    return _of_labels(measured, logits, targets)


def average_precisions(logits: Tensor, targets: Tensor, rules: Sequence[Rule]) -> Tensor:
    """Compute the average precision of each label by several rules, with one sort of a label.

    Args:
        logits: ``(N, L)`` float.
        targets: ``(N, L)`` int in {1, 0, -1}.
        rules: The ``n`` rules; their fields are arguments of `average_precision`.

    Returns:
        ``(n, L)`` float64, each row as of `average_precision`.

    Raises:
        ValueError: As `average_precision`.

    Example:
        >>> logits = torch.tensor([[2.0], [2.0], [1.0]])
        >>> rules = [Rule(), Rule(ties="order")]
        >>> average_precisions(logits, torch.tensor([[1], [0], [0]]), rules).tolist()
        [[0.5], [1.0]]
    """
    _check_shapes("logits", logits, targets)

    def measured(keys: NDArray[np.floating], given: NDArray[np.int8]) -> NDArray[np.float64]:
        return areas(keys, given, rules)

    return _of_labels(measured, logits, targets).T


def _of_labels(
    measured: Callable[[NDArray[np.floating], NDArray[np.int8]], NDArray[np.float64]],
    logits: Tensor,
    targets: Tensor,
) -> Tensor:
    """Measure each label, from its keys and targets, in threads if there is much to do."""
    labels = ranked_labels(logits, targets)
    if logits.numel() < _FEW_LOGITS:
        found = [measured(*label) for label in labels]
    else:
        workers = torch.get_num_threads()
        found = list(
            ordered_map(lambda label: measured(*label), labels, workers=workers, ahead=2 * workers)
        )
    return torch.from_numpy(np.stack(found))


def mean_average_precision(targets: ArrayLike | Tensor, scores: ArrayLike | Tensor) -> float:
    """Compute mAP: the mean of the labels' average precision, as a fraction.

    Labels without a present or without an absent target are left out.

    Args:
        targets: ``(N, L)`` of 1, 0 and -1: present, absent and unknown.
        scores: ``(N, L)`` float, scores or logits; higher is more likely.

    Returns:
        mAP in [0, 1], or NaN if no label can be ranked.

    Raises:
        ValueError: If shapes differ, or targets are anything but 1, 0 and -1.

    Example:
        >>> mean_average_precision([[1, 0], [0, 1], [1, 1]], [[0.9, 0.2], [0.8, 0.6], [0.3, 0.7]])
        0.9166666666666666
    """
    known, ranked = torch.as_tensor(targets), torch.as_tensor(scores)
    if not bool(torch.isin(known, torch.tensor([-1, 0, 1], dtype=known.dtype)).all()):
        msg = "expected targets of 1, 0 and -1, followed by scores, got other targets"
        raise ValueError(msg)
    return mean_over_labels(average_precision(ranked.double(), known))[0]


def mean_over_labels(ap: Tensor) -> tuple[float, int]:
    """Average over the labels whose average precision is defined, and count these labels.

    Args:
        ap: ``(L,)`` float, NaN where undefined.

    Example:
        >>> mean_over_labels(torch.tensor([0.5, 1.0, torch.nan]))
        (0.75, 2)
    """
    defined = ap[~ap.isnan()]
    return defined.mean().item(), len(defined)


class Rates(NamedTuple):
    """Precision, recall and their harmonic mean, as fractions."""

    precision: float
    recall: float
    f1: float


class LabelRates(NamedTuple):
    """Precision, recall and F1 of each label, ``(L,)`` float64; NaN where undefined."""

    precision: Tensor
    recall: Tensor
    f1: Tensor


@dataclass(frozen=True, eq=False)
class Quality:
    """Precision and recall of decisions: of each label, averaged over labels, and overall.

    Args:
        per_label: Of each label. Precision is undefined without a present target and a prediction,
            recall and F1 without a present target.
        per_class: CP and CR, the means of the labels' precision and recall where defined, and CF1,
            the harmonic mean of the two (ML-GCN and most tables).
        mean_f1: The other CF1: the mean of the labels' F1 where defined (SRN, VAC).
        overall: OP, OR and OF1, over all decisions together.
        labels_counted: Number of labels with a present target.
    """

    per_label: LabelRates
    per_class: Rates
    mean_f1: float
    overall: Rates
    labels_counted: int

    def as_dict(self) -> dict[str, float]:
        """Return the averages under their names in the literature, as fractions.

        Example:
            >>> predicted, targets = torch.tensor([[True, False]]), torch.tensor([[1, 1]])
            >>> quality = precision_recall(predicted, targets).as_dict()
            >>> quality["CP"], quality["CR"], quality["OP"], quality["OR"]
            (0.5, 0.5, 1.0, 0.5)
        """
        cp, cr, cf1 = self.per_class
        op, or_, of1 = self.overall
        values = (cp, cr, cf1, self.mean_f1, op, or_, of1)
        return dict(zip(("CP", "CR", "CF1", "CF1_mean", "OP", "OR", "OF1"), values, strict=True))


def precision_recall(
    predicted: Tensor,
    targets: Tensor,
    *,
    never_predicted: NeverPredicted = "zero",
    unknown: Unknown = "left_out",
) -> Quality:
    """Measure precision and recall of decisions.

    Args:
        predicted: ``(N, L)`` bool.
        targets: ``(N, L)`` int in {1, 0, -1}.
        never_predicted: Precision of a label that is present and never predicted, and of no
            predictions at all, as in `Conventions`. With ``wrong``, labels that are never present
            count too. F1 is 0 in any case.
        unknown: Treatment of unknown targets, as in `Conventions`.

    Raises:
        ValueError: If shapes differ.

    Example:
        >>> predicted = torch.tensor([[True, False], [True, True]])
        >>> precision_recall(predicted, torch.tensor([[1, 0], [0, 1]])).overall.precision
        0.6666666666666666
    """
    _check_shapes("predicted", predicted, targets)
    if unknown == "absent":
        targets = targets.clamp(min=0)
    predictions = column_counts(predicted & (targets >= 0)).double()
    positives = column_counts(targets == 1).double()
    correct = column_counts(predicted & (targets == 1)).double()
    if never_predicted == "wrong":
        predictions = predictions.clamp(min=1)
    empty = 1.0 if never_predicted == "one" else 0.0

    precision = torch.where(predictions > 0, correct / predictions, empty)
    per_label = LabelRates(
        precision=precision.where(predictions + positives > 0, torch.nan),
        recall=correct / positives,
        f1=(2 * correct / (predictions + positives)).where(positives > 0, torch.nan),
    )
    cp, cr, mean_f1 = (rates.nanmean().item() for rates in per_label)
    op = correct.sum() / predictions.sum() if predictions.sum() else torch.tensor(empty)
    overall = op.item(), (correct.sum() / positives.sum()).item()
    return Quality(
        per_label=per_label,
        per_class=Rates(cp, cr, _harmonic_mean(cp, cr)),
        mean_f1=mean_f1,
        overall=Rates(*overall, _harmonic_mean(*overall)),
        labels_counted=int((positives > 0).sum()),
    )


def top_k(
    logits: Tensor,
    k: int = 3,
    *,
    rule: Literal["exact", "thresholded"] = "exact",
    threshold_logit: float = 0.0,
) -> Tensor:
    """Predict the ``k`` labels with the highest logits for each photo; of equal ones, the first.

    Args:
        logits: ``(N, L)`` float.
        k: Number of labels.
        rule: ``exact`` predicts k labels for every photo (Gong et al. 2014; NUS-WIDE tables);
            ``thresholded`` drops those below the threshold (ML-GCN; COCO tables).
        threshold_logit: Minimum logit for ``thresholded``; 0 is a score of 0.5.

    Returns:
        ``(N, L)`` bool.

    Raises:
        ValueError: If there are fewer than k labels.

    Example:
        >>> top_k(torch.tensor([[2.0, -1.0, 0.5]]), 2).tolist()
        [[True, False, True]]
    """
    if not 1 <= k <= logits.shape[1]:
        msg = f"expected a k from 1 to {logits.shape[1]}, the number of labels, got {k!r}"
        raise ValueError(msg)
    chosen = torch.empty(logits.shape, dtype=torch.bool, device=logits.device)
    for start in range(0, len(logits), _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        chosen[rows] = _highest(logits[rows], k)
        if rule == "thresholded":
            chosen[rows] &= logits[rows] >= threshold_logit
    return chosen


def _highest(logits: Tensor, k: int) -> Tensor:
    least = logits.topk(k, dim=1).values[:, -1:]  # it may choose any of equal logits
    chosen = logits >= least
    more = (row_counts(chosen) > k).nonzero()[:, 0].to(logits.device)
    if len(more):
        some, bound = logits[more], least[more]
        above, equal = some > bound, some == bound
        free = k - above.sum(1, keepdim=True)
        chosen[more] = above | (equal & (equal.cumsum(1) <= free))
    return chosen


def precision_at_k(relevant: Tensor) -> Tensor:
    """Compute the fraction of relevant photos among the first ``k``: ``(N, k) -> (N,)``.

    Args:
        relevant: ``(N, k)`` bool, the nearest first.

    Example:
        >>> precision_at_k(torch.tensor([[True, False, True, False]])).tolist()
        [0.5]
    """
    return relevant.double().mean(1)


def average_precision_at_k(relevant: Tensor, existing: Tensor) -> Tensor:
    """Compute the average precision of the first ``k`` photos of a search: ``(N, k) -> (N,)``.

    ``sum_i P(i) rel(i) / min(k, R)``, which is 1 for a perfect ranking. Papers on hashing divide by
    the number of relevant photos among the first ``k`` instead, which does not penalise misses.

    Args:
        relevant: ``(N, k)`` bool, the nearest first.
        existing: ``(N,)`` int, the number ``R`` of relevant photos in the collection; the value is
            NaN if it is 0.

    Example:
        >>> relevant = torch.tensor([[True, False, False, True]])
        >>> average_precision_at_k(relevant, torch.tensor([2])).item()  # (1/1 + 2/4) / 2
        0.75
    """
    size = relevant.shape[1]
    precision = relevant.cumsum(1) / torch.arange(1, size + 1, device=relevant.device)
    found = (precision.double() * relevant).sum(1)
    return torch.where(existing > 0, found / existing.clamp(1, size), torch.nan)


def _check_shapes(name: str, values: Tensor, targets: Tensor) -> None:
    if values.ndim != 2 or values.shape != targets.shape:
        msg = (
            f"expected {name} and targets of one shape (N, L), "
            f"got {tuple(values.shape)} and {tuple(targets.shape)}"
        )
        raise ValueError(msg)


def _harmonic_mean(first: float, second: float) -> float:
    return 0.0 if first + second == 0 else 2 * first * second / (first + second)
