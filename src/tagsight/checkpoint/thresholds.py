"""Thresholds and temperature, fitted to the logits of the validation split."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from tagsight.checkpoint.decision import Decision
from tagsight.errors import DataError
from tagsight.nn.one_of import one_of_scores

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from tagsight.labels.one_of import OneOf

    # Maps hits, predictions and positives to a value to maximise; negative values are excluded.
    Objective = Callable[[Tensor, Tensor, Tensor], Tensor]

FEWEST_EXAMPLES = 5
"""Minimum number of present targets for a threshold of a label's own, and of predictions for a
reliable precision."""
LOWEST_THRESHOLD, HIGHEST_THRESHOLD = 0.01, 0.99
"""Range of fitted thresholds."""
LOWEST_TEMPERATURE, HIGHEST_TEMPERATURE = 0.2, 10.0
"""Range of fitted temperatures: perfect logits would lead to 0, random ones to infinity."""
FARTHEST = 4.0
"""Largest logit after the temperature if logits are not log-odds: a score of 0.982, which keeps
every threshold between two scores within the fitted range."""


def fit_decision(
    logits: Tensor,
    targets: Tensor,
    *,
    names: Sequence[str],
    objective: str = "f1",
    probabilities: bool = True,
    one_of: Sequence[OneOf] = (),
) -> Decision:
    """Fit temperature and thresholds on the validation split.

    The temperature in [0.2, 10] is the one with the least binary cross-entropy of the known targets
    (Guo et al., On Calibration of Modern Neural Networks, ICML 2017, Sec. 4.2). It is fitted first
    and never changes a ranking. Logits that only rank have no such temperature: theirs scales all
    known logits into [-4, 4], where scores stay distinct.

    A threshold lies midway between the lowest score it predicts and the highest it does not, within
    [0.01, 0.99]; ties go to the highest threshold. A label with fewer than 5 present targets gets
    the threshold that is best for the decisions on all labels together.

    Args:
        logits: ``(N, L)`` float.
        targets: ``(N, L)`` int in {1, 0, -1}.
        names: The ``L`` labels, for messages.
        objective: ``f1`` maximises the F1 of each label; ``precision>=0.9`` takes the lowest
            threshold with that precision in at least 5 predictions, or 1 (never predicted) if
            there is none.
        probabilities: Whether the system's logits are log-odds (`System.probabilities`).
        one_of: Groups of labels that exclude each other. Of one that a photo always has a label of,
            the label with the highest score is predicted, whatever it is: its thresholds are 0.

    Raises:
        DataError: If the objective is neither, or no target is known.
        ValueError: If shapes disagree, or a logit with a known target is not finite.

    Example:
        >>> logits = torch.linspace(-3, 3, 12)[:, None]
        >>> decision = fit_decision(logits, (logits > 1).long(), names=["dog"])
        >>> decision.predicted(decision.scores(logits)).sum()
        np.int64(4)
    """
    value = _parsed(objective)
    _check(logits, targets, names)
    logits, targets = logits.detach().cpu().double(), targets.cpu()
    known = targets >= 0
    temperature = (
        _temperature(logits, targets, one_of)
        if probabilities
        else _widest_temperature(logits[known])
    )
    uncut = replace(Decision.default(len(names), one_of), temperature=temperature)
    scores = torch.from_numpy(uncut.exclusive(uncut.scores(logits.where(known, 0))))
    own = _best_thresholds(scores, targets, value)
    shared = _best_thresholds(scores.reshape(-1, 1), targets.reshape(-1, 1), value)
    rare = (targets == 1).sum(0) < FEWEST_EXAMPLES
    fitted = torch.where(rare, shared, own).numpy()
    return replace(uncut, thresholds=np.where(uncut.thresholds == 0, 0.0, fitted))


def _check(logits: Tensor, targets: Tensor, names: Sequence[str]) -> None:
    if logits.ndim != 2 or logits.shape != targets.shape or logits.shape[1] != len(names):
        msg = (
            f"expected logits and targets of all labels, shape (N, {len(names)}), "
            f"got {tuple(logits.shape)} and {tuple(targets.shape)}"
        )
        raise ValueError(msg)
    if not bool((targets >= 0).any()):
        msg = (
            "expected known targets to fit the decision to, got none; check the labels of the split"
        )
        raise DataError(msg)
    diverged = (~logits.isfinite() & (targets >= 0)).any(0)
    if bool(diverged.any()):
        name = names[int(diverged.nonzero()[0])]
        msg = (
            f"expected finite logits, got others for the label {name!r}; try a lower `training.lr`"
        )
        raise ValueError(msg)


def _temperature(logits: Tensor, targets: Tensor, one_of: Sequence[OneOf]) -> float:
    known, wanted = targets >= 0, targets.clamp(min=0)
    for group in one_of:
        among = targets[:, list(group.labels)]
        decided = (among == 1).any(1)
        if not group.complete:
            decided |= (among == 0).all(1)
        known[:, list(group.labels)] = decided[:, None]
    logits = logits.where(targets >= 0, 0)  # others may be anything
    # The loss is convex in the inverse temperature, so that bisection finds the zero of its slope.
    low, high = -math.log(HIGHEST_TEMPERATURE), -math.log(LOWEST_TEMPERATURE)
    for _ in range(40):
        middle = (low + high) / 2
        scores = one_of_scores(logits * math.exp(middle), one_of)
        slope = (logits * (scores - wanted) * known).sum()
        low, high = (middle, high) if slope < 0 else (low, middle)
    return math.exp(-(low + high) / 2)


def _widest_temperature(logits: Tensor) -> float:
    largest = logits.abs().max().item()
    return largest / FARTHEST or 1.0


def _parsed(objective: str) -> Objective:
    if objective == "f1":
        return _f1
    stated = re.fullmatch(r"\s*precision\s*>=\s*(\d*\.?\d+)\s*", objective)
    if stated is None or not 0 < float(stated[1]) <= 1:
        msg = f"expected the objective 'f1' or 'precision>=p' with p in (0, 1], got {objective!r}"
        raise DataError(msg)
    return _reach_at_precision(float(stated[1]))


def _f1(hits: Tensor, predictions: Tensor, positives: Tensor) -> Tensor:
    return 2 * hits / (predictions + positives).clamp(min=1)


def _reach_at_precision(least: float) -> Objective:
    def reach(hits: Tensor, predictions: Tensor, _: Tensor) -> Tensor:
        allowed = (hits / predictions >= least) & (predictions >= FEWEST_EXAMPLES)
        return torch.where(allowed, predictions, -1)

    return reach


def _best_thresholds(scores: Tensor, targets: Tensor, value: Objective) -> Tensor:
    """Compare all N + 1 cuts of each label's ranking: ``(N, L) -> (L,)`` float64."""
    none, unknown = scores.new_zeros(1, scores.shape[1]), -1.0
    ranked, order = scores.where(targets >= 0, unknown).sort(dim=0, descending=True)
    hits = torch.cat([none, (targets == 1).gather(0, order).cumsum(0)])
    predictions = torch.cat([none, (ranked >= 0).cumsum(0)])

    lowest_in = torch.cat([none + 1, ranked])
    highest_out = torch.cat([ranked, none]).clamp(min=0)
    cuts = ((lowest_in + highest_out) / 2).clamp(LOWEST_THRESHOLD, HIGHEST_THRESHOLD)
    separates = (highest_out < cuts) & (cuts <= lowest_in)

    values = value(hits, predictions, hits[-1]).where(separates, -1)
    best = values.argmax(0, keepdim=True)
    return cuts.gather(0, best).where(values.gather(0, best) >= 0, 1.0)[0]
