"""The convex problem that linear heads solve, over principal directions of embeddings."""

from __future__ import annotations

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

MOST_STEPS, TOLERANCE, HELD_OUT_TOLERANCE = 60, 1e-5, 3e-5
"""Steps of a fit, and the relative decrease of the loss at which it ends; fits of folds, which only
measure, end sooner."""


class Judged(NamedTuple):
    """The photos and judgements that heads are fitted to.

    Attributes:
        photos: ``(N, k)`` float32, projected embeddings of mean squared length 1.
        expected: ``(N, L)`` float32, logits by the expected classifiers.
        targets: ``(N, L)`` int in {1, 0, -1}.
        within: ``(L, k)`` float32, the part of the expected classifiers that ``photos`` can see.

    Example:
        >>> targets = torch.tensor([[1], [0], [-1]])
        >>> judged = Judged(torch.zeros(3, 4), torch.zeros(3, 1), targets, torch.zeros(1, 4))
        >>> judged.rows(torch.tensor([True, False, True])).targets.tolist()
        [[1], [-1]]
    """

    photos: Tensor
    expected: Tensor
    targets: Tensor
    within: Tensor

    def rows(self, rows: Tensor) -> Judged:
        """Return some of the photos."""
        return Judged(self.photos[rows], self.expected[rows], self.targets[rows], self.within)


class Added(NamedTuple):
    """Heads as what is added to the expected ones.

    Attributes:
        weights: ``(L, k)`` float32.
        trust: ``(L,)`` float32, what the expected classifier is multiplied by.
        bias: ``(L,)`` float32.

    Example:
        >>> added = Added(torch.ones(1, 4), torch.tensor([0.5]), torch.tensor([-1.0]))
        >>> photo = Judged(
        ...     torch.ones(1, 4), torch.tensor([[3.0]]), torch.tensor([[1]]), torch.zeros(1, 4)
        ... )
        >>> added.logits(photo).item()  # 4 of the photo, half of the expected 3, and the bias
        4.5
    """

    weights: Tensor
    trust: Tensor
    bias: Tensor

    def logits(self, judged: Judged) -> Tensor:
        """Compute logits: ``(N, L)``."""
        named = torch.addmm(self.bias, judged.photos, self.weights.T)
        return named.addcmul_(judged.expected, self.trust)


class _Problem:
    """The loss of heads, in variables of which few have a part in the same logits.

    With ``R`` a root of the labels' prior covariance, variables ``(L, k + 2)`` are rows of ``V``,
    trusts and biases: the part of the classifiers that the photos' directions see is ``R V``,
    whether photos say it or a name does. A trust then decides on the rest of the expected logits
    only. As a factor of all of them it was nearly one with the weights, and a fit took twice as
    many steps.
    """

    def __init__(self, judged: Judged, root: Tensor | None, decay: Tensor) -> None:
        self.photos, self.within, self.decay = judged.photos, judged.within, decay
        self.rest = torch.addmm(judged.expected, judged.photos, judged.within.T, alpha=-1)
        self.known = (judged.targets >= 0).float()
        self.present = (judged.targets == 1).float()
        self.root = root
        self.inverse = None if root is None else torch.linalg.inv(root)

    def heads(self, variables: Tensor) -> Added:
        raw, trust, bias = variables[:, :-2], variables[:, -2], variables[:, -1]
        return Added(_mixed(self.root, raw) - trust[:, None] * self.within, trust, bias)

    def variables(self, heads: Added) -> Tensor:
        weights, trust, bias = heads
        raw = _mixed(self.inverse, weights + trust[:, None] * self.within)
        return torch.cat([raw, trust[:, None], bias[:, None]], 1)

    def logits(self, variables: Tensor) -> Tensor:
        """Compute logits: ``(N, L)``."""
        seen = _mixed(self.root, variables[:, :-2])
        logits = torch.addmm(variables[:, -1], self.photos, seen.T)
        return logits.addcmul_(self.rest, variables[:, -2])

    def loss(self, variables: Tensor) -> tuple[float, Tensor]:
        """Return the loss and its gradient."""
        raw, trust, bias = variables[:, :-2], variables[:, -2], variables[:, -1]
        logits = self.logits(variables)
        added = raw - _mixed(self.inverse, trust[:, None] * self.within)
        pull = self.decay * added
        entropy = F.softplus(logits).mul_(self.known).addcmul_(self.present, logits, value=-1).sum()
        prior = (pull * added).sum() / 2 + DISTRUST / 2 * (trust - 1).square().sum()
        prior += (F.softplus(bias) - FIRST_SCORE * bias).sum()
        error = logits.sigmoid_().sub_(self.present).mul_(self.known)
        by_raw = _mixed(self.root, error.T @ self.photos, transposed=True) + pull
        by_name = (_mixed(self.inverse, pull, transposed=True) * self.within).sum(1)
        by_trust = (error * self.rest).sum(0) + DISTRUST * (trust - 1) - by_name
        by_bias = error.sum(0) + bias.sigmoid() - FIRST_SCORE
        whole = [by_raw, by_trust[:, None], by_bias[:, None]]
        return float(entropy + prior), torch.cat(whole, 1)

    def scaling(self, variables: Tensor) -> _Scaling:
        """Approximate the Hessian at a point, label by label."""
        score = self.logits(variables).sigmoid_()
        bend = score.mul_(1 - score).mul_(self.known)
        diagonal = (bend.T @ self.photos.square() + self.decay).sqrt()
        share = torch.ones(len(self.within)) if self.inverse is None else self.inverse.diagonal()
        tip = -self.decay * share[:, None] * self.within / diagonal
        pull = self.decay if self.inverse is None else self.inverse.T.square() @ self.decay
        corner = (bend * self.rest.square()).sum(0) + DISTRUST - tip.square().sum(1)
        corner += pull[:, 0] * self.within.square().sum(1)
        return _Scaling(diagonal, tip, corner.sqrt(), (bend.sum(0) + 0.1).sqrt())


class _Scaling(NamedTuple):
    """A change of variables after which the Hessian of a `_Problem` is near the identity.

    It is the root of a matrix that has, for each label, a diagonal for ``V``, a row and column for
    the trust, and a number for the bias.

    Attributes:
        diagonal: ``(L, k)``.
        tip: ``(L, k)``, the row of the trust.
        corner: ``(L,)``, the trust's own.
        bias: ``(L,)``.
    """

    diagonal: Tensor
    tip: Tensor
    corner: Tensor
    bias: Tensor

    def variables(self, point: Tensor) -> Tensor:
        trust = point[:, -2] / self.corner
        raw = (point[:, :-2] - self.tip * trust[:, None]) / self.diagonal
        return torch.cat([raw, trust[:, None], (point[:, -1] / self.bias)[:, None]], 1)

    def point(self, variables: Tensor) -> Tensor:
        """Invert `variables`."""
        trust = variables[:, -2]
        raw = variables[:, :-2] * self.diagonal + self.tip * trust[:, None]
        both = [(trust * self.corner)[:, None], (variables[:, -1] * self.bias)[:, None]]
        return torch.cat([raw, *both], 1)

    def gradient(self, gradient: Tensor) -> Tensor:
        """Return the gradient by the point, given that by the variables."""
        raw = gradient[:, :-2] / self.diagonal
        trust = (gradient[:, -2] - (self.tip * raw).sum(1)) / self.corner
        return torch.cat([raw, trust[:, None], (gradient[:, -1] / self.bias)[:, None]], 1)


def _mixed(matrix: Tensor | None, rows: Tensor, *, transposed: bool = False) -> Tensor:
    """Mix the rows of labels; no matrix is the identity."""
    if matrix is None:
        return rows
    return (matrix.T if transposed else matrix) @ rows


def fitted_heads(
    judged: Judged,
    prior: LabelPrior | None,
    start: Added | None = None,
    tolerance: float = TOLERANCE,
) -> Added:
    """Fit heads to judged photos; the solution does not depend on the start.

    Variables are scaled by the Hessian at the start, which principal directions make nearly
    diagonal.

    Args:
        judged: The photos, possibly none.
        prior: How classifiers vary together.
        start: Heads to begin with, for speed; those of other numbers of labels are ignored.
        tolerance: Relative decrease of the loss at which the fit ends.

    Example:
        >>> photos = torch.randn(50, 4, generator=torch.Generator().manual_seed(0)) / 2
        >>> targets = (photos[:, :1] > 0).int()
        >>> judged = Judged(photos, torch.zeros(50, 1), targets, torch.zeros(1, 4))
        >>> bool(fitted_heads(judged, None).weights.argmax() == 0)
        True
    """
    photos, expected, targets, _ = judged
    counts = (targets >= 0).sum(0)
    least = chosen_decay(photos, targets, DECAY, expected)
    problem = _Problem(
        judged,
        None if prior is None else prior.root(targets),
        least * counts.clamp(min=1)[:, None],
    )
    if start is None or len(start.bias) != len(counts):
        rate = ((targets == 1).sum(0) + 0.5) / (counts + 4)
        nothing = torch.zeros(len(rate), photos.shape[1])
        start = Added(nothing, torch.ones(len(rate)), torch.logit(rate))
    first = problem.variables(start)
    scaling = problem.scaling(first)

    def loss(point: Tensor) -> tuple[float, Tensor]:
        value, gradient = problem.loss(scaling.variables(point))
        return value, scaling.gradient(gradient)

    best = minimised(loss, scaling.point(first), steps=MOST_STEPS, tolerance=tolerance)
    return problem.heads(scaling.variables(best))
