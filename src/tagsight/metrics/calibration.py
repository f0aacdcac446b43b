"""Calibration of scores: whether eight in ten of the labels scored 0.8 are present."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch

if TYPE_CHECKING:
    from torch import Tensor


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
    if bins < 1 or scores.shape != targets.shape:
        msg = (
            "expected scores and targets of one shape and at least one bin, "
            f"got {tuple(scores.shape)}, {tuple(targets.shape)} and bins={bins!r}"
        )
        raise ValueError(msg)
    known = targets >= 0
    score, present = scores[known].double(), (targets[known] == 1).double()
    if not bool(((score >= 0) & (score <= 1)).all()):
        msg = "expected scores in [0, 1], got other numbers; take the sigmoid of logits first"
        raise ValueError(msg)
    index = (score * bins).long().clamp(max=bins - 1)
    pairs, scored, found = (
        torch.bincount(index, weights=weights, minlength=bins)
        for weights in (torch.ones_like(score), score, present)
    )
    return Reliability(pairs.long(), scored / pairs, found / pairs)


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
    pairs, score, present = reliability(scores, targets, bins)
    distance = (score - present).abs().nan_to_num()
    return ((pairs * distance).sum() / pairs.sum()).item()
