"""Linear heads over embeddings, fitted in about a second while photos are being judged.

A head is a label's classifier over the embedding of a photo, the mean of its feature grid, and a
trust in what the label's name says of the photo. Applied to each cell it is the label's map, and
the mean of the map is the logit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from tagsight.checkpoint.decision import Decision
from tagsight.checkpoint.thresholds import fit_decision, fit_temperature
from tagsight.data.splits.split import stratified_split
from tagsight.nn.class_activation import smoothed
from tagsight.training.head_fit import (
    FIRST_LOGIT,
    HELD_OUT_TOLERANCE,
    Added,
    Judged,
    fitted_heads,
)
from tagsight.training.head_quality import LabelQuality, head_quality

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from tagsight.training.label_prior import LabelPrior

SMOOTHING = 3
"""Side of the square of cells over which evidence is averaged, as in our recipes (decision 24)."""

DIRECTIONS = 256
"""Principal directions of the embeddings that heads look at."""

BASIS_ROWS = 5_000
"""Embeddings that the directions are computed from, evenly spaced."""

RIDGE = 1e-3
"""Share of the squared length of photos by which a regression on few of them is kept defined."""

FEWEST_CALIBRATED = 20
"""Held-out photos with a known target from which a label's logits have a temperature. Logits of
fewer lean away from their targets, as the heads of a fold have seen more of the other kind: their
temperature would be that of chance, and the scores of all photos near 0.5."""

RESAMPLES = 200
"""Resamples of the intervals of quality: few, as they are computed after each update."""


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
        photos = torch.from_numpy(np.ascontiguousarray(embeddings, np.float32))
        return torch.addmm(-(self.mean @ self.axes), photos, self.axes)


@dataclass(frozen=True, eq=False)
class Heads:
    """The classifiers of ``L`` labels.

    Args:
        weights: ``(L, D)`` float32.
        bias: ``(L,)`` float32.
        basis: The directions that they were fitted in.
        trust: ``(L,)`` float32, what the logits by names are multiplied by; None if there are none.
        prior: Computes the logits by names.

    Example:
        >>> heads = Heads(np.ones((1, 2), np.float32), np.zeros(1, np.float32))
        >>> grid = np.array([[[1.0, 2.0], [3.0, 4.0]]], np.float32)  # of a photo
        >>> heads.maps(grid).mean() == heads.logits(grid.mean((0, 1))[None]).item()
        np.True_
    """

    weights: NDArray[np.float32]
    bias: NDArray[np.float32]
    basis: Basis | None = None
    trust: NDArray[np.float32] | None = None
    prior: LabelPrior | None = None

    def logits(self, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
        """Compute the logits of photos: ``(N, D) -> (N, L)``."""
        logits = embeddings @ self.weights.T + self.bias
        if self.prior is not None and self.trust is not None:
            logits += self.trust * self.prior.logits(embeddings)
        return logits

    def maps(self, grid: NDArray[np.float32]) -> NDArray[np.float32]:
        """Compute the evidence in each cell of a photo: ``(h, w, D) -> (h, w, L)``, in logits."""
        maps = grid @ self.weights.T + self.bias
        if self.prior is not None and self.trust is not None:
            maps += self.trust * self.prior.cells(grid)
        return maps

    def evidence(self, grid: NDArray[np.float32]) -> NDArray[np.float32]:
        """Compute maps to be shown: ``(h, w, D) -> (L, h, w)``, in logits.

        Each cell's evidence is averaged with that around it, which changes no score.
        """
        maps = torch.from_numpy(self.maps(grid)).movedim(-1, 0)
        return smoothed(maps[None], SMOOTHING)[0].numpy()

    @classmethod
    def outside(cls, basis: Basis, added: Added, prior: LabelPrior | None = None) -> Heads:
        """Make heads over embeddings of what heads over projections add to what names say.

        Args:
            basis: The directions.
            added: What is added; its biases are the logits of the mean embedding.
            prior: What names say, if anything.
        """
        weights = added.weights @ basis.axes.T
        bias = added.bias - weights @ basis.mean
        if prior is None or prior.matches is None:
            return cls(weights.numpy(), bias.numpy(), basis)
        bias = bias - added.trust * _at_mean(prior, basis)
        return cls(weights.numpy(), bias.numpy(), basis, added.trust.numpy(), prior)

    def within(self, basis: Basis, prior: LabelPrior | None = None) -> Added:
        """Return what heads over projections add to what names say; inverse of `outside`.

        Heads that know no names trust those of ``prior`` entirely.
        """
        weights = torch.from_numpy(self.weights)
        bias = torch.from_numpy(self.bias) + weights @ basis.mean
        trust = torch.ones(len(bias)) if self.trust is None else torch.from_numpy(self.trust)
        if prior is not None and prior.matches is not None and len(prior.matches) == len(bias):
            bias = bias + trust * _at_mean(prior, basis)
        return Added(weights @ basis.axes / basis.axes.square().sum(0), trust, bias)


@dataclass(frozen=True, eq=False)
class FittedHeads:
    """Heads, and what was measured on photos that were held out.

    Args:
        heads: Fitted to all judged photos.
        temperature: ``(L,)`` float64, divisor of the logits of a label; 1 where fewer than
            `FEWEST_CALIBRATED` photos were held out, and else the one that suits all these labels.
        decision: Thresholds, fitted to the held-out logits after this temperature.
        held_out: ``(N, L)`` float32, the logit of each photo by heads that were fitted without its
            fold; NaN for photos without a known target.
        quality: Of each label.
    """

    heads: Heads
    temperature: NDArray[np.float64]
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
        return self.calibrated(self.logits(embeddings))

    def calibrated(self, logits: NDArray[np.float32]) -> NDArray[np.float64]:
        """Convert logits ``(M, L)`` to scores, such as those that were held out; NaN stays NaN."""
        with np.errstate(invalid="ignore"):
            return self.decision.scores(logits / self.temperature)


def fit_heads(
    embeddings: NDArray[np.float32],
    targets: NDArray[np.int8],
    *,
    prior: LabelPrior | None = None,
    start: Heads | None = None,
    basis: Basis | None = None,
    folds: int | NDArray[np.int64] = 5,
    groups: NDArray[np.int64] | None = None,
) -> FittedHeads:
    """Fit heads to judged photos, once to all of them and once without each fold.

    Minimises the binary cross-entropy of the known targets and a decay times the squared length of
    the classifiers that are added to what names say, which counts as far as it turns out right: a
    convex problem, whose solution does not depend on ``start``. Without a judged photo, heads say
    what names say; a few photos change little of their order. Heads of folds never start from
    ``start``, which has seen the labels of all photos. The decay is chosen on the photos that are
    fitted (`chosen_decay`).

    Classifiers are generated by the label graph (`LabelPrior.root`), but for labels of fewer than
    30 photos, whose edges would be counted on few: theirs are linear. Decision 19 found generated
    classifiers of length 1 ahead of linear ones with 10 and 50 photos of animals, where linear ones
    were trained without a decay; with one that suits the number of photos, they are level.

    Args:
        embeddings: ``(N, D)`` float32.
        targets: ``(N, L)`` int8 in {1, 0, -1}; unknown ones (-1) have no part in anything.
        prior: What is known of the labels before; without it, names say nothing, and classifiers
            are independent of each other.
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
    photos = _projected(embeddings[judged], known, basis, prior)
    before = None if start is None else start.within(basis, prior)
    added = fitted_heads(photos, prior, before)
    measured = _held_out(photos, prior, _fold_numbers(known, folds, judged, groups))
    held_out[judged] = measured.numpy()
    temperature, decision = _calibration(measured, known)
    return FittedHeads(
        Heads.outside(basis, added, prior),
        temperature,
        decision,
        held_out,
        head_quality(measured, known, resamples=RESAMPLES),
    )


def _projected(
    embeddings: NDArray[np.float32], targets: Tensor, basis: Basis, prior: LabelPrior | None
) -> Judged:
    """Project photos; what names say is relative to what they say of the mean embedding."""
    photos = basis.reduced(embeddings)
    logits, first = torch.zeros(targets.shape), torch.full(targets.shape[1:], FIRST_LOGIT)
    within = torch.zeros(targets.shape[1], basis.axes.shape[1])
    if prior is not None and prior.named is not None:
        middle = _at_mean(prior, basis)
        logits = torch.from_numpy(prior.logits(embeddings)) - middle
        first = torch.where(prior.named, middle, first)
        within = _regressed(photos, logits)
    return Judged(photos, logits, targets, within, first)


def _regressed(photos: Tensor, logits: Tensor) -> Tensor:
    """Find classifiers that say nearly what logits say: ``(L, k)``, by a ridge regression."""
    squares = photos.T @ photos
    squares.diagonal().add_(RIDGE * max(1, len(photos)))
    return torch.linalg.solve(squares, photos.T @ logits).T


def _at_mean(prior: LabelPrior, basis: Basis) -> Tensor:
    """Compute what names say of the mean embedding: ``(L,)``."""
    return torch.from_numpy(prior.logits(basis.mean.numpy()[None])[0])


def _held_out(photos: Judged, prior: LabelPrior | None, fold_of: Tensor) -> Tensor:
    """Compute each photo's logits by heads that were fitted to the other folds: ``(N, L)``."""
    logits = torch.full(photos.targets.shape, torch.nan)
    present = fold_of.unique()
    for fold in present if len(present) > 1 else ():
        here = fold_of == fold
        added = fitted_heads(photos.rows(~here), prior, tolerance=HELD_OUT_TOLERANCE)
        logits[here] = added.logits(photos.rows(here))
    return logits


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


def _calibration(held_out: Tensor, targets: Tensor) -> tuple[NDArray[np.float64], Decision]:
    """Fit a temperature to the labels with enough held-out photos, and thresholds to all."""
    known = targets.masked_fill(held_out.isnan(), -1)
    names = [str(label) for label in range(targets.shape[1])]
    temperature = np.ones(len(names))
    if not bool((known >= 0).any()):
        return temperature, Decision.default(len(names))
    enough = (known >= 0).sum(0) >= FEWEST_CALIBRATED
    if bool(enough.any()):
        temperature[enough.numpy()] = fit_temperature(held_out[:, enough], known[:, enough])
    logits = held_out / torch.from_numpy(temperature)
    return temperature, fit_decision(logits, known, names=names, temperature=1.0)


def _check(embeddings: NDArray[np.float32], targets: NDArray[np.int8]) -> None:
    if embeddings.ndim != 2 or targets.ndim != 2 or len(embeddings) != len(targets):
        msg = (
            "expected embeddings (N, D) and targets (N, L) of the same photos, "
            f"got shapes {embeddings.shape} and {targets.shape}"
        )
        raise ValueError(msg)
