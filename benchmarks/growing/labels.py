"""Many labels: their counts and their graph, and all commands on the 9,605 of Open Images."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from growing.case import Case, Size, Work

PRESENT = 8
"""Labels of a photo, on average."""

OPEN_IMAGES = 9605


def label_space(_: Path, size: Size) -> Work:
    from tagsight.labels.space import LabelSpace
    from tagsight.nn.config import GraphConfig
    from tagsight.nn.graph import label_adjacency

    photos, labels = size
    targets = sparse_targets(photos, labels)
    names = [f"label {number}" for number in range(labels)]

    def work() -> object:
        counted = LabelSpace.from_targets(names, targets)
        return label_adjacency(counted.cooccurrence, GraphConfig())

    return work


def sparse_targets(photos: int, labels: int) -> torch.Tensor:
    """Draw ``(N, L)`` sparse targets; label ``k`` is drawn in proportion to ``1 / (k + 10)``."""
    chance = np.random.default_rng(0)
    rate = 1 / (np.arange(labels) + 10)
    drawn = chance.choice(labels, (photos, PRESENT), p=rate / rate.sum())
    rows = np.repeat(np.arange(photos), PRESENT)
    codes = np.unique(rows * labels + drawn.ravel())
    places = torch.from_numpy(np.stack([codes // labels, codes % labels]))
    ones = torch.ones(len(codes), dtype=torch.int8)
    return torch.sparse_coo_tensor(places, ones, (photos, labels), is_coalesced=True)


def adjacency(_: Path, size: Size) -> Work:
    from tagsight.labels.space import LabelSpace
    from tagsight.nn.config import GraphConfig
    from tagsight.nn.graph import label_adjacency

    (labels,) = size
    names = [f"label {number}" for number in range(labels)]
    counts = LabelSpace.from_targets(names, sparse_targets(2 * labels, labels)).cooccurrence
    return lambda: label_adjacency(counts, GraphConfig())


def journey(folder: Path, size: Size) -> Work:
    """Train on a few photos, and tag, explain, export and describe with the model."""
    (labels,) = size
    table = collection(folder, labels)
    model, photos = folder / "run" / "model", folder / "photos"
    settings = ("--recipe", "gcam-cpu", "--epochs", "1", "--training.image_size", "64",
                "--training.batch_size", "8", "--training.least_steps", "1",
                "--cache-space", "0")  # fmt: skip

    def work() -> None:
        command("train", table, "--images", photos, "--out", folder / "run", *settings)
        command("tag", model, photos, "--write", "csv", "--out", folder / "tags.csv")
        command("explain", model, photos / "001.jpg", "--out", folder / "evidence")
        command("export", model, photos, "--out", folder / "model.onnx")

    return work


def collection(folder: Path, labels: int) -> Path:
    """Draw 60 photos of which 40 are for training and show every label."""
    (folder / "photos").mkdir()
    chance = np.random.default_rng(0)
    parts = np.array_split(chance.permutation(labels), 40)
    lines = ["image,labels,split"]
    for number in range(60):
        pixels = chance.integers(0, 256, (9, 12, 3), dtype=np.uint8)
        picture = Image.fromarray(pixels).resize((96, 72))
        picture.save(folder / "photos" / f"{number:03}.jpg")
        own = parts[number] if number < 40 else chance.choice(labels, 6, replace=False)
        split = "train" if number < 40 else "val" if number < 50 else "test"
        lines.append(f"{number:03}.jpg,{';'.join(f'thing {i:05}' for i in own)},{split}")
    table = folder / "labels.csv"
    table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return table


def command(*arguments: object) -> None:
    words = [sys.executable, "-m", "tagsight", *map(str, arguments)]
    done = subprocess.run(words, capture_output=True, check=False, text=True)
    if done.returncode:
        raise SystemExit(f"{arguments[0]}: {done.stderr}")


CASES = {
    "label-space": Case(
        "label counts and graph of photos x labels, from a sparse table",
        label_space,
        ((12_500, 20_000), (25_000, 20_000), (50_000, 20_000), (100_000, 20_000)),
        30,
        2,
    ),
    "adjacency": Case(
        "adjacency of labels",
        adjacency,
        ((1250,), (2500,), (5000,), (10_000,)),
        None,
        4.2,
    ),
    "many-labels": Case(
        "train, tag, explain and export with labels of an untrained graph, 60 photos",
        journey,
        ((1000,), (3000,), (OPEN_IMAGES,)),
        None,
        4,
    ),
}
