"""Operating points: the decisions that other thresholds of a label would give.

An operating point is a threshold with the right and the wrong predictions that it makes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tagsight.checkpoint.decision import sigmoid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tagsight.metrics.classification import Unknown

NEVER = 2.0
"""Stands for a threshold that no score reaches."""

_LIMIT = 12.0
"""Log-odds beyond which thresholds are not told apart: a score of 0.000006."""


class OperatingPoints(NamedTuple):
    """The operating points of a label, from the lowest threshold up.

    Attributes:
        thresholds: ``(K,)`` float64, increasing; the one in use is among them.
        current: Place of the threshold in use.
        correct: ``(K,)`` int, predictions that are right.
        wrong: ``(K,)`` int, predictions that are wrong.
        positives: Number of photos with the label.
        nearest: ``(M, 3)`` int, photos whose decision changes first, by score, highest first: the
            row of the photo, the number of thresholds that its score reaches, and its target.
    """

    thresholds: NDArray[np.float64]
    current: int
    correct: NDArray[np.int64]
    wrong: NDArray[np.int64]
    positives: int
    nearest: NDArray[np.int64]


def operating_points(
    scores: NDArray[np.float64],
    targets: NDArray[np.int8],
    threshold: float,
    *,
    steps: int = 100,
    nearest: int = 40,
    unknown: Unknown = "left_out",
) -> OperatingPoints:
    """Compute the operating points of a label.

    The thresholds are evenly spaced in log-odds, from the lowest score of a photo with the label to
    the highest score of all, and with the one in use among them.

    Args:
        scores: ``(N,)`` float in [0, 1], of one label.
        targets: ``(N,)`` int in {1, 0, -1}.
        threshold: In use, in [0, 1]; 1 means never.
        steps: Number of other thresholds.
        nearest: Most photos to list on each side of the threshold in use.
        unknown: Whether unknown targets are left out, or count as absent.

    Example:
        >>> scores, targets = np.array([0.9, 0.6, 0.3]), np.array([1, 0, 1], np.int8)
        >>> points = operating_points(scores, targets, threshold=0.5, steps=2)
        >>> points.thresholds.round(2).tolist(), points.current
        ([0.3, 0.5, 0.9], 1)
        >>> points.correct.tolist(), points.wrong.tolist(), points.nearest[0].tolist()
        ([2, 1, 1], [1, 1, 0], [0, 3, 1])
    """
    counted = targets >= 0 if unknown == "left_out" else np.ones(len(targets), np.bool_)
    present = targets == 1
    own = NEVER if threshold >= 1 else threshold
    cuts = _thresholds(scores, present, own, steps)
    current = int(np.searchsorted(cuts, own))
    reached = np.searchsorted(cuts, scores, side="right")
    return OperatingPoints(
        thresholds=cuts,
        current=current,
        correct=_reaching(scores[present], cuts),
        wrong=_reaching(scores[counted & ~present], cuts),
        positives=int(present.sum()),
        nearest=_nearest(scores, np.flatnonzero(counted), reached, current, targets, nearest),
    )


def _thresholds(
    scores: NDArray[np.float64], present: NDArray[np.bool_], own: float, steps: int
) -> NDArray[np.float64]:
    known = np.clip(scores[scores > 0], sigmoid(np.array(-_LIMIT)), sigmoid(np.array(_LIMIT)))
    if not len(known):
        return np.array([own])
    here = scores[present & (scores > 0)]
    highest = float(known.max())
    lowest = min(max(float(here.min()) if len(here) else own, float(known.min())), highest)
    start, end = np.log([lowest, highest]) - np.log1p([-lowest, -highest])
    even = sigmoid(np.linspace(float(start), float(end), steps))
    even[0], even[-1] = lowest, highest
    return np.unique(np.append(even, own))


def _reaching(scores: NDArray[np.float64], cuts: NDArray[np.float64]) -> NDArray[np.int64]:
    """Count the scores that reach each threshold: ``(n,), (K,) -> (K,)``."""
    return len(scores) - np.searchsorted(np.sort(scores), cuts, side="left")


def _nearest(
    scores: NDArray[np.float64],
    rows: NDArray[np.int64],
    reached: NDArray[np.int64],
    current: int,
    targets: NDArray[np.int8],
    most: int,
) -> NDArray[np.int64]:
    order = rows[np.argsort(-scores[rows], kind="stable")]
    found = int((reached[order] > current).sum())
    chosen = order[max(0, found - most) : found + most]
    return np.stack([chosen, reached[chosen], targets[chosen]], axis=1).astype(np.int64)
