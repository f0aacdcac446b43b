"""The convex problem that linear heads solve, over principal directions of embeddings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import torch
import torch.nn.functional as F

from tagsight.training.decay import chosen_decay
from tagsight.training.quasi_newton import minimised

if TYPE_CHECKING:
    from torch import Tensor

    from tagsight.training.label_prior import LabelPrior

DECAY = 1.5e-4
"""Least weight of the squared length of what is added to a classifier, for each photo in which the
label is known, for embeddings of mean squared length 1; the best of some with 200, 400, 1,000 and
2,000 animals, without names. Where photos say little of their labels, `chosen_decay` takes more."""

DISTRUST = 1.0
"""Weight of the squared difference of a trust from 1. With names of other labels, 2,000 animals
gave a mAP of 67.0 instead of 62.4 with a trust of 1 throughout, and 67.4 without any names."""

FIRST_SCORE = 0.12
"""Score of a label of which nothing is known, as if one photo had been judged."""

MOST_STEPS, TOLERANCE = 60, 1e-5
"""Steps of a fit, and the relative decrease of the loss at which it ends."""


class Judged(NamedTuple):
    """The photos and judgements that heads are fitted to.

    Attributes:
        photos: ``(N, k)`` float32, projected embeddings of mean squared length 1.
        expected: ``(N, L)`` float32, logits by the expected classifiers.
        targets: ``(N, L)`` int in {1, 0, -1}.

    Example:
        >>> judged = Judged(torch.zeros(3, 4), torch.zeros(3, 1), torch.tensor([[1], [0], [-1]]))
        >>> judged.rows(torch.tensor([True, False, True])).targets.tolist()
        [[1], [-1]]
    """

    photos: Tensor
    expected: Tensor
    targets: Tensor

    def rows(self, rows: Tensor) -> Judged:
        """Return some of the photos."""
        return Judged(*(column[rows] for column in self))


class Added(NamedTuple):
    """Heads as what is added to the expected ones.

    Attributes:
        weights: ``(L, k)`` float32.
        trust: ``(L,)`` float32, what the expected classifier is multiplied by.
        bias: ``(L,)`` float32.

    Example:
        >>> added = Added(torch.ones(1, 4), torch.tensor([0.5]), torch.tensor([-1.0]))
        >>> judged = Judged(torch.ones(1, 4), torch.tensor([[3.0]]), torch.tensor([[1]]))
        >>> added.logits(judged).item()  # 4 of the photo, half of the expected 3, and the bias
        4.5
    """

    weights: Tensor
    trust: Tensor
    bias: Tensor

    def logits(self, judged: Judged) -> Tensor:
        """Compute logits: ``(N, L)``."""
        named = torch.addmm(self.bias, judged.photos, self.weights.T)
        return named.addcmul_(judged.expected, self.trust)


@dataclass(frozen=True, eq=False)
class _Problem:
    """The loss of heads.

    With ``R`` a root of the labels' prior covariance, classifiers are ``R V``. Variables
    ``(L, k + 2)`` are rows of ``V``, trusts and biases.
    """

    judged: Judged
    root: Tensor | None
    decay: Tensor

    def heads(self, variables: Tensor) -> Added:
        raw = variables[:, :-2]
        weights = raw if self.root is None else self.root @ raw
        return Added(weights, variables[:, -2], variables[:, -1])

    def variables(self, heads: Added) -> Tensor:
        weights, trust, bias = heads
        raw = weights if self.root is None else torch.linalg.solve(self.root, weights)
        return torch.cat([raw, trust[:, None], bias[:, None]], 1)

    def loss(self, variables: Tensor) -> tuple[float, Tensor]:
        """Return the loss and its gradient."""
        photos, expected, targets = self.judged
        known, present = (targets >= 0).float(), (targets == 1).float()
        raw, added = variables[:, :-2], self.heads(variables)
        logits, bias = added.logits(self.judged), added.bias
        entropy = F.softplus(logits).addcmul_(present, logits, value=-1).mul_(known).sum()
        prior = (self.decay / 2 * raw.square()).sum()
        prior += DISTRUST / 2 * (added.trust - 1).square().sum()
        prior += (F.softplus(bias) - FIRST_SCORE * bias).sum()
        error = logits.sigmoid_().sub_(present).mul_(known)
        by_weight = error.T @ photos
        by_weight = by_weight if self.root is None else self.root.T @ by_weight
        by_trust = (error * expected).sum(0) + DISTRUST * (added.trust - 1)
        by_bias = error.sum(0) + bias.sigmoid() - FIRST_SCORE
        whole = [by_weight + self.decay * raw, by_trust[:, None], by_bias[:, None]]
        return float(entropy + prior), torch.cat(whole, 1)


def fitted_heads(judged: Judged, prior: LabelPrior | None, start: Added | None = None) -> Added:
    """Fit heads to judged photos; the solution does not depend on the start.

    Variables are scaled by the diagonal of the Hessian, which principal directions make nearly
    diagonal.

    Args:
        judged: The photos, possibly none.
        prior: How classifiers vary together.
        start: Heads to begin with, for speed; those of other numbers of labels are ignored.

    Example:
        >>> photos = torch.randn(50, 4, generator=torch.Generator().manual_seed(0)) / 2
        >>> judged = Judged(photos, torch.zeros(50, 1), (photos[:, :1] > 0).int())
        >>> bool(fitted_heads(judged, None).weights.argmax() == 0)
        True
    """
    photos, expected, targets = judged
    known = (targets >= 0).float()
    counts = known.sum(0)
    rate = ((targets == 1).sum(0) + 0.5) / (counts + 4)
    least = chosen_decay(photos, targets, DECAY, expected)
    problem = _Problem(
        judged,
        None if prior is None else prior.root(targets),
        least * counts.clamp(min=1)[:, None],
    )
    spread = torch.cat([photos, torch.ones(len(photos), 2)], 1).square().sum(0)
    scale = (rate * (1 - rate) * counts)[:, None] * (spread / max(1, len(photos)))
    scale[:, -2] = rate * (1 - rate) * (known * expected.square()).sum(0) + DISTRUST
    scale[:, -1] += 0.1
    scale[:, :-2] += problem.decay
    scale = scale.rsqrt()
    if start is None or len(start.bias) != len(rate):
        nothing = torch.zeros(len(rate), photos.shape[1])
        start = Added(nothing, torch.ones(len(rate)), torch.logit(rate))

    def loss(scaled: Tensor) -> tuple[float, Tensor]:
        value, gradient = problem.loss(scaled * scale)
        return value, gradient * scale

    first = problem.variables(start) / scale
    best = minimised(loss, first, steps=MOST_STEPS, tolerance=TOLERANCE)
    return problem.heads(best * scale)
