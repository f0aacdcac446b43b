"""Where label graphs and consistent maps pay: few positives per label, or targets half unknown.

    python benchmarks/trials/few_positives.py labels.csv --images photos --out runs/few

For each number of positives a subset of the training photos is drawn, the same for all methods, in
which every label has at least so many photos, as long as there are. Each method is trained on
frozen features for the same number of steps; nothing is selected. Printed is the mAP on the
validation photos, which no training sees: the mean over seeds, and the mean difference to the first
method with its standard error. With --unknown 0.5 half of all targets are unknown in training. A
run whose folder exists is not trained again.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

import tagsight as ts

ATTENTION: dict[str, object] = {"residual_attention": 0.5}
METHODS: dict[str, tuple[str, dict[str, object]]] = {
    "linear": ("resnet-quick", {}),
    "linear, attention": ("resnet-quick", ATTENTION),
    "generated, attention": ("gcam-quick", {}),
    "the same, no edges": ("gcam-quick", {"graph.variant": "identity"}),
    "the same, consistent under flips": (
        "gcam-quick",
        {"consistency.weight": 0.3, "consistency.transforms": ["flip"]},
    ),
    "CSRA": ("csra-quick", {}),
    "ML-GCN": ("ml-gcn-quick", {}),
    "A-GCN": ("a-gcn-quick", {}),
}
ALL = 0
"""Stands for all training photos."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--images", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--positives", nargs="+", type=int, default=[5, 10, 20, 50])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--unknown", type=float, default=0.0)
    given = parser.parse_args()

    annotations = ts.read_annotations(given.data, images=given.images)
    scores = np.full((len(given.methods), len(given.positives), given.seeds), np.nan)
    for column, positives in enumerate(given.positives):
        for seed in range(given.seeds):
            rows = subset(annotations, positives, given.unknown, seed)
            size = rows.split_sizes["train"]
            for line, method in enumerate(given.methods):
                folder = given.out / f"{method}-{positives}-{given.unknown:g}-{seed}"
                scores[line, column, seed] = score(folder, rows, method, seed, given)
                found = f"{method}, {positives}, seed {seed}: {scores[line, column, seed]:.1f}"
                print(f"{found} ({size} photos)", flush=True)

    named = " | ".join("all" if count == ALL else str(count) for count in given.positives)
    print(f"\n| positives per label | {named} |\n| --- |" + " --- |" * len(given.positives))
    for line, method in enumerate(given.methods):
        cells = [cell(scores[line, k], scores[0, k], line) for k in range(len(given.positives))]
        print(f"| {method} | {' | '.join(cells)} |")


def cell(scores: np.ndarray, first: np.ndarray, line: int) -> str:
    """Print a mean over seeds, and how far it is from the first system's on the same photos."""
    if line == 0:
        return f"{scores.mean():.1f}"
    difference = scores - first
    error = difference.std(ddof=1) / len(difference) ** 0.5 if len(difference) > 1 else float("nan")
    return f"{scores.mean():.1f} ({difference.mean():+.1f} ± {error:.1f})"


def subset(rows: ts.Annotations, positives: int, unknown: float, seed: int) -> ts.Annotations:
    """Draw training photos until each label has enough, and hide targets; the rest is a test."""
    random = np.random.default_rng((seed, positives))
    splits, targets = np.array(rows.splits), rows.targets
    train = np.flatnonzero(splits == "train")
    if positives != ALL:
        have, kept = torch.zeros(targets.shape[1], dtype=torch.long), []
        for row in random.permutation(train):
            present = targets[row] == 1
            if bool((have[present] < positives).any()):
                have += present
                kept.append(row)
        train = np.sort(kept)
    hidden = torch.zeros(targets.shape, dtype=torch.bool)
    hidden[train] = torch.from_numpy(random.random((len(train), targets.shape[1])) < unknown)
    # As a test split the other photos take no part in training, not even in choosing an epoch.
    named = tuple("test" if split == "val" else split for split in rows.splits or ())
    seen = replace(rows, targets=torch.where(hidden, -1, targets), splits=named)
    return seen.select([*train.tolist(), *np.flatnonzero(splits == "val").tolist()])


def score(
    folder: Path, rows: ts.Annotations, method: str, seed: int, given: argparse.Namespace
) -> float:
    """Train a method, unless it is trained already, and measure it on the other photos."""
    recipe, settings = METHODS[method]
    if not (folder / "model").exists():
        steps = ts.recipes()[recipe].training.steps_per_epoch(rows.split_sizes["train"])
        ts.train(
            rows,
            recipe=recipe,
            out=folder,
            epochs=-(-given.steps // steps),
            seed=seed,
            settings={**settings, "training.selection": "last"},
            progress=False,
        )
    test = rows.rows("test")
    scores = [result.scores for result in ts.load(folder / "model").recognize(test.paths)]
    return 100 * ts.metrics.mean_average_precision(test.targets, np.stack(scores))


if __name__ == "__main__":
    main()
