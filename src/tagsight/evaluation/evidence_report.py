"""The quality of a split's evidence maps: localisation of objects, and equivariance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import torch

from tagsight.data.photos.resizing import frame_of
from tagsight.errors import DataError
from tagsight.evaluation.percents import percent, percent_interval
from tagsight.loading.batches import evaluation_batches, evaluation_photos
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
    from tagsight.config import Resize
    from tagsight.data.annotations import Annotations
    from tagsight.data.boxes import Boxes
    from tagsight.nn.config import Transform
    from tagsight.runtime.device import Runtime
    from tagsight.systems.base import System

TRANSFORMS: tuple[Transform, ...] = ("flip", "scale", "quarter_turn")
MapSource = Literal["maps", "grad-cam"]

COMPARED = 256
"""Photos whose maps are compared with those of the same photos transformed, three times each. More
would tell no more, and cost most of the time of an evaluation."""


class Pairs(NamedTuple):
    """Pairs of a photo and a present label with bounding boxes.

    Attributes:
        photos: ``(P,)`` int, row of the photo.
        labels: ``(P,)`` int, index of the label.
        boxes: ``(P, n, 4)`` float, corners of the boxes in pixels; padded with boxes of no area.
        sizes: ``(P, 2)`` int, width and height of the photo in pixels.
    """

    photos: Tensor
    labels: Tensor
    boxes: Tensor
    sizes: Tensor

    def on_maps(self, side: int, resize: Resize) -> BoxesOnMaps:
        """Convert the boxes to fractions of the maps.

        Args:
            side: Side of the square that photos are resized to, in pixels.
            resize: How photos are made squares.

        Example:
            >>> box = torch.tensor([[[160.0, 120.0, 320.0, 240.0]]])  # one box of one photo
            >>> pairs = Pairs(torch.tensor([0]), torch.tensor([0]), box, torch.tensor([[320, 240]]))
            >>> pairs.on_maps(224, "warp").boxes.tolist()
            [[[0.5, 0.5, 1.0, 1.0]]]
        """
        frames = torch.tensor([frame_of((w, h), side, resize) for w, h in self.sizes.tolist()])
        corners, extents = frames[:, :2].repeat(1, 2), (frames[:, 2:] - frames[:, :2]).repeat(1, 2)
        whole = torch.tensor([0.0, 0.0, 1.0, 1.0])
        fractions = self.boxes / self.sizes.repeat(1, 2)[:, None]
        return BoxesOnMaps(
            ((fractions - corners[:, None]) / extents[:, None]).clamp(0, 1),
            ((whole - corners) / extents).clamp(0, 1),
        )


class BoxesOnMaps(NamedTuple):
    """Boxes of pairs as fractions of the pairs' maps.

    Attributes:
        boxes: ``(P, n, 4)`` float; what a map does not cover is cut off.
        photos: ``(P, 4)`` float, the part of each map that is not padding.
    """

    boxes: Tensor
    photos: Tensor


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
    """Measure the evidence maps of a split, in percent.

    Consistency is measured on at most 256 photos, evenly spaced over the split, and localisation on
    all photos with boxes; others are not opened.

    Args:
        model: On the runtime's device.
        annotations: The split, its labels matched to the model's.
        runtime: Device and precision.
        pairs: Boxes of objects (`find_pairs`); without them only the consistency is measured.
        source: The system's own maps, or Grad-CAM's of the same network.
        seed: Seed of the bootstrap over photos.
        progress: Called with the number of photos done or passed over.

    Returns:
        ``consistency``: by transform, the error of the maps relative to their variance, mean over
        ``consistency_photos``. With boxes also ``pointing`` and ``energy_in_box``, means over
        labels with 95 % intervals; ``chance``, the value of both for uniform maps; ``pairs``; and
        ``per_label``.

    Example:
        >>> import tagsight as ts
        >>> from pathlib import Path
        >>> from tagsight.checkpoint.folder import load_model
        >>> from tagsight.runtime.device import Runtime
        >>> model, runtime = load_model(Path("runs/first/model")), Runtime.choose("cpu", "float32")
        >>> rows = ts.read_annotations("labels.csv").rows("val")
        >>> sorted(measure_evidence(model, rows, runtime, pairs=None)["consistency"])
        ['flip', 'quarter_turn', 'scale']
    """
    training = model.recipe.training
    compared = _evenly_spaced(len(annotations), COMPARED)
    rows = (compared if pairs is None else torch.cat([compared, pairs.photos])).unique()
    photos = evaluation_photos([annotations.paths[row] for row in rows], training, runtime)
    placed = None if pairs is None else pairs.on_maps(training.image_size, training.resize)
    maps_of = map_source(model.system, len(model.labels), runtime, source)
    errors: list[Tensor] = []
    located: list[Tensor] = []
    batches = evaluation_batches(photos, runtime.photos_at_once, runtime.workers)
    for batch, here in zip(batches, rows.split(runtime.photos_at_once), strict=True):
        images = on_device(batch, runtime)
        maps = maps_of(images)
        if len(some := torch.isin(here, compared).nonzero().flatten()):
            errors.append(_errors(maps_of, images[some.to(images.device)], maps[some]))
        if pairs is not None and placed is not None:
            boxed = torch.isin(pairs.photos, here)
            chosen = maps[torch.searchsorted(here, pairs.photos[boxed]), pairs.labels[boxed]]
            located.append(_locate(chosen, placed.boxes[boxed], placed.photos[boxed]))
        if progress is not None:
            progress(int(here[-1]) + 1)
    means = torch.cat(errors).nanmean(0).tolist()
    report: dict[str, object] = {
        "source": source,
        "consistency": {t: percent(mean) for t, mean in zip(TRANSFORMS, means, strict=True)},
        "consistency_photos": len(compared),
    }
    if pairs is not None:
        report |= _located(pairs, torch.cat(located), annotations.names, seed)
    return report


def find_pairs(annotations: Annotations, boxes: Boxes) -> Pairs:
    """Match boxes to the present labels of photos, by the names of photos and labels.

    Args:
        annotations: The photos and their labels.
        boxes: Boxes of objects by photo and label.

    Raises:
        DataError: If no box matches, as with a wrong file.

    Example:
        >>> import tagsight as ts
        >>> from tagsight.data.boxes import Boxes, PhotoBoxes
        >>> rows = ts.read_annotations("labels.csv").rows("val")
        >>> box = torch.tensor([[32.0, 56.0, 96.0, 96.0]])
        >>> boxes = Boxes(("dog",), {"17.jpg": PhotoBoxes((128, 96), {"dog": box})})
        >>> len(find_pairs(rows, boxes).labels)
        1
    """
    found: list[tuple[int, int, Tensor, tuple[int, int]]] = []
    for photo, path in enumerate(annotations.paths):
        known = boxes.of(path)
        if known is None:
            continue
        for label, name in enumerate(annotations.names):
            if name in known.boxes and annotations.targets[photo, label] == 1:
                found.append((photo, label, known.boxes[name], known.size))
    if not found:
        msg = (
            f"expected boxes of labels {list(annotations.names[:3])!r}... in photos such as "
            f"{annotations.paths[0].name!r}, the boxes file has none"
        )
        raise DataError(msg)
    photos, labels, corners, sizes = zip(*found, strict=True)
    padded = torch.nn.utils.rnn.pad_sequence(list(corners), batch_first=True)
    return Pairs(torch.tensor(photos), torch.tensor(labels), padded, torch.tensor(sizes))


def map_source(
    system: System, labels: int, runtime: Runtime, source: MapSource
) -> Callable[[Tensor], Tensor]:
    """Return a function from images on the device to ``(B, L, h, w)`` float maps on the CPU.

    Args:
        system: On the device; it is left in evaluation mode.
        labels: Number of labels ``L``.
        runtime: Device and precision.
        source: The system's own maps, or Grad-CAM's.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.checkpoint.folder import load_model
        >>> from tagsight.runtime.device import Runtime
        >>> model, runtime = load_model(Path("runs/first/model")), Runtime.choose("cpu", "float32")
        >>> maps_of = map_source(model.system, 2, runtime, "maps")
        >>> maps_of(torch.rand(1, 3, 64, 96)).shape
        torch.Size([1, 2, 2, 3])
    """
    system.eval()

    def own(images: Tensor) -> Tensor:
        with torch.no_grad(), runtime.autocast():
            return system(images).maps.float().cpu()

    def from_gradients(images: Tensor) -> Tensor:
        with runtime.autocast():
            return grad_cam(system, images, range(labels)).float().cpu()

    return own if source == "maps" else from_gradients


def _evenly_spaced(length: int, most: int) -> Tensor:
    """Return at most so many rows out of so many: ``(n,)`` int, ascending."""
    count = min(length, most)
    return torch.arange(count) * length // count


def _errors(maps_of: Callable[[Tensor], Tensor], images: Tensor, maps: Tensor) -> Tensor:
    """Compute the consistency error of each image: ``(B, T)`` float64, by transform."""
    errors: list[Tensor] = []
    stride = images.shape[-1] // maps.shape[-1]
    for transform in TRANSFORMS:
        view = transform_images(images, transform, multiple=stride)
        moved = undo_on_maps(maps_of(view), transform)
        errors.append(consistency_error(*on_one_grid(maps, moved, "bilinear")))
    return torch.stack(errors, dim=1)


def _locate(maps: Tensor, boxes: Tensor, photos: Tensor) -> Tensor:
    """Compute hit, energy in box and chance for each map: ``(P, h, w) -> (P, 3)`` float64."""
    values = (
        pointing_hits(maps, boxes, within=photos),
        energy_in_boxes(maps, boxes, within=photos),
        pointing_chance(boxes, within=photos),
    )
    return torch.stack(values, dim=1)


def _located(pairs: Pairs, located: Tensor, names: Sequence[str], seed: int) -> dict[str, object]:
    size = len(names)
    hits, energies, chances = located.unbind(1)
    pointing = mean_by_label(hits, pairs.labels, size)
    energy = mean_by_label(energies, pairs.labels, size)
    return {
        "pointing": percent(pointing.mean),
        "pointing_interval": interval_over_photos(hits, *pairs[:2], size, seed),
        "energy_in_box": percent(energy.mean),
        "energy_in_box_interval": interval_over_photos(energies, *pairs[:2], size, seed),
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


def interval_over_photos(
    values: Tensor, photos: Tensor, labels: Tensor, size: int, seed: int
) -> list[float | None]:
    """Bootstrap a mean over labels over photos: a drawn photo brings all of its pairs.

    Args:
        values: ``(P,)`` float, fractions.
        photos: ``(P,)`` int, row of the photo of each pair.
        labels: ``(P,)`` int, label of each pair.
        size: Number of labels.
        seed: Seed of the bootstrap.

    Returns:
        The 95 % interval in percent.

    Example:
        >>> values, photos = torch.tensor([1.0, 0.0]), torch.tensor([0, 1])
        >>> interval_over_photos(values, photos, torch.zeros(2).long(), 1, seed=0)
        [0.0, 100.0]
    """
    known, photo = photos.unique(return_inverse=True)

    def statistic(drawn: Tensor) -> float:
        times = torch.bincount(drawn, minlength=len(known))[photo]
        rows = torch.repeat_interleave(times)
        return mean_by_label(values[rows], labels[rows], size).mean

    return percent_interval(bootstrap(statistic, len(known), seed=seed))
