"""Points of the small curves of each label: precision against recall, and calibration."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from tagsight.metrics.calibration import reliability

if TYPE_CHECKING:
    from torch import Tensor

    from tagsight.evaluation.measured import Measured

    Point = tuple[float, float]

BINS = 5
"""Bins of a label's scores: most labels have few photos with the label."""


def precision_recall_curves(logits: Tensor, targets: Tensor) -> list[list[Point]]:
    """Compute recall and precision at the rank of each photo with the label.

    Args:
        logits: ``(N, L)`` float.
        targets: ``(N, L)`` int in {1, 0, -1}.

    Returns:
        For each label its points, all in [0, 1]; none for a label without photos.

    Example:
        >>> logits, targets = torch.tensor([[2.0], [1.0], [0.0]]), torch.tensor([[1], [0], [1]])
        >>> [[(x, round(y, 2)) for x, y in one] for one in precision_recall_curves(logits, targets)]
        [[(0.5, 1.0), (1.0, 0.67)]]
    """
    curves = []
    for scores, known in zip(logits.T, targets.T, strict=True):
        counted = known >= 0
        order = scores[counted].argsort(descending=True, stable=True)
        present = (known[counted][order] == 1).double()
        hits = present.cumsum(0)
        ranks = present.nonzero().flatten()
        precision = hits[ranks] / (ranks + 1)
        recall = hits[ranks] / max(1, len(ranks))
        curves.append(list(zip(recall.tolist(), precision.tolist(), strict=True)))
    return curves


def calibration_curves(measured: Measured) -> list[list[Point]]:
    """Compare each label's scores with the fraction of photos that have it, in five bins.

    Args:
        measured: The model on a split.

    Returns:
        For each label the mean score and the fraction, both in [0, 1], of the bins with photos;
        none if the system's scores are no probabilities.

    Example:
        >>> import tagsight as ts
        >>> from tagsight.evaluation.evaluate import measured
        >>> model, runtime = ts.load("runs/first/model").network.model, ts.Runtime.choose("cpu")
        >>> found = measured(model, ts.read_annotations("labels.csv").rows("test"), runtime)
        >>> len(calibration_curves(found)) == len(found.rows.names)
        True
    """
    names, targets = measured.rows.names, measured.rows.targets
    if not measured.model.system.probabilities:
        return [[] for _ in names]
    scores = torch.from_numpy(measured.model.decision.scores(measured.logits.numpy()))
    curves = []
    for label in range(len(names)):
        one = slice(label, label + 1)
        photos, score, present = reliability(scores[:, one], targets[:, one], BINS)
        filled = photos > 0
        curves.append(list(zip(score[filled].tolist(), present[filled].tolist(), strict=True)))
    return curves
