"""Accuracy against minutes: our recipes, a linear model on timm's features, and fastai.

    make accuracy DATA=labels.csv IMAGES=photos

Every way begins with labels and photos, with an empty cache, and with the same weights of
EfficientNet-Lite0 (`gcam-cpu` and `best-cpu` have those of Lite2 as well); its clock starts with
its process. Our recipes run by the command line, and each epoch is a point. The linear model is
scikit-learn's `LogisticRegression` on the mean of the last grid, which timm's network computes once
of each photo. fastai's `fine_tune` trains the head for an epoch and then all weights, with its own
augmentation and rates. All are measured by mAP on `val`, where nothing but our recipes' epoch is
chosen. Peers have no unknown targets: for them these are absent in training. Without DATA nothing
is measured; ways whose package is missing are left out.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

import tagsight as ts
from tagsight.config import BackboneConfig
from tagsight.nn.encoder_weights import create_encoder

RECIPES = ("gcam-quick", "gcam-cpu", "best-cpu")
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
BATCH = 32
STARTED = time.perf_counter()


class Point(NamedTuple):
    """Minutes from the start of the process, and the mAP on `val` then, in percent."""

    minutes: float
    quality: float


class Data(NamedTuple):
    """The photos of two splits, and their targets: ``(N, L)`` int8, -1 where unknown."""

    train: ts.Annotations
    val: ts.Annotations

    @classmethod
    def read(cls, labels: str, images: str | None) -> Data:
        annotations = ts.read_annotations(labels, images=images)
        return cls(annotations.rows("train"), annotations.rows("val"))

    def quality(self, scores: NDArray[np.float32]) -> float:
        return 100 * float(ts.metrics.mean_average_precision(self.val.targets, scores))


class Peer(nn.Module):
    """timm's network with the same weights, its own pooling and a classifier for the labels."""

    def __init__(self, labels: int) -> None:
        super().__init__()
        self.encoder = create_encoder(BackboneConfig())
        self.head = nn.Linear(self.encoder.num_features, labels)

    def features(self, images: Tensor) -> Tensor:
        return self.encoder.forward_head(self.encoder.forward_features(images), pre_logits=True)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.features(images))


def ours(recipe: str, options: argparse.Namespace) -> list[Point]:
    """The epochs of a run by the command line."""
    with TemporaryDirectory() as temporary:
        out = Path(temporary) / "run"
        command = [sys.executable, "-m", "tagsight", "train", options.data, "--recipe", recipe]
        command += ["--out", str(out), "--cache", str(Path(temporary) / "cache")]
        command += ["--seed", str(options.seed)]
        command += ["--images", options.images] if options.images else []
        command += ["--epochs", str(options.epochs)] if options.epochs else []
        started = datetime.now(UTC)
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        said = [json.loads(line) for line in (out / "run.jsonl").read_text().splitlines()]
    return [
        Point((datetime.fromisoformat(one["time"]) - started).total_seconds() / 60, one["mAP"])
        for one in said
        if one["kind"] == "epoch"
    ]


class Photos(torch.utils.data.Dataset[Tensor]):
    """Photos as a network takes them: ``(3, side, side)`` float."""

    def __init__(self, paths: Sequence[Path], side: int) -> None:
        self.paths, self.side = paths, side

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, place: int) -> Tensor:
        with Image.open(self.paths[place]) as photo:
            photo.draft("RGB", (self.side, self.side))
            pixels = photo.convert("RGB").resize((self.side, self.side), Image.Resampling.BICUBIC)
        values = torch.from_numpy(np.array(pixels)).movedim(-1, 0) / 255
        return (values - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]


def linear(data: Data, side: int) -> Iterator[Point]:
    """A logistic regression for each label, on features that are computed once."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    network = Peer(1).eval().to(memory_format=torch.channels_last)

    @torch.inference_mode()
    def features(rows: ts.Annotations) -> NDArray[np.float32]:
        loader = torch.utils.data.DataLoader(Photos(rows.paths, side), BATCH, num_workers=2)
        return torch.cat([network.features(images) for images in loader]).numpy()

    train, val = features(data.train), features(data.val)
    targets = (np.asarray(data.train.targets) == 1).T
    scores = [
        make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
        .fit(train, target)
        .decision_function(val)
        for target in targets
    ]
    yield Point(minutes(), data.quality(np.stack(scores, axis=1).astype(np.float32)))


def fastai(data: Data, side: int) -> Iterator[Point]:
    """`fine_tune`: an epoch of the head, then four of all weights."""
    from fastai.vision.all import (
        BCEWithLogitsLossFlat,
        Callback,
        DataBlock,
        ImageBlock,
        Learner,
        MultiCategoryBlock,
        Normalize,
        Resize,
        aug_transforms,
        params,
    )

    names = list(data.train.names)
    of_path = {
        path: [name for name, value in zip(names, row, strict=True) if value == 1]
        for rows in data
        for path, row in zip(rows.paths, np.asarray(rows.targets).tolist(), strict=True)
    }
    first_of_val = len(data.train)
    loaders = DataBlock(
        blocks=(ImageBlock, MultiCategoryBlock(vocab=names)),
        get_y=lambda path: of_path[path],
        splitter=lambda paths: (range(first_of_val), range(first_of_val, len(paths))),
        item_tfms=Resize(side, method="squish"),
        batch_tfms=[*aug_transforms(size=side), Normalize.from_stats(MEAN, STD)],
    ).dataloaders([*data.train.paths, *data.val.paths], bs=BATCH, num_workers=2, device="cpu")
    points = []

    class Measured(Callback):  # type: ignore[misc]
        def after_epoch(self) -> None:
            taken = minutes()
            with self.learn.no_bar(), self.learn.no_logging():
                scores, _ = self.learn.get_preds(ds_idx=1)
            points.append(Point(taken, data.quality(scores.numpy())))

    learner = Learner(
        loaders,
        Peer(len(names)),
        loss_func=BCEWithLogitsLossFlat(),
        splitter=lambda network: [params(network.encoder), params(network.head)],
    )
    learner.fine_tune(4, freeze_epochs=1, cbs=Measured())
    yield from points


PEERS: dict[str, tuple[str, Callable[[Data, int], Iterator[Point]], int]] = {
    "linear on features, 224 pixels": ("sklearn", linear, 224),
    "linear on features, 448 pixels": ("sklearn", linear, 448),
    "fastai, 224 pixels": ("fastai", fastai, 224),
}
"""By name the package that is needed, the function, and the side of photos."""


def minutes() -> float:
    """Minutes since this process began."""
    return (time.perf_counter() - STARTED) / 60


def in_a_process(way: str, options: argparse.Namespace) -> list[Point]:
    """Run a peer in a process of its own, so that its clock starts like that of a command."""
    command = [sys.executable, __file__, options.data, "--way", way]
    command += ["--images", options.images] if options.images else []
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return [Point(*json.loads(line)) for line in said.splitlines() if line.startswith("[")]


def draw(curves: dict[str, list[Point]], file: Path) -> None:
    from tagsight.experiments.plots import saved_figure

    with saved_figure(file, (7.0, 4.2)) as figure:
        axes: Any = figure.subplots()
        for way, points in curves.items():
            style = "o-" if way in RECIPES else "s--"
            axes.plot(*zip(*points, strict=True), style, markersize=4, linewidth=1.4, label=way)
        axes.set_xlabel("minutes from the start of the command")
        axes.set_ylabel("mAP on val, in percent")
        axes.set_xlim(left=0)
        axes.grid(alpha=0.3)
        axes.legend(frameon=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", nargs="?", help="labels, with the splits 'train' and 'val'")
    parser.add_argument("--images")
    parser.add_argument("--recipes", nargs="+", default=RECIPES)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, help="fewer than the recipes', to try the script")
    parser.add_argument("--out", type=Path, help="also write this .json, and an .svg beside it")
    parser.add_argument("--way", choices=list(PEERS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.data is None:
        print("skipped: it needs labels, as in: make accuracy DATA=labels.csv IMAGES=photos")
        return
    if options.way:
        _, peer, side = PEERS[options.way]
        for point in peer(Data.read(options.data, options.images), side):
            print(json.dumps(point), flush=True)
        return
    print("| way | minutes | mAP on val | best mAP | after minutes |")
    print("| --- | --- | --- | --- | --- |")
    curves = {}
    for way in [*options.recipes, *PEERS]:
        if way in PEERS and find_spec(PEERS[way][0]) is None:
            print(f"{way}: left out, {PEERS[way][0]} is not installed", file=sys.stderr)
            continue
        points = in_a_process(way, options) if way in PEERS else ours(way, options)
        curves[way], best = points, max(points, key=lambda point: point.quality)
        last = f"{points[-1].minutes:.1f} | {points[-1].quality:.1f}"
        print(f"| {way} | {last} | {best.quality:.1f} | {best.minutes:.1f} |", flush=True)
        if options.out:  # after each, as the last ones take long
            options.out.write_text(json.dumps(curves, indent=1) + "\n", encoding="utf-8")
            draw(curves, options.out.with_suffix(".svg"))


if __name__ == "__main__":
    main()
