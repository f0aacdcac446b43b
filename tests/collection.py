"""A collection small enough to train on in a second, and the settings to do so."""

import json
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

from tiny import COLOURS, drawn, saved_photos

PHOTOS = 48
SPLITS = ["train"] * 32 + ["val"] * 8 + ["test"] * 8

TINY_SETTINGS: dict[str, object] = {
    "backbone.name": "tiny_equivariant",
    "backbone.weights": "none",
    "backbone.frozen_stages": 0,
    "backbone.freeze_depthwise": False,
    "backbone.freeze_batch_norm": False,
    "training.image_size": 32,
    "training.batch_size": 8,
}
TINY_OPTIONS = [
    *chain.from_iterable(
        (f"--{'' if name.startswith('training') else 'system.'}{name}", str(value).lower())
        for name, value in TINY_SETTINGS.items()
    ),
    *("--epochs", "2", "--device", "cpu"),
]
"""Settings and options that make any recipe of a grid system one for these photos."""


def write_collection(
    folder: Path, *, with_splits: bool = True, names: Sequence[str] = tuple(COLOURS)
) -> Path:
    """Draw photos, and write their labels as a CSV file; five names may be given to the labels."""
    folder.mkdir(parents=True, exist_ok=True)
    images, targets = drawn(PHOTOS)
    photos = saved_photos(folder, images)
    head = ["image", *(["split"] if with_splits else []), *names]
    lines = [",".join(head)]
    for photo, split, row in zip(photos, SPLITS, targets.tolist(), strict=True):
        cells = [photo.name, *([split] if with_splits else []), *map(str, row)]
        lines.append(",".join(cells))
    labels = folder / "labels.csv"
    labels.write_text("\n".join(lines) + "\n")
    return labels


def write_boxes(file: Path, labels: Path) -> Path:
    """Write a COCO file in which each label of a photo fills the photo's left half."""
    head, *rows = (line.split(",") for line in labels.read_text().splitlines())
    first = 1 + ("split" in head)
    names = head[first:]
    images = [
        {"id": i, "file_name": row[0], "width": 32, "height": 32} for i, row in enumerate(rows)
    ]
    annotations = [
        {"id": i * 100 + j, "image_id": i, "category_id": j, "bbox": [0, 0, 16, 32]}
        for i, row in enumerate(rows)
        for j, cell in enumerate(row[first:])
        if cell == "1"
    ]
    categories = [{"id": j, "name": name} for j, name in enumerate(names)]
    content = {"images": images, "annotations": annotations, "categories": categories}
    file.write_text(json.dumps(content))
    return file
