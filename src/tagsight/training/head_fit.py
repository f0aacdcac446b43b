"""The convex problem that linear heads solve, over principal directions of embeddings."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch

from tagsight.training.decay import chosen_decay
from tagsight.training.quasi_newton import minimised

if TYPE_CHECKING:
    from torch import Tensor

    from tagsight.training.label_prior import LabelPrior

DECAY = 1.5e-4
"""Least weight of the squared length of what is added to a classifier, for each photo in which the
label is known, for embeddings of mean squared length 1; the best of some with 200, 400, 1,000 and
2,000 animals, without names. Where photos say little of their labels, `chosen_decay` takes more."""

LEAST_DECAY, FEW_PRESENT = 0.2, 3
"""Least weight of the squared length however few photos are judged, and the photos with a label
below which it is larger: twice with as many, seven times with none. Without it, a handful of photos
put what resembles them before all that the name says, and the order became worse."""

DISTRUST = 1.0
"""Weight of the squared difference of a trust from 1."""

FIRST_LOGIT = -2.0
"""Logit of a label of which nothing is known, not even a name: a score of 0.12."""

BIAS_DECAY = 0.1
"""Weight of the squared difference of a bias from what is known before: that of about one photo."""

MOST_STEPS, TOLERANCE, HELD_OUT_TOLERANCE = 60, 1e-5, 3e-5
"""Steps of a fit, and the relative decrease of the loss at which it ends; fits of folds, which only
measure, end sooner."""


class Judged(NamedTuple):
    """The photos and judgements that heads are fitted to.

    Attributes:
        photos: ``(N, k)`` float32, projected embeddings of mean squared length 1.
        expected: ``(N, L)`` float32, logits by the names of labels, less those of the mean photo.
        targets: ``(N, L)`` int in {1, 0, -1}.
        within: ``(L, k)`` float32, classifiers that say nearly what the names say; any are correct,
            and good ones save steps.
        first: ``(L,)`` float32, logits of the mean photo before anything is judged.

    Example:
        >>> targets, nothing = torch.tensor([[1], [0], [-1]]), torch.zeros(3, 1)
        >>> judged = Judged(torch.zeros(3, 4), nothing, targets, torch.zeros(1, 4), torch.zeros(1))
        >>> judged.rows(torch.tensor([True, False, True])).targets.tolist()
        [[1], [-1]]
    """

    photos: Tensor
    expected: Tensor
    targets: Tensor
    within: Tensor
    first: Tensor

    def rows(self, rows: Tensor) -> Judged:
        """Return some of the photos."""
        return self._replace(
            photos=self.photos[rows], expected=self.expected[rows], targets=self.targets[rows]
        )


class Added(NamedTuple):
    """Heads as what is added to what names say.

    Attributes:
        weights: ``(L, k)`` float32.
        trust: ``(L,)`` float32, what the logits by names are multiplied by.
        bias: ``(L,)`` float32.

    Example:
        >>> added = Added(torch.ones(1, 4), torch.tensor([0.5]), torch.tensor([-1.0]))
        >>> known = torch.tensor([[3.0]]), torch.tensor([[1]]), torch.zeros(1, 4), torch.zeros(1)
        >>> photo = Judged(torch.ones(1, 4), *known)
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
    biases and trusts: the part of the classifiers that the photos' directions see is ``R V``,
    whether photos say it or a name does. A trust then decides on the rest of the expected logits
    only. As a factor of all of them it was nearly one with the weights, and a fit took twice as
    many steps.
    """

    def __init__(self, judged: Judged, root: Tensor | None, decay: Tensor) -> None:
        self.photos, self.within, self.decay = judged.photos, judged.within, decay
        self.columns, self.first = judged.photos.T.contiguous(), judged.first
        self.rest = torch.addmm(judged.expected.T, judged.within, self.columns, alpha=-1)
        self.known = (judged.targets.T >= 0).float()
        self.present = (judged.targets.T == 1).float()
        self.root = root
        self.inverse = None if root is None else torch.linalg.inv(root)

    def heads(self, variables: Tensor) -> Added:
        raw, bias, trust = variables[:, :-2], variables[:, -2], variables[:, -1]
        return Added(_mixed(self.root, raw) - trust[:, None] * self.within, trust, bias)

    def variables(self, heads: Added) -> Tensor:
        weights, trust, bias = heads
        raw = _mixed(self.inverse, weights + trust[:, None] * self.within)
        return torch.cat([raw, bias[:, None], trust[:, None]], 1)

    def logits(self, variables: Tensor) -> Tensor:
        """Compute logits: ``(L, N)``."""
        seen = _mixed(self.root, variables[:, :-2])
        logits = torch.addmm(variables[:, -2:-1], seen, self.columns)
        return logits.addcmul_(self.rest, variables[:, -1:])

    def loss(self, variables: Tensor) -> tuple[float, Tensor]:
        """Return the loss and its gradient."""
        raw, bias, trust = variables[:, :-2], variables[:, -2], variables[:, -1]
        logits = self.logits(variables)
        added = raw - _mixed(self.inverse, trust[:, None] * self.within)
        pull = self.decay * added
        entropy = _softplus(logits).mul_(self.known).addcmul_(self.present, logits, value=-1).sum()
        prior = (pull * added).sum() / 2 + DISTRUST / 2 * (trust - 1).square().sum()
        prior += BIAS_DECAY / 2 * (bias - self.first).square().sum()
        error = logits.sigmoid_().sub_(self.present).mul_(self.known)
        by_raw = _mixed(self.root, error @ self.photos, transposed=True) + pull
        by_name = (_mixed(self.inverse, pull, transposed=True) * self.within).sum(1)
        by_trust = (error * self.rest).sum(1) + DISTRUST * (trust - 1) - by_name
        by_bias = error.sum(1) + BIAS_DECAY * (bias - self.first)
        whole = [by_raw, by_bias[:, None], by_trust[:, None]]
        return float(entropy + prior), torch.cat(whole, 1)

    def scaling(self, variables: Tensor) -> _Scaling:
        """Approximate the Hessian at a point, label by label."""
        score = self.logits(variables).sigmoid_()
        bend = score.mul_(1 - score).mul_(self.known)
        diagonal = (bend @ self.photos.square() + self.decay).sqrt()
        bias = (bend.sum(1) + BIAS_DECAY).sqrt()
        share = torch.ones(len(self.within)) if self.inverse is None else self.inverse.diagonal()
        named = bend * self.rest
        tip = -self.decay * share[:, None] * self.within / diagonal
        bias_tip = named.sum(1) / bias
        pull = self.decay if self.inverse is None else self.inverse.T.square() @ self.decay
        corner = (named * self.rest).sum(1) + pull[:, 0] * self.within.square().sum(1)
        corner -= tip.square().sum(1) + bias_tip.square()
        return _Scaling(
            torch.cat([diagonal, bias[:, None]], 1),
            torch.cat([tip, bias_tip[:, None]], 1),
            (corner.clamp(min=0) + DISTRUST).sqrt(),
        )


class _Scaling(NamedTuple):
    """A change of variables after which the Hessian of a `_Problem` is near the identity.

    It is the root of a matrix that has, for each label, a diagonal for ``V`` and the bias, and a
    row and column for the trust.

    Attributes:
        diagonal: ``(L, k + 1)``.
        tip: ``(L, k + 1)``, the row of the trust.
        corner: ``(L,)``, the trust's own.
    """

    diagonal: Tensor
    tip: Tensor
    corner: Tensor

    def variables(self, point: Tensor) -> Tensor:
        trust = point[:, -1:] / self.corner[:, None]
        return torch.cat([(point[:, :-1] - self.tip * trust) / self.diagonal, trust], 1)

    def point(self, variables: Tensor) -> Tensor:
        """Invert `variables`."""
        trust = variables[:, -1:]
        rest = variables[:, :-1] * self.diagonal + self.tip * trust
        return torch.cat([rest, trust * self.corner[:, None]], 1)

    def gradient(self, gradient: Tensor) -> Tensor:
        """Return the gradient by the point, given that by the variables."""
        rest = gradient[:, :-1] / self.diagonal
        trust = (gradient[:, -1:] - (self.tip * rest).sum(1, keepdim=True)) / self.corner[:, None]
        return torch.cat([rest, trust], 1)


def _softplus(logits: Tensor) -> Tensor:
    """Compute ``log(1 + exp(x))`` in a fifth of the time of torch's, which is exact near 0."""
    return logits.clamp(min=0).sub_(logits.abs().sigmoid_().log_())


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
        >>> nothing = torch.zeros(50, 1), targets, torch.zeros(1, 4), torch.zeros(1)
        >>> judged = Judged(photos, *nothing)
        >>> bool(fitted_heads(judged, None).weights.argmax() == 0)
        True
    """
    root = None if prior is None else prior.root(judged.targets)
    problem = _Problem(judged, root, _decay(judged))
    if start is None or len(start.bias) != len(judged.first):
        nothing = torch.zeros_like(judged.within)
        start = Added(nothing, torch.ones(len(judged.first)), _first_bias(judged))
    first = problem.variables(start)
    scaling = problem.scaling(first)

    def loss(point: Tensor) -> tuple[float, Tensor]:
        value, gradient = problem.loss(scaling.variables(point))
        return value, scaling.gradient(gradient)

    best = minimised(loss, scaling.point(first), steps=MOST_STEPS, tolerance=tolerance)
    return problem.heads(scaling.variables(best))


def _decay(judged: Judged) -> Tensor:
    """Choose the weight of the squared length of each label's classifier: ``(L, 1)``."""
    known, present = ((judged.targets >= least).sum(0) for least in (0, 1))
    each = chosen_decay(judged.photos, judged.targets, DECAY, judged.expected)
    few = 1 + FEW_PRESENT / (present + 0.5)
    return ((each * known).clamp(min=LEAST_DECAY) * few)[:, None]


def _first_bias(judged: Judged) -> Tensor:
    """Guess biases: what the name says, or how frequent a label is that has none."""
    known, present = ((judged.targets >= least).sum(0) for least in (0, 1))
    frequent = torch.logit((present + 0.5) / (known + 4))
    return torch.where(judged.expected.any(0), judged.first, frequent)
