"""Which of a run's epochs to keep: rules that see some photos, measured on others.

    python benchmarks/trials/kept_epoch.py labels.csv --images photos --out runs/epochs \\
        --recipes gcam-quick resnet-quick --seeds 2

Each recipe is trained on a random half of the photos, and the scores of the other half are stored
after every epoch. From these, `DRAWS` times, `--validation` photos are drawn; a rule chooses an
epoch by them, and its mAP is measured on the photos that were not drawn. Prints the mean of each
rule over draws and runs, and how often it was below the last epoch by a point or more. Splits of
the source are not used. Runs that are there are not run again.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

import tagsight as ts
from tagsight.metrics.classification import average_precision
from tagsight.metrics.significance import difference_standard_error, map_standard_error
from tagsight.training.run_folder import RunFolder

DRAWS = 50
Rule = Callable[[Tensor, Tensor, Tensor], float]
"""By how much the mAP of an epoch may be below the highest one: a function of the average
precisions of both and of the number of positives, ``(L,)`` each."""


def half(photos: int) -> tuple[str, ...]:
    """Divide photos at random, the same for every recipe."""
    order = torch.randperm(photos, generator=torch.Generator().manual_seed(0))
    return tuple("train" if place % 2 else "val" for place in order.tolist())


def scores_by_epoch(rows: ts.Annotations, recipe: str, seed: int, folder: Path) -> list[Tensor]:
    """Train, and return the logits of the validation photos after each epoch: ``(N, L)`` each."""
    name, *changes = recipe.split()
    settings = dict(change.split("=") for change in changes) | {"training.selection": "last"}
    file = folder / "epochs.pt"
    if not file.is_file():
        found: list[Tensor] = []
        keep = RunFolder.keep_unless_worse

        def noted(self, epoch, candidate, labels, logits) -> None:  # noqa: ANN001
            found.append(logits.float().cpu())
            keep(self, epoch, candidate, labels, logits)

        RunFolder.keep_unless_worse = noted
        ts.train(rows, recipe=name, seed=seed, settings=settings, out=folder)
        RunFolder.keep_unless_worse = keep
        torch.save(torch.stack(found), file)
    return list(torch.load(file, weights_only=True))


def of_the_map(first: Tensor, second: Tensor, positives: Tensor) -> float:
    """Compute the standard error of the first mAP, for which a difference is small."""
    del second
    return map_standard_error(first, positives)


RULES: dict[str, Rule] = {
    "the highest": lambda *_: 0.0,
    "the last": lambda *_: 1.0,
    "the last within the mAP's standard error": of_the_map,
    "the last within the difference's": difference_standard_error,
}


def kept(values: list[Tensor], positives: Tensor, rule: Rule) -> int:
    """Return the epoch, counted from 0, that a rule keeps."""
    best = chosen = 0
    for epoch, value in enumerate(values):
        if value.nanmean() > values[best].nanmean():
            best = epoch
        ahead = (values[best].nanmean() - value.nanmean()).item()
        if ahead <= rule(values[best], value, positives):
            chosen = epoch
    return chosen


def main() -> None:
    """Train, draw, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("labels")
    parser.add_argument("--images")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--recipes", nargs="+", required=True, help="NAME [SETTING=VALUE ...]")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--validation", type=int, default=400)
    options = parser.parse_args()
    annotations = ts.read_annotations(options.labels, images=options.images)
    rows = replace(annotations, splits=half(len(annotations)))
    targets = rows.rows("val").targets
    for recipe in options.recipes:
        found: dict[str, list[float]] = {name: [] for name in RULES}
        for seed in range(options.seeds):
            folder = options.out / f"{recipe.replace(' ', '+')}-{seed}"
            epochs = scores_by_epoch(rows, recipe, seed, folder)
            whole = [100 * average_precision(one, targets).nanmean().item() for one in epochs]
            print(f"{recipe}, seed {seed}, by epoch:", " ".join(f"{one:.1f}" for one in whole))
            generator = torch.Generator().manual_seed(seed)
            for _ in range(DRAWS):
                order = torch.randperm(len(targets), generator=generator)
                drawn, rest = order[: options.validation], order[options.validation :]
                values = [average_precision(one[drawn], targets[drawn]) for one in epochs]
                positives = (targets[drawn] == 1).sum(0)
                for name, rule in RULES.items():
                    one = epochs[kept(values, positives, rule)]
                    precision = average_precision(one[rest], targets[rest])
                    found[name].append(100 * precision.nanmean().item())
        final = torch.tensor(found["the last"])
        for name, values in found.items():
            mean = torch.tensor(values)
            behind = 100 * (mean < final - 1).double().mean().item()
            print(f"  {name:<42}{mean.mean():.2f}, below the last by a point in {behind:.0f} %")


if __name__ == "__main__":
    main()
