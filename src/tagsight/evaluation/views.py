"""Evaluation with views: the mean over a photo, its mirror image and other resolutions.

Logits are averaged, not scores: they are the evidence that a label's map averages to, mAP ranks by
them, and temperature and thresholds apply to their mean as to the logits of one view.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple, Protocol

import torch

from tagsight.errors import DataError
from tagsight.evaluation.predictions import Predictions, forward_photos
from tagsight.loading.batches import evaluation_photos

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from torch import Tensor

    from tagsight.checkpoint.folder import LoadedModel
    from tagsight.nn.views import Images
    from tagsight.runtime.device import Runtime


class EvaluationViews(NamedTuple):
    """The views of each photo that logits are averaged over.

    Attributes:
        flip: Whether the mirror image counts as well, at each size.
        sizes: Sides of the square in pixels, that of the model first.
    """

    flip: bool
    sizes: tuple[int, ...]


class Predictor(Protocol):
    """Computes the logits of photos, as `predict_views` does."""

    def __call__(
        self,
        model: LoadedModel,
        paths: Sequence[Path],
        views: EvaluationViews,
        runtime: Runtime,
        *,
        progress: Callable[[int], None] | None = None,
    ) -> Predictions:
        """Compute the logits of photos, averaged over views."""


def evaluation_views(views: Sequence[str | float], side: int, stride: int) -> EvaluationViews:
    """Read views: ``flip``, and sizes relative to the model's.

    Args:
        views: ``flip``, or factors of the side.
        side: Side of the model's square, in pixels.
        stride: Divisor of the sides, the stride of the encoder; they are rounded to it.

    Raises:
        DataError: If a view is neither.

    Example:
        >>> evaluation_views(["flip", 1.25], side=448, stride=32)
        EvaluationViews(flip=True, sizes=(448, 576))
    """
    sizes = [side]
    for view in views:
        if view == "flip":
            continue
        try:
            factor = float(view)
        except ValueError:
            factor = 0.0
        if not 0 < factor < float("inf"):
            msg = (
                "expected 'flip' or a factor of the image size such as 1.25 in `views`, "
                f"got {view!r}"
            )
            raise DataError(msg)
        sizes.append(max(stride, stride * round(side * factor / stride)))
    return EvaluationViews("flip" in views, tuple(dict.fromkeys(sizes)))


def predict_views(
    model: LoadedModel,
    paths: Sequence[Path],
    views: EvaluationViews,
    runtime: Runtime,
    *,
    progress: Callable[[int], None] | None = None,
) -> Predictions:
    """Compute the logits of photos, averaged over views.

    Args:
        model: On the runtime's device; its system is left in evaluation mode.
        paths: ``N`` photos.
        views: The views.
        runtime: Device, precision, processes.
        progress: Called with the approximate number of photos done.

    Raises:
        DataError: If the encoder does not take a size.

    Example:
        >>> import tagsight as ts
        >>> from pathlib import Path
        >>> from tagsight.checkpoint.folder import load_model
        >>> from tagsight.runtime.device import Runtime
        >>> model, runtime = load_model(Path("runs/first/model")), Runtime.choose("cpu", "float32")
        >>> paths, views = ts.read_annotations("labels.csv").paths, EvaluationViews(True, (64,))
        >>> predict_views(model, paths[:2], views, runtime).logits.shape
        torch.Size([2, 2])
    """
    system, started = model.system, time.perf_counter()

    def logits(images: Images) -> Tensor:
        seen = system(images).logits
        if not views.flip:
            return seen
        assert isinstance(images, torch.Tensor), "photos are evaluated as pixels"
        return (seen + system(images.flip(-1)).logits) / 2

    found = []
    for number, size in enumerate(views.sizes):
        photos = evaluation_photos(paths, model.at(size).recipe.training, runtime)

        def advance(done: int, before: int = number * len(paths)) -> None:
            if progress is not None:
                progress((before + done) // len(views.sizes))

        found.append(forward_photos(logits, system, photos, runtime, progress=advance))
    rate = len(paths) / (time.perf_counter() - started)
    return Predictions(torch.stack(found).mean(0), rate)
