"""Recognise photos: the one place where photos become tensors and outputs become results."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tagsight.data.photos.reading import MAX_PIXELS, decoding_side, open_photo, whole_size
from tagsight.data.photos.resizing import Frame, as_square, frame_of
from tagsight.data.remote.fetching import read_ahead
from tagsight.data.remote.places import place
from tagsight.errors import DataError
from tagsight.inference.identity import identity_of
from tagsight.inference.region_pooling import Region, region_vector
from tagsight.inference.result import Result
from tagsight.inference.runtimes import open_model
from tagsight.runtime.limits import MAX_PHOTO_MEMORY
from tagsight.runtime.threads import batched

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tagsight.checkpoint.decision import Decision, Strictness
    from tagsight.inference.model_info import ModelInfo
    from tagsight.inference.networks import Precision
    from tagsight.inference.networks.base import Network
    from tagsight.inference.run import Run
    from tagsight.inference.runtimes import RuntimeName

PhotoLike = Path | str | bytes | Image.Image | NDArray[np.uint8]
"""A photo: a path, the bytes of a file, a Pillow image, or an array (height, width, 3) uint8."""

OnError = Callable[[PhotoLike, DataError], object]

BATCH_SIZE = 16
"""Photos per forward pass: the activations of more do not fit into the cache of a processor."""


class Prepared(NamedTuple):
    """A photo prepared for the network.

    Attributes:
        path: File of the photo, or None if it did not come from a file.
        pixels: ``(S, S, 3)`` uint8; with padding ``(S, S, 4)``, as `as_square` makes it.
        size: Width and height of the photo in pixels, upright.
        frame: Where the square lies on the photo.
    """

    path: Path | None
    pixels: NDArray[np.uint8]
    size: tuple[int, int]
    frame: Frame


class Recognizer:
    """Recognises photos with a model. It has no state; threads may share it.

    Args:
        network: Runs the model.
        decision: Thresholds and temperature; by default those fitted with the model.
        batch_size: Photos per forward pass.
        max_pixels: Most pixels of a photo; a larger photo is not decoded.
        max_memory: Most bytes that decoding a photo may take.

    Example:
        >>> recognizer = Recognizer.load("runs/first/model")
        >>> sorted(label.name for label in recognizer("photos/dog.jpg").ranked())
        ['dog', 'sky']
        >>> photos = ["photos/dog.jpg", "photos/00.jpg"]
        >>> [result.path.name for result in recognizer.recognize(photos)]
        ['dog.jpg', '00.jpg']
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
        runtime: RuntimeName = "auto",
        measure: bool = False,
        workers: int | None = None,
        batch_size: int = BATCH_SIZE,
        max_pixels: int = MAX_PIXELS,
    ) -> Self:
        """Open a model folder, or an exported file, which needs no torch.

        Args:
            model: A model folder, or an ``.onnx`` or ``.xml`` file.
            device: Device such as ``cpu`` or ``cuda``; ``auto`` is the GPU for a folder, if there
                is one, and the CPU for a file.
            precision: Precision of the encoder; ``auto`` is float32, in which folder and file
                agree.
            runtime: Runtime of a folder, as for `load`.
            measure: Whether runtimes are compared first, as for `load`.
            workers: Threads that decode photos; by default one per processor, at most 16.
            batch_size: Photos per forward pass.
            max_pixels: Most pixels of a photo; a larger photo is not decoded.

        Raises:
            DataError: If the model or the device cannot be used.
        """
        network = open_model(
            Path(model), device, precision, runtime=runtime, measure=measure, workers=workers
        )
        return cls(network, batch_size=batch_size, max_pixels=max_pixels)

    @property
    def info(self) -> ModelInfo:
        """Description of the model."""
        return self.network.info

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the labels that the model knows."""
        return self.info.labels

    @property
    def identity(self) -> str:
        """Digest of all that decides the results of a photo."""
        return identity_of(self.network, self.decision, self.max_pixels, self.max_memory)

    def at(self, strictness: Strictness) -> Self:
        """Return a recognizer with higher or lower thresholds (see `Decision.at`)."""
        return self._like_this(self.network, self.decision.at(strictness))

    def add_labels(self, names: Sequence[str], *, vectors: Path | str | None = None) -> Self:
        """Return a recognizer that also knows labels the model was not trained on.

        Args:
            names: The ``K`` new labels, appended to the others.
            vectors: File of the word vectors that the model was trained with; by default those of
                the extra ``glove``.

        Raises:
            DataError: As in `tagsight.checkpoint.new_labels.add_labels`, for example if the
                system learns each label from photos; or if the model is an exported file.
        """
        file = None if vectors is None else Path(vectors)
        network = self.network.with_labels(names, vectors=file)
        return self._like_this(network, self.decision.extended(len(names)))

    def __call__(self, photo: PhotoLike) -> Result:
        """Recognise one photo.

        Args:
            photo: The photo; if it is not a file, the result keeps a reference to it.

        Raises:
            DataError: If the photo cannot be read.
        """
        (result,) = self.results([self._prepared(photo)])
        return replace(result, photo=photo) if not isinstance(photo, str | Path) else result

    def recognize(
        self, photos: Iterable[PhotoLike], *, on_error: OnError | None = None
    ) -> Iterator[Result]:
        """Recognise any number of photos, in order.

        Batches are decoded and recognised in parallel (see `Network.pipeline`); memory does not
        grow with the number of photos.

        Args:
            photos: Photos, consumed lazily.
            on_error: Called with each photo that cannot be read and the error; the photo is
                skipped. Without it the error is raised, after the results of earlier photos.

        Raises:
            DataError: If a photo cannot be read and there is no ``on_error``.
        """
        if isinstance(photos, str | bytes | Path | Image.Image):
            msg = "expected several photos, got one: recognizer(photo) takes one, [photo] is a list"
            raise TypeError(msg)
        batches = batched(read_ahead(photos), self.batch_size)
        done = self.network.pipeline(self._prepared_batch, self._outcomes, batches)
        return _readable(chain.from_iterable(done), on_error)

    def answers(self, photos: Sequence[PhotoLike]) -> list[Result | DataError]:
        """Recognise one batch in this thread, with an error in place of each unreadable photo."""
        outcomes = self._outcomes(self._prepared_batch(photos))
        return [one.error if isinstance(one, _Unreadable) else one for one in outcomes]

    def embed(self, photos: Iterable[PhotoLike]) -> Iterator[NDArray[np.float32]]:
        """Compute the embeddings of photos, in order: ``(D,)`` float32 each.

        Raises:
            DataError: If a photo cannot be read.
        """
        return (result.embedding for result in self.recognize(photos))

    def embed_region(self, photo: PhotoLike, region: Region) -> NDArray[np.float32]:
        """Compute the embedding of a part of a photo (see `region_vector`).

        Args:
            photo: The photo.
            region: Left, top, width and height in pixels of the upright photo.

        Returns:
            ``(D,)`` float32.

        Raises:
            DataError: If the photo cannot be read, or the region lies outside it.
        """
        prepared = self._prepared(photo)
        (features,) = self.network.features(prepared.pixels[None])
        return region_vector(
            features, region, prepared.size, self.info.pooling, frame=prepared.frame
        )

    def pixels(self, photo: PhotoLike) -> NDArray[np.uint8]:
        """Return a photo as the network gets it: ``(S, S, 3)`` uint8, with padding ``(S, S, 4)``.

        Raises:
            DataError: If the photo cannot be read.
        """
        return self._prepared(photo).pixels

    def grad_cam(self, photo: PhotoLike, labels: Sequence[int]) -> NDArray[np.float32]:
        """Compute Grad-CAM maps of a photo, to compare with the model's own maps.

        Args:
            photo: The photo.
            labels: Indices of labels.

        Returns:
            ``(len(labels), h, w)`` float32, at least 0, where the own maps are (`Result.frame`).

        Raises:
            DataError: If the photo cannot be read, or the model is an exported file.
        """
        (maps,) = self.network.grad_cam(self.pixels(photo)[None], labels)
        return maps

    @property
    def least_side(self) -> int:
        """Width and height in pixels to which decoding may reduce a photo."""
        return decoding_side(self.info.image_size)

    def prepare(self, photo: Image.Image, path: Path | None = None) -> Prepared:
        """Prepare a photo that `open_photo` has decoded.

        Args:
            photo: The photo, reduced at most to `least_side`.
            path: Its file, if it came from one.
        """
        side, resize = self.info.image_size, self.info.resize
        square = as_square(photo, side, resize)
        return Prepared(path, square, whole_size(photo), frame_of(photo.size, side, resize))

    def results(self, batch: Sequence[Prepared]) -> list[Result]:
        """Recognise one batch of prepared photos."""
        if not batch:
            return []
        logits, maps, embedding = self.network(np.stack([photo.pixels for photo in batch]))
        scores = self.decision.scores(logits)
        predicted = self.decision.predicted(scores)
        # Rows are copied: a view would keep the arrays of the whole batch in memory.
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
                frame=photo.frame,
            )
            for row, photo in enumerate(batch)
        ]

    def _prepared(self, source: PhotoLike) -> Prepared:
        path = place(source) if isinstance(source, str | Path) else None
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
    runtime: RuntimeName = "auto",
    measure: bool = False,
    workers: int | None = None,
) -> Recognizer:
    """Open a trained model to recognise photos, as `Recognizer.load` does.

    Args:
        model: A model folder, an exported file, or a `Run`; a `Recognizer` is given back.
        device: A device of what runs it, or ``auto``: of a folder the GPU if there is one.
        precision: Of the encoder; ``auto`` is float32, in which folder and file say the same.
        runtime: What runs a folder. ``auto`` is the runtime that was measured to be fastest for
            the model on this machine, among those whose decisions agree with torch's, and torch
            where none was; any but torch is exported to once, and kept.
        measure: Whether ``auto`` measures first where it is not known yet, for half a minute.
        workers: Threads that decode photos; by default one for each processor, at most 16.

    Raises:
        DataError: If the model, the device or the runtime cannot be used.

    Example:
        >>> import tagsight as ts
        >>> model = ts.load("runs/first/model")
        >>> model("photos/dog.jpg").names
        ('dog', 'sky')
    """
    if isinstance(model, Recognizer):
        return model
    folder = model if isinstance(model, str | Path) else model.model_folder
    return Recognizer.load(
        folder, device, precision=precision, runtime=runtime, measure=measure, workers=workers
    )


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
    return place(source) if isinstance(source, str | Path) else source


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
