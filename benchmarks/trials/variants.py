"""One change at a time: what makes G-CAM train, and what the default without a GPU is made of.

    python benchmarks/trials/variants.py ingredients labels.csv --images photos --out runs/made-of
    python benchmarks/trials/variants.py default labels.csv --images photos --out runs/default

Prints a table of validation mAP (the last epoch's, and the best) per variant, with the consistency
term's first and last value, and the minutes. ``ingredients`` goes from the literal method to the
default at 128 pixels and 5 epochs; ``default`` has the resolution and length of its recipes.
Compare figures of one table only. A variant whose run folder exists is not run again; --only names
some of them.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from tagsight import Runtime, read_annotations
from tagsight.runtime.progress import TerminalLog
from tagsight.systems.settings import Change, choose_recipe
from tagsight.training.log import RunLog
from tagsight.training.preparation import prepare
from tagsight.training.run import train_run

GRAPH, VIEWS = "system.graph.", "system.consistency."
LITERAL = {
    "system.label_smoothing": 0.0,
    GRAPH + "bias": False,
    GRAPH + "vectors": "raw",
    GRAPH + "lr_factor": 1.0,
    VIEWS + "weight": 0.4,
    VIEWS + "ramp": 0.0,
    VIEWS + "views": "all",
    VIEWS + "error": "squared",
    VIEWS + "alignment": "nearest",
}
AVERAGE = {"system.pooling": "average"}
FAST = {GRAPH + "bias": False, GRAPH + "lr_factor": 1.0}
Variants = dict[str, tuple[str, dict[str, object]]]
INGREDIENTS: Variants = {
    "linear, average pooling": ("resnet-cpu", {}),
    "linear, no label smoothing": ("resnet-cpu", {"system.label_smoothing": 0.0}),
    "linear, depthwise weights trained": (
        "resnet-cpu",
        {"system.backbone.freeze_depthwise": False},
    ),
    "linear, max pooling": ("resnet-cpu", {"system.pooling": "max"}),
    "graph, max pooling (ML-GCN)": ("ml-gcn-cpu", {}),
    "graph, average pooling": ("ml-gcn-cpu", AVERAGE),
    "the same, no bias": ("ml-gcn-cpu", AVERAGE | {GRAPH + "bias": False}),
    "the same, graph's rate as the rest's": ("ml-gcn-cpu", AVERAGE | FAST),
    "the same, raw vectors": ("ml-gcn-cpu", AVERAGE | FAST | {GRAPH + "vectors": "raw"}),
    "G-CAM literally": ("gcam-cpu", LITERAL),
    "literally, graph's rate lowered": ("gcam-cpu", LITERAL | {GRAPH + "lr_factor": 0.1}),
    "literally, bilinear alignment": ("gcam-cpu", LITERAL | {VIEWS + "alignment": "bilinear"}),
    "literally, relative error": ("gcam-cpu", LITERAL | {VIEWS + "error": "relative"}),
    "G-CAM by default": ("gcam-cpu", {}),
    "default, no bias": ("gcam-cpu", {GRAPH + "bias": False}),
    "default, no label smoothing": ("gcam-cpu", {"system.label_smoothing": 0.0}),
    "default, no graph edges": ("gcam-cpu", {GRAPH + "variant": "identity"}),
    "default, more graph edges (epsilon 0.1)": ("gcam-cpu", {GRAPH + "epsilon": 0.1}),
    "default, lambda 0.6": ("gcam-cpu", {VIEWS + "weight": 0.6}),
    "VAC by default": ("vac-cpu", {}),
}
SIZE, STAGES = "training.image_size", "system.backbone.frozen_stages"
ATTENTION = "system.residual_attention"
ALL_FROZEN, FLIPS = {STAGES: 7}, {VIEWS + "transforms": ["flip"]}
NO_VIEWS = {VIEWS + "weight": 0.0}
DEFAULT: Variants = {
    "linear, all stages frozen": ("resnet-cpu", ALL_FROZEN),
    "linear, all frozen, attention 0.5": ("resnet-cpu", ALL_FROZEN | {ATTENTION: 0.5}),
    "linear, attention 0.5": ("resnet-cpu", {ATTENTION: 0.5}),
    "linear, attention 1": ("resnet-cpu", {ATTENTION: 1.0}),
    "linear, attention 0.5, 384 pixels": ("resnet-cpu", {ATTENTION: 0.5, SIZE: 384}),
    "CSRA": ("csra-cpu", {}),
    "graph, all frozen, attention 0.5": ("gcam-cpu", ALL_FROZEN | NO_VIEWS),
    "the same, no edges": ("gcam-cpu", ALL_FROZEN | NO_VIEWS | {GRAPH + "variant": "identity"}),
    "the same, with consistency under flips": ("gcam-cpu", ALL_FROZEN | FLIPS),
    "G-CAM, consistency under flips": ("gcam-cpu", FLIPS),
    "G-CAM by default": ("gcam-cpu", {}),
}
SETS = {"ingredients": INGREDIENTS, "default": DEFAULT}
SHORT = {"training.image_size": 128, "training.epochs": 5, STAGES: 4, ATTENTION: 0.0}
"""The recipes as they were when the ingredients were tried."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("variants", choices=SETS)
    parser.add_argument("data", type=Path)
    parser.add_argument("--images", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", nargs="+", metavar="VARIANT")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()

    runtime = Runtime.choose(cache=given.out / "cache")
    annotations = read_annotations(given.data, images=given.images)
    prepared = prepare(annotations, runtime, seed=given.seed, log=TerminalLog())
    prepared.write(given.out)
    rows, _, hashes, facts, _ = prepared
    common: dict[str, object] = {"training.seed": given.seed}
    if given.variants == "ingredients":
        common |= SHORT
    print("| variant | last mAP | best mAP | consistency, first and last step | minutes |")
    print("| --- | --- | --- | --- | --- |")
    for number, (variant, (recipe, changes)) in enumerate(SETS[given.variants].items()):
        if given.only and variant not in given.only:
            continue
        folder = given.out / f"{number:02}"
        if not (folder / "run.jsonl").exists():
            changed = [
                Change(tuple(path.split(".")), value, path)
                for path, value in (common | changes).items()
            ]
            chosen = choose_recipe(recipe, changed)
            steps = chosen.training.steps(rows.split_sizes["train"])
            with RunLog(folder / "run.jsonl", steps) as log:
                train_run(rows, chosen, folder, runtime, log=log, hashes=hashes, facts=facts)
        print(f"| {variant} | {_row(folder / 'run.jsonl')} |", flush=True)


def _row(log: Path) -> str:
    events = [json.loads(line) for line in log.read_text().splitlines()]
    scores = [event["mAP"] for event in events if event["kind"] == "epoch"]
    steps = [event["losses"] for event in events if event["kind"] == "step"]
    terms = [step["consistency"] for step in (steps[0], steps[-1]) if "consistency" in step]
    minutes = _seconds(events) / 60
    consistency = " to ".join(f"{term:.3g}" for term in terms) or "-"
    return f"{scores[-1]:.1f} | {max(scores):.1f} | {consistency} | {minutes:.1f}"


def _seconds(events: list[dict[str, str]]) -> float:
    from datetime import datetime

    first, last = (datetime.fromisoformat(events[i]["time"]) for i in (0, -1))
    return (last - first).total_seconds()


if __name__ == "__main__":
    main()
