"""Counts along the ranking of a label, on which its average precision depends alone.

A *cut* is a distinct key of a positive photo. Sorting the keys and looking the cuts up is several
times faster than an argsort of the photos, because a label's positives are few.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from tagsight.metrics.multiplicities import Multiplicities

    Keys = NDArray[np.floating]
    Counts = NDArray[np.float64 | np.int64]
    Mask = NDArray[np.bool_]

Ties = Literal["group", "order"]
Variant = Literal["non_interpolated", "voc2010", "voc2007"]

LABELS_AT_ONCE = 64
"""Labels whose keys are copied at once, so that memory does not grow with their number."""

COUNTS_AT_ONCE = 2**16
"""Counts at cuts that are integrated at once, so that they stay in the cache."""


def ranked_labels(
    logits: Tensor, targets: Tensor, ties: Ties
) -> Iterator[tuple[Keys, NDArray[np.int8]]]:
    """Yield the keys of each label, ``(N,)`` float, lowest first, and its targets, ``(N,)`` int.

    Keys are negated logits; that of an unknown target is NaN, which sorts after infinity.

    Args:
        logits: ``(N, L)`` float.
        targets: ``(N, L)`` int in {1, 0, -1}.
        ties: As for `tagsight.metrics.classification.average_precision`.

    Raises:
        ValueError: If a logit with a known target is NaN.

    Example:
        >>> logits, targets = torch.tensor([[2.0], [3.0]]), torch.tensor([[1], [-1]])
        >>> [[part.tolist() for part in one] for one in ranked_labels(logits, targets, "group")]
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
        for row, here in zip(keys, given, strict=True):
            yield (_untied(row, here == 1) if ties == "order" else row), here


def _untied(keys: Keys, present: Mask) -> Keys:
    """Replace keys by ranks in the order of the rows, if a positive shares its key with others."""
    ordered, own = np.sort(keys), keys[present]
    if (np.searchsorted(ordered, own, "right") - np.searchsorted(ordered, own) == 1).all():
        return keys
    ranks = np.empty(len(keys))
    ranks[np.argsort(keys, kind="stable")] = np.arange(len(keys), dtype=np.float64)
    ranks[np.isnan(keys)] = np.nan
    return ranks


def area(keys: Keys, targets: NDArray[np.int8], variant: Variant) -> float:
    """Compute the average precision of a label; NaN where it is not defined.

    Args:
        keys: ``(N,)`` float, lowest first, NaN where unknown.
        targets: ``(N,)`` int in {1, 0, -1}.
        variant: As for `tagsight.metrics.classification.average_precision`.

    Example:
        >>> keys, targets = np.array([-3.0, -2.0, -1.0]), np.array([1, 0, 1], np.int8)
        >>> round(area(keys, targets, "non_interpolated"), 4)  # (1/1 + 2/3) / 2
        0.8333
    """
    cuts, counts = np.unique(keys[targets == 1], return_counts=True)
    if not len(cuts) or not (targets == 0).any():
        return np.nan
    ranks = np.searchsorted(np.sort(keys), cuts, side="right")
    return float(_integral(counts.cumsum(), ranks, variant))


def areas(
    keys: Keys, targets: NDArray[np.int8], variant: Variant, samples: Sequence[Multiplicities]
) -> NDArray[np.float64]:
    """Compute the average precision of a label in each sample: ``(R,)`` float64.

    Args:
        keys: ``(N,)`` float, lowest first, NaN where unknown.
        targets: ``(N,)`` int in {1, 0, -1}.
        variant: As for `area`.
        samples: Parts of the samples.

    Example:
        >>> from tagsight.metrics.multiplicities import Multiplicities
        >>> keys, targets = np.array([-3.0, -2.0, -1.0]), np.array([1, 0, 1], np.int8)
        >>> drawn = Multiplicities(np.array([[1, 0], [1, 2], [1, 1]]))
        >>> areas(keys, targets, "non_interpolated", [drawn]).round(4).tolist()
        [0.8333, 0.3333]
    """
    hit = np.flatnonzero(targets == 1)
    hit = hit[np.argsort(keys[hit])]
    if not len(hit):
        return np.full(sum(part.samples for part in samples), np.nan)
    cuts, counts = np.unique(keys[hit], return_counts=True)
    (before,) = (keys <= cuts[-1]).nonzero()
    order = before[np.argsort(keys[before])]
    ends = np.searchsorted(keys[order], cuts, side="right")
    (rest,) = ((keys > cuts[-1]) & (targets == 0)).nonzero()
    at_once = max(1, COUNTS_AT_ONCE // len(cuts))
    found = []
    for part in samples:
        hits_of = part.running_sums(hit, counts.cumsum())
        ranks_of = part.running_sums(order, ends)
        rest_of = part.running_sums(rest, np.array([len(rest)])) if len(rest) else None
        for start in range(0, part.samples, at_once):
            some = slice(start, start + at_once)
            hits, ranks = hits_of(some), ranks_of(some)
            absent = ranks[:, -1] - hits[:, -1]
            if rest_of is not None:
                absent += rest_of(some)[:, 0]
            found.append(np.where(absent > 0, _integral(hits, ranks, variant), np.nan))
    return np.concatenate(found)


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
