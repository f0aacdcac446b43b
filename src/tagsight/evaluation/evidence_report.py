"""The evidence of a whole split: does it point at the objects, and does it follow the photo?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import torch

from tagsight.errors import DataError
from tagsight.evaluation.evaluate import percent, percent_interval
from tagsight.loading.batches import PhotoStore, evaluation_batches
from tagsight.loading.transforms import on_device
from tagsight.metrics.bootstrap import bootstrap
from tagsight.metrics.localization import (
    consistency_error,
    energy_in_boxes,
    mean_by_label,
    pointing_chance,
    pointing_hits,
)
from tagsight.nn.equivariance import on_one_grid, transform_images, undo_on_maps
from tagsight.systems.gradcam import grad_cam

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from tagsight.checkpoint.folder import LoadedModel
    from tagsight.config import Transform
    from tagsight.data.annotations import Annotations
    from tagsight.data.boxes import Boxes
    from tagsight.runtime.device import Runtime

TRANSFORMS: tuple[Transform, ...] = ("flip", "scale", "quarter_turn")
MapSource = Literal["maps", "grad-cam"]
BATCH = 32


class Pairs(NamedTuple):
    """Present labels of photos with boxes of them.

    Attributes:
        photos: ``(P,)`` int, the photo of each pair.
        labels: ``(P,)`` int, its label.
        boxes: ``(P, n, 4)`` float, its boxes as fractions of the photo; padded without area.
    """

    photos: Tensor
    labels: Tensor
    boxes: Tensor


def measure_evidence(
    model: LoadedModel,
    annotations: Annotations,
    runtime: Runtime,
    *,
    pairs: Pairs | None,
    source: MapSource = "maps",
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
) -> dict[str, object]:
    """Measure the maps of a split, in percent.

    Args:
        model: On the runtime's device.
        annotations: The split, its labels matched to the model's.
        runtime: Device and precision.
        pairs: Where objects are (`find_pairs`); without them only the consistency is measured.
        source: The system's own maps, or Grad-CAM's of the same network.
        seed: Of the bootstrap over photos.
        progress: Called with the number of photos done so far.

    Returns:
        ``pointing`` and ``energy_in_box`` (means over labels, with what chance would give),
        ``consistency`` (error relative to the maps' variance, mean over photos, by transform).
    """
    photos = PhotoStore(
        annotations.paths,
        model.recipe.training.image_size,
        memory=0,
        max_memory=runtime.max_photo_memory,
    )
    maps_of = _map_source(model, runtime, source)
    errors: list[Tensor] = []
    located: list[Tensor] = []
    start = 0
    for batch in evaluation_batches(photos, BATCH, runtime.workers):
        images = on_device(batch, runtime)
        maps = maps_of(images)
        errors.append(_errors(maps_of, images, maps))
        if pairs is not None:
            here = (pairs.photos >= start) & (pairs.photos < start + len(batch))
            chosen = maps[pairs.photos[here] - start, pairs.labels[here]]
            located.append(_locate(chosen, pairs.boxes[here]))
        start += len(batch)
        if progress is not None:
            progress(start)
    means = torch.cat(errors).nanmean(0).tolist()
    report: dict[str, object] = {
        "source": source,
        "consistency": {t: percent(mean) for t, mean in zip(TRANSFORMS, means, strict=True)},
    }
    if pairs is not None:
        report |= _located(pairs, torch.cat(located), annotations.names, seed)
    return report


def find_pairs(annotations: Annotations, boxes: Boxes) -> Pairs:
    """Match boxes to the present labels of photos by the names of both.

    Raises:
        DataError: If the boxes fit no photo, which a wrong file would otherwise hide.
    """
    found: list[tuple[int, int, Tensor]] = []
    for photo, path in enumerate(annotations.paths):
        known = boxes.of(path)
        if known is None:
            continue
        for label, name in enumerate(annotations.names):
            if name in known.boxes and annotations.targets[photo, label] == 1:
                found.append((photo, label, known.boxes[name] / torch.tensor(known.size * 2)))
    if not found:
        msg = (
            f"expected boxes of labels {list(annotations.names[:3])!r}... in photos such as "
            f"{annotations.paths[0].name!r}, the boxes file has none"
        )
        raise DataError(msg)
    photos, labels, corners = zip(*found, strict=True)
    padded = torch.nn.utils.rnn.pad_sequence(list(corners), batch_first=True)
    return Pairs(torch.tensor(photos), torch.tensor(labels), padded)


def _map_source(
    model: LoadedModel, runtime: Runtime, source: MapSource
) -> Callable[[Tensor], Tensor]:
    """What makes ``(B, L, h, w)`` float maps on the CPU of images on the device."""
    system = model.system.eval()

    def own(images: Tensor) -> Tensor:
        with torch.no_grad(), runtime.autocast():
            return system(images).maps.float().cpu()

    def from_gradients(images: Tensor) -> Tensor:
        with runtime.autocast():
            return grad_cam(system, images, range(len(model.labels))).float().cpu()

    return own if source == "maps" else from_gradients


def _errors(maps_of: Callable[[Tensor], Tensor], images: Tensor, maps: Tensor) -> Tensor:
    """``(B, T)`` float64, by transform."""
    errors: list[Tensor] = []
    stride = images.shape[-1] // maps.shape[-1]
    for transform in TRANSFORMS:
        view = transform_images(images, transform, multiple=stride)
        moved = undo_on_maps(maps_of(view), transform)
        errors.append(consistency_error(*on_one_grid(maps, moved, "bilinear")))
    return torch.stack(errors, dim=1)


def _locate(maps: Tensor, boxes: Tensor) -> Tensor:
    """``(P, 3)`` float64: hit, energy, and what chance would give."""
    values = pointing_hits(maps, boxes), energy_in_boxes(maps, boxes), pointing_chance(boxes)
    return torch.stack(values, dim=1)


def _located(pairs: Pairs, located: Tensor, names: Sequence[str], seed: int) -> dict[str, object]:
    size = len(names)
    hits, energies, chances = located.unbind(1)
    pointing = mean_by_label(hits, pairs.labels, size)
    energy = mean_by_label(energies, pairs.labels, size)
    return {
        "pointing": percent(pointing.mean),
        "pointing_interval": _interval(hits, pairs, size, seed),
        "energy_in_box": percent(energy.mean),
        "energy_in_box_interval": _interval(energies, pairs, size, seed),
        "chance": percent(mean_by_label(chances, pairs.labels, size).mean),
        "pairs": len(hits),
        "per_label": {
            name: {
                "pointing": percent(pointing.per_label[i].item()),
                "energy_in_box": percent(energy.per_label[i].item()),
                "pairs": int(pointing.pairs[i]),
            }
            for i, name in enumerate(names)
            if pointing.pairs[i]
        },
    }


def _interval(values: Tensor, pairs: Pairs, size: int, seed: int) -> list[float | None]:
    """Photos are drawn anew, with all of their pairs."""
    photos, photo = pairs.photos.unique(return_inverse=True)

    def statistic(drawn: Tensor) -> float:
        times = torch.bincount(drawn, minlength=len(photos))[photo]
        rows = torch.repeat_interleave(times)
        return mean_by_label(values[rows], pairs.labels[rows], size).mean

    return percent_interval(bootstrap(statistic, len(photos), seed=seed))
