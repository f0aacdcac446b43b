"""Labels and evidence of one photo."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tagsight.data.photos.resizing import WHOLE, Frame
from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from PIL import Image

    from tagsight.inference.heatmaps import Panel


class Label(NamedTuple):
    """A label of a photo and its score in [0, 1].

    Example:
        >>> name, score = Label("dog", 0.9)
        >>> score
        0.9
    """

    name: str
    score: float


@dataclass(frozen=True, eq=False, repr=False)
class PhotoLabels:
    """Labels of one photo. The arrays share no memory with those of other photos.

    Args:
        path: File of the photo, or None if it did not come from a file.
        names: The ``L`` labels of the model.
        scores: ``(L,)`` float64 in [0, 1].
        thresholds: ``(L,)`` float64 in [0, 1], fitted with the model.
        predicted: ``(L,)`` bool, whether the score reaches the threshold.

    Example:
        >>> scores = np.array([0.2, 0.9, 0.6])
        >>> names = ("cat", "dog", "person")
        >>> found = PhotoLabels(None, names, scores, np.full(3, 0.5), scores >= 0.5)
        >>> found
        PhotoLabels(dog 0.90, person 0.60)
        >>> found.labels[0]
        Label(name='dog', score=0.9)
        >>> [label.name for label in found.ranked()]
        ['dog', 'person', 'cat']
    """

    path: Path | None
    names: tuple[str, ...]
    scores: NDArray[np.float64]
    thresholds: NDArray[np.float64]
    predicted: NDArray[np.bool_]

    @property
    def labels(self) -> list[Label]:
        """The labels found, sorted by score, highest first."""
        return [self._label(i) for i in self._order() if self.predicted[i]]

    def ranked(self) -> list[Label]:
        """Return all labels, found or not, sorted by score, highest first."""
        return [self._label(i) for i in self._order()]

    def index(self, name: str) -> int:
        """Return the position of a label in the arrays.

        Raises:
            DataError: If the model has no such label.
        """
        return label_index(self.names, name)

    def __repr__(self) -> str:
        found = ", ".join(f"{label.name} {label.score:.2f}" for label in self.labels)
        photo = "" if self.path is None else f"{str(self.path)!r}: "
        return f"{type(self).__name__}({photo}{found or 'no label found'})"

    def _order(self) -> list[int]:
        order: list[int] = np.argsort(-self.scores, kind="stable").tolist()
        return order

    def _label(self, index: int) -> Label:
        return Label(self.names[index], float(self.scores[index]))


@dataclass(frozen=True, eq=False, repr=False)
class EmbeddedPhoto(PhotoLabels):
    """Labels and embedding of one photo, without the evidence.

    Args:
        path: As in `PhotoLabels`, like names, scores, thresholds and predicted.
        embedding: ``(D,)`` float32, the pooled features.

    Example:
        >>> scores = np.array([0.2, 0.9])
        >>> half, look = np.full(2, 0.5), np.ones(3, np.float32)
        >>> EmbeddedPhoto(None, ("cat", "dog"), scores, half, scores >= half, look)
        EmbeddedPhoto(dog 0.90)
    """

    embedding: NDArray[np.float32]


@dataclass(frozen=True, eq=False, repr=False)
class Result(PhotoLabels):
    """Labels of one photo and the evidence for them. A notebook shows it with the photo.

    Args:
        path: As in `PhotoLabels`, like names, scores, thresholds and predicted.
        maps: ``(L, h, w)`` float32, evidence in logits, over the part of the photo that ``frame``
            says. Cells of padding have the mean of a label's cells on the photo.
        logits: ``(L,)`` float32, before temperature and sigmoid.
        embedding: ``(D,)`` float32, the pooled features.
        photo_size: Width and height in pixels, upright.
        frame: Where on the photo the maps lie, in fractions of its width and height; beyond the
            photo's edges is padding.
        photo: The photo as it was given to `Recognizer.__call__`, if not as a file; for notebooks.

    Example:
        >>> import tagsight as ts
        >>> result = ts.load("runs/first/model")("photos/dog.jpg")
        >>> result.photo_size, result.logits.shape
        ((128, 96), (2,))
        >>> bool(abs(result.map("dog").mean() - result.logits[0]) < 1e-4)
        True
    """

    maps: NDArray[np.float32]
    logits: NDArray[np.float32]
    embedding: NDArray[np.float32]
    photo_size: tuple[int, int]
    frame: Frame = field(default=WHOLE, kw_only=True)
    photo: bytes | Image.Image | NDArray[np.uint8] | None = field(default=None, kw_only=True)

    def map(self, name: str) -> NDArray[np.float32]:
        """Return the evidence for one label: ``(h, w)`` float32, in logits.

        Raises:
            DataError: If the model has no such label.
        """
        return self.maps[self.index(name)]

    def shown(self, asked: Sequence[str] = ()) -> tuple[str, ...]:
        """Return the labels to show evidence for: those found, and those asked for.

        If there are none, it is the label with the highest score.
        """
        found = [label.name for label in self.labels]
        return tuple(dict.fromkeys([*found, *asked])) or (self.ranked()[0].name,)

    def panels(self, names: Sequence[str]) -> list[Panel]:
        """Return what is shown of labels, in their order.

        Raises:
            DataError: If the model has no such label.
        """
        from tagsight.inference.heatmaps import Panel
        from tagsight.inference.interpolation import over_padding

        return [
            Panel(
                name=self.names[i],
                score=float(self.scores[i]),
                threshold=float(self.thresholds[i]),
                found=bool(self.predicted[i]),
                evidence=over_padding(self.maps[i], self.frame),
                frame=self.frame,
            )
            for i in map(self.index, names)
        ]

    def _repr_html_(self) -> str:
        from tagsight.inference.notebook import result_html

        photo = self.photo if self.path is None else self.path
        return result_html(photo, self.photo_size, self.panels(self.shown()))


def label_index(names: Sequence[str], name: str) -> int:
    """Return the position of a label.

    Raises:
        DataError: If there is no such label; the message names similar ones.

    Example:
        >>> label_index(("cat", "dog"), "dog")
        1
        >>> label_index(("cat", "dog"), "dgo")
        Traceback (most recent call last):
        tagsight.errors.DataError: expected a label of the model, got 'dgo'; did you mean 'dog'?
    """
    if name in names:
        return names.index(name)
    by_folded = {known.casefold(): known for known in names}
    near = [by_folded[n] for n in difflib.get_close_matches(name.casefold(), by_folded, n=3)]
    hint = f"did you mean {' or '.join(map(repr, near))}?" if near else f"it has {', '.join(names)}"
    msg = f"expected a label of the model, got {name!r}; {hint:.500}"
    raise DataError(msg)
