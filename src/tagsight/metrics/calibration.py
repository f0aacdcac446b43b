"""Whether scores mean what they say: of the labels scored 0.8, are eight in ten present?"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch

if TYPE_CHECKING:
    from torch import Tensor


class Reliability(NamedTuple):
    """What became of the known (photo, label) pairs whose scores fall into each of ``n`` bins.

    Attributes:
        pairs: ``(n,)`` int, how many pairs.
        score: ``(n,)`` float64, their mean score; NaN in an empty bin.
        present: ``(n,)`` float64, the share of them that is present; NaN in an empty bin.
    """

    pairs: Tensor
    score: Tensor
    present: Tensor


def reliability(scores: Tensor, targets: Tensor, bins: int = 15) -> Reliability:
    """Compare scores with the share of present targets, in bins of equal width.

    Bin ``i`` holds the scores in [i / bins, (i + 1) / bins), the last one also a score of 1.

    Args:
        scores: ``(N, L)`` float in [0, 1].
        targets: ``(N, L)`` int in {1, 0, -1}.
        bins: Number of bins.

    Raises:
        ValueError: If there is no bin, shapes disagree, or a score with a known target is not in
            [0, 1].
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
        msg = "expected scores in [0, 1], got others: take the sigmoid of logits first"
        raise ValueError(msg)
    index = (score * bins).long().clamp(max=bins - 1)
    pairs, scored, found = (
        torch.bincount(index, weights=weights, minlength=bins)
        for weights in (torch.ones_like(score), score, present)
    )
    return Reliability(pairs.long(), scored / pairs, found / pairs)


def expected_calibration_error(scores: Tensor, targets: Tensor, bins: int = 15) -> float:
    """Mean distance between score and share of present targets, bins weighted by their pairs.

    Guo et al., On Calibration of Modern Neural Networks, ICML 2017, Eq. 3, over all known (photo,
    label) pairs at once and for the score of presence. Where most labels are absent from most
    photos, low scores decide it: read it next to `reliability`. NaN if nothing is known.

    Args:
        scores: ``(N, L)`` float in [0, 1].
        targets: ``(N, L)`` int in {1, 0, -1}.
        bins: Number of bins, as in `reliability`.
    """
    pairs, score, present = reliability(scores, targets, bins)
    distance = (score - present).abs().nan_to_num()
    return ((pairs * distance).sum() / pairs.sum()).item()
