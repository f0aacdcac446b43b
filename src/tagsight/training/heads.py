"""Linear heads over embeddings, fitted in about a second while photos are being judged.

A head is a label's classifier over the embedding of a photo, the mean of its feature grid. Applied
to each cell it is the label's map, and the mean of the map is the logit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F

from tagsight.checkpoint.decision import Decision
from tagsight.checkpoint.thresholds import fit_decision
from tagsight.data.splits.split import stratified_split
from tagsight.labels.space import LabelSpace
from tagsight.nn.config import GraphConfig
from tagsight.nn.graph import label_adjacency, prepared_vectors
from tagsight.training.decay import chosen_decay
from tagsight.training.head_quality import LabelQuality, head_quality
from tagsight.training.quasi_newton import minimised

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

DIRECTIONS = 256
"""Principal directions of the embeddings that heads look at."""

BASIS_ROWS = 5_000
"""Embeddings that the directions are computed from, evenly spaced."""

FEWEST_FOR_GRAPH = 30
"""Photos with a label from which the label graph has a part in its classifier."""

GRAPH_SHARE = 0.5
"""Prior variance of a classifier that it shares with those of related labels; 0 is linear heads,
whose mAP was the same with 200 judged photos, and 0.2 higher with all (animals and posters)."""

DECAY = 1.5e-4
"""Least weight of a classifier's squared length for each photo in which the label is known, for
embeddings of mean squared length 1; the best of some with 200, 400, 1,000 and 2,000 animals. Where
photos say little of their labels, `chosen_decay` takes more."""

FIRST_SCORE = 0.12
"""Score of a label of which nothing is known, as if one photo had been judged."""

MOST_STEPS, TOLERANCE = 60, 1e-5
"""Steps of a fit, and the relative decrease of the loss at which it ends."""

RESAMPLES = 200
"""Resamples of the intervals of quality: few, as they are computed after each update."""


class LabelGraph(NamedTuple):
    """What is known of the labels before any photo is judged; edges are counted in the targets.

    Attributes:
        vectors: ``(L, E)`` float, word vectors.
        config: How edges are made of counts.
    """

    vectors: Tensor
    config: GraphConfig = GraphConfig()


class Basis(NamedTuple):
    """Principal directions of embeddings, which need no labels.

    Attributes:
        mean: ``(D,)`` float32.
        axes: ``(D, k)`` float32, orthogonal; projected embeddings have a mean squared length of 1.
    """

    mean: Tensor
    axes: Tensor

    @classmethod
    def of(cls, embeddings: NDArray[np.float32], directions: int = DIRECTIONS) -> Basis:
        """Compute the directions of embeddings ``(N, D)``, of at most `BASIS_ROWS` of them.

        Example:
            >>> photos = np.random.default_rng(0).normal(size=(50, 8)).astype(np.float32)
            >>> Basis.of(photos, directions=4).axes.shape
            torch.Size([8, 4])
        """
        step = max(1, -(-len(embeddings) // BASIS_ROWS))
        some = torch.from_numpy(np.ascontiguousarray(embeddings[::step], np.float32))
        mean = some.mean(0)
        centred = some - mean
        values, axes = torch.linalg.eigh(centred.T @ centred / len(some))
        values, axes = values.flip(0)[:directions].clamp(min=0), axes.flip(1)[:, :directions]
        return cls(mean, axes / values.sum().sqrt().clamp(min=torch.finfo(values.dtype).tiny))

    def reduced(self, embeddings: NDArray[np.float32]) -> Tensor:
        """Project embeddings: ``(N, D) -> (N, k)``."""
        return (
            torch.from_numpy(np.ascontiguousarray(embeddings, np.float32)) - self.mean
        ) @ self.axes


@dataclass(frozen=True, eq=False)
class Heads:
    """The classifiers of ``L`` labels.

    Args:
        weights: ``(L, D)`` float32.
        bias: ``(L,)`` float32.
        basis: The directions that they were fitted in.

    Example:
        >>> heads = Heads(np.ones((1, 2), np.float32), np.zeros(1, np.float32), None)
        >>> cells = np.array([[1.0, 2.0], [3.0, 4.0]], np.float32)  # of a photo
        >>> heads.logits(cells).mean() == heads.logits(cells.mean(0)).item()
        np.True_
    """

    weights: NDArray[np.float32]
    bias: NDArray[np.float32]
    basis: Basis | None = None

    def logits(self, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
        """Compute the logits of photos, or the maps of grids: ``(..., D) -> (..., L)``."""
        return embeddings @ self.weights.T + self.bias

    @classmethod
    def outside(cls, basis: Basis, weights: Tensor, bias: Tensor) -> Heads:
        """Make heads over embeddings of heads over projections: ``(L, k), (L,)``."""
        whole = weights @ basis.axes.T
        return cls(whole.numpy(), (bias - whole @ basis.mean).numpy(), basis)

    def within(self, basis: Basis) -> tuple[Tensor, Tensor]:
        """Return the heads over projections, ``(L, k)`` and ``(L,)``; inverse of `outside`."""
        whole = torch.from_numpy(self.weights)
        weights = whole @ basis.axes / basis.axes.square().sum(0)
        return weights, torch.from_numpy(self.bias) + whole @ basis.mean


@dataclass(frozen=True, eq=False)
class FittedHeads:
    """Heads, and what was measured on photos that were held out.

    Args:
        heads: Fitted to all judged photos.
        decision: Thresholds and temperature, fitted to the held-out logits.
        held_out: ``(N, L)`` float32, the logit of each photo by heads that were fitted without its
            fold; NaN for photos without a known target.
        quality: Of each label.
    """

    heads: Heads
    decision: Decision
    held_out: NDArray[np.float32]
    quality: tuple[LabelQuality, ...]

    def logits(self, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
        """Compute logits: ``(M, D) -> (M, L)``."""
        return self.heads.logits(embeddings)

    def scores(self, embeddings: NDArray[np.float32]) -> NDArray[np.float64]:
        """Compute calibrated scores: ``(M, D) -> (M, L)`` in [0, 1].

        Example:
            >>> random = np.random.default_rng(0)
            >>> embeddings = random.normal(size=(60, 4)).astype(np.float32)
            >>> fitted = fit_heads(embeddings, (embeddings[:, :1] > 0).astype(np.int8))
            >>> scores = fitted.scores(np.array([[2, 0, 0, 0], [-2, 0, 0, 0]], np.float32))
            >>> bool(scores[0, 0] > 0.9 > 0.1 > scores[1, 0])
            True
        """
        return self.decision.scores(self.logits(embeddings))


def fit_heads(
    embeddings: NDArray[np.float32],
    targets: NDArray[np.int8],
    *,
    graph: LabelGraph | None = None,
    start: Heads | None = None,
    basis: Basis | None = None,
    folds: int | NDArray[np.int64] = 5,
    groups: NDArray[np.int64] | None = None,
) -> FittedHeads:
    """Fit heads to judged photos, once to all of them and once without each fold.

    Minimises the binary cross-entropy of the known targets and a decay times the squared length of
    the classifiers: a convex problem, whose solution does not depend on ``start``. Heads of folds
    never start from ``start``, which has seen the labels of all photos. The decay is chosen on the
    photos that are fitted (`chosen_decay`).

    Classifiers are generated by the label graph (`LabelGraph`), but for labels of fewer than 30
    photos, whose edges would be counted on few: theirs are linear. Decision 19 found generated
    classifiers of length 1 ahead of linear ones with 10 and 50 photos of animals, where linear ones
    were trained without a decay; with one that suits the number of photos, they are level.

    Args:
        embeddings: ``(N, D)`` float32.
        targets: ``(N, L)`` int8 in {1, 0, -1}; unknown ones (-1) have no part in anything.
        graph: The label graph; without it, classifiers are independent of each other.
        start: Heads to begin with, such as the last ones, for speed; their basis is used again.
        basis: Directions of all embeddings of the collection; by default of the given ones.
        folds: Number of folds, or the fold of each photo.
        groups: ``(N,)``; photos with equal numbers, such as near twins, are in one fold.

    Raises:
        ValueError: If shapes disagree.

    Example:
        >>> random = np.random.default_rng(0)
        >>> photos = random.normal(size=(200, 8)).astype(np.float32)
        >>> fitted = fit_heads(photos, (photos[:, :2] > 0).astype(np.int8))
        >>> fitted.held_out.shape, fitted.quality[0].ap > 0.9
        ((200, 2), True)
    """
    _check(embeddings, targets)
    basis = basis or (start.basis if start is not None else None) or Basis.of(embeddings)
    held_out = np.full(targets.shape, np.nan, np.float32)
    judged = np.asarray((targets >= 0).any(1))
    known = torch.from_numpy(np.ascontiguousarray(targets[judged]))
    photos = basis.reduced(embeddings[judged])
    weights, bias = _solved(photos, known, graph, None if start is None else start.within(basis))
    fold_of = _fold_numbers(known, folds, judged, groups)
    measured = _held_out(photos, known, graph, fold_of)
    held_out[judged] = measured.numpy()
    return FittedHeads(
        Heads.outside(basis, weights, bias),
        _decision(measured, known),
        held_out,
        head_quality(measured, known, resamples=RESAMPLES),
    )


def _held_out(photos: Tensor, targets: Tensor, graph: LabelGraph | None, fold_of: Tensor) -> Tensor:
    """Compute each photo's logits by heads that were fitted to the other folds: ``(N, L)``."""
    logits = torch.full(targets.shape, torch.nan)
    present = fold_of.unique()
    for fold in present if len(present) > 1 else ():
        here = fold_of == fold
        weights, bias = _solved(photos[~here], targets[~here], graph, None)
        logits[here] = photos[here] @ weights.T + bias
    return logits


def _solved(
    photos: Tensor,
    targets: Tensor,
    graph: LabelGraph | None,
    start: tuple[Tensor, Tensor] | None,
) -> tuple[Tensor, Tensor]:
    """Fit the heads of all labels: ``(N, k), (N, L) -> (L, k), (L,)``.

    With ``R`` a root of the labels' prior covariance, classifiers are ``R V``. Variables are scaled
    by the diagonal of the Hessian, which principal directions make nearly diagonal.
    """
    labels, known = targets.shape[1], (targets >= 0).float()
    present = (targets == 1).float()
    root = None if graph is None else _root(graph, targets)
    counts = known.sum(0)
    rate = (present.sum(0) + 0.5) / (counts + 4)
    curvature = (rate * (1 - rate) * counts)[:, None]
    decay = chosen_decay(photos, targets, DECAY) * counts.clamp(min=1)[:, None]
    scale = (curvature * photos.square().mean(0) + decay).rsqrt()
    bias_scale = (curvature + 0.1).rsqrt()
    scale = torch.cat([scale, bias_scale], 1)
    first = torch.cat([torch.zeros(labels, photos.shape[1]), torch.logit(rate)[:, None]], 1)
    if start is not None and len(start[0]) == labels:
        weights, bias = start
        raw = weights if root is None else torch.linalg.solve(root, weights)
        first = torch.cat([raw, bias[:, None]], 1)

    def heads(variables: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        both = variables * scale
        raw, bias = both[:, :-1], both[:, -1]
        return raw, raw if root is None else root @ raw, bias

    def loss(variables: Tensor) -> tuple[float, Tensor]:
        raw, weights, bias = heads(variables)
        logits = torch.addmm(bias, photos, weights.T)
        entropy = F.softplus(logits).addcmul_(present, logits, value=-1).mul_(known).sum()
        prior = (decay / 2 * raw.square()).sum() + (F.softplus(bias) - FIRST_SCORE * bias).sum()
        error = logits.sigmoid_().sub_(present).mul_(known)
        by_weight = error.T @ photos
        by_weight = (by_weight if root is None else root.T @ by_weight) + decay * raw
        by_bias = error.sum(0) + bias.sigmoid() - FIRST_SCORE
        return float(entropy + prior), torch.cat([by_weight, by_bias[:, None]], 1) * scale

    best = minimised(loss, first / scale, steps=MOST_STEPS, tolerance=TOLERANCE)
    _, weights, bias = heads(best)
    return weights, bias


def _root(graph: LabelGraph, targets: Tensor) -> Tensor:
    """Compute a root of the prior covariance of the classifiers of all labels: ``(L, L)``.

    Classifiers are generated by the graph (G-CAM Eq. 7, without its activation) from word vectors,
    ``A A Z U``, so that with a prior on ``U`` their covariance is ``(A A Z) (A A Z)^T``; a share of
    the variance is a label's own.
    """
    counts = LabelSpace.from_targets([str(i) for i in range(targets.shape[1])], targets)
    adjacency = label_adjacency(counts.cooccurrence, graph.config).to_dense().double()
    words = prepared_vectors(graph.vectors.double(), graph.config.vectors)
    nodes = F.normalize(adjacency @ adjacency @ words)
    enough = (targets == 1).sum(0) >= FEWEST_FOR_GRAPH
    shared = GRAPH_SHARE * (nodes @ nodes.T) * (enough[:, None] & enough)
    return torch.linalg.cholesky(shared.fill_diagonal_(1)).float()


def _fold_numbers(
    targets: Tensor,
    folds: int | NDArray[np.int64],
    judged: NDArray[np.bool_],
    groups: NDArray[np.int64] | None,
) -> Tensor:
    if not isinstance(folds, int):
        return torch.from_numpy(folds[judged])
    if not len(targets):
        return torch.zeros(0, dtype=torch.long)
    keys = None if groups is None else groups[judged].tolist()
    fractions = {str(fold): 1 / folds for fold in range(folds)}
    names = stratified_split(targets, fractions=fractions, seed=0, groups=keys)
    return torch.tensor([int(name) for name in names])


def _decision(held_out: Tensor, targets: Tensor) -> Decision:
    known = targets.masked_fill(held_out.isnan(), -1)
    names = [str(label) for label in range(targets.shape[1])]
    if not bool((known >= 0).any()):
        return Decision.default(len(names))
    return fit_decision(held_out, known, names=names)


def _check(embeddings: NDArray[np.float32], targets: NDArray[np.int8]) -> None:
    if embeddings.ndim != 2 or targets.ndim != 2 or len(embeddings) != len(targets):
        msg = (
            "expected embeddings (N, D) and targets (N, L) of the same photos, "
            f"got shapes {embeddings.shape} and {targets.shape}"
        )
        raise ValueError(msg)
