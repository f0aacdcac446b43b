"""The logits of a split, computed on the machines of a Ray cluster."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import torch

from tagsight.checkpoint.folder import LoadedModel, load_model
from tagsight.data.remote.places import shown
from tagsight.errors import DataError
from tagsight.evaluation.predictions import Predictions
from tagsight.evaluation.views import predict_views
from tagsight.runtime.cluster import Answer, RayCluster, check_same
from tagsight.runtime.device import Runtime

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tagsight.evaluation.views import EvaluationViews
    from tagsight.labels.space import LabelSpace
    from tagsight.runtime.cluster import Columns
    from tagsight.runtime.device import Precision


def predict_on_cluster(
    model: LoadedModel,
    paths: Sequence[Path],
    views: EvaluationViews,
    runtime: Runtime,
    *,
    cluster: RayCluster,
    progress: Callable[[int], None] | None = None,
) -> Predictions:
    """Compute what `predict_views` does on machines that have photos and model at the same paths.

    Args:
        model: The model, read from a folder.
        paths: ``N`` photos.
        views: The views.
        runtime: Precision, and memory that decoding a photo may take; each worker uses a GPU if the
            cluster has any.
        cluster: The machines.
        progress: Called with the number of photos done.

    Raises:
        DataError: If the model was not read from a folder, a machine cannot use the folder or a
            photo, or the processes of a launcher ask.

    Example:
        >>> predict = partial(predict_on_cluster, cluster=RayCluster(workers=2))
        >>> predict.keywords  # measured(model, rows, runtime, predict=predict)
        {'cluster': RayCluster(workers=2)}
    """
    if runtime.processes.count > 1:
        msg = "expected one process to ask the cluster, got several of a launcher"
        raise DataError(msg)
    worker = partial(_loaded, _Wanted.of(model, views, runtime))
    started, parts, done = time.perf_counter(), [], 0
    places = (path.absolute() for path in paths)
    for part in cluster.answers(worker, places, batch_size=runtime.photos_at_once):
        parts.append(torch.tensor(part["logits"]))
        done += len(parts[-1])
        if progress is not None:
            progress(done)
    return Predictions(torch.cat(parts), len(paths) / (time.perf_counter() - started))


class _Wanted(NamedTuple):
    """Message to a worker, which reads weights and photos from the disk."""

    folder: Path
    digest: str
    labels: LabelSpace
    image_size: int
    views: EvaluationViews
    precision: Precision
    photo_bytes: int

    @classmethod
    def of(cls, model: LoadedModel, views: EvaluationViews, runtime: Runtime) -> _Wanted:
        if model.folder is None:
            msg = "expected a model read from a folder, for the machines of a cluster to read"
            raise DataError(msg)
        return cls(
            model.folder.absolute(),
            model.digest,
            model.labels,
            model.recipe.training.image_size,
            views,
            runtime.precision,
            runtime.max_photo_memory,
        )


def _loaded(wanted: _Wanted) -> Answer:
    """Load the model of a worker, which answers with logits."""
    runtime = Runtime.choose(precision=wanted.precision, photo_memory=0)
    if runtime.device.type == "cpu":
        runtime = replace(runtime, workers=1)  # the cluster has a worker for each processor
    runtime = replace(runtime, max_photo_memory=wanted.photo_bytes)
    loaded = load_model(wanted.folder, runtime.device)
    check_same(wanted.digest, loaded.digest, wanted.folder)
    if wanted.labels.names != loaded.labels.names:
        extended = loaded.system.with_labels(wanted.labels)
        loaded = replace(loaded, system=extended, labels=wanted.labels)
    model = loaded.at(wanted.image_size)

    def of(photos: list[Path]) -> Columns:
        return {"logits": predict_views(model, photos, wanted.views, runtime).logits.numpy()}

    def without(photo: Path, reason: str) -> Columns:
        msg = f"{shown(photo)}: {reason}"
        raise DataError(msg)

    return Answer(of, without)
