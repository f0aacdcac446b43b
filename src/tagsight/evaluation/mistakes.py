"""The mistakes of a model: the worst of them, and which labels it takes for one another."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import ArrayLike, NDArray

    from tagsight.checkpoint.decision import Decision


class Decisions(NamedTuple):
    """The decisions of a model for photos, and the targets.

    Attributes:
        scores: ``(N, L)`` float64 in [0, 1].
        decisive: ``(N, L)`` float64, the scores that thresholds decide about: 0 where another label
            of a group, of which only one can be predicted, is higher.
        predicted: ``(N, L)`` bool.
        targets: ``(N, L)`` int8 in {1, 0, -1}.
        thresholds: ``(L,)`` float64 in [0, 1].
    """

    scores: NDArray[np.float64]
    decisive: NDArray[np.float64]
    predicted: NDArray[np.bool_]
    targets: NDArray[np.int8]
    thresholds: NDArray[np.float64]

    @property
    def right(self) -> NDArray[np.bool_]:
        """Where the target is known and the decision is right: ``(N, L)``.

        Example:
            >>> from tagsight.checkpoint.decision import Decision
            >>> decided = decisions_of(Decision.default(3), [[2.0, -1.0, 1.0]], [[1, 1, -1]])
            >>> decided.right.tolist()
            [[True, False, False]]
        """
        return (self.predicted == (self.targets == 1)) & (self.targets >= 0)

    def of_labels(self, columns: Sequence[int]) -> Decisions:
        """Select labels.

        Args:
            columns: Their indices.
        """
        return Decisions(
            self.scores[:, [*columns]],
            self.decisive[:, [*columns]],
            self.predicted[:, [*columns]],
            self.targets[:, [*columns]],
            self.thresholds[[*columns]],
        )


def decisions_of(decision: Decision, logits: ArrayLike, targets: ArrayLike) -> Decisions:
    """Decide by the thresholds of a model.

    Args:
        decision: Thresholds, temperature and groups.
        logits: ``(N, L)`` float.
        targets: ``(N, L)`` int in {1, 0, -1}.

    Example:
        >>> from tagsight.checkpoint.decision import Decision
        >>> decided = decisions_of(Decision.default(2), [[2.0, -1.0]], [[1, -1]])
        >>> decided.predicted.tolist(), decided.right.tolist()
        ([[True, False]], [[True, False]])
    """
    scores = decision.scores(logits)
    return Decisions(
        scores,
        decision.exclusive(scores),
        decision.predicted(scores),
        np.asarray(targets, np.int8),
        decision.thresholds,
    )


class Mistake(NamedTuple):
    """A wrong decision.

    Attributes:
        photo: Row of the photo.
        label: Index of the label.
        distance: Log-odds between score and threshold, above 0.
    """

    photo: int
    label: int
    distance: float


class Confusion(NamedTuple):
    """Photos on which one label is missed and another, which is absent, is predicted.

    Attributes:
        missed: Index of the label that is present.
        predicted: Index of the label that is predicted instead.
        photos: Number of such photos.
        misses: Photos on which the first label is missed, with any label predicted.
        expected: Such photos if the second were predicted wrongly as often as on other photos.
    """

    missed: int
    predicted: int
    photos: int
    misses: int
    expected: float


def worst_mistakes(
    decided: Decisions, wrong: NDArray[np.bool_], *, most: int = 24, per_label: int = 3
) -> list[Mistake]:
    """List the wrong decisions that are furthest from their threshold, the worst first.

    Args:
        decided: Scores and thresholds.
        wrong: ``(N, L)`` bool, the decisions to choose from: misses, or false alarms.
        most: Most mistakes.
        per_label: Most mistakes of one label, so that the list is not of one label only.

    Example:
        >>> from tagsight.checkpoint.decision import Decision
        >>> decided = decisions_of(Decision.default(1), [[-3.0], [-1.0], [2.0]], [[1], [1], [1]])
        >>> [(one.photo, round(one.distance, 2)) for one in worst_mistakes(decided, ~decided.right)]
        [(0, 3.0), (1, 1.0)]
    """
    distance = np.abs(_log_odds(decided.decisive) - _log_odds(decided.thresholds))
    photos, labels = np.nonzero(wrong)
    order = np.argsort(-distance[photos, labels], kind="stable")
    chosen: list[Mistake] = []
    taken = np.zeros(len(decided.thresholds), np.int64)
    for photo, label in zip(photos[order].tolist(), labels[order].tolist(), strict=True):
        if len(chosen) == most:
            break
        if taken[label] < per_label:
            taken[label] += 1
            chosen.append(Mistake(photo, label, float(distance[photo, label])))
    return chosen


def confusions(decided: Decisions, *, most: int = 20, least: int = 2) -> list[Confusion]:
    """List pairs of labels that are taken for one another, the most frequent first.

    Only pairs on at least ``least`` photos, and more than chance explains, are listed.

    Args:
        decided: Predictions and targets.
        most: Most pairs.
        least: Fewest photos of a pair.

    Example:
        >>> from tagsight.checkpoint.decision import Decision
        >>> logits = [[-1.0, 1.0], [-1.0, 1.0], [1.0, -1.0], [-1.0, 1.0]]
        >>> decided = decisions_of(Decision.default(2), logits, [[1, 0], [1, 0], [1, 0], [0, 1]])
        >>> confusions(decided)
        [Confusion(missed=0, predicted=1, photos=2, misses=2, expected=0.0)]
    """
    predicted, targets = decided.predicted, decided.targets
    missed = ((targets == 1) & ~predicted).astype(np.float32)
    false = ((targets == 0) & predicted).astype(np.float32)
    absent = (targets == 0).astype(np.float32)
    together, possible = missed.T @ false, missed.T @ absent
    elsewhere = np.maximum(absent.sum(0)[None] - possible, 1)
    expected = possible * (false.sum(0)[None] - together) / elsewhere
    kept = (together >= least) & (together > expected)
    pairs = np.argwhere(kept)
    order = np.lexsort((-(together - expected)[kept], -together[kept]))
    return list(_pairs(pairs[order[:most]], together, missed.sum(0), expected))


def _pairs(
    pairs: NDArray[np.int64],
    together: NDArray[np.float32],
    misses: NDArray[np.float32],
    expected: NDArray[np.float32],
) -> Iterator[Confusion]:
    for first, second in pairs.tolist():
        yield Confusion(
            first,
            second,
            int(together[first, second]),
            int(misses[first]),
            round(float(expected[first, second]), 2),
        )


def _log_odds(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    inside = np.clip(scores, 1e-12, 1 - 1e-12)
    odds: NDArray[np.float64] = np.log(inside) - np.log1p(-inside)
    return odds
