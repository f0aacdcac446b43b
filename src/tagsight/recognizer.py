"""Photos in, labels and evidence out: the one border between the world and the network."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from tagsight.checkpoint import load_model
from tagsight.data.photos import MAX_PIXELS, open_photo, whole_size
from tagsight.errors import DataError
from tagsight.new_labels import add_labels
from tagsight.precision import widened
from tagsight.preprocessing import least_side
from tagsight.regions import region_vector
from tagsight.result import Result
from tagsight.runtime import Runtime
from tagsight.threads import batched
from tagsight.transforms import warp
from tagsight.views import stacked_pixels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from tagsight.checkpoint import LoadedModel
    from tagsight.runtime import Precision

PhotoLike = Path | str | bytes | Image.Image | NDArray[np.uint8]
"""A photo: its path, its file's bytes, a Pillow image, or an array (height, width, 3) uint8."""

OnError = Callable[[PhotoLike, DataError], object]

BATCH_SIZE = 16
"""Photos per forward pass: the activations of more no longer fit into a processor's cache."""


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

    def add_labels(self, names: Sequence[str], *, vectors: Path | None = None) -> Self:
        """A recognizer of further labels, which the model was never trained on; this one stays.

        Args:
            names: The ``K`` new labels, which stand behind the others.
            vectors: The file of word vectors that the model was trained with; by default those of
                the extra ``glove``.

        Raises:
            DataError: As `tagsight.new_labels.add_labels` does, first of all if the model's system
                learns each label from photos.
        """
        return type(self)(
            add_labels(self.model, names, vectors=vectors),
            self.runtime,
            batch_size=self.batch_size,
            max_pixels=self.max_pixels,
        )

    def __call__(self, photo: PhotoLike) -> Result:
        """Recognise one photo.

        Raises:
            DataError: If the photo cannot be read.
        """
        (result,) = self._results([self._prepared(photo)])
        return result

    def recognize(
        self, photos: Iterable[PhotoLike], *, on_error: OnError | None = None
    ) -> Iterator[Result]:
        """Recognise photos, in their order, as many as there may be.

        Batches are decoded and recognised side by side (`Runtime.pipeline`); what is held at any
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
        done = self.runtime.pipeline(self._prepared_batch, self._outcomes, batches)
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

    @torch.inference_mode()
    def embed_region(
        self, photo: PhotoLike, region: tuple[float, float, float, float]
    ) -> NDArray[np.float32]:
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
        box = _box(region, prepared.size)
        system = self.model.system
        with self.runtime.autocast():
            features = widened(system.backbone(self._stacked([prepared])))
        pooled = region_vector(features, box.to(features.device), system.config.pooling)
        return pooled[0].float().cpu().numpy()

    def images(self, photos: Iterable[PhotoLike]) -> Tensor:
        """Make photos what the system sees: ``(B, 3, S, S)`` float in [0, 1], on its device.

        Raises:
            DataError: If a photo cannot be read.
        """
        return self._stacked([self._prepared(photo) for photo in photos])

    def _prepared(self, source: PhotoLike) -> _Prepared:
        side = self.model.recipe.training.image_size
        photo = _opened(source, self.max_pixels, least_side(side))
        path = Path(source) if isinstance(source, str | Path) else None
        return _Prepared(path, warp(photo, side), whole_size(photo))

    def _prepared_batch(self, sources: Sequence[PhotoLike]) -> list[_Prepared | _Unreadable]:
        prepared: list[_Prepared | _Unreadable] = []
        for source in sources:
            try:
                prepared.append(self._prepared(source))
            except DataError as error:
                prepared.append(_Unreadable(source, error))
        return prepared

    def _outcomes(self, batch: Sequence[_Prepared | _Unreadable]) -> list[Result | _Unreadable]:
        results = iter(self._results([photo for photo in batch if isinstance(photo, _Prepared)]))
        return [photo if isinstance(photo, _Unreadable) else next(results) for photo in batch]

    def _stacked(self, batch: Sequence[_Prepared]) -> Tensor:
        return self.runtime.images(stacked_pixels([photo.image for photo in batch]))

    @torch.inference_mode()
    def _results(self, batch: Sequence[_Prepared]) -> list[Result]:
        if not batch:
            return []
        images = self._stacked(batch)
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


def _box(region: tuple[float, float, float, float], size: tuple[int, int]) -> Tensor:
    """``(1, 4)``, left, top, right and bottom in fractions of the photo."""
    left, top, width, height = region
    corners = left / size[0], top / size[1], (left + width) / size[0], (top + height) / size[1]
    box = torch.tensor([corners]).clamp(0, 1)
    if not (width > 0 and height > 0 and bool((box[:, 2:] > box[:, :2]).all())):
        msg = (
            f"expected a region left, top, width, height within {size[0]} x {size[1]} pixels, "
            f"got {', '.join(f'{number:g}' for number in region)}"
        )
        raise DataError(msg)
    return box


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
    outcomes: Iterable[Result | _Unreadable], on_error: OnError | None
) -> Iterator[Result]:
    for outcome in outcomes:
        if isinstance(outcome, Result):
            yield outcome
        elif on_error is None:
            raise outcome.error
        else:
            on_error(outcome.source, outcome.error)
