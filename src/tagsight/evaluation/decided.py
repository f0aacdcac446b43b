"""The decisions of a model for a split, and the calibration of the scores behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from tagsight.checkpoint.decision import sigmoid
from tagsight.metrics.calibration import ReliabilityTable
from tagsight.runtime.threads import ordered_map

if TYPE_CHECKING:
    from torch import Tensor

    from tagsight.checkpoint.decision import Decision

CELLS_AT_ONCE = 2**19
"""Scores in float64 that are held at once, so that memory does not grow with the split."""


class Decided(NamedTuple):
    """Decisions for photos.

    Attributes:
        predicted: ``(N, L)`` bool.
        error: Expected calibration error of the scores.
        error_before: That of the sigmoids of the logits, without temperature and groups.
    """

    predicted: Tensor
    error: float
    error_before: float


def decide(logits: Tensor, targets: Tensor, decision: Decision) -> Decided:
    """Decide by the thresholds of a model, and measure how well its scores are calibrated.

    Scores are computed in parts, once for both.

    Args:
        logits: ``(N, L)`` float.
        targets: ``(N, L)`` int in {1, 0, -1}.
        decision: Thresholds, temperature and groups.

    Example:
        >>> from tagsight.checkpoint.decision import Decision
        >>> decided = decide(torch.tensor([[0.0]]), torch.tensor([[1]]), Decision.default(1))
        >>> decided.predicted.tolist(), decided.error
        ([[True]], 0.5)
    """
    raw = decision.temperature == 1 and not decision.one_of
    values, known = logits.detach().cpu().numpy(), targets.cpu().numpy()
    predicted = np.empty(values.shape, np.bool_)
    at_once = max(1, CELLS_AT_ONCE // max(1, values.shape[1]))

    def part(start: int) -> tuple[ReliabilityTable, ReliabilityTable]:
        rows = slice(start, start + at_once)
        scores = decision.scores(values[rows])
        predicted[rows] = decision.predicted(scores)
        own, before = ReliabilityTable(), ReliabilityTable()
        own.add(scores, known[rows])
        if not raw:
            before.add(sigmoid(values[rows].astype(np.float64)), known[rows])
        return own, before

    own, before = ReliabilityTable(), ReliabilityTable()
    workers = torch.get_num_threads()
    starts = range(0, len(values), at_once)
    for tables in ordered_map(part, starts, workers=workers, ahead=2 * workers):
        own.merge(tables[0])
        before.merge(tables[1])
    error = own.expected_error
    return Decided(torch.from_numpy(predicted), error, error if raw else before.expected_error)
