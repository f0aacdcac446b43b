"""Train on your own photos: python train_on_own_photos.py labels.csv runs/first [epochs]

The steps of ``tagsight train``, each of which can be changed here.
"""

from __future__ import annotations

import sys
from pathlib import Path

import tagsight as ts
from tagsight.systems.settings import changes_in


def main(labels: Path, out: Path, epochs: int) -> None:
    runtime = ts.Runtime.choose(cache=out / "cache")
    recipe = ts.choose_recipe("gcam-cpu", changes_in({"training": {"epochs": epochs}}, ""))

    # Every photo is opened once; those that cannot be used are left out. Splits are made if needed.
    rows, problems, hashes, facts = ts.prepare(
        ts.read_annotations(labels), out, runtime, seed=recipe.training.seed, max_bad=0.05
    )
    for path, reason in problems:
        print(f"left out: {path}: {reason}")

    steps = recipe.training.steps(rows.split_sizes["train"])
    with ts.RunLog(out / "run.jsonl", steps) as log:
        outcome = ts.train_run(rows, recipe, out, runtime, log=log, hashes=hashes, facts=facts)
    print(f"{outcome.model}: validation mAP {outcome.validation['mAP']:.1f}")


if __name__ == "__main__":
    source, folder, *rest = sys.argv[1:]
    main(Path(source), Path(folder), int(rest[0]) if rest else 10)
