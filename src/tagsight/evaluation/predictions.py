"""The logits and embeddings of a split, in the order of its photos."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from tagsight.loading.batches import evaluation_batches
from tagsight.loading.transforms import on_device

if TYPE_CHECKING:
    from collections.abc import Callable

    from tagsight.loading.batches import Photos
    from tagsight.nn.views import Images
    from tagsight.runtime.device import Runtime
    from tagsight.systems.base import System


class Predictions(NamedTuple):
    """The predictions of a system for a split.

    Attributes:
        logits: ``(N, L)`` float32 on the CPU, in the order of the photos.
        photos_per_second: Throughput, decoding included.
    """

    logits: Tensor
    photos_per_second: float


@torch.no_grad()
def predict(
    system: System,
    photos: Photos,
    runtime: Runtime,
    *,
    batch_size: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> Predictions:
    """Compute the logits of all photos, in their order.

    Of several processes each computes its share, and all get every row.

    Args:
        system: On the runtime's device; it is left in evaluation mode.
        photos: ``N`` photos at the resolution the system was trained for, or their features.
        runtime: Device, precision, processes.
        batch_size: Photos per forward pass; by default those of the runtime.
        progress: Called with the approximate number of photos done, over all processes.

    Example:
        >>> import tagsight as ts
        >>> from pathlib import Path
        >>> from tagsight.checkpoint.folder import load_model
        >>> from tagsight.loading.batches import PhotoStore
        >>> from tagsight.runtime.device import Runtime
        >>> system = load_model(Path("runs/first/model")).system
        >>> photos = PhotoStore(ts.read_annotations("labels.csv").paths[:3], 64, 0)
        >>> predict(system, photos, Runtime.choose("cpu", "float32")).logits.shape
        torch.Size([3, 2])
    """
    started = time.perf_counter()
    logits = forward_photos(
        lambda images: system(images).logits,
        system,
        photos,
        runtime,
        batch_size=batch_size,
        progress=progress,
    )
    return Predictions(logits, len(photos) / (time.perf_counter() - started))


@torch.no_grad()
def forward_photos(
    function: Callable[[Images], Tensor],
    system: System,
    photos: Photos,
    runtime: Runtime,
    *,
    batch_size: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> Tensor:
    """Apply a function of a system to all photos, in their order; arguments are as for `predict`.

    Args:
        function: Computes ``(B, ...)`` float of a batch on the device, such as the logits or
            embeddings.
        system: The system that the function belongs to.
        photos: ``N`` photos.
        runtime: Device, precision, processes.
        batch_size: Photos per forward pass; by default those of the runtime.
        progress: Called with the approximate number of photos done, over all processes.

    Returns:
        ``(N, ...)`` float32 on the CPU; in every process all rows.

    Example:
        >>> import tagsight as ts
        >>> from pathlib import Path
        >>> from tagsight.checkpoint.folder import load_model
        >>> from tagsight.loading.batches import PhotoStore
        >>> from tagsight.runtime.device import Runtime
        >>> system = load_model(Path("runs/first/model")).system
        >>> photos = PhotoStore(ts.read_annotations("labels.csv").paths[:3], 64, 0)
        >>> runtime = Runtime.choose("cpu", "float32")
        >>> forward_photos(lambda images: system(images).embedding, system, photos, runtime).shape
        torch.Size([3, 2280])
    """
    system.eval()
    processes = runtime.processes
    parts: list[Tensor] = []
    done = 0
    rows = processes.share(len(photos))
    at_once = batch_size or runtime.photos_at_once
    with processes.own_share():
        for images in evaluation_batches(photos, at_once, runtime.workers, rows):
            with runtime.autocast():
                parts.append(function(on_device(images, runtime)).float().cpu())
            done += len(parts[-1])
            if progress is not None:
                progress(min(len(photos), done * processes.count))
    # A process with an empty share cannot know the shape of a row: only the whole list is joined.
    return torch.cat([part for share in processes.collect(parts) for part in share])
