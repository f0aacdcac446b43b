"""The faithfulness of a model's maps: insertion, deletion, and maps of randomised weights."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, NamedTuple

import torch
import torch.nn.functional as F
from torchvision.transforms.v2.functional import gaussian_blur

from tagsight.errors import DataError
from tagsight.evaluation.evidence_report import interval_over_photos, map_source
from tagsight.evaluation.percents import DIGITS, percent
from tagsight.loading.batches import evaluation_batches, evaluation_photos
from tagsight.loading.transforms import on_device
from tagsight.metrics.faithfulness import area_under_curve, rank_correlation, strongest_pixels
from tagsight.metrics.localization import mean_by_label

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from torch import Tensor, nn

    from tagsight.checkpoint.folder import LoadedModel
    from tagsight.data.annotations import Annotations
    from tagsight.evaluation.evidence_report import MapSource
    from tagsight.loading.batches import PhotoStore
    from tagsight.runtime.device import Runtime
    from tagsight.systems.base import System

STEPS = 20
"""Steps of a curve, each of so many equal shares of the pixels."""

BLUR, REACH = 5 / 224, 11 / 224
"""Standard deviation and width of the blur that insertion starts from, as in RISE, as fractions of
the side of a photo."""

ENCODER_PARTS = 4
"""Parts of the encoder, of equally many tensors, whose weights are randomised one after another."""


class Curves(NamedTuple):
    """Areas under the curves of pairs of a photo and a present label, each ``(P,)`` float64.

    Attributes:
        deletion: While the pixels of strongest evidence are removed; lower is more faithful.
        insertion: While they are added to a blurred photo; higher is more faithful.
    """

    deletion: Tensor
    insertion: Tensor


def measure_faithfulness(
    model: LoadedModel,
    annotations: Annotations,
    runtime: Runtime,
    photos: int,
    *,
    source: MapSource = "maps",
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
) -> dict[str, object]:
    """Measure whether scores depend on what the maps point at, and maps on the weights.

    Insertion and deletion follow RISE (see `tagsight.metrics.faithfulness`) on each present label
    of a photo. Deviations: 20 steps; removed pixels get the mean colour of their photo; the score
    is the label's own, after temperature and sigmoid. The weights are randomised from the last
    layer to the first, as by Adebayo et al., each tensor by shuffling its entries.

    Args:
        model: On the runtime's device.
        annotations: The split, its labels matched to the model's.
        runtime: Device and precision.
        photos: Number of photos with a present label to measure, drawn by ``seed``; all if there
            are fewer. Each takes 84 forward passes a label.
        source: The system's own maps, or Grad-CAM's of the same network.
        seed: Seed of the photos, of random maps, of shuffled weights and of the bootstrap.
        progress: Called with the number of photos done.

    Returns:
        ``photos`` and ``pairs``, their number; ``deletion`` and ``insertion``, areas in percent,
        means over labels, with 95 % intervals; ``chance``, the same of random maps on the same
        grid; and ``randomised``: the mean rank correlation of the maps with those of the system
        whose ``classifier``, and then also the last ``encoder 1/4`` to ``4/4``, is randomised; None
        if all of these maps are constant.

    Raises:
        DataError: If no photo has a present label.
    """
    chosen = annotations.select(_drawn(annotations, photos, seed))
    store = evaluation_photos(chosen.paths, model.recipe.training, runtime)
    maps_of = map_source(model.system, len(model.labels), runtime, source)
    generator = torch.Generator().manual_seed(seed)
    maps: list[Tensor] = []
    own: list[Curves] = []
    chance: list[Curves] = []
    for row, batch in enumerate(evaluation_batches(store, 1, runtime.workers)):
        image, labels = on_device(batch, runtime), (chosen.targets[row] == 1).nonzero()[:, 0]
        maps.append(maps_of(image)[0, labels])
        random = torch.rand(maps[-1].shape, generator=generator)
        own.append(_curves(model, runtime, image[0], labels, maps[-1], generator))
        chance.append(_curves(model, runtime, image[0], labels, random, generator))
        if progress is not None:
            progress(row + 1)
    rows, labels = (chosen.targets == 1).nonzero().unbind(1)
    size = len(annotations.names)
    report: dict[str, object] = {"source": source, "photos": len(chosen), "pairs": len(labels)}
    by_chance: dict[str, object] = {}
    for key, areas, random_areas in zip(Curves._fields, _joined(own), _joined(chance), strict=True):
        report[key] = percent(mean_by_label(areas, labels, size).mean)
        report[f"{key}_interval"] = interval_over_photos(areas, rows, labels, size, seed)
        by_chance[key] = percent(mean_by_label(random_areas, labels, size).mean)
    alike = {
        part: _likeness(torch.cat(maps), system, chosen, store, runtime, source)
        for part, system in _randomised(model.system, seed)
    }
    return report | {"chance": by_chance, "randomised": alike}


def _drawn(annotations: Annotations, photos: int, seed: int) -> list[int]:
    """Draw rows with a present label, in their order."""
    present = (annotations.targets == 1).any(1).nonzero()[:, 0]
    if not len(present):
        msg = (
            "expected photos with a present label, to measure insertion and deletion on, "
            f"got {len(annotations)} without any; leave out `faithfulness`"
        )
        raise DataError(msg)
    order = torch.randperm(len(present), generator=torch.Generator().manual_seed(seed))
    return present[order[:photos].sort().values].tolist()


def _curves(
    model: LoadedModel,
    runtime: Runtime,
    image: Tensor,
    labels: Tensor,
    maps: Tensor,
    generator: torch.Generator,
) -> Curves:
    """Compute the areas of the labels of one image: ``(C, S, S)``, ``(P,)``, ``(P, h, w)``.

    Padding is neither removed nor added, and ranks last.
    """
    fine = F.interpolate(maps[None].float(), image.shape[1:], mode="bilinear")[0]
    opacity = image[3:] if len(image) == 4 else torch.ones_like(image[:1])
    fine = fine.masked_fill(opacity.cpu() == 0, -torch.inf)
    shares = [step / STEPS * opacity.mean().item() for step in range(STEPS + 1)]
    masks = strongest_pixels(fine, shares, generator=generator).to(image.device)
    mean = (image * opacity).sum((1, 2), keepdim=True) / opacity.sum()
    side = image.shape[-1]
    blurred = gaussian_blur(image, [_blur_width(side)] * 2, [BLUR * side] * 2)
    plain, blurred = (torch.cat([one[:3], image[3:]]) for one in (mean.expand_as(image), blurred))
    areas: list[list[Tensor]] = [[], []]
    for place, label in enumerate(labels.tolist()):
        mask = masks[:, place, None]
        for kind, images in enumerate(
            (torch.where(mask, plain, image), torch.where(mask, image, blurred))
        ):
            with torch.no_grad(), runtime.autocast():
                logits = model.system(images).logits.float().cpu()
            areas[kind].append(torch.from_numpy(model.decision.scores(logits))[:, label])
    return Curves(*(area_under_curve(torch.stack(scores)) for scores in areas))


def _joined(curves: Sequence[Curves]) -> Curves:
    return Curves(*map(torch.cat, zip(*curves, strict=True)))


def _likeness(
    maps: Tensor,
    system: System,
    chosen: Annotations,
    store: PhotoStore,
    runtime: Runtime,
    source: MapSource,
) -> float | None:
    """Compute the mean rank correlation of the pairs' maps with those of another system."""
    maps_of = map_source(system, len(chosen.names), runtime, source)
    batches = evaluation_batches(store, runtime.photos_at_once, runtime.workers)
    others = torch.cat([maps_of(on_device(batch, runtime)) for batch in batches])
    mean = rank_correlation(maps, others[chosen.targets == 1]).nanmean()
    return round(mean.item(), DIGITS) if mean.isfinite() else None


def _randomised(system: System, seed: int) -> Iterator[tuple[str, System]]:
    """Yield a copy of a system, of which more and more is shuffled, and what was shuffled last."""
    system = copy.deepcopy(system)
    backbone = list(system.backbone.parameters())
    known = set(map(id, backbone))
    head = [parameter for parameter in system.parameters() if id(parameter) not in known]
    bounds = [round(len(backbone) * part / ENCODER_PARTS) for part in range(ENCODER_PARTS + 1)]
    parts = {"classifier": head} | {
        f"encoder {part}/{ENCODER_PARTS}": backbone[bounds[-part - 1] : bounds[-part]]
        for part in range(1, ENCODER_PARTS + 1)
    }
    generator = torch.Generator().manual_seed(seed)
    for name, parameters in parts.items():
        for parameter in parameters:
            _shuffle(parameter, generator)
        if parameters:
            yield name, system


@torch.no_grad()
def _shuffle(parameter: nn.Parameter, generator: torch.Generator) -> None:
    order = torch.randperm(parameter.numel(), generator=generator).to(parameter.device)
    parameter.copy_(parameter.flatten()[order].view_as(parameter))


def _blur_width(side: int) -> int:
    """Return the width of the blur in pixels, which is odd and more than one."""
    return max(3, 2 * round((REACH * side - 1) / 2) + 1)
