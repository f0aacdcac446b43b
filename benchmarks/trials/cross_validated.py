"""Two recipes on all photos of a collection: trained on some folds, measured on the others.

    python benchmarks/trials/cross_validated.py labels.csv --images photos --out runs/folds \\
        --recipes gcam-quick "gcam-quick backbone.class_scores=False"

A validation split of 500 photos has three of a rare label, and one of them moves the mean over 12
labels by points. Here every photo is measured once, by a model that has not seen it: photos are
divided into folds at random, a recipe is trained on all folds but one to its last epoch, and the
scores of the folds are put together: each photo's rank within its fold, since models need not agree
on what a logit means. Prints the mAP of each recipe and, against the first, the
paired difference with its 95 % interval over photos, and each label's average precision. Splits of
the source are not used, apart from --without. Runs that are there are not run again.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

import tagsight as ts
from tagsight.evaluation.evaluate import measured
from tagsight.metrics.bootstrap import label_draws
from tagsight.metrics.classification import average_precision
from tagsight.metrics.significance import Estimate, paired_difference
from tagsight.runtime.files import default_cache


def splits(photos: int, folds: int, held_out: int) -> tuple[str, ...]:
    """Hold a fold out; the same folds for every recipe."""
    fold = torch.randperm(photos, generator=torch.Generator().manual_seed(0)) % folds
    return tuple("val" if own == held_out else "train" for own in fold.tolist())


def ranks(logits: Tensor) -> Tensor:
    """Replace the logits of each label by their ranks in (0, 1): ``(N, L) -> (N, L)``."""
    return (logits.argsort(0).argsort(0) + 0.5) / len(logits)


def held_out_scores(
    annotations: ts.Annotations, recipe: str, folds: int, seed: int, out: Path
) -> Tensor:
    """Train a recipe without each fold, and return the scores of all photos: ``(N, L)``."""
    name, *changes = recipe.split()
    settings = dict(change.split("=") for change in changes) | {"training.selection": "last"}
    runtime = ts.Runtime.choose(cache=default_cache())
    scores = torch.empty(annotations.targets.shape)
    for fold in range(folds):
        rows = replace(annotations, splits=splits(len(annotations), folds, fold))
        run = out / f"{recipe.replace(' ', '+')}-{seed}-{fold}"
        if not (run / "logits.pt").is_file():
            trained = ts.train(rows, recipe=name, seed=seed, settings=settings, out=run)
            model = ts.load(trained.folder / "model").network.model
            torch.save(measured(model, rows.rows("val"), runtime).logits, run / "logits.pt")
        places = [place for place, split in enumerate(rows.splits or ()) if split == "val"]
        scores[places] = ranks(torch.load(run / "logits.pt", weights_only=True))
    return scores


def mean(scores: Tensor, targets: Tensor) -> Estimate:
    """Estimate the mean average precision in percent."""
    value = float(average_precision(scores, targets).mean())
    return Estimate(100 * value, 100 * label_draws(scores, targets, seed=0).mean(0))


def main() -> None:
    """Train, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("labels")
    parser.add_argument("--images")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--recipes", nargs="+", required=True, help="NAME [SETTING=VALUE ...]")
    parser.add_argument("--folds", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--without", help="a split to leave out, such as test")
    options = parser.parse_args()
    annotations = ts.read_annotations(options.labels, images=options.images)
    if options.without:
        kept = [split != options.without for split in annotations.splits or ()]
        annotations = annotations.select([i for i, keep in enumerate(kept) if keep])
    estimates = []
    for recipe in options.recipes:
        scores = held_out_scores(annotations, recipe, options.folds, options.seed, options.out)
        estimates.append(mean(scores, annotations.targets))
        found, difference = estimates[-1], paired_difference(estimates[-1], estimates[0])
        low, high = found.interval
        line = f"{recipe}: mAP {found.value:.1f} ({low:.1f} to {high:.1f})"
        if len(estimates) > 1:
            low, high = difference.interval
            line += f", difference {difference.value:+.1f} ({low:+.1f} to {high:+.1f})"
        print(line)
        values = average_precision(scores, annotations.targets)
        labels = zip(annotations.names, values.tolist(), strict=True)
        print("  " + ", ".join(f"{name} {100 * value:.1f}" for name, value in labels), flush=True)


if __name__ == "__main__":
    main()
