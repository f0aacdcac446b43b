"""What a system says of a split, in the order of its photos."""

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
    from tagsight.systems.remembering import RememberingSystem


class Predictions(NamedTuple):
    """What a system says of a split.

    Attributes:
        logits: ``(N, L)`` float32 on the CPU, in the order of the photos.
        photos_per_second: Decoding included.
    """

    logits: Tensor
    photos_per_second: float


@torch.no_grad()
def predict(
    system: System,
    photos: Photos,
    runtime: Runtime,
    *,
    batch_size: int = 64,
    progress: Callable[[int], None] | None = None,
) -> Predictions:
    """Recognise all photos in their own order; of several processes each does its share.

    Args:
        system: On the runtime's device; it is left in evaluation mode.
        photos: The ``N`` photos at the side the system was trained for, or their features.
        runtime: Device and precision.
        batch_size: Photos per forward pass.
        progress: Called with about the number of photos done so far, by all processes.

    Returns:
        In every process the logits of all photos.
    """
    started = time.perf_counter()

    def logits(images: Images) -> Tensor:
        return system(images).logits

    gathered = _of_all(logits, system, photos, runtime, batch_size, progress)
    return Predictions(gathered, len(photos) / (time.perf_counter() - started))


@torch.no_grad()
def embed(
    system: System,
    photos: Photos,
    runtime: Runtime,
    *,
    batch_size: int = 64,
    progress: Callable[[int], None] | None = None,
) -> Tensor:
    """Give the pooled features of photos, in their order; arguments are as for `predict`.

    Returns:
        In every process ``(N, D)`` float32 on the CPU, of all photos.
    """
    return _of_all(
        lambda images: system(images).embedding, system, photos, runtime, batch_size, progress
    )


@torch.no_grad()
def describe(
    system: RememberingSystem,
    photos: Photos,
    runtime: Runtime,
    *,
    batch_size: int = 64,
    progress: Callable[[int], None] | None = None,
) -> Tensor:
    """Give what a system may remember of photos, in their order; arguments are as for `predict`.

    Returns:
        In every process ``(N, D)`` float32 on the CPU, of all photos.
    """
    return _of_all(system.describe, system, photos, runtime, batch_size, progress)


def _of_all(
    take: Callable[[Images], Tensor],
    system: System,
    photos: Photos,
    runtime: Runtime,
    batch_size: int,
    progress: Callable[[int], None] | None,
) -> Tensor:
    """A row for each photo; of several processes each makes its share, and all know all."""
    system.eval()
    processes = runtime.processes
    parts: list[Tensor] = []
    done = 0
    rows = processes.share(len(photos))
    with processes.own_share():
        for images in evaluation_batches(photos, batch_size, runtime.workers, rows):
            with runtime.autocast():
                parts.append(take(on_device(images, runtime)).float().cpu())
            done += len(parts[-1])
            if progress is not None:
                progress(min(len(photos), done * processes.count))
    # A process without a share has no part, and does not know how long a row is either.
    return torch.cat([part for share in processes.collect(parts) for part in share])
