"""Where label graphs and consistent maps pay: few positives per label, or targets half unknown.

    python benchmarks/trials/few_positives.py labels.csv --images photos --out few.json

The whole encoder is frozen, its last layer included: each photo and its mirror image are encoded
once and projected on the principal directions of the features, and all systems are trained on these
grids, in seconds. For each number of positives a subset of the training photos is drawn, the same
for all methods, in which every label has at least so many photos, as long as there are. Each method
is trained for the same number of steps; nothing is selected. The record has the mAP on the
validation photos, which no training sees, and with --boxes how often the best cell hits the object.
With --unknown 0.5 half of all targets are unknown in training. Runs that the record has are not run
again. Printed is the mean over seeds, and the mean difference to the first method with its standard
error.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from timm.models import register_model
from torch import Tensor, nn

import tagsight as ts
from tagsight.data.boxes import read_boxes
from tagsight.evaluation.evidence_report import Pairs, find_pairs
from tagsight.labels.space import LabelSpace
from tagsight.labels.vectors import cooccurrence_vectors, label_vectors
from tagsight.loading.batches import Batch
from tagsight.loading.encoding import Encoder, FeatureStore, Rows, kept_features
from tagsight.metrics.localization import mean_by_label, pointing_hits
from tagsight.nn.views import FLIP, ORIGINAL, FrozenFeatures, View, stacked
from tagsight.runtime.device import Runtime
from tagsight.runtime.files import default_cache
from tagsight.runtime.progress import TerminalLog
from tagsight.systems.base import System
from tagsight.systems.catalogue import build_system
from tagsight.systems.settings import changed, changes_of, known_recipe
from tagsight.training.loop import Training
from tagsight.training.preparation import checked

ALL = 0
"""Stands for all training photos."""

BATCH = 32
DIRECTIONS = 256
"""Principal directions of the encoder's last grid that are kept, of 1,280."""


@dataclass(frozen=True)
class Method:
    """A recipe with changes, and what the vectors of its labels come from."""

    recipe: str
    settings: Mapping[str, object] = field(default_factory=dict)
    vectors: Literal["words", "counts", "random"] = "words"


ATTENTION: dict[str, object] = {"residual_attention": 0.5}
NO_EDGES: dict[str, object] = {"graph.variant": "identity"}
UNIT: dict[str, object] = ATTENTION | {"graph.classifiers": "unit"}
RAW: dict[str, object] = ATTENTION | {"graph.classifiers": "raw"}
LINEAR: dict[str, object] = {"graph.variant": "none"}
# With a frozen encoder only the classifiers can make maps consistent. An error relative to the
# maps' variance cannot be lowered by shrinking them.
CONSISTENT: dict[str, object] = {
    "consistency.weight": 0.3,
    "consistency.transforms": ["flip"],
    "consistency.detach_classifiers": False,
}
METHODS = {
    "linear": Method("resnet-quick"),
    "linear, attention": Method("resnet-quick", ATTENTION),
    "CSRA": Method("csra-quick"),
    "ML-GCN": Method("ml-gcn-quick"),
    "A-GCN": Method("a-gcn-quick"),
    "VAC": Method("vac-cpu", CONSISTENT),
    "Multi-Evidence": Method("multi-evidence-cpu"),
    "G-CAM, attention": Method("gcam-quick", RAW),
    "G-CAM, attention, no edges": Method("gcam-quick", RAW | NO_EDGES),
    "linear, attention, unit": Method("gcam-quick", UNIT | LINEAR),
    "G-CAM, attention, unit": Method("gcam-quick", UNIT),
    "G-CAM, attention 0.1, unit": Method("gcam-quick"),
    "G-CAM, attention, no edges, unit": Method("gcam-quick", UNIT | NO_EDGES),
    "G-CAM, attention, unit, random vectors": Method("gcam-quick", UNIT, vectors="random"),
    "G-CAM, attention, consistent": Method("gcam-quick", RAW | CONSISTENT),
    "G-CAM, attention, vectors of counts": Method("gcam-quick", RAW, vectors="counts"),
    "G-CAM, attention, random vectors": Method("gcam-quick", RAW, vectors="random"),
    "G-CAM, no attention": Method("gcam-quick", RAW | {"residual_attention": 0.0}),
}


class LastGrids(nn.Module):
    """An encoder to timm, of which nothing is left to compute: what is stored is its outcome."""

    num_features = DIRECTIONS
    feature_info = ({"reduction": 32},)

    def __init__(self) -> None:
        super().__init__()
        self.pretrained_cfg = {"input_size": (3, 64, 64), "mean": (0.0,) * 3, "std": (1.0,) * 3}

    def forward_features(self, features: Tensor) -> Tensor:
        """Return grids as they are; of the image that every encoder is tried on, some grid."""
        if features.shape[1] == DIRECTIONS:
            return features
        return F.avg_pool2d(features, 32)[:, :1].expand(-1, DIRECTIONS, -1, -1)


@register_model
def last_grids(**_options: object) -> LastGrids:
    """Build it by its name, as timm does."""
    return LastGrids()


STORED: dict[str, object] = {
    "system.backbone.name": "last_grids",
    "system.backbone.weights": "none",
    "system.backbone.frozen_stages": 0,
}


@dataclass(frozen=True)
class GridBatches:
    """Batches of stored grids in a new order every epoch, half of them of mirrored photos.

    Threads that prepare batches ahead, as training on photos has them, would take longer than a
    step on stored grids.
    """

    grids: Mapping[View, Tensor]
    rows: Tensor
    targets: Tensor
    seen: Sequence[View]
    seed: int

    def __len__(self) -> int:
        return max(1, len(self.rows) // BATCH)

    def __call__(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """Yield the batches of an epoch."""
        random = torch.Generator().manual_seed(1000 * self.seed + epoch)
        order = torch.randperm(len(self.rows), generator=random)
        for places in order.split(BATCH)[start : len(self)]:
            mirrored = bool(torch.randint(2, (), generator=random))
            photos = features_of(self.grids, self.rows[places], self.seen, mirrored=mirrored)
            targets = self.targets[places]
            yield Batch(photos, targets, range(len(targets)), share=1.0, ends_step=True)


def features_of(
    grids: Mapping[View, Tensor], rows: Tensor, seen: Sequence[View], *, mirrored: bool
) -> FrozenFeatures:
    """Take the views of some photos, or of their mirror images, out of the stored grids."""
    moved = FLIP if mirrored else ORIGINAL
    return FrozenFeatures({view: grids[view ^ moved][rows].movedim(-1, 1) for view in seen})


@dataclass(frozen=True)
class Trial:
    """The data, encoded, and how a method is trained on them."""

    train: ts.Annotations
    val: ts.Annotations
    train_grids: Mapping[View, Tensor]
    val_grids: Mapping[View, Tensor]
    pairs: Pairs | None
    side: int
    steps: int
    lr: float
    runtime: Runtime

    def run(self, name: str, rows: Tensor, targets: Tensor, seed: int) -> dict[str, object]:
        """Train a method on some rows, and measure it on the validation photos."""
        started, method = time.perf_counter(), METHODS[name]
        per_epoch = max(1, len(rows) // BATCH)
        settings = {
            **STORED,
            **method.settings,
            "training.lr": self.lr,
            "training.image_size": self.side,
            "training.epochs": -(-self.steps // per_epoch),
            "training.batch_size": BATCH,
            "training.seed": seed,
        }
        recipe = changed(known_recipe(method.recipe), changes_of(settings))
        torch.manual_seed(seed)
        system = build_system(recipe, label_space(self.train.names, targets, method))
        batches = GridBatches(self.train_grids, rows, targets, system.views, seed)
        training = Training(system, batches, recipe.training, self.runtime)
        for _ in training:
            pass
        return {
            "photos": len(rows),
            **self.measured(training.candidate),
            "seconds": round(time.perf_counter() - started, 1),
        }

    def measured(self, system: System) -> dict[str, object]:
        """Measure mAP, and with boxes the pointing game, in percent."""
        system.eval()
        with torch.no_grad():
            seen = [
                system(features_of(self.val_grids, rows, [ORIGINAL], mirrored=False))
                for rows in torch.arange(len(self.val)).split(BATCH)
            ]
        logits = torch.cat([one.logits for one in seen])
        maps = torch.cat([one.maps for one in seen])
        found = ts.metrics.mean_average_precision(self.val.targets, logits.numpy())
        measures: dict[str, object] = {"mAP": round(100 * float(found), 2)}
        if self.pairs is not None:
            boxes = self.pairs.on_maps(self.side, "warp").boxes
            hits = pointing_hits(maps[self.pairs.photos, self.pairs.labels], boxes)
            means = mean_by_label(hits, self.pairs.labels, len(self.val.names))
            measures["pointing"] = round(100 * means.mean, 2)
        return measures


def label_space(names: tuple[str, ...], targets: Tensor, method: Method) -> LabelSpace:
    """Count the labels, and give them the vectors of a method."""
    labels = LabelSpace.from_targets(names, targets)
    vectors = label_vectors(names, cooccurrence=labels.cooccurrence).vectors
    if method.vectors == "counts":
        vectors = cooccurrence_vectors(names, labels.cooccurrence)
    if method.vectors == "random":
        drawn = torch.randn(vectors.shape, generator=torch.Generator().manual_seed(0))
        vectors = drawn * vectors.norm(dim=1).median() / vectors.shape[1] ** 0.5
    return replace(labels, vectors=vectors)


def encoded(
    splits: Sequence[tuple[ts.Annotations, list[View]]], side: int, runtime: Runtime
) -> list[dict[View, Tensor]]:
    """Encode photos to the end, and project them: ``(N, h, w, DIRECTIONS)`` float by view."""
    first = splits[0][0]
    labels = LabelSpace.from_targets(first.names, first.targets)
    system = build_system(known_recipe("resnet-quick"), labels).eval()
    hashes = checked([path for rows, _ in splits for path in rows.paths], runtime).hashes
    wanted = [Rows(rows.paths, views) for rows, views in splits]
    with kept_features(Encoder(system, side, runtime), wanted, hashes, TerminalLog()) as stores:
        if stores is None:
            raise SystemExit("the features need more room than the cache has")
        sample = [grids[ORIGINAL] for grids in whole_grids(system, stores[0], every=10)]
        directions = principal_directions(torch.cat(sample))
        projected = []
        for store, (_, views) in zip(stores, splits, strict=True):
            parts = [
                {view: grid @ directions for view, grid in grids.items()}
                for grids in whole_grids(system, store)
            ]
            projected.append({view: torch.cat([part[view] for part in parts]) for view in views})
    return projected


@torch.no_grad()
def whole_grids(
    system: System, store: FeatureStore, *, every: int = 1
) -> Iterator[dict[View, Tensor]]:
    """Apply the encoder's last layer to batches of photos: ``(B, h, w, D)`` float by view."""
    rows = range(0, len(store), every)
    for first in range(0, len(rows), BATCH):
        photos = stacked([store[row] for row in rows[first : first + BATCH]])
        assert isinstance(photos, FrozenFeatures)
        yield {
            view: system.backbone.from_frozen(features.float()).movedim(1, -1)
            for view, features in photos.views.items()
        }


def principal_directions(grids: Tensor) -> Tensor:
    """Find the directions in which cells are longest, without centring: ``(D, DIRECTIONS)``."""
    cells = grids.flatten(0, 2)
    energies, directions = torch.linalg.eigh((cells.mT @ cells).double())
    share = (energies[-DIRECTIONS:].sum() / energies.sum()).item()
    print(f"{DIRECTIONS} directions of {len(energies)} have {share:.1%} of the energy", flush=True)
    return directions[:, -DIRECTIONS:].float()


def subset(targets: Tensor, positives: int, unknown: float, seed: int) -> tuple[Tensor, Tensor]:
    """Draw rows until each label has enough, and hide targets: ``(n,)`` and ``(n, L)`` int."""
    random = np.random.default_rng((seed, positives))
    rows = torch.arange(len(targets))
    if positives != ALL:
        have, kept = torch.zeros(targets.shape[1], dtype=torch.long), []
        for row in random.permutation(len(targets)):
            present = targets[row] == 1
            if bool((have[present] < positives).any()):
                have += present
                kept.append(row)
        rows = torch.tensor(sorted(kept))
    hidden = torch.from_numpy(random.random((len(rows), targets.shape[1])) < unknown)
    return rows, torch.where(hidden, -1, targets[rows])


def table(runs: list[dict[str, Any]]) -> str:
    """Print the means over seeds, with the difference to the first method and its standard error.

    The last column says how often the best cell hits after training on all photos.
    """
    columns = sorted({(run["unknown"], run["positives"] or 10**9) for run in runs})
    heads = [
        ("all" if count == 10**9 else str(count)) + (f", {unknown:.0%} unknown" if unknown else "")
        for unknown, count in columns
    ]
    lines = [
        "| mAP | " + " | ".join(heads) + " | pointing |",
        "| --- |" + " --- |" * len(heads) + " --- |",
    ]
    first = runs[0]["method"]
    for method in dict.fromkeys(run["method"] for run in runs):
        cells = []
        for unknown, count in columns:
            chosen = unknown, 0 if count == 10**9 else count
            own, base = scores(runs, method, *chosen), scores(runs, first, *chosen)
            cells.append(cell(own, base))
        points = scores(runs, method, 0.0, ALL, "pointing")
        cells.append(f"{np.mean(list(points.values())):.1f}" if points else "-")
        lines.append(f"| {method} | {' | '.join(cells)} |")
    return "\n".join(lines)


def scores(
    runs: list[dict[str, Any]], method: str, unknown: float, positives: int, what: str = "mAP"
) -> dict[int, float]:
    """Find a measure of a method, by seed."""
    wanted = {"method": method, "unknown": unknown, "positives": positives}
    return {r["seed"]: r[what] for r in runs if wanted.items() <= r.items() and what in r}


def cell(own: Mapping[int, float], base: Mapping[int, float]) -> str:
    """Print a mean over seeds, and how far it is from the first method's on the same photos."""
    if not own:
        return "-"
    mean = f"{np.mean(list(own.values())):.1f}"
    both = [own[seed] - base[seed] for seed in own if seed in base]
    if own == base or not both:
        return mean
    if len(both) == 1:
        return f"{mean} ({both[0]:+.1f}, one seed)"
    error = np.std(both, ddof=1) / len(both) ** 0.5
    return f"{mean} ({np.mean(both):+.1f} ± {error:.1f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--images", type=Path)
    parser.add_argument("--boxes", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="the record, a JSON file")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--positives", nargs="+", type=int, default=[5, 10, 20, 50, ALL])
    parser.add_argument("--unknown", type=float, default=0.0)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--lr", type=float, default=1e-2)
    parser.add_argument("--side", type=int, default=384, help="of the photos, in pixels")
    parser.add_argument("--cache", type=Path, default=default_cache())
    given = parser.parse_args()

    record = json.loads(given.out.read_text()) if given.out.exists() else {"runs": []}
    record |= {"side": given.side, "steps": given.steps, "lr": given.lr, "directions": DIRECTIONS}
    trial, runs = prepared(given), record["runs"]
    known = [{k: run[k] for k in ("method", "positives", "unknown", "seed")} for run in runs]
    for seed in range(given.seeds):
        for positives in given.positives:
            rows, targets = subset(trial.train.targets, positives, given.unknown, seed)
            for method in given.methods:
                key = {"method": method, "positives": positives}
                key |= {"unknown": given.unknown, "seed": seed}
                if key in known:
                    continue
                runs.append(key | trial.run(method, rows, targets, seed))
                print(*runs[-1].values(), flush=True)
                given.out.write_text(json.dumps(record, indent=1))
    print(table(runs))


def prepared(given: argparse.Namespace) -> Trial:
    """Read the data and encode the photos."""
    runtime = Runtime.choose("cpu", cache=given.cache)
    data = ts.read_annotations(given.data, images=given.images)
    train, val = data.rows("train"), data.rows("val")
    return Trial(
        train,
        val,
        *encoded([(train, [ORIGINAL, FLIP]), (val, [ORIGINAL])], given.side, runtime),
        find_pairs(val, read_boxes(given.boxes)) if given.boxes else None,
        given.side,
        given.steps,
        given.lr,
        runtime,
    )


if __name__ == "__main__":
    main()
