"""The quality of image retrieval: each photo of a split is a query among the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

from tagsight.errors import DataError
from tagsight.evaluation.percents import percent, percent_interval
from tagsight.evaluation.predictions import forward_photos
from tagsight.loading.batches import evaluation_photos
from tagsight.metrics.bootstrap import bootstrap
from tagsight.metrics.classification import average_precision_at_k, precision_at_k
from tagsight.nn.neighbours import nearest
from tagsight.runtime.amounts import amount

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from tagsight.checkpoint.folder import LoadedModel
    from tagsight.data.annotations import Annotations
    from tagsight.evaluation.evaluate import Report
    from tagsight.runtime.device import Runtime

BLOCK = 1024
"""Queries compared at a time, to bound the memory of their similarities."""


def measure_retrieval(
    model: LoadedModel,
    annotations: Annotations,
    runtime: Runtime,
    k: int,
    *,
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
) -> Report:
    """Search for each photo among the others by the cosine similarity of their embeddings.

    Args:
        model: On the runtime's device.
        annotations: The photos, their labels matched to the model's.
        runtime: Device and precision.
        k: Photos that a search returns.
        seed: Seed of the bootstrap.
        progress: Called with the number of photos done.

    Returns:
        The report of `retrieval_quality`.

    Raises:
        DataError: If there are not more than ``k`` photos.

    Example:
        >>> import tagsight as ts
        >>> from pathlib import Path
        >>> from tagsight.checkpoint.folder import load_model
        >>> from tagsight.runtime.device import Runtime
        >>> model, runtime = load_model(Path("runs/first/model")), Runtime.choose("cpu", "float32")
        >>> rows = ts.read_annotations("labels.csv").rows("val")
        >>> measure_retrieval(model, rows, runtime, k=1)["queries"]
        3
    """
    photos = evaluation_photos(annotations.paths, model.recipe.training, runtime)
    system = model.system
    embeddings = forward_photos(
        lambda images: system(images).embedding, system, photos, runtime, progress=progress
    )
    return retrieval_quality(embeddings, annotations.targets, k, seed=seed)


def retrieval_quality(embeddings: Tensor, targets: Tensor, k: int, *, seed: int = 0) -> Report:
    """Measure retrieval by the cosine similarity of embeddings.

    A photo is relevant to a query if both have a label in common. Photos that share no label with
    any other photo are not used as queries.

    Args:
        embeddings: ``(N, D)`` float.
        targets: ``(N, L)`` int in {1, 0, -1}.
        k: Photos that a search returns.
        seed: Seed of the bootstrap over queries.

    Returns:
        In percent: ``precision`` of the first ``k`` with its 95 % interval, ``mAP`` of the first
        ``k``, and ``chance``, the precision of photos drawn at random; also ``k`` and ``queries``.

    Raises:
        DataError: If there are not more than ``k`` photos.

    Example:
        >>> import torch
        >>> embeddings = torch.tensor([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.1, 0.9]])
        >>> targets = torch.tensor([[1, 0], [1, 0], [0, 1], [0, 1]])
        >>> quality = retrieval_quality(embeddings, targets, 1)
        >>> quality["precision"], quality["chance"], quality["queries"]
        (100.0, 33.3333, 4)
    """
    if len(embeddings) <= k:
        msg = f"expected more than {amount(k, 'photo')} to search among, got {len(embeddings)}"
        raise DataError(msg)
    units, present = F.normalize(embeddings), (targets == 1).float()
    relevant, existing = [], []
    for own in torch.arange(len(units)).split(BLOCK):
        found = nearest(units[own], units, k, own=own)
        shared = present[own] @ present.T > 0
        relevant.append(shared.gather(1, found))
        existing.append(shared.sum(1) - shared[torch.arange(len(own)), own].long())
    hits, others = torch.cat(relevant), torch.cat(existing)
    queries = others > 0
    precision = precision_at_k(hits)[queries]
    interval = bootstrap(
        lambda drawn: precision[drawn].mean().item(), len(precision), seed=seed, resamples=1000
    )
    chance = others[queries].double() / (len(units) - 1)
    return {
        "k": k,
        "queries": int(queries.sum()),
        "precision": percent(precision.mean().item()),
        "precision_interval": percent_interval(interval),
        "mAP": percent(average_precision_at_k(hits, others)[queries].mean().item()),
        "chance": percent(chance.mean().item()),
    }
