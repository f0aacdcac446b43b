"""Embeddings of a labelled collection by the encoder of a recipe, computed once and kept in a file.

    python benchmarks/encoded.py labels.csv --images photos --out embeddings.npz

For the benchmarks of heads, queues and label errors, which need no pixels. The file has the mean
over the cells of the frozen encoder's features of each photo, its targets, its split, and a number
for each group of near twins.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

import tagsight as ts
from tagsight.data.splits.near_twins import near_twins
from tagsight.evaluation.predictions import forward_photos
from tagsight.labels.space import empty_label_space
from tagsight.loading.batches import evaluation_photos
from tagsight.nn.backbones import build_backbone, skip_initial_weights
from tagsight.nn.class_activation import pooled
from tagsight.runtime.device import Runtime
from tagsight.runtime.progress import TerminalLog
from tagsight.systems.catalogue import build_system
from tagsight.systems.settings import known_recipe
from tagsight.training.label_prior import LabelPrior
from tagsight.training.preparation import checked


class Encoded(NamedTuple):
    """A collection whose photos are vectors.

    Attributes:
        names: The ``L`` labels.
        embeddings: ``(N, D)`` float32.
        targets: ``(N, L)`` int8 in {1, 0, -1}.
        splits: ``(N,)`` of ``train`` and ``val``.
        twins: ``(N,)`` int, equal for near twins.
        paths: ``(N,)`` of the photos.
    """

    names: NDArray[np.str_]
    embeddings: NDArray[np.float32]
    targets: NDArray[np.int8]
    splits: NDArray[np.str_]
    twins: NDArray[np.int64]
    paths: NDArray[np.str_]

    def rows(self, split: str) -> Encoded:
        """Return the photos of a split."""
        of = self.splits == split
        return Encoded(self.names, *(column[of] for column in self[1:]))


def encode(labels: Path, images: Path | None, recipe: str, side: int) -> Encoded:
    """Encode all photos in squares of a side; those that cannot be opened are an error."""
    annotations = ts.read_annotations(labels, images=images)
    settings, log = known_recipe(recipe), TerminalLog()
    training = settings.training.model_copy(update={"image_size": side})
    runtime = Runtime.choose("cpu", precision="float32")
    with log.work("checking photos", len(annotations)) as advance:
        check = checked(annotations.paths, runtime, progress=advance)
    first = {path: group[0] for group in near_twins(check) for path in group}
    place = {path: row for row, path in enumerate(annotations.paths)}
    system = build_system(settings, empty_label_space(annotations.names, vector_length=300))
    with log.work("encoding", len(annotations)) as advance:
        embeddings = forward_photos(
            lambda batch: pooled(system.backbone(batch), "average"),
            system,
            evaluation_photos(annotations.paths, training, runtime),
            runtime,
            batch_size=16,
            progress=advance,
        )
    return Encoded(
        np.array(annotations.names),
        embeddings.numpy(),
        annotations.targets.numpy(),
        np.array(annotations.splits),
        np.array([place[first.get(path, path)] for path in annotations.paths]),
        np.array([str(path) for path in annotations.paths]),
    )


def read(file: Path) -> Encoded:
    """Read a file that this script wrote."""
    with np.load(file, allow_pickle=False) as archive:
        return Encoded(**{name: archive[name] for name in Encoded._fields})


def known_before(photos: Encoded, recipe: str = "gcam-quick") -> LabelPrior:
    """Find what labels' names say to the encoder of the recipe that encoded the photos."""
    with skip_initial_weights():
        backbone = build_backbone(known_recipe(recipe).settings.backbone)
    return LabelPrior.of_names(list(map(str, photos.names)), backbone)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("labels", type=Path)
    parser.add_argument("--images", type=Path)
    parser.add_argument("--recipe", default="gcam-quick")
    parser.add_argument("--side", type=int, default=448)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    torch.set_grad_enabled(False)
    encoded = encode(arguments.labels, arguments.images, arguments.recipe, arguments.side)
    np.savez(arguments.out, **encoded._asdict())


if __name__ == "__main__":
    main()
