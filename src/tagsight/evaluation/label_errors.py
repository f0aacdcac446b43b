"""Targets that are probably wrong: what held-out scores, other labels and near twins contradict.

Pure functions of arrays. Scores must come from models that were not fitted to the photo.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from tagsight.errors import needs_extra

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Scores = NDArray[np.floating]
    Targets = NDArray[np.int8]

Reason = Literal["photo", "labels", "twins"]
"""What contradicts a target: the model that looks at the photo, the other labels of the photo, or
the same label of its near twins."""

FOLDS = 5
MOST_OTHERS = 32
"""Other labels that are considered for a label: those that are most correlated with it."""

FEWEST = 5
"""Targets of each kind from which errors of a label are looked for."""

DECAY = 1.0
"""Weight of the squared coefficients of the other labels, as so many photos."""

TWIN_ODDS = 4.0
"""Factor of the odds that a target is wrong if all near twins have the opposite."""

BY_LABELS = 2.0
"""Factor of the odds by which other labels contradict a target to be named as a reason."""

SURE = 0.5
"""Probability of being wrong from which other labels and twins alone make a target suspicious."""


class LabelError(NamedTuple):
    """A target that is probably wrong.

    Attributes:
        row: Row of the photo.
        label: Index of the label.
        given: The target, 1 or 0.
        score: Held-out score that the label is present, in [0, 1].
        wrong: Estimated probability that the target is wrong, in [0, 1].
        reasons: What contradicts it.
    """

    row: int
    label: int
    given: int
    score: float
    wrong: float
    reasons: tuple[Reason, ...]


def find_label_errors(
    scores: Scores, targets: Targets, *, twins: NDArray[np.int64] | None = None
) -> list[LabelError]:
    """List the targets that are probably wrong, the most probable first.

    Confident learning (Northcutt, Jiang and Chuang, Journal of Artificial Intelligence Research 70,
    2021; cleanlab, as its multi-label functions, label by label over the known targets) finds those
    that the scores contradict. The probability that a target is wrong also looks at the photo's
    other labels, by a logistic regression on the score and the other targets, fitted without the
    photo's fold, and at near twins with the opposite target.

    Args:
        scores: ``(N, L)`` float in [0, 1], held-out scores; NaN is left out.
        targets: ``(N, L)`` int8 in {1, 0, -1}; unknown ones (-1) are left out.
        twins: ``(N,)`` int, equal for near twins.

    Raises:
        DataError: If the extra ``errors`` is not installed.
        ValueError: If shapes differ.

    Example:
        >>> scores = np.linspace(0.02, 0.98, 40)[:, None]
        >>> targets = (scores > 0.5).astype(np.int8)
        >>> targets[38] = 0
        >>> error = find_label_errors(scores, targets)[0]
        >>> error.row, error.given, error.reasons
        (38, 0, ('photo',))
    """
    if scores.shape != targets.shape:
        msg = f"expected scores and targets of one shape, got {scores.shape} and {targets.shape}"
        raise ValueError(msg)
    known = (targets >= 0) & ~np.isnan(scores)
    enough = np.minimum(((targets == 1) & known).sum(0), ((targets == 0) & known).sum(0)) >= FEWEST
    known &= enough
    flagged = _confidently_wrong(scores, targets, known)
    present, from_labels = _log_odds_of_presence(scores, targets)
    against = _twins_against(targets, twins)
    by_all = _wrong(present, targets, against)
    by_labels = np.where(targets == 1, -from_labels, from_labels) > np.log(BY_LABELS)
    suspicious = known & (flagged | ((by_labels | against) & (by_all >= SURE)))
    rows, labels = suspicious.nonzero()
    order = np.argsort(-by_all[rows, labels], kind="stable")
    kinds: tuple[tuple[Reason, NDArray[np.bool_]], ...] = (
        ("photo", flagged),
        ("labels", by_labels),
        ("twins", against),
    )
    return [
        LabelError(
            int(row),
            int(label),
            int(targets[row, label]),
            float(scores[row, label]),
            float(by_all[row, label]),
            tuple(reason for reason, holds in kinds if holds[row, label]),
        )
        for row, label in zip(rows[order], labels[order], strict=True)
    ]


def _wrong(
    present: NDArray[np.float64], targets: Targets, against: NDArray[np.bool_]
) -> NDArray[np.float64]:
    odds = np.exp(np.clip(np.where(targets == 1, -present, present), -30, 30))
    odds *= np.where(against, TWIN_ODDS, 1.0)
    return odds / (1 + odds)


def _log_odds_of_presence(
    scores: Scores, targets: Targets
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Estimate the log-odds that labels are present, and what of it other labels say: ``(N, L)``.

    Both are NaN where a target or a score is not known.
    """
    known = (targets >= 0) & ~np.isnan(scores)
    logits = np.where(known, _log_odds(np.nan_to_num(scores, nan=0.5)), 0.0)
    sides = np.where(targets == 1, 1.0, np.where(targets == 0, -1.0, 0.0))
    present, from_labels = (np.full(targets.shape, np.nan) for _ in range(2))
    for label in range(targets.shape[1]):
        rows = known[:, label].nonzero()[0]
        shift, others = _shift(logits, sides, label, rows)
        present[rows, label] = logits[rows, label] + shift
        from_labels[rows, label] = others
    return present, from_labels


def _shift(
    logits: NDArray[np.float64], sides: NDArray[np.float64], label: int, rows: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compute what is added to the logit of a label, and what of it other labels add.

    Each fold is predicted by a regression on the others, with the logit as offset.
    """
    own = sides[rows, label]
    present = (own + 1) / 2
    shift, from_others = np.zeros(len(rows)), np.zeros(len(rows))
    if min(present.sum(), (1 - present).sum()) < FEWEST:
        return shift, from_others
    others = np.delete(np.arange(sides.shape[1]), label)
    together = np.abs((sides[rows][:, others] * (own - own.mean())[:, None]).sum(0))
    others = others[np.argsort(-together, kind="stable")[:MOST_OTHERS]]
    beside = sides[rows][:, others]
    beside -= beside.mean(0)
    inputs = np.column_stack([np.ones(len(rows)), logits[rows, label], beside])
    fold = np.arange(len(rows)) % FOLDS
    for one in range(FOLDS):
        held = fold == one
        coefficients = _regression(inputs[~held], present[~held], logits[rows[~held], label])
        shift[held] = inputs[held] @ coefficients
        from_others[held] = inputs[held, 2:] @ coefficients[2:]
    return shift, from_others


def _regression(
    inputs: NDArray[np.float64], present: NDArray[np.float64], offset: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Fit a logistic regression with an offset by Newton's method: ``(n, d) -> (d,)``."""
    coefficients = np.zeros(inputs.shape[1])
    decay = np.full(inputs.shape[1], DECAY)
    for _ in range(8):
        rate = 1 / (1 + np.exp(-np.clip(offset + inputs @ coefficients, -30, 30)))
        slope = inputs.T @ (rate - present) + decay * coefficients
        weighted = inputs * (rate * (1 - rate))[:, None]
        coefficients -= np.linalg.solve(inputs.T @ weighted + np.diag(decay), slope)
    return coefficients


def _twins_against(targets: Targets, twins: NDArray[np.int64] | None) -> NDArray[np.bool_]:
    """Find targets that are the opposite of all known ones of the photo's near twins."""
    if twins is None:
        return np.zeros(targets.shape, bool)
    groups, group = np.unique(twins, return_inverse=True)
    counts = np.zeros((2, len(groups), targets.shape[1]), np.int64)
    for value in (0, 1):
        np.add.at(counts[value], group, targets == value)
    absent, present = counts[:, group]
    return ((targets == 1) & (present == 1) & (absent > 0)) | (
        (targets == 0) & (absent == 1) & (present > 0)
    )


def _confidently_wrong(
    scores: Scores, targets: Targets, known: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    find = _cleanlab()
    flagged = np.zeros(targets.shape, bool)
    for label in range(targets.shape[1]):
        rows = known[:, label].nonzero()[0]
        if not len(rows):
            continue
        score = np.asarray(scores[rows, label], np.float64)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about labels of which it finds nothing
            flagged[rows, label] = find(
                targets[rows, label].astype(int), np.column_stack([1 - score, score]), n_jobs=1
            )
    return flagged


def _cleanlab() -> Callable[..., NDArray[np.bool_]]:
    with needs_extra("errors", "to find wrong labels"):
        from cleanlab.filter import find_label_issues
    find: Callable[..., NDArray[np.bool_]] = find_label_issues
    return find


def _log_odds(probability: Scores) -> NDArray[np.float64]:
    clipped = np.clip(np.asarray(probability, np.float64), 1e-6, 1 - 1e-6)
    return np.log(clipped) - np.log1p(-clipped)


def flipped(targets: Targets, share: float, seed: int) -> tuple[Targets, NDArray[np.bool_]]:
    """Flip a share of the known targets, to measure how many are found again.

    Returns:
        The targets ``(N, L)``, and which were flipped.

    Example:
        >>> targets, changed = flipped(np.zeros((10, 10), np.int8), 0.05, seed=0)
        >>> int(targets.sum()), int(changed.sum())
        (5, 5)
    """
    rows, labels = (targets >= 0).nonzero()
    chosen = np.random.default_rng(seed).permutation(len(rows))[: round(share * len(rows))]
    changed = np.zeros(targets.shape, bool)
    changed[rows[chosen], labels[chosen]] = True
    return np.where(changed, 1 - targets, targets).astype(np.int8), changed
