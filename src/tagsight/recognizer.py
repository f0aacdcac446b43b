"""Photos in, labels and evidence out: the one border between the world and the network."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from tagsight.checkpoint import load_model
from tagsight.data.photos import MAX_PIXELS, open_photo, whole_size
from tagsight.errors import DataError
from tagsight.preprocessing import least_side
from tagsight.result import Result
from tagsight.runtime import Runtime
from tagsight.threads import ordered_map
from tagsight.transforms import warp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from tagsight.checkpoint import LoadedModel
    from tagsight.runtime import Precision

PhotoLike = Path | str | bytes | Image.Image | NDArray[np.uint8]
"""A photo: its path, its file's bytes, a Pillow image, or an array (height, width, 3) uint8."""

OnError = Callable[[PhotoLike, DataError], object]

BATCH_SIZE = 32


class Recognizer:
    """A model at work. It keeps nothing between calls; threads may share it.

    Args:
        model: On the runtime's device.
        runtime: Device, precision, and threads that decode.
        batch_size: Photos per forward pass.
        max_pixels: Most pixels of a photo; a larger one is not decoded.
    """

    def __init__(
        self,
        model: LoadedModel,
        runtime: Runtime,
        *,
        batch_size: int = BATCH_SIZE,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        self.model = model
        self.runtime = runtime
        self.batch_size = batch_size
        self.max_pixels = max_pixels

    @classmethod
    def load(
        cls,
        model: Path | str,
        device: str = "auto",
        *,
        precision: Literal["auto", Precision] = "auto",
        batch_size: int = BATCH_SIZE,
        max_pixels: int = MAX_PIXELS,
    ) -> Self:
        """Read a model folder.

        Args:
            model: The folder.
            device: A torch device, or ``auto``: the GPU if there is one.
            precision: Of the convolutions; ``auto`` is what training and evaluation take here.
            batch_size: Photos per forward pass.
            max_pixels: Most pixels of a photo; a larger one is not decoded.

        Raises:
            DataError: If the folder or the device cannot be used.
        """
        runtime = Runtime.choose(device, precision)
        loaded = load_model(Path(model), runtime.device)
        return cls(loaded, runtime, batch_size=batch_size, max_pixels=max_pixels)

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the labels that the model knows."""
        return self.model.labels.names

    def __call__(self, photo: PhotoLike) -> Result:
        """Recognise one photo.

        Raises:
            DataError: If the photo cannot be read.
        """
        (result,) = self.recognize([photo])
        return result

    def recognize(
        self, photos: Iterable[PhotoLike], *, on_error: OnError | None = None
    ) -> Iterator[Result]:
        """Recognise photos, in their order, as many as there may be.

        Photos are decoded by threads while the network works, a batch ahead of it; what is held at
        any time does not depend on their number.

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
        batches = _batches(_readable(self._prepared(photos), on_error), self.batch_size)
        return (result for batch in batches for result in self._results(batch))

    def embed(self, photos: Iterable[PhotoLike]) -> Iterator[NDArray[np.float32]]:
        """Describe photos, in their order, by the pooled features: ``(D,)`` float32 each.

        Raises:
            DataError: If a photo cannot be read.
        """
        return (result.embedding for result in self.recognize(photos))

    def images(self, photos: Iterable[PhotoLike]) -> Tensor:
        """Make photos what the system sees: ``(B, 3, S, S)`` float in [0, 1], on its device.

        Raises:
            DataError: If a photo cannot be read.
        """
        prepared = _readable(self._prepared(photos), None)
        return self.runtime.images(torch.stack([photo.image for photo in prepared]))

    def _prepared(self, photos: Iterable[PhotoLike]) -> Iterator[_Prepared | _Unreadable]:
        side = self.model.recipe.training.image_size

        def prepare(source: PhotoLike) -> _Prepared | _Unreadable:
            try:
                photo = _opened(source, self.max_pixels, least_side(side))
            except DataError as error:
                return _Unreadable(source, error)
            path = Path(source) if isinstance(source, str | Path) else None
            return _Prepared(path, warp(photo, side), whole_size(photo))

        return ordered_map(prepare, photos, workers=self.runtime.workers, ahead=2 * self.batch_size)

    @torch.inference_mode()
    def _results(self, batch: Sequence[_Prepared]) -> list[Result]:
        images = self.runtime.images(torch.stack([photo.image for photo in batch]))
        with self.runtime.autocast():
            recognition = self.model.system(images)
        logits, maps, embedding = (tensor.float().cpu() for tensor in recognition)
        decision = self.model.decision
        scores = decision.scores(logits)
        predicted = decision.predicted(scores)
        # A row is copied: whoever keeps one result is not to keep its batch.
        return [
            Result(
                path=photo.path,
                names=self.labels,
                scores=scores[row].numpy().copy(),
                thresholds=decision.thresholds.numpy().copy(),
                predicted=predicted[row].numpy().copy(),
                maps=maps[row].numpy().copy(),
                logits=logits[row].numpy().copy(),
                embedding=embedding[row].numpy().copy(),
                photo_size=photo.size,
            )
            for row, photo in enumerate(batch)
        ]


class _Prepared(NamedTuple):
    path: Path | None
    image: Tensor
    size: tuple[int, int]


class _Unreadable(NamedTuple):
    source: PhotoLike
    error: DataError


def _opened(source: PhotoLike, max_pixels: int, least: int) -> Image.Image:
    if isinstance(source, np.ndarray):
        if source.ndim != 3 or source.shape[2] != 3 or source.dtype != np.uint8 or not source.size:
            msg = (
                "expected a photo as an array (height, width, 3) of uint8, "
                f"got {source.shape} of {source.dtype}"
            )
            raise DataError(msg)
        return open_photo(Image.fromarray(np.ascontiguousarray(source)), max_pixels=max_pixels)
    if not isinstance(source, str | Path | bytes | Image.Image):
        msg = f"expected a photo as path, bytes, Pillow image or array, got {source!r:.100}"
        raise TypeError(msg)
    named = Path(source) if isinstance(source, str) else source
    return open_photo(named, max_pixels=max_pixels, least_side=least)


def _readable(
    photos: Iterable[_Prepared | _Unreadable], on_error: OnError | None
) -> Iterator[_Prepared]:
    for photo in photos:
        if isinstance(photo, _Prepared):
            yield photo
        elif on_error is None:
            raise photo.error
        else:
            on_error(photo.source, photo.error)


def _batches(photos: Iterator[_Prepared], size: int) -> Iterator[list[_Prepared]]:
    """Batches of photos; what comes before an error is passed on before it."""
    batch: list[_Prepared] = []
    try:
        for photo in photos:
            batch.append(photo)
            if len(batch) == size:
                yield batch
                batch = []
    except Exception:
        if batch:
            yield batch
        raise
    if batch:
        yield batch
