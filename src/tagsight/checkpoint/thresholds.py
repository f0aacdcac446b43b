"""Thresholds and temperature, fitted to what a system says of the validation split."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from tagsight.checkpoint.decision import Decision
from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    # From hits, predictions and positives to a value to be maximised; below 0 is not allowed.
    Objective = Callable[[Tensor, Tensor, Tensor], Tensor]

FEWEST_EXAMPLES = 5
"""Present targets that a label needs for a threshold of its own, and predictions that a precision
needs to be believed."""
LOWEST_THRESHOLD, HIGHEST_THRESHOLD = 0.01, 0.99
"""No threshold is fitted outside."""
LOWEST_TEMPERATURE, HIGHEST_TEMPERATURE = 0.2, 10.0
"""No temperature is fitted outside: logits without error would ask for 0, random ones for more."""
FARTHEST = 4.0
"""What the temperature makes of the largest logit that is no log-odds: a score of 0.982, so that
every threshold between two scores is one that may be fitted."""


def fit_decision(
    logits: Tensor,
    targets: Tensor,
    *,
    names: Sequence[str],
    objective: str = "f1",
    probabilities: bool = True,
) -> Decision:
    """Fit temperature and thresholds on the validation split.

    The temperature in [0.2, 10] is the one with the least binary cross-entropy of the known targets
    (Guo et al., On Calibration of Modern Neural Networks, ICML 2017, Sec. 4.2). It comes first, and
    never changes a ranking. Of logits that only rank no temperature makes probabilities: theirs
    puts all known ones into [-4, 4], where scores keep apart.

    A threshold lies midway between the lowest score that it predicts and the highest that it does
    not, within [0.01, 0.99]; of equally good ones the highest. A label with fewer than 5 present
    targets gets the threshold that is best for the decisions on all labels together.

    Args:
        logits: ``(N, L)`` float.
        targets: ``(N, L)`` int in {1, 0, -1}.
        names: The ``L`` labels, for the messages.
        objective: ``f1`` makes each label's F1 highest; ``precision>=0.9`` takes the lowest
            threshold with that precision in at least 5 predictions, and 1 (never predicted) for a
            label that does not reach it.
        probabilities: Whether the system's logits are log-odds (`System.probabilities`).

    Raises:
        DataError: If the objective is neither, or no target is known.
        ValueError: If shapes disagree, or a logit with a known target is not finite.
    """
    value = _parsed(objective)
    _check(logits, targets, names)
    logits, targets = logits.detach().cpu().double(), targets.cpu()
    known = targets >= 0
    temperature = (
        _temperature(logits[known], targets[known])
        if probabilities
        else _widest_temperature(logits[known])
    )
    uncut = replace(Decision.default(len(names)), temperature=temperature)
    scores = torch.from_numpy(uncut.scores(logits.where(known, 0)))
    own = _best_thresholds(scores, targets, value)
    shared = _best_thresholds(scores.reshape(-1, 1), targets.reshape(-1, 1), value)
    rare = (targets == 1).sum(0) < FEWEST_EXAMPLES
    return replace(uncut, thresholds=torch.where(rare, shared, own).numpy())


def _check(logits: Tensor, targets: Tensor, names: Sequence[str]) -> None:
    if logits.ndim != 2 or logits.shape != targets.shape or logits.shape[1] != len(names):
        msg = (
            f"expected logits and targets of all labels, shape (N, {len(names)}), "
            f"got {tuple(logits.shape)} and {tuple(targets.shape)}"
        )
        raise ValueError(msg)
    if not bool((targets >= 0).any()):
        msg = "expected known targets to fit the decision to, got none: has the split any labels?"
        raise DataError(msg)
    diverged = (~logits.isfinite() & (targets >= 0)).any(0)
    if bool(diverged.any()):
        name = names[int(diverged.nonzero()[0])]
        msg = f"expected finite logits, got others for the label {name!r}: did training diverge?"
        raise ValueError(msg)


def _temperature(logits: Tensor, targets: Tensor) -> float:
    # The loss is convex in the inverse of the temperature: its slope rises through 0 once.
    low, high = -math.log(HIGHEST_TEMPERATURE), -math.log(LOWEST_TEMPERATURE)
    for _ in range(40):
        middle = (low + high) / 2
        slope = (logits * ((logits * math.exp(middle)).sigmoid() - targets)).sum()
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
    """``(L,)`` float64 from ``(N, L)``: compares all N + 1 ways to cut each label's ranking."""
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
