"""Thresholds and temperature, fitted to the logits of the validation split."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from tagsight.checkpoint.decision import Decision, sigmoid
from tagsight.errors import DataError
from tagsight.labels.one_of import log_odds
from tagsight.metrics.ranking import ranked_labels
from tagsight.runtime.counts import column_counts
from tagsight.runtime.threads import ordered_map

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from tagsight.labels.one_of import OneOf

    Floats = NDArray[np.float64]
    Keys = NDArray[np.floating]
    # Maps hits, predictions and positives to a value to maximise; negative values are excluded.
    Objective = Callable[[Floats, Floats, int], Floats]

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

CELLS_AT_ONCE = 2**17
"""Cells of a table that are worked on at once, so that they stay in the cache."""
MOST_STEPS, PRECISION = 60, 1e-13
"""Bounds of the search for the temperature, and of its logarithm."""


def fit_decision(
    logits: Tensor,
    targets: Tensor,
    *,
    names: Sequence[str],
    objective: str = "f1",
    probabilities: bool = True,
    one_of: Sequence[OneOf] = (),
    temperature: float | None = None,
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
        temperature: That of logits that are calibrated already; by default it is fitted.

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
    logits, targets = logits.detach().cpu(), targets.cpu()
    if temperature is None:
        temperature = (
            fit_temperature(logits, targets, one_of)
            if probabilities
            else _widest_temperature(logits, targets)
        )
    uncut = replace(Decision.default(len(names), one_of), temperature=temperature)
    if one_of:
        known = logits.double().where(targets >= 0, 0)
        scores = torch.from_numpy(uncut.exclusive(uncut.scores(known)))
        fitted = _fitted(scores, targets, value, lambda keys: -keys.astype(np.float64))
    else:
        fitted = _fitted(logits, targets, value, lambda keys: uncut.scores(-keys))
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
    diverged = np.zeros(len(names), bool)
    for some, here in _row_blocks(logits, targets):
        diverged |= (~np.isfinite(some) & (here >= 0)).any(0)
    if diverged.any():
        name = names[int(diverged.argmax())]
        msg = (
            f"expected finite logits, got others for the label {name!r}; try a lower `training.lr`"
        )
        raise ValueError(msg)


def _row_blocks(logits: Tensor, targets: Tensor) -> Iterator[tuple[Floats, NDArray[np.int8]]]:
    """Yield blocks of rows, ``(n, L)`` float64 and int8, that are small enough for the cache."""
    rows = max(1, CELLS_AT_ONCE // max(1, logits.shape[1]))
    exact = logits if logits.dtype == torch.double else logits.float()  # NumPy has no bfloat16
    values, known = exact.detach().cpu().numpy(), targets.cpu().numpy()
    for start in range(0, len(values), rows):
        part = slice(start, start + rows)
        yield values[part].astype(np.float64), known[part].astype(np.int8)


def fit_temperature(logits: Tensor, targets: Tensor, one_of: Sequence[OneOf] = ()) -> float:
    """Fit the temperature of `fit_decision` alone.

    Args:
        logits: ``(N, L)`` float, log-odds.
        targets: ``(N, L)`` int in {1, 0, -1}, some of them known.
        one_of: Groups of labels that exclude each other.

    Example:
        >>> logits = torch.tensor([[6.0], [6.0], [6.0], [6.0], [-6.0]])
        >>> round(fit_temperature(logits, torch.tensor([[1], [1], [1], [0], [0]])), 1)
        4.3
    """

    def slope(inverse: float) -> float:
        """Derive the loss with respect to the inverse temperature, at its logarithm."""

        def part(block: tuple[Floats, NDArray[np.int8]]) -> float:
            some, given = block
            known = given >= 0
            some = np.where(known, some, 0)  # others may be anything
            _decide_groups(known, given, one_of)
            scores = sigmoid(log_odds(some * math.exp(inverse), one_of))
            return float((some * (scores - (given == 1)) * known).sum())  # BLAS would start threads

        workers = torch.get_num_threads()
        blocks = _row_blocks(logits, targets)
        return math.fsum(ordered_map(part, blocks, workers=workers, ahead=2 * workers))

    # The loss is convex in the inverse temperature, so that its slope has one zero at most.
    return math.exp(-_zero(slope, -math.log(HIGHEST_TEMPERATURE), -math.log(LOWEST_TEMPERATURE)))


def _decide_groups(
    known: NDArray[np.bool_], targets: NDArray[np.int8], one_of: Sequence[OneOf]
) -> None:
    """Count a group's labels as known where the targets decide which of them is present."""
    for group in one_of:
        among = targets[:, list(group.labels)]
        decided = (among == 1).any(1)
        if not group.complete:
            decided |= (among == 0).all(1)
        known[:, list(group.labels)] = decided[:, None]


def _zero(function: Callable[[float], float], low: float, high: float) -> float:
    """Find the zero of an increasing function, or the end of the range that is nearer to it.

    The Illinois variant of the false position needs about eight values, where bisection needs 40.
    """
    below, above = function(low), function(high)
    if below >= 0 or above <= 0:
        return low if below >= 0 else high
    last = low
    for _ in range(MOST_STEPS):
        middle = high - above * (high - low) / (above - below)
        value = function(middle)
        if value == 0 or abs(middle - last) < PRECISION:
            return middle
        if value < 0:
            above = above / 2 if last == low else above
            low, below = middle, value
        else:
            below = below / 2 if last == high else below
            high, above = middle, value
        last = middle
    return last


def _widest_temperature(logits: Tensor, targets: Tensor) -> float:
    blocks = _row_blocks(logits, targets)
    largest = max(float(np.abs(some[given >= 0]).max(initial=0)) for some, given in blocks)
    return largest / FARTHEST or 1.0


def _parsed(objective: str) -> Objective:
    if objective == "f1":
        return _f1
    stated = re.fullmatch(r"\s*precision\s*>=\s*(\d*\.?\d+)\s*", objective)
    if stated is None or not 0 < float(stated[1]) <= 1:
        msg = f"expected the objective 'f1' or 'precision>=p' with p in (0, 1], got {objective!r}"
        raise DataError(msg)
    return _reach_at_precision(float(stated[1]))


def _f1(hits: Floats, predictions: Floats, positives: int) -> Floats:
    return 2 * hits / np.maximum(predictions + positives, 1)


def _reach_at_precision(least: float) -> Objective:
    def reach(hits: Floats, predictions: Floats, _: int) -> Floats:
        precise = hits / np.maximum(predictions, 1) >= least
        allowed = precise & (predictions >= FEWEST_EXAMPLES)
        return np.where(allowed, predictions, -1.0)

    return reach


def _fitted(
    logits: Tensor, targets: Tensor, value: Objective, scores_of: Callable[[Keys], Floats]
) -> Floats:
    """Fit a threshold to each label, ``(L,)`` float64, and one to all cells for the rare labels."""
    rare = (column_counts(targets == 1) < FEWEST_EXAMPLES).numpy()
    cells = int(torch.count_nonzero(targets >= 0)) if rare.any() else 0
    dtype = np.float64 if logits.dtype == torch.double else np.float32
    every: Keys = np.empty(cells, dtype)
    present: list[Keys] = []
    filled = 0
    thresholds = np.empty(len(rare))

    def own(label: tuple[Keys, NDArray[np.int8]]) -> float:
        keys, given = label
        return _best_threshold(keys[given >= 0], keys[given == 1], value, scores_of)

    def labels() -> Iterator[tuple[Keys, NDArray[np.int8]]]:
        nonlocal filled
        for keys, given in ranked_labels(logits, targets):
            if cells:
                known = keys[given >= 0]
                every[filled : filled + len(known)] = known
                present.append(keys[given == 1])
                filled += len(known)
            yield keys, given

    workers = torch.get_num_threads()
    for place, fitted in enumerate(ordered_map(own, labels(), workers=workers, ahead=2 * workers)):
        thresholds[place] = fitted
    if cells:
        thresholds[rare] = _best_threshold(every, np.concatenate(present), value, scores_of)
    return thresholds


def _best_threshold(
    keys: Keys, present: Keys, value: Objective, scores_of: Callable[[Keys], Floats]
) -> float:
    """Compare all cuts of a ranking.

    Args:
        keys: ``(n,)`` float, of the known cells, the likeliest lowest; sorted in place.
        present: ``(P,)`` float, those of present cells; sorted in place.
        value: The objective.
        scores_of: Maps keys to scores in [0, 1].
    """
    keys.sort()
    present.sort()
    best, threshold = -1.0, 1.0
    for start in range(0, len(keys) + 1, CELLS_AT_ONCE):
        stop = min(start + CELLS_AT_ONCE, len(keys) + 1)  # predictions are start to stop - 1
        inside = keys[max(start - 1, 0) : stop - 1]
        scores = scores_of(keys[max(start - 1, 0) : stop])
        above = [1.0] if start == 0 else []
        scores = np.concatenate([above, scores, [0.0] if stop > len(keys) else []])
        lowest_in, highest_out = scores[:-1], scores[1:]
        cuts = ((lowest_in + highest_out) / 2).clip(LOWEST_THRESHOLD, HIGHEST_THRESHOLD)
        separates = (highest_out < cuts) & (cuts <= lowest_in)
        hits = np.searchsorted(present, inside, side="right").astype(np.float64)
        hits = np.concatenate([[0.0] * len(above), hits])
        predictions = np.arange(start, stop, dtype=np.float64)
        values = np.where(separates, value(hits, predictions, len(present)), -1)
        place = int(values.argmax())
        if values[place] > best:
            best, threshold = float(values[place]), float(cuts[place])
    return threshold
