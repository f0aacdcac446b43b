"""Pointing with mirrored pixels around each photo, whose cells are cut off the feature grid.

    python benchmarks/trials/larger_canvas.py MODEL labels.csv --images JPEGImages \
        --boxes boxes.json --cells 0 1 2

The encoder sees a canvas that is larger by some cells on each side, so that no cell of the photo
lies at the border of what it sees. The model was trained without. For each number of cells: mAP,
pointing, and the maxima in the outer ring of the photo's cells.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import torch
import torch.nn.functional as F

from tagsight.checkpoint.folder import load_model
from tagsight.data.boxes import read_boxes
from tagsight.data.readers import read_annotations
from tagsight.evaluation.evidence_report import find_pairs
from tagsight.loading.batches import evaluation_batches, evaluation_photos
from tagsight.loading.transforms import on_device
from tagsight.metrics.classification import average_precision, mean_over_labels
from tagsight.metrics.localization import mean_by_label, pointing_hits
from tagsight.runtime.device import Runtime

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from tagsight.nn.encoder_base import Backbone

BATCH = 16


class Seen(NamedTuple):
    """Logits, ``(N, L)``, and the maps of the pairs, ``(P, h, w)``."""

    logits: Tensor
    maps: Tensor


def on_canvas(backbone: Backbone, cells: int) -> Callable[[Tensor], Tensor]:
    """Encode images within mirrored pixels, and cut the cells around them off."""
    encode, margin = backbone.forward, cells * backbone.stride

    def forward(images: Tensor) -> Tensor:
        if not cells:
            return encode(images)
        features = encode(F.pad(images, (margin,) * 4, mode="reflect"))
        return features[..., cells:-cells, cells:-cells]

    return forward


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("labels", type=Path)
    parser.add_argument("--images", type=Path)
    parser.add_argument("--boxes", type=Path, required=True)
    parser.add_argument("--split", default="val")
    parser.add_argument("--cells", type=int, nargs="+", default=[0, 1, 2])
    chosen = parser.parse_args()
    runtime = Runtime.choose()
    model = load_model(chosen.model, runtime.device)
    rows = read_annotations(chosen.labels, images=chosen.images).rows(chosen.split)
    rows = rows.matched_to(model.labels.names)
    pairs, training = find_pairs(rows, read_boxes(chosen.boxes)), model.recipe.training
    boxes = pairs.on_maps(training.image_size, training.resize).boxes
    system, photos = model.system.eval(), evaluation_photos(rows.paths, training, runtime)
    encoders = {cells: on_canvas(system.backbone, cells) for cells in chosen.cells}
    found: dict[int, list[Seen]] = {cells: [] for cells in encoders}
    start = 0
    for batch in evaluation_batches(photos, BATCH, runtime.workers):
        here = (pairs.photos >= start) & (pairs.photos < start + len(batch))
        for cells, encode in encoders.items():
            system.backbone.forward = encode
            with torch.no_grad(), runtime.autocast():
                logits, maps, _ = system(on_device(batch, runtime))
            kept = maps[pairs.photos[here] - start, pairs.labels[here]]
            found[cells].append(Seen(logits.cpu(), kept.cpu()))
        start += len(batch)
        print(f"{start} of {len(rows)} photos", flush=True)
    print("| cells around the photo | mAP | pointing | maxima in the ring | of them hit |")
    print("| --- | --- | --- | --- | --- |")
    for cells, parts in found.items():
        logits, maps = (torch.cat(part) for part in zip(*parts, strict=True))
        score, _ = mean_over_labels(average_precision(logits, rows.targets))
        hits = pointing_hits(maps, boxes)
        pointing = mean_by_label(hits, pairs.labels, len(rows.names)).mean
        best = maps.flatten(1).argmax(1)
        places = torch.stack([best // maps.shape[-1], best % maps.shape[-1]], 1)
        ring = ((places == 0) | (places == maps.shape[-1] - 1)).any(1)
        print(
            f"| {cells} | {100 * score:.1f} | {100 * pointing:.1f} | {int(ring.sum())} "
            f"| {int(hits[ring].sum())} |"
        )


if __name__ == "__main__":
    main()
