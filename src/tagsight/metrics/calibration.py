"""Calibration of scores: whether eight in ten of the labels scored 0.8 are present."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor


ROWS_AT_ONCE = 1024
"""Photos whose scores are binned at once, so that memory does not grow with their number."""


class Reliability(NamedTuple):
    """A reliability diagram: the known (photo, label) pairs by score, in ``n`` bins.

    Attributes:
        pairs: ``(n,)`` int, number of pairs.
        score: ``(n,)`` float64, their mean score; NaN in an empty bin.
        present: ``(n,)`` float64, fraction of them that is present; NaN in an empty bin.
    """

    pairs: Tensor
    score: Tensor
    present: Tensor


class ReliabilityTable:
    """A reliability diagram of pairs that come in parts.

    Args:
        bins: Number of bins, at least 1.

    Example:
        >>> table = ReliabilityTable(bins=2)
        >>> table.add(np.array([[0.25, 0.75]]), np.array([[0, 1]]))
        >>> table.add(np.array([[0.25, 1.0]]), np.array([[1, -1]]))
        >>> table.reliability.present.tolist(), table.expected_error
        ([0.5, 1.0], 0.25)
    """

    def __init__(self, bins: int = 15) -> None:
        self._score = np.zeros(bins)
        self._pairs = np.zeros((bins, 2), np.int64)

    def add(self, scores: NDArray[np.floating], targets: NDArray[np.number]) -> None:
        """Add the known pairs of a part.

        Args:
            scores: Float in [0, 1], of any shape.
            targets: Of the same shape, in {1, 0, -1}.

        Raises:
            ValueError: If a score with a known target is not in [0, 1].
        """
        bins, known = len(self._score), targets >= 0
        score, present = scores[known].astype(np.float64), targets[known] == 1
        if len(score) and not (score.min() >= 0 and score.max() <= 1):
            msg = "expected scores in [0, 1], got other numbers; take the sigmoid of logits first"
            raise ValueError(msg)
        index = np.minimum((score * bins).astype(np.int64), bins - 1)
        self._score += np.bincount(index, weights=score, minlength=bins)
        self._pairs += np.bincount(2 * index + present, minlength=2 * bins).reshape(bins, 2)

    def merge(self, other: ReliabilityTable) -> None:
        """Add the pairs of another diagram with as many bins.

        Args:
            other: The other diagram.
        """
        self._score += other._score
        self._pairs += other._pairs

    @property
    def reliability(self) -> Reliability:
        """The diagram of all parts."""
        pairs, present = torch.from_numpy(self._pairs.sum(1)), torch.from_numpy(self._pairs[:, 1])
        return Reliability(pairs, torch.from_numpy(self._score) / pairs, present.double() / pairs)

    @property
    def expected_error(self) -> float:
        """The expected calibration error of all parts."""
        pairs, score, present = self.reliability
        distance = (score - present).abs().nan_to_num()
        return ((pairs * distance).sum() / pairs.sum()).item()


def reliability(scores: Tensor, targets: Tensor, bins: int = 15) -> Reliability:
    """Compare scores with the fraction of present targets, in bins of equal width.

    Bin ``i`` holds the scores in [i / bins, (i + 1) / bins); the last bin includes 1.

    Args:
        scores: ``(N, L)`` float in [0, 1].
        targets: ``(N, L)`` int in {1, 0, -1}.
        bins: Number of bins.

    Raises:
        ValueError: If there is no bin, shapes differ, or a score with a known target is not in
            [0, 1].

    Example:
        >>> scores, targets = torch.tensor([[0.25, 0.75, 1.0]]), torch.tensor([[0, 1, -1]])
        >>> reliability(scores, targets, bins=2).score.tolist()
        [0.25, 0.75]
    """
    return _table(scores, targets, bins).reliability


def expected_calibration_error(scores: Tensor, targets: Tensor, bins: int = 15) -> float:
    """Compute the mean distance of scores from fractions of present targets, weighted by bin.

    Guo et al., On Calibration of Modern Neural Networks, ICML 2017, Eq. 3, over all known (photo,
    label) pairs and for the score of presence. If most labels are absent from most photos, low
    scores dominate it: read it together with `reliability`. NaN if no target is known.

    Args:
        scores: ``(N, L)`` float in [0, 1].
        targets: ``(N, L)`` int in {1, 0, -1}.
        bins: Number of bins, as in `reliability`.

    Example:
        >>> expected_calibration_error(torch.tensor([[0.75, 0.25]]), torch.tensor([[1, 0]]))
        0.25
    """
    return _table(scores, targets, bins).expected_error


def _table(scores: Tensor, targets: Tensor, bins: int) -> ReliabilityTable:
    if bins < 1 or scores.shape != targets.shape:
        msg = (
            "expected scores and targets of one shape and at least one bin, "
            f"got {tuple(scores.shape)}, {tuple(targets.shape)} and bins={bins!r}"
        )
        raise ValueError(msg)
    table = ReliabilityTable(bins)
    for start in range(0, len(scores), ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        table.add(scores[rows].detach().cpu().double().numpy(), targets[rows].cpu().numpy())
    return table
