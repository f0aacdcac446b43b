"""Whether an exported file says what its model says: both recognise the same photos.

They do it in every way in which a file is used: in the batches of `tagsight tag`, in one batch of
more photos than there are labels, and photo by photo, each in its own size and in others.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PIL import Image

from tagsight.data.photos import open_photo
from tagsight.errors import DataError
from tagsight.inference.networks.exported import memory_limit
from tagsight.inference.networks.trained import TrainedNetwork
from tagsight.inference.recognizer import Recognizer
from tagsight.runtime.device import Runtime

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from tagsight.checkpoint.folder import LoadedModel
    from tagsight.inference.networks.base import Network
    from tagsight.inference.recognizer import PhotoLike
    from tagsight.inference.result import Result

OnProblem = Callable[[Path, str], object]

LARGEST_BATCH = 2**24
"""Pixels of the batch of more photos than labels, at most: 334 photos at 224 pixels, 83 at 448."""

NEEDED = 512
"""Bytes that a network may take for each of them: twice what ResNet-101 takes."""

RESHAPED = 4
"""Photos that are also compared turned, and cut to a strip."""


class Agreement(NamedTuple):
    """How far an exported file and the model agree, over photos.

    Attributes:
        photos: How many were compared.
        scores: Largest difference of a score.
        maps: Largest difference of a map, relative to the largest value of the photo's maps.
        embedding: Largest difference of an embedding, relative to its length.
        decisions: Share of (photo, label) pairs that are decided alike.
        astray: Largest distance from its threshold of a score of the model that is decided
            otherwise; 0 if none is.
    """

    photos: int
    scores: float
    maps: float
    embedding: float
    decisions: float
    astray: float


def compare(
    model: LoadedModel,
    network: Network,
    photos: Iterable[Path],
    *,
    on_problem: OnProblem | None = None,
) -> Agreement:
    """Recognise photos by an exported file and by the model, and compare what they say.

    Args:
        model: On the CPU; it computes in float32.
        network: Runs the file.
        photos: Files.
        on_problem: Called with a photo that cannot be read, which is left out, and why.

    Raises:
        DataError: If no photo can be read.
    """
    reference = Recognizer(TrainedNetwork(model, Runtime.choose("cpu", "float32")))
    exported = Recognizer(network, decision=model.decision)
    differences = _Differences()
    sound = _in_batches(reference, exported, photos, differences, on_problem)
    if not sound:
        msg = "expected photos to compare the file with the model on, got none that can be read"
        raise DataError(msg)
    batch = list(islice(cycle(sound), _large_batch(model)))
    at_once = Recognizer(network, decision=model.decision, batch_size=len(batch))
    _in_batches(reference, at_once, batch, differences)
    for photo in _in_many_sizes(sound):
        differences.add(_whole(exported, photo), reference(photo))
    return differences.agreement(len(sound))


class _Said(NamedTuple):
    """What was said of one photo; a `Result` has it all."""

    scores: NDArray[np.floating]
    predicted: NDArray[np.bool_]
    maps: NDArray[np.floating]
    embedding: NDArray[np.floating]


class _Differences:
    def __init__(self) -> None:
        self._scores = self._maps = self._embedding = self._astray = 0.0
        self._alike = self._decisions = 0

    def add(self, said: Result | _Said, expected: Result) -> None:
        """Compare two answers to one photo."""
        length = np.linalg.norm(expected.embedding)
        highest = np.abs(expected.maps).max()
        self._scores = max(self._scores, _apart(said.scores, expected.scores))
        self._maps = max(self._maps, _apart(said.maps, expected.maps, highest))
        self._embedding = max(self._embedding, _apart(said.embedding, expected.embedding, length))
        alike = said.predicted == expected.predicted
        distance = np.abs(expected.scores - expected.thresholds)
        self._astray = max(self._astray, float(distance[~alike].max(initial=0)))
        self._alike += int(alike.sum())
        self._decisions += alike.size

    def agreement(self, photos: int) -> Agreement:
        """What it comes to."""
        decisions = self._alike / self._decisions
        return Agreement(photos, self._scores, self._maps, self._embedding, decisions, self._astray)


def _in_batches(
    reference: Recognizer,
    exported: Recognizer,
    photos: Iterable[Path],
    differences: _Differences,
    on_problem: OnProblem | None = None,
) -> list[Path]:
    """Compare photos as `tagsight tag` takes them; give those that can be read."""

    def left_out(photo: PhotoLike, error: DataError) -> None:
        if on_problem is not None:
            assert isinstance(photo, Path)
            on_problem(photo, str(error))

    sound = []
    given = list(photos)
    answers = exported.recognize(given, on_error=_passed_over)
    for expected, said in zip(reference.recognize(given, on_error=left_out), answers, strict=True):
        assert expected.path is not None
        differences.add(said, expected)
        sound.append(expected.path)
    return sound


def _large_batch(model: LoadedModel) -> int:
    pixels = min(LARGEST_BATCH, memory_limit() // NEEDED)
    return min(len(model.labels) + 1, max(2, pixels // model.recipe.training.image_size**2))


def _in_many_sizes(paths: Sequence[Path]) -> Iterator[Image.Image]:
    """Every photo whole, and the first ones in other shapes as well."""
    for place, path in enumerate(paths):
        photo = open_photo(path)
        yield photo
        if place < RESHAPED:
            yield photo.transpose(Image.Transpose.ROTATE_90)
            yield photo.crop((0, 0, photo.width, max(1, photo.height // 3)))


def _whole(exported: Recognizer, photo: Image.Image) -> _Said:
    """Let the file itself resize a photo, as a program without tagsight does."""
    logits, maps, embedding = exported.network(np.asarray(photo)[None])
    scores = exported.decision.scores(logits[0])
    return _Said(scores, exported.decision.predicted(scores), maps[0], embedding[0])


def _apart(
    given: NDArray[np.floating], expected: NDArray[np.floating], scale: np.floating | float = 1.0
) -> float:
    return float(np.abs(given - expected).max() / (float(scale) or 1.0))


def _passed_over(*_: object) -> None:
    """What cannot be read is told once, by the other."""
