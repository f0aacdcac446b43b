"""Weight decay of the classifiers, chosen on the judged photos.

Photos of animals say what they show, and short classifiers lose; a film poster says little of its
genre, and with few of them long ones learn the posters by heart. Leaving each photo out of a ridge
regression has a closed form (Allen, The relationship between variable selection and data
augmentation and a method for prediction, Technometrics 1974).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

FACTORS = (1, 3, 10, 30, 100)
"""What the least decay may be multiplied by."""

FEWEST = 3
"""Photos of each kind that a label has to have a part in the choice."""

MOST_PHOTOS, MOST_LABELS = 500, 8
"""Photos, evenly spaced, and labels, those with the most photos, that decide. Where enough photos
have all of these labels known, the others have no part."""


BISECTIONS = 20
"""Steps to the constant that is added to expected logits."""


def chosen_decay(
    photos: Tensor, targets: Tensor, least: float, expected: Tensor | None = None
) -> float:
    """Choose the weight of a classifier's squared length, for each photo.

    It is the factor of `FACTORS` times the least decay with which ridge regressions on the targets,
    or on what the expected logits leave of them, predict photos best that are left out, over all
    labels. If not all photos decide, what exceeds the least is spread over all of them.

    Args:
        photos: ``(N, k)`` float, embeddings whose mean squared length is about 1.
        targets: ``(N, L)`` int in {1, 0, -1}.
        least: The least decay.
        expected: ``(N, L)`` float, logits that are known before, but for a constant of each label;
            None for zeros.

    Example:
        >>> random = torch.Generator().manual_seed(0)
        >>> photos = torch.randn(200, 16, generator=random) / 4
        >>> clear = (photos[:, :1] > 0).int()
        >>> random_ones = (torch.rand(200, 1, generator=random) > 0.5).int()
        >>> chosen_decay(photos, clear, 1e-3) < chosen_decay(photos, random_ones, 1e-3)
        True
    """
    deciding = _deciding_rows(targets)
    some, answers = photos[deciding], targets[deciding]
    before = torch.zeros(answers.shape) if expected is None else expected[deciding]
    labels = _deciding_labels(answers)
    if not labels:
        return least
    errors = torch.zeros(len(FACTORS))
    for known in (answers[:, labels] >= 0).T.unique(dim=0):
        alike = [label for label in labels if torch.equal(answers[:, label] >= 0, known)]
        present_here = (answers[known][:, alike] == 1).float()
        errors += _errors(some[known], present_here, before[known][:, alike], least)
    factor = FACTORS[int(errors.argmin())]
    return max(least, least * factor * len(some) / len(photos))


def _deciding_rows(targets: Tensor) -> Tensor:
    """Choose photos, evenly spaced, if possible those in which all deciding labels are known.

    Labels that are known in the same photos share a decomposition.
    """
    rows = torch.arange(len(targets))
    complete = rows[(targets[:, _deciding_labels(targets)] >= 0).all(1)]
    among = complete if len(complete) >= MOST_PHOTOS else rows
    return among[:: max(1, -(-len(among) // MOST_PHOTOS))]


def _deciding_labels(targets: Tensor) -> list[int]:
    present, absent = (targets == 1).sum(0), (targets == 0).sum(0)
    order = torch.argsort(-present, stable=True).tolist()
    return [i for i in order if min(present[i], absent[i]) >= FEWEST][:MOST_LABELS]


def _errors(photos: Tensor, present: Tensor, expected: Tensor, least: float) -> Tensor:
    """Return the squared error of photos left out by factor, in variances, summed over labels.

    Args:
        photos: ``(N, k)`` float.
        present: ``(N, L)`` float in {0, 1}.
        expected: ``(N, L)`` float, logits.
        least: The least decay.
    """
    centred = photos - photos.mean(0)
    values, axes = torch.linalg.eigh(centred.T @ centred)
    scores, values = centred @ axes, values.clamp(min=0)
    squares, total = scores.square(), torch.zeros(len(FACTORS))
    rates = _rates(expected, present)
    for answer, rate in zip(present.T, rates.T, strict=True):
        # A ridge of this size bends as the decay of a logistic regression does at these rates.
        ridge = least * len(photos) * torch.tensor(FACTORS) / (rate * (1 - rate)).mean()
        shrunk = 1 / (values[:, None] + ridge)
        unexplained = answer - rate
        left = unexplained[:, None] - scores @ (shrunk * (scores.T @ unexplained)[:, None])
        leverage = squares @ shrunk + 1 / len(photos)
        total += (left / (1 - leverage)).square().mean(0) / answer.var(correction=0)
    return total


def _rates(expected: Tensor, present: Tensor) -> Tensor:
    """Add to each label's logits what makes the mean of their sigmoids its rate: ``(N, L)``."""
    rate = present.mean(0)
    shift = torch.logit(rate) - expected
    low, high = shift.amin(0), shift.amax(0)
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        above = (expected + middle).sigmoid().mean(0) > rate
        low, high = torch.where(above, low, middle), torch.where(above, middle, high)
    return (expected + (low + high) / 2).sigmoid()
