"""Compare an exported file with its model on photos.

Both recognise the same photos in every way in which a file is used: in batches, in one large batch,
of more photos than there are labels if memory allows, and one by one at the photos' own sizes and
others.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count, cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PIL import Image

from tagsight.data.photos.reading import open_photo
from tagsight.errors import DataError
from tagsight.inference.networks.exported import memory_limit
from tagsight.inference.networks.trained import TrainedNetwork
from tagsight.inference.recognizer import Recognizer
from tagsight.runtime.device import Runtime
from tagsight.runtime.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from tagsight.checkpoint.folder import LoadedModel
    from tagsight.inference.networks.base import Network
    from tagsight.inference.recognizer import PhotoLike
    from tagsight.inference.result import Result
    from tagsight.runtime.progress import WorkLog

OnProblem = Callable[[Path, str], object]

LARGEST_BATCH = 2**23
"""Most pixels of the batch of more photos than labels: 167 photos at 224 pixels, 41 at 448."""

LARGEST_MAPS = 2**25
"""Most numbers of that batch's maps, of which there are several copies: of 9,605 labels those of
71 photos at 224 pixels."""

BYTES_PER_PIXEL = 512
"""Memory that a network may take for a pixel: twice what ResNet-101 takes."""

RESHAPED = 4
"""Photos that are also compared rotated and cropped to a strip."""


class Agreement(NamedTuple):
    """Agreement of an exported file with its model.

    Attributes:
        photos: Number of photos compared.
        scores: Largest difference of a score.
        maps: Largest difference of a map, relative to the largest value of the photo's maps.
        embedding: Largest difference of an embedding, relative to its norm.
        decisions: Fraction of (photo, label) pairs with the same decision.
        astray: Among pairs with different decisions, the largest distance of the model's score
            from the threshold; 0 if there are none.
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
    own_sizes: bool = True,
    on_problem: OnProblem | None = None,
    log: WorkLog = SILENT,
) -> Agreement:
    """Recognise photos with an exported file and with the model, and compare the results.

    The model recognises every photo once, as a large encoder takes most of the time.

    Args:
        model: The model, on the CPU; it computes in float32.
        network: Runs the file.
        photos: Files.
        own_sizes: Whether the file also takes photos that are not resized.
        on_problem: Called with each photo that cannot be read and the reason; it is skipped.
        log: Receives the progress.

    Raises:
        DataError: If no photo can be read.

    Example:
        >>> import tagsight as ts
        >>> from tagsight.checkpoint.folder import load_model
        >>> from tagsight.inference.networks import open_network
        >>> model = load_model(Path("runs/tiny/model"))
        >>> network = open_network(Path("runs/tiny/model.onnx"))
        >>> agreement = compare(model, network, [Path("photos/dog.jpg")])
        >>> agreement.decisions, agreement.scores < 0.001
        (1.0, True)
    """
    reference = Recognizer(TrainedNetwork(model, Runtime.choose("cpu", "float32")))
    exported = Recognizer(network, decision=model.decision)
    differences, given, many = _Differences(), list(photos), _large_batch(model)
    at_once = Recognizer(network, decision=model.decision, batch_size=many)

    def left_out(photo: PhotoLike, error: DataError) -> None:
        if on_problem is not None:
            assert isinstance(photo, Path)
            on_problem(photo, str(error))

    each = 3 * len(given) + 2 * RESHAPED if own_sizes else 2 * len(given)
    with log.work("comparing", each + many) as advance:
        done = count(1)
        wanted = []
        for result in reference.recognize(given, on_error=left_out):
            wanted.append(result)
            advance(next(done))
        if not wanted:
            msg = "expected photos to compare the file with the model on, got none that can be read"
            raise DataError(msg)
        for recognizer, number in ((exported, len(wanted)), (at_once, many)):
            expected = list(islice(cycle(wanted), number))
            for got, one in zip(recognizer.recognize(map(_path, expected)), expected, strict=True):
                differences.add(got, one)
                advance(next(done))
        for place, one in enumerate(wanted if own_sizes else ()):
            photo = open_photo(_path(one))
            differences.add(_at_own_size(exported, photo), one)
            advance(next(done))
            for shape in _other_shapes(photo) if place < RESHAPED else ():
                differences.add(_at_own_size(exported, shape), reference(shape))
                advance(next(done))
    return differences.agreement(len(wanted))


class _Outputs(NamedTuple):
    """The part of a `Result` that is compared."""

    scores: NDArray[np.floating]
    predicted: NDArray[np.bool_]
    maps: NDArray[np.floating]
    embedding: NDArray[np.floating]


class _Differences:
    def __init__(self) -> None:
        self._scores = self._maps = self._embedding = self._astray = 0.0
        self._alike = self._decisions = 0

    def add(self, got: Result | _Outputs, expected: Result) -> None:
        """Compare two results for one photo."""
        norm = np.linalg.norm(expected.embedding)
        highest = np.abs(expected.maps).max()
        self._scores = max(self._scores, _difference(got.scores, expected.scores))
        self._maps = max(self._maps, _difference(got.maps, expected.maps, highest))
        self._embedding = max(self._embedding, _difference(got.embedding, expected.embedding, norm))
        alike = got.predicted == expected.predicted
        distance = np.abs(expected.scores - expected.thresholds)
        self._astray = max(self._astray, float(distance[~alike].max(initial=0)))
        self._alike += int(alike.sum())
        self._decisions += alike.size

    def agreement(self, photos: int) -> Agreement:
        decisions = self._alike / self._decisions
        return Agreement(photos, self._scores, self._maps, self._embedding, decisions, self._astray)


def _large_batch(model: LoadedModel) -> int:
    pixels = min(LARGEST_BATCH, memory_limit() // BYTES_PER_PIXEL)
    side, labels = model.recipe.training.image_size, len(model.labels)
    numbers = labels * (side // model.system.backbone.stride) ** 2
    return min(labels + 1, max(2, min(pixels // side**2, LARGEST_MAPS // numbers)))


def _path(result: Result) -> Path:
    assert result.path is not None
    return result.path


def _other_shapes(photo: Image.Image) -> Iterator[Image.Image]:
    yield photo.transpose(Image.Transpose.ROTATE_90)
    yield photo.crop((0, 0, photo.width, max(1, photo.height // 3)))


def _at_own_size(exported: Recognizer, photo: Image.Image) -> _Outputs:
    """Run the file on a photo that it resizes itself, as programs without tagsight let it do."""
    logits, maps, embedding = exported.network(np.asarray(photo)[None])
    scores = exported.decision.scores(logits[0])
    return _Outputs(scores, exported.decision.predicted(scores), maps[0], embedding[0])


def _difference(
    got: NDArray[np.floating], expected: NDArray[np.floating], scale: np.floating | float = 1.0
) -> float:
    return float(np.abs(got - expected).max() / (float(scale) or 1.0))
