"""What is recognised in a photo."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray


class Label(NamedTuple):
    """A label of a photo and its score in [0, 1]."""

    name: str
    score: float


@dataclass(frozen=True, eq=False)
class PhotoLabels:
    """Which labels a photo has. It shares no memory with those of other photos.

    Args:
        path: Where the photo came from, or None if it was no file.
        names: The ``L`` labels of the model.
        scores: ``(L,)`` float64 in [0, 1].
        thresholds: ``(L,)`` float64 in [0, 1], fitted with the model.
        predicted: ``(L,)`` bool, which labels reach their threshold.
    """

    path: Path | None
    names: tuple[str, ...]
    scores: NDArray[np.float64]
    thresholds: NDArray[np.float64]
    predicted: NDArray[np.bool_]

    @property
    def labels(self) -> list[Label]:
        """The labels found, the highest score first."""
        return [self._label(i) for i in self._order() if self.predicted[i]]

    def ranked(self) -> list[Label]:
        """All labels, found or not, the highest score first."""
        return [self._label(i) for i in self._order()]

    def index(self, name: str) -> int:
        """The position of a label in the arrays.

        Raises:
            DataError: If the model has no such label.
        """
        return label_index(self.names, name)

    def _order(self) -> list[int]:
        order: list[int] = np.argsort(-self.scores, kind="stable").tolist()
        return order

    def _label(self, index: int) -> Label:
        return Label(self.names[index], float(self.scores[index]))


@dataclass(frozen=True, eq=False)
class Result(PhotoLabels):
    """What was recognised in one photo: its labels, and the evidence for them.

    Args:
        path: As in `PhotoLabels`, and so are names, scores, thresholds and predicted.
        maps: ``(L, h, w)`` float32, evidence over the whole photo, in logits.
        logits: ``(L,)`` float32, before temperature and sigmoid.
        embedding: ``(D,)`` float32.
        photo_size: Width and height in pixels, upright.
    """

    maps: NDArray[np.float32]
    logits: NDArray[np.float32]
    embedding: NDArray[np.float32]
    photo_size: tuple[int, int]

    def map(self, name: str) -> NDArray[np.float32]:
        """The evidence for one label: ``(h, w)`` float32, in logits.

        Raises:
            DataError: If the model has no such label.
        """
        return self.maps[self.index(name)]


def label_index(names: Sequence[str], name: str) -> int:
    """The position of a label.

    Raises:
        DataError: If there is none of that name; the message has the names that come near.
    """
    if name in names:
        return names.index(name)
    by_folded = {known.casefold(): known for known in names}
    near = [by_folded[n] for n in difflib.get_close_matches(name.casefold(), by_folded, n=3)]
    hint = f"did you mean {' or '.join(map(repr, near))}?" if near else f"it has {', '.join(names)}"
    msg = f"expected a label of the model, got {name!r}; {hint:.500}"
    raise DataError(msg)
