"""A tiny training run with a tracker, and what its own log says of it."""

import json
from pathlib import Path
from statistics import fmean

from rich.console import Console
from tiny_run import RUNTIME, TRAIN, tiny_recipe

from tagsight.data.annotations import Annotations
from tagsight.training.log import RunLog
from tagsight.training.run import train_run
from tagsight.training.run_folder import Outcome
from tagsight.training.tracking.tracked_log import tracked
from tagsight.training.tracking.tracker import Tracking

EPOCHS = 3


def tracked_run(collection: Annotations, out: Path, name: Tracking | None) -> Outcome:
    """Train three epochs under a tracker."""
    recipe = tiny_recipe(epochs=EPOCHS)
    lines, steps = out / "run.jsonl", recipe.training.steps(TRAIN)
    with (
        RunLog(lines, steps, Console(quiet=True)) as log,
        tracked(log, name, out, recipe) as followed,
    ):
        outcome = train_run(
            collection, recipe, out, RUNTIME, log=followed.log, begin=followed.begin
        )
        followed.report(out, outcome)
    return outcome


def logged_curves(out: Path) -> dict[str, list[float]]:
    """The mean loss and the validation mAP of each epoch, as ``run.jsonl`` has them."""
    lines = [json.loads(line) for line in (out / "run.jsonl").read_text().splitlines()]
    losses = [
        fmean(one["loss"] for one in lines if one["kind"] == "step" and one["epoch"] == epoch)
        for epoch in range(1, EPOCHS + 1)
    ]
    return {
        "loss": losses,
        "validation/mAP": [one["mAP"] for one in lines if one["kind"] == "epoch"],
    }
