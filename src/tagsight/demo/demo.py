"""All steps on drawn photos: draw, train, evaluate, explain, summarise."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tagsight.checkpoint.folder import load_model
from tagsight.data.boxes import read_boxes
from tagsight.data.readers import read_annotations
from tagsight.demo.scenes import write_scenes
from tagsight.evaluation.evaluate import evaluate
from tagsight.evaluation.evidence_report import find_pairs, measure_evidence
from tagsight.inference.networks.trained import TrainedNetwork
from tagsight.inference.recognizer import Recognizer
from tagsight.runtime.amounts import amount
from tagsight.runtime.files import temporary_folder, write_atomically
from tagsight.runtime.progress import TerminalLog, progress
from tagsight.systems.catalogue import RECIPES
from tagsight.training.log import RunLog
from tagsight.training.preparation import prepare
from tagsight.training.run import train_run
from tagsight.visualize.explanation import explain_photos

if TYPE_CHECKING:
    from tagsight.config import Recipe
    from tagsight.data.annotations import Annotations
    from tagsight.runtime.device import Runtime

SCENES = 700
PICTURES = 8


class Measured(NamedTuple):
    """A trained system and its report on the test split."""

    recipe: Recipe
    minutes: float
    report: dict[str, Any]


def run_demo(out: Path, runtime: Runtime, *, seed: int = 0) -> list[str]:
    """Train, evaluate and explain a model in a few minutes on two cores.

    The linear baseline is trained as well, on the same photos for the same number of epochs.

    Args:
        out: Folder for ``photos/``, ``gcam/`` and ``resnet/`` (runs), ``evidence/`` (heatmaps),
            ``metrics.json`` and ``summary.md``.
        runtime: Device, precision and threads.
        seed: Random seed of the photos and of training.

    Returns:
        The summary, line by line.
    """
    started = time.perf_counter()
    with progress("drawing photos", SCENES) as advance:
        photos = write_scenes(
            out / "photos", count=SCENES, seed=seed, workers=runtime.workers, progress=advance
        )
    annotations = read_annotations(photos / "labels.csv")
    with temporary_folder() as cache:
        runtime = replace(runtime, cache=cache)
        measured = [
            _measured(demo_recipe(system, seed), annotations, photos, out, runtime)
            for system in ("gcam", "resnet")
        ]
    _explain(out, annotations.rows("test"), runtime)
    minutes = (time.perf_counter() - started) / 60
    reports = {one.recipe.system: one.report for one in measured}
    write_atomically(out / "metrics.json", json.dumps(reports, indent=2) + "\n")
    summary = _summary(measured, annotations, minutes, seed)
    write_atomically(out / "summary.md", "\n".join(summary) + "\n")
    return summary


def demo_recipe(system: str, seed: int) -> Recipe:
    """Return the recipe of a system for a processor, with another seed.

    Example:
        >>> recipe = demo_recipe("gcam", seed=1)
        >>> recipe.name, recipe.training.seed
        ('gcam-cpu', 1)
    """
    recipe = RECIPES[f"{system}-cpu"]
    return recipe.model_copy(update={"training": recipe.training.model_copy(update={"seed": seed})})


def _measured(
    recipe: Recipe, annotations: Annotations, photos: Path, out: Path, runtime: Runtime
) -> Measured:
    folder = out / recipe.system
    prepared = prepare(annotations, runtime, seed=recipe.training.seed, log=TerminalLog())
    prepared.write(folder)
    rows = prepared.annotations
    steps = recipe.training.steps(rows.split_sizes["train"])
    with RunLog(folder / "run.jsonl", steps) as log:
        outcome = train_run(
            rows,
            recipe,
            folder,
            runtime,
            log=log,
            hashes=prepared.hashes,
            facts=prepared.facts,
        )
    model = load_model(outcome.model, runtime.device)
    test = rows.rows("test")
    with progress("recognising", len(test)) as advance:
        report = evaluate(model, test, runtime, progress=advance)
    with progress("measuring evidence", len(test)) as advance:
        pairs = find_pairs(test, read_boxes(photos / "boxes.json"))
        report["evidence"] = measure_evidence(model, test, runtime, pairs=pairs, progress=advance)
    return Measured(recipe, outcome.minutes, report)


def _explain(out: Path, test: Annotations, runtime: Runtime) -> None:
    model = load_model(out / "gcam" / "model", runtime.device)
    recognizer = Recognizer(TrainedNetwork(model, runtime), max_memory=runtime.max_photo_memory)
    # Photos with the most labels make the most informative heatmaps.
    busiest = (test.targets == 1).sum(1).argsort(descending=True, stable=True)
    chosen = [test.paths[row] for row in islice(busiest.tolist(), PICTURES)]
    with progress("drawing evidence", len(chosen)) as advance:
        for done, _ in enumerate(explain_photos(recognizer, chosen, out / "evidence"), 1):
            advance(done)


def _summary(
    measured: list[Measured], annotations: Annotations, minutes: float, seed: int
) -> list[str]:
    sizes = annotations.split_sizes
    recipe = measured[0].recipe
    encoders = " and ".join(recipe.settings.backbone.encoders)
    lines = [
        "# tagsight demo",
        "",
        f"{amount(len(annotations), 'drawn photo')} (seed {seed}), "
        f"{amount(len(annotations.names), 'label')}, "
        f"{sizes['train']} for training, {sizes['val']} for validation, "
        f"{sizes['test']} for the test; "
        f"{recipe.training.image_size} pixels, {encoders} from ImageNet weights, "
        f"{recipe.training.epochs} epochs.",
        "",
        "| on the test photos, in percent | mAP | 95 % interval | CF1 | pointing | energy in box "
        "| training minutes |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for trained, spent, report in measured:
        evidence = report["evidence"]
        low, high = report["mAP_interval"]
        interval = "none" if low is None else f"{low:.1f} to {high:.1f}"
        lines.append(
            f"| {trained.system} | {report['mAP']:.1f} | {interval} "
            f"| {report['all_at_thresholds']['CF1']:.1f} | {evidence['pointing']:.1f} "
            f"| {evidence['energy_in_box']:.1f} | {spent:.1f} |"
        )
    test = annotations.rows("test")
    share = 100 * (test.targets == 1).double().mean().item()
    chance = measured[0].report["evidence"]["chance"]
    return [
        *lines,
        f"| chance | {share:.1f} | | | {chance:.1f} | {chance:.1f} | |",
        "",
        "resnet is the linear baseline: the same backbone, photos and epochs. The model is in "
        "gcam/model, the heatmaps in evidence/, all numbers in metrics.json.",
        f"{minutes:.1f} minutes in all.",
    ]
