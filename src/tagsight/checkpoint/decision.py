"""The decision rule: from a label's logit to its score, and from its score to yes or no."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, Self

import numpy as np

from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

Strictness = Literal["more", "balanced", "sure"]
ODDS: dict[Strictness, float] = {"more": 1 / 3, "balanced": 1.0, "sure": 3.0}
"""By how much the odds of a label must be higher than those of its threshold."""


@dataclass(frozen=True, eq=False)
class Decision:
    """Which labels a photo has, by their logits.

    Everything happens in NumPy and in float64, so that every device and runtime decides alike.

    Args:
        thresholds: ``(L,)`` float in [0, 1], the score from which on a label is predicted; 1 means
            never.
        temperature: What logits are divided by, above 0.

    Raises:
        DataError: If a value is out of its range or not finite.
    """

    thresholds: NDArray[np.float64]
    temperature: float = 1.0

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

    @classmethod
    def default(cls, size: int) -> Self:
        """What applies to ``size`` labels before anything is fitted: a score of 0.5, logit 0."""
        return cls(np.full(size, 0.5))

    def at(self, strictness: Strictness) -> Self:
        """A decision that wants more or less of a label than this one, by its odds.

        With ``sure`` a label needs three times the odds of its threshold, with ``more`` a third of
        them will do: of a threshold of 0.5 it makes 0.75 and 0.25. Labels that are never predicted
        are not.
        """
        factor = ODDS[strictness]
        odds = factor * self.thresholds
        thresholds = odds / (odds + 1 - self.thresholds)
        return replace(self, thresholds=np.where(self.thresholds < 1, thresholds, 1.0))

    def extended(self, count: int) -> Self:
        """This decision with ``count`` more labels behind, of which there is nothing to fit to.

        Their threshold is the median of those of the labels that may be predicted, 0.5 if there are
        none.
        """
        usable = self.thresholds[self.thresholds < 1]
        middle = float(np.median(usable)) if len(usable) else 0.5
        return replace(self, thresholds=np.append(self.thresholds, [middle] * count))

    def scores(self, logits: ArrayLike) -> NDArray[np.float64]:
        """Scores ``(..., L)`` float64 in [0, 1], ranked as the logits ``(..., L)`` are."""
        return sigmoid(np.asarray(logits, np.float64) / self.temperature)

    def predicted(self, scores: ArrayLike) -> NDArray[np.bool_]:
        """Decide by the scores: ``(..., L)`` float to ``(..., L)`` bool."""
        return (np.asarray(scores, np.float64) >= self.thresholds) & (self.thresholds < 1)

    def as_dict(self, names: Sequence[str]) -> dict[str, object]:
        """As plain data, each of the ``L`` thresholds under its label's name."""
        thresholds = dict(zip(names, self.thresholds.tolist(), strict=True))
        return {"temperature": self.temperature, "thresholds": thresholds}

    @classmethod
    def from_dict(cls, data: object, names: Sequence[str]) -> Self:
        """Read what `as_dict` wrote, for the labels in this order.

        Raises:
            DataError: If anything is missing, superfluous, not a number or out of its range.
        """
        match data:
            case {"temperature": temperature, "thresholds": Mapping() as thresholds}:
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
        return cls(np.array(ordered), float(temperature))


def sigmoid(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """From log-odds to probabilities, to full precision also of the smallest."""
    return np.exp(-np.logaddexp(0, -values))
