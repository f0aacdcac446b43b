"""The decision rule: from a label's logit to its score, and from the score to a prediction."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal, Self

import numpy as np

from tagsight.errors import DataError
from tagsight.labels.one_of import OneOf, log_odds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

Strictness = Literal["more", "balanced", "sure"]
ODDS: dict[Strictness, float] = {"more": 1 / 3, "balanced": 1.0, "sure": 3.0}
"""Factor of the odds of a threshold."""


@dataclass(frozen=True, eq=False)
class Decision:
    """Thresholds and temperature, which turn logits into scores and predicted labels.

    Computed with NumPy in float64, so that all devices and runtimes decide alike.

    Args:
        thresholds: ``(L,)`` float in [0, 1], the lowest score at which a label is predicted; 1
            means never.
        temperature: Divisor of the logits, above 0.
        one_of: Groups of labels that share a softmax, of which at most one is predicted: the one
            with the highest score, if that reaches its threshold.

    Raises:
        DataError: If a value is out of its range or not finite, or a group is malformed.

    Example:
        >>> decision = Decision(np.array([0.5, 0.9]), temperature=2.0)
        >>> scores = decision.scores([0.0, 2.0])
        >>> scores.round(2).tolist(), decision.predicted(scores).tolist()
        ([0.5, 0.73], [True, False])
    """

    thresholds: NDArray[np.float64]
    temperature: float = 1.0
    one_of: tuple[OneOf, ...] = ()

    def __post_init__(self) -> None:
        thresholds = np.array(self.thresholds, np.float64)
        thresholds.flags.writeable = False
        object.__setattr__(self, "thresholds", thresholds)
        if not (math.isfinite(self.temperature) and self.temperature > 0):
            msg = f"expected a finite temperature above 0, got {self.temperature!r}"
            raise DataError(msg)
        if self.thresholds.ndim != 1:
            msg = f"expected one threshold per label, got shape {self.thresholds.shape}"
            raise DataError(msg)
        if len(wrong := self.thresholds[~((self.thresholds >= 0) & (self.thresholds <= 1))]):
            msg = f"expected thresholds in [0, 1], got {float(wrong[0])!r}"
            raise DataError(msg)
        members = [label for group in self.one_of for label in group.labels]
        if len(set(members)) < len(members) or not {*members} <= {*range(len(thresholds))}:
            msg = f"expected groups of different labels, got {self.one_of!r:.200}"
            raise DataError(msg)

    @classmethod
    def default(cls, size: int, one_of: Sequence[OneOf] = ()) -> Self:
        """Make the decision for ``size`` labels before fitting: thresholds of 0.5.

        Labels of a complete group have thresholds of 0, so that the highest is always predicted.
        """
        thresholds = np.full(size, 0.5)
        for group in one_of:
            thresholds[list(group.labels)] = 0.0 if group.complete else 0.5
        return cls(thresholds, one_of=tuple(one_of))

    def at(self, strictness: Strictness) -> Self:
        """Multiply the odds of all thresholds: by 3 for ``sure``, by 1/3 for ``more``.

        A threshold of 0.5 becomes 0.75 or 0.25. Labels that are never predicted stay so.

        Example:
            >>> Decision.default(1).at("sure").thresholds
            array([0.75])
        """
        return self._at[strictness]

    @cached_property
    def _at(self) -> dict[Strictness, Self]:
        return {strictness: self._with_odds(factor) for strictness, factor in ODDS.items()}

    def _with_odds(self, factor: float) -> Self:
        odds = factor * self.thresholds
        thresholds = odds / (odds + 1 - self.thresholds)
        return replace(self, thresholds=np.where(self.thresholds < 1, thresholds, 1.0))

    def extended(self, count: int) -> Self:
        """Append ``count`` labels without data to fit thresholds to.

        Their threshold is the median over the labels that may be predicted, or 0.5 if there are
        none.
        """
        usable = self.thresholds[self.thresholds < 1]
        middle = float(np.median(usable)) if len(usable) else 0.5
        return replace(self, thresholds=np.append(self.thresholds, [middle] * count))

    def scores(self, logits: ArrayLike) -> NDArray[np.float64]:
        """Convert logits ``(..., L)`` to scores ``(..., L)``, float64 in [0, 1].

        Scores are sigmoids; those of a group are its softmax, and add up to 1, with the score of
        none of them unless it is complete.

        Example:
            >>> decision = Decision.default(3, [OneOf((0, 1), complete=True)])
            >>> decision.scores([2.0, 2.0, 0.0])
            array([0.5, 0.5, 0.5])
        """
        tempered = np.asarray(logits, np.float64) / self.temperature
        return sigmoid(log_odds(tempered, self.one_of))

    def predicted(self, scores: ArrayLike) -> NDArray[np.bool_]:
        """Predict labels from scores: ``(..., L)`` float to ``(..., L)`` bool.

        Example:
            >>> decision = Decision(np.array([0.5, 0.2, 0.5]), one_of=(OneOf((0, 1)),))
            >>> decision.predicted([0.6, 0.4, 0.6]).tolist()
            [True, False, True]
        """
        given = np.asarray(scores, np.float64)
        return self._leads(given) & (given >= self.thresholds) & (self.thresholds < 1)

    def exclusive(self, scores: ArrayLike) -> NDArray[np.float64]:
        """Set scores ``(..., L)`` to 0 where a label of the same group has a higher one."""
        given = np.asarray(scores, np.float64)
        return np.where(self._leads(given), given, 0.0)

    def _leads(self, scores: NDArray[np.float64]) -> NDArray[np.bool_]:
        leads = np.ones(scores.shape, bool)
        for labels, _ in self.one_of:
            best = scores[..., labels].argmax(-1)
            leads[..., labels] = np.arange(len(labels)) == best[..., None]
        return leads

    def as_dict(self, names: Sequence[str]) -> dict[str, object]:
        """Convert to plain data, with each of the ``L`` thresholds under its label's name."""
        thresholds = dict(zip(names, self.thresholds.tolist(), strict=True))
        groups = [
            {"labels": [names[label] for label in labels], "complete": complete}
            for labels, complete in self.one_of
        ]
        return {
            "temperature": self.temperature,
            "thresholds": thresholds,
            **({"one_of": groups} if groups else {}),
        }

    @classmethod
    def from_dict(cls, data: object, names: Sequence[str]) -> Self:
        """Read what `as_dict` wrote, for the labels in this order.

        Raises:
            DataError: If a value is missing, unexpected, not a number or out of its range.
        """
        match data:
            case {"temperature": temperature, "thresholds": Mapping() as thresholds, **rest}:
                pass
            case _:
                msg = f"expected a decision with 'temperature' and 'thresholds', got {data!r:.200}"
                raise DataError(msg)
        if differing := sorted(thresholds.keys() ^ set(names), key=repr):
            msg = f"expected one threshold for each label, {differing!r:.200} differ"
            raise DataError(msg)
        for number in (temperature, *thresholds.values()):
            if type(number) not in {int, float} or abs(number) > sys.float_info.max:
                msg = f"expected a temperature and thresholds that are numbers, got {number!r:.100}"
                raise DataError(msg)
        ordered = [float(thresholds[name]) for name in names]
        groups = rest.get("one_of", [])
        if not isinstance(groups, list) or not all(_is_group(group, names) for group in groups):
            msg = f"expected 'one_of' to be groups of labels, got {groups!r:.200}"
            raise DataError(msg)
        place = {name: index for index, name in enumerate(names)}
        one_of = tuple(
            OneOf(tuple(place[name] for name in group["labels"]), group["complete"])
            for group in groups
        )
        return cls(np.array(ordered), float(temperature), one_of)


def _is_group(group: object, names: Sequence[str]) -> bool:
    match group:
        case {"labels": [_, *_] as labels, "complete": bool()}:
            return all(name in names for name in labels)
    return False


def sigmoid(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Convert log-odds to probabilities, precise also for the smallest.

    Example:
        >>> sigmoid(np.array([0.0, -2.0])).round(4).tolist()
        [0.5, 0.1192]
    """
    with np.errstate(over="ignore"):  # the reciprocal of infinity is the score
        return 1 / (1 + np.exp(-values))
