"""Counts along the ranking of a label, on which its average precision depends alone.

A *cut* is a distinct key of a positive photo. Sorting the keys and looking the cuts up is several
times faster than an argsort of the photos, because a label's positives are few.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from tagsight.metrics.multiplicities import Multiplicities

    Keys = NDArray[np.floating]
    Counts = NDArray[np.float64 | np.int64 | np.int32]
    Mask = NDArray[np.bool_]

Ties = Literal["group", "order"]
Variant = Literal["non_interpolated", "voc2010", "voc2007"]


class Rule(NamedTuple):
    """Variant of average precision: see `tagsight.metrics.classification.average_precision`.

    Attributes:
        ties: Ranks of photos with equal logits.
        variant: Interpolation of the precision.
    """

    ties: Ties = "group"
    variant: Variant = "non_interpolated"


LABELS_AT_ONCE = 64
"""Labels whose keys are copied at once, so that memory does not grow with their number."""

COUNTS_AT_ONCE = 2**16
"""Counts at cuts that are integrated at once, so that they stay in the cache."""


def ranked_labels(logits: Tensor, targets: Tensor) -> Iterator[tuple[Keys, NDArray[np.int8]]]:
    """Yield the keys of each label, ``(N,)`` float, lowest first, and its targets, ``(N,)`` int.

    Keys are negated logits; that of an unknown target is NaN, which sorts after infinity.

    Args:
        logits: ``(N, L)`` float.
        targets: ``(N, L)`` int in {1, 0, -1}.

    Raises:
        ValueError: If a logit with a known target is NaN.

    Example:
        >>> logits, targets = torch.tensor([[2.0], [3.0]]), torch.tensor([[1], [-1]])
        >>> [[part.tolist() for part in one] for one in ranked_labels(logits, targets)]
        [[[-2.0, nan], [1, -1]]]
    """
    # NumPy has no bfloat16, and sorts float32 faster than float64. Blocks are too small for the
    # threads of torch, which would wait for one another most of the time.
    exact = logits if logits.dtype == torch.float64 else logits.float()
    values, known = exact.detach().cpu().numpy(), targets.cpu().numpy()
    for start in range(0, logits.shape[1], LABELS_AT_ONCE):
        labels = slice(start, start + LABELS_AT_ONCE)
        given = np.ascontiguousarray(known[:, labels].T, dtype=np.int8)
        keys = np.ascontiguousarray(-values[:, labels].T)
        keys[given < 0] = np.nan
        if np.isnan(keys).sum() > (given < 0).sum():
            msg = (
                "expected logits that are numbers, got nan for a known target; did training "
                "diverge?"
            )
            raise ValueError(msg)
        yield from zip(keys, given, strict=True)


def _in_order(keys: Keys) -> Keys:
    """Replace keys by ranks, those of equal keys in the order of the rows."""
    ranks = np.empty(len(keys))
    ranks[np.argsort(keys, kind="stable")] = np.arange(len(keys), dtype=np.float64)
    ranks[np.isnan(keys)] = np.nan
    return ranks


def areas(keys: Keys, targets: NDArray[np.int8], rules: Sequence[Rule]) -> NDArray[np.float64]:
    """Compute the average precision of a label by each rule: ``(n,)`` float64.

    It is NaN where it is not defined. The keys are sorted once for all rules.

    Args:
        keys: ``(N,)`` float, lowest first, NaN where unknown.
        targets: ``(N,)`` int in {1, 0, -1}.
        rules: The ``n`` rules.

    Example:
        >>> keys, targets = np.array([-3.0, -2.0, -1.0]), np.array([1, 0, 1], np.int8)
        >>> areas(keys, targets, [Rule()]).round(4).tolist()  # (1/1 + 2/3) / 2
        [0.8333]
    """
    present = targets == 1
    if not present.any() or not (targets == 0).any():
        return np.full(len(rules), np.nan)
    ordered, own = np.sort(keys), keys[present]
    counted = {"group": _counts_at_cuts(ordered, own)}
    if any(rule.ties == "order" for rule in rules):
        counted["order"] = counted["group"]
        if (np.searchsorted(ordered, own, "right") - np.searchsorted(ordered, own) > 1).any():
            ranked = _in_order(keys)
            counted["order"] = _counts_at_cuts(np.sort(ranked), ranked[present])
    return np.array([_integral(*counted[rule.ties], rule.variant) for rule in rules])


def _counts_at_cuts(ordered: Keys, own: Keys) -> tuple[Counts, Counts]:
    """Count positives and photos up to each distinct key of a positive: ``(G,)`` each."""
    cuts, counts = np.unique(own, return_counts=True)
    return counts.cumsum(), np.searchsorted(ordered, cuts, side="right")


def sampled_areas(
    keys: Keys, targets: NDArray[np.int8], rule: Rule, samples: Sequence[Multiplicities]
) -> NDArray[np.float64]:
    """Compute the average precision of a label in each sample: ``(R,)`` float64.

    Args:
        keys: ``(N,)`` float, lowest first, NaN where unknown.
        targets: ``(N,)`` int in {1, 0, -1}.
        rule: The rule.
        samples: Parts of the samples.

    Example:
        >>> from tagsight.metrics.multiplicities import Multiplicities
        >>> keys, targets = np.array([-3.0, -2.0, -1.0]), np.array([1, 0, 1], np.int8)
        >>> drawn = Multiplicities(np.array([[1, 0], [1, 2], [1, 1]]))
        >>> sampled_areas(keys, targets, Rule(), [drawn]).round(4).tolist()
        [0.8333, 0.3333]
    """
    keys = _in_order(keys) if rule.ties == "order" else keys
    hit = np.flatnonzero(targets == 1)
    hit = hit[np.argsort(keys[hit])]
    if not len(hit):
        return np.full(sum(part.samples for part in samples), np.nan)
    cuts, counts = np.unique(keys[hit], return_counts=True)
    (before,) = (keys <= cuts[-1]).nonzero()
    order = before[np.argsort(keys[before])]
    ends = np.searchsorted(keys[order], cuts, side="right")
    at_once = max(1, COUNTS_AT_ONCE // len(cuts))
    measured = []
    for part in samples:
        found = []
        hits_of = part.running_sums(hit, counts.cumsum())
        ranks_of = part.running_sums(order, ends)
        one_class = np.empty(part.samples, np.bool_)
        for start in range(0, part.samples, at_once):
            some = slice(start, start + at_once)
            hits, ranks = hits_of(some), ranks_of(some)
            one_class[some] = ranks[:, -1] == hits[:, -1]
            found.append(_integral(hits, ranks, rule.variant))
        if one_class.any():  # so far: absent photos may follow the last cut
            rest = np.flatnonzero((keys > cuts[-1]) & (targets == 0))
            one_class &= part.totals(rest) == 0
        measured.append(np.where(one_class, np.nan, np.concatenate(found)))
    return np.concatenate(measured)


def _integral(hits: Counts, ranks: Counts, variant: Variant) -> NDArray[np.float64]:
    """Integrate precision over recall, from counts of positives and photos ``(..., G)`` at cuts."""
    total = hits[..., -1]
    precision = hits / np.maximum(ranks, 1)
    if variant != "non_interpolated":
        precision = np.maximum.accumulate(precision[..., ::-1], axis=-1)[..., ::-1]
    if variant == "voc2007":
        # In integers, because 3 * 0.1 > 3 / 10 in floating point.
        reached = [10 * hits >= tenth * total[..., None] for tenth in range(11)]
        firsts = np.stack([one.argmax(-1) for one in reached], axis=-1)
        found = np.take_along_axis(precision, firsts, axis=-1).mean(-1)
    else:
        gained = np.diff(hits, axis=-1, prepend=0)
        found = (gained * precision).sum(-1) / np.maximum(total, 1)
    return np.where(total > 0, found, np.nan)
