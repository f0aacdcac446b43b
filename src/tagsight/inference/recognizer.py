"""Photos in, labels and evidence out: the one border between the world and the network."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tagsight.data.photos import MAX_PIXELS, as_square, decoding_side, open_photo, whole_size
from tagsight.errors import DataError
from tagsight.inference.networks import Precision, open_network
from tagsight.inference.region_pooling import Region, region_vector
from tagsight.inference.result import Result
from tagsight.runtime.limits import MAX_PHOTO_MEMORY
from tagsight.runtime.threads import batched

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tagsight.checkpoint.decision import Decision, Strictness
    from tagsight.inference.model_info import ModelInfo
    from tagsight.inference.networks.base import Network
    from tagsight.inference.run import Run

PhotoLike = Path | str | bytes | Image.Image | NDArray[np.uint8]
"""A photo: its path, its file's bytes, a Pillow image, or an array (height, width, 3) uint8."""

OnError = Callable[[PhotoLike, DataError], object]

BATCH_SIZE = 16
"""Photos per forward pass: the activations of more no longer fit into a processor's cache."""


class Prepared(NamedTuple):
    """A photo as the network takes it.

    Attributes:
        path: Where the photo came from, or None if it was no file.
        pixels: ``(S, S, 3)`` uint8.
        size: Width and height of the photo in pixels, upright.
    """

    path: Path | None
    pixels: NDArray[np.uint8]
    size: tuple[int, int]


class Recognizer:
    """A model at work. It keeps nothing between calls; threads may share it.

    Args:
        network: What runs the model.
        decision: The thresholds to decide by; by default those that were fitted with the model.
        batch_size: Photos per forward pass.
        max_pixels: Most pixels of a photo; a larger one is not decoded.
        max_memory: Most bytes that decoding a photo may take.
    """

    def __init__(
        self,
        network: Network,
        *,
        decision: Decision | None = None,
        batch_size: int = BATCH_SIZE,
        max_pixels: int = MAX_PIXELS,
        max_memory: int = MAX_PHOTO_MEMORY,
    ) -> None:
        self.network = network
        self.decision = decision or network.info.fitted_decision()
        self.batch_size = batch_size
        self.max_pixels = max_pixels
        self.max_memory = max_memory

    @classmethod
    def load(
        cls,
        model: Path | str,
        device: str = "auto",
        *,
        precision: Precision = "auto",
        workers: int | None = None,
        batch_size: int = BATCH_SIZE,
        max_pixels: int = MAX_PIXELS,
    ) -> Self:
        """Open a model folder, which torch runs, or an exported file, which needs no torch.

        Args:
            model: The folder, or an ``.onnx`` or ``.xml`` file of `tagsight export`.
            device: A device of what runs it, or ``auto``: of a folder the GPU if there is one.
            precision: Of the encoder; ``auto`` is float32, in which folder and file say the same.
            workers: Threads that decode photos; by default one for each processor, at most 16.
            batch_size: Photos per forward pass.
            max_pixels: Most pixels of a photo; a larger one is not decoded.

        Raises:
            DataError: If the model or the device cannot be used.
        """
        network = open_network(Path(model), device, precision, workers=workers)
        return cls(network, batch_size=batch_size, max_pixels=max_pixels)

    @property
    def info(self) -> ModelInfo:
        """What the model says of itself."""
        return self.network.info

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the labels that the model knows."""
        return self.info.labels

    def at(self, strictness: Strictness) -> Self:
        """A recognizer that wants more or less of a label (`Decision.at`); this one stays."""
        return self._like_this(self.network, self.decision.at(strictness))

    def add_labels(self, names: Sequence[str], *, vectors: Path | None = None) -> Self:
        """A recognizer of further labels, which the model was never trained on; this one stays.

        Args:
            names: The ``K`` new labels, which stand behind the others.
            vectors: The file of word vectors that the model was trained with; by default those of
                the extra ``glove``.

        Raises:
            DataError: As `new_labels.add_labels` does, first of all if the model's system
                learns each label from photos; or if the model is an exported file.
        """
        network = self.network.with_labels(names, vectors=vectors)
        return self._like_this(network, self.decision.extended(len(names)))

    def __call__(self, photo: PhotoLike) -> Result:
        """Recognise one photo.

        Raises:
            DataError: If the photo cannot be read.
        """
        (result,) = self.results([self._prepared(photo)])
        return replace(result, photo=photo) if not isinstance(photo, str | Path) else result

    def recognize(
        self, photos: Iterable[PhotoLike], *, on_error: OnError | None = None
    ) -> Iterator[Result]:
        """Recognise photos, in their order, as many as there may be.

        Batches are decoded and recognised side by side (`Network.pipeline`); what is held at any
        time does not depend on the number of photos.

        Args:
            photos: Drawn one by one.
            on_error: Called with a photo that cannot be read, which is left out. Without it the
                error is raised, after the results of the photos before.

        Raises:
            DataError: If a photo cannot be read.
        """
        if isinstance(photos, str | bytes | Path | Image.Image):
            msg = "expected several photos, got one: recognizer(photo) takes one, [photo] is a list"
            raise TypeError(msg)
        batches = batched(photos, self.batch_size)
        done = self.network.pipeline(self._prepared_batch, self._outcomes, batches)
        return _readable(chain.from_iterable(done), on_error)

    def answers(self, photos: Sequence[PhotoLike]) -> list[Result | DataError]:
        """Recognise the photos of one batch in this thread; one that cannot be read is an error."""
        outcomes = self._outcomes(self._prepared_batch(photos))
        return [one.error if isinstance(one, _Unreadable) else one for one in outcomes]

    def embed(self, photos: Iterable[PhotoLike]) -> Iterator[NDArray[np.float32]]:
        """Describe photos, in their order, by the pooled features: ``(D,)`` float32 each.

        Raises:
            DataError: If a photo cannot be read.
        """
        return (result.embedding for result in self.recognize(photos))

    def embed_region(self, photo: PhotoLike, region: Region) -> NDArray[np.float32]:
        """Describe a part of a photo by the features there, pooled as those of whole photos are.

        Args:
            photo: The photo.
            region: Left, top, width and height in pixels of the upright photo.

        Returns:
            ``(D,)`` float32.

        Raises:
            DataError: If the photo cannot be read, or the region has no part of it.
        """
        prepared = self._prepared(photo)
        (features,) = self.network.features(prepared.pixels[None])
        return region_vector(features, region, prepared.size, self.info.pooling)

    def pixels(self, photo: PhotoLike) -> NDArray[np.uint8]:
        """Make a photo what the network sees: ``(S, S, 3)`` uint8.

        Raises:
            DataError: If the photo cannot be read.
        """
        return self._prepared(photo).pixels

    def grad_cam(self, photo: PhotoLike, labels: Sequence[int]) -> NDArray[np.float32]:
        """Explain a photo by Grad-CAM (`systems.gradcam`), to compare it with the model's maps.

        Args:
            photo: The photo.
            labels: Indices of the labels that are asked about.

        Returns:
            ``(len(labels), h, w)`` float32, at least 0.

        Raises:
            DataError: If the photo cannot be read, or the model is an exported file.
        """
        (maps,) = self.network.grad_cam(self.pixels(photo)[None], labels)
        return maps

    @property
    def least_side(self) -> int:
        """Pixels that a photo's width and height may be reduced to when it is decoded."""
        return decoding_side(self.info.image_size)

    def prepare(self, photo: Image.Image, path: Path | None = None) -> Prepared:
        """Prepare a photo for the network that `open_photo` has decoded.

        Args:
            photo: Of at least `least_side` pixels, or its own size if that is less.
            path: Where it came from, if it was a file.
        """
        return Prepared(path, as_square(photo, self.info.image_size), whole_size(photo))

    def results(self, batch: Sequence[Prepared]) -> list[Result]:
        """Recognise the prepared photos of one batch."""
        if not batch:
            return []
        logits, maps, embedding = self.network(np.stack([photo.pixels for photo in batch]))
        scores = self.decision.scores(logits)
        predicted = self.decision.predicted(scores)
        # A row is copied: whoever keeps one result is not to keep its batch.
        return [
            Result(
                path=photo.path,
                names=self.labels,
                scores=scores[row].copy(),
                thresholds=self.decision.thresholds.copy(),
                predicted=predicted[row].copy(),
                maps=maps[row].copy(),
                logits=logits[row].copy(),
                embedding=embedding[row].copy(),
                photo_size=photo.size,
            )
            for row, photo in enumerate(batch)
        ]

    def _prepared(self, source: PhotoLike) -> Prepared:
        path = Path(source) if isinstance(source, str | Path) else None
        return self.prepare(self._opened(source), path)

    def _opened(self, source: PhotoLike) -> Image.Image:
        return open_photo(
            _photo(source),
            max_pixels=self.max_pixels,
            max_memory=self.max_memory,
            least_side=self.least_side,
        )

    def _prepared_batch(self, sources: Sequence[PhotoLike]) -> list[Prepared | _Unreadable]:
        prepared: list[Prepared | _Unreadable] = []
        for source in sources:
            try:
                prepared.append(self._prepared(source))
            except DataError as error:
                prepared.append(_Unreadable(source, error))
        return prepared

    def _outcomes(self, batch: Sequence[Prepared | _Unreadable]) -> list[Result | _Unreadable]:
        results = iter(self.results([photo for photo in batch if isinstance(photo, Prepared)]))
        return [photo if isinstance(photo, _Unreadable) else next(results) for photo in batch]

    def _like_this(self, network: Network, decision: Decision) -> Self:
        return type(self)(
            network,
            decision=decision,
            batch_size=self.batch_size,
            max_pixels=self.max_pixels,
            max_memory=self.max_memory,
        )


def load(
    model: str | Path | Recognizer | Run,
    device: str = "auto",
    *,
    precision: Precision = "auto",
    workers: int | None = None,
) -> Recognizer:
    """Open a trained model to recognise photos, as `Recognizer.load` does.

    Args:
        model: A model folder, an exported file, or a `Run`; a `Recognizer` is given back.
        device: A device of what runs it, or ``auto``: of a folder the GPU if there is one.
        precision: Of the encoder; ``auto`` is float32, in which folder and file say the same.
        workers: Threads that decode photos; by default one for each processor, at most 16.

    Raises:
        DataError: If the model or the device cannot be used.
    """
    if isinstance(model, Recognizer):
        return model
    folder = model if isinstance(model, str | Path) else model.model_folder
    return Recognizer.load(folder, device, precision=precision, workers=workers)


class _Unreadable(NamedTuple):
    source: PhotoLike
    error: DataError


def _photo(source: PhotoLike) -> Path | bytes | Image.Image:
    if isinstance(source, np.ndarray):
        if source.ndim != 3 or source.shape[2] != 3 or source.dtype != np.uint8 or not source.size:
            msg = (
                "expected a photo as an array (height, width, 3) of uint8, "
                f"got {source.shape} of {source.dtype}"
            )
            raise DataError(msg)
        return Image.fromarray(np.ascontiguousarray(source))
    if not isinstance(source, str | Path | bytes | Image.Image):
        msg = f"expected a photo as path, bytes, Pillow image or array, got {source!r:.100}"
        raise TypeError(msg)
    return Path(source) if isinstance(source, str) else source


def _readable(
    outcomes: Iterable[Result | _Unreadable], on_error: OnError | None
) -> Iterator[Result]:
    for outcome in outcomes:
        if isinstance(outcome, Result):
            yield outcome
        elif on_error is None:
            raise outcome.error
        else:
            on_error(outcome.source, outcome.error)
