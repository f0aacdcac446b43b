"""Results of a comparison that nobody has trained for: logits drawn around targets."""

from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tiny import COLOURS
from tiny_run import RUNTIME, SILENT
from torch import Tensor

from tagsight.checkpoint.decision import Decision
from tagsight.data.annotations import Annotations
from tagsight.evaluation.evaluate import measure
from tagsight.experiments.comparison import Failure, Progress
from tagsight.experiments.results import Record, Result
from tagsight.experiments.run import Run, Shared
from tagsight.experiments.summary import Summary, summarise
from tagsight.systems.catalogue import RECIPES
from tagsight.training.preparation import prepare

PHOTOS = 60
TARGETS = (
    torch.rand(PHOTOS, len(COLOURS), generator=torch.Generator().manual_seed(3)) < 0.4
).char()
EVIDENCE = {
    "pointing": 70.0,
    "energy_in_box": 50.0,
    "chance": 40.0,
    "consistency": {"flip": 10.0, "scale": 20.0, "quarter_turn": 90.0},
    "consistency_photos": 4,
}


def drawn_logits(skill: float, seed: int) -> Tensor:
    """Logits that tell present from absent the better the greater the skill is."""
    noise = torch.randn(TARGETS.shape, generator=torch.Generator().manual_seed(seed))
    return skill * (TARGETS.float() - 0.5) + noise


@cache
def _measured(skill: float, seed: int) -> dict[str, Any]:
    decision = Decision(np.full(len(COLOURS), 0.5))
    return measure(drawn_logits(skill, seed), TARGETS, tuple(COLOURS), decision, seed=0)


def a_result(
    name: str, seed: int = 0, skill: float = 1.0, *, evidence: bool = False, **changes: object
) -> Result:
    """A result with a true report of its logits."""
    report = deepcopy(_measured(skill, seed))
    report |= {"photos_per_second": 100.0 + seed, "photos": PHOTOS}
    if evidence:
        report["evidence"] = {**EVIDENCE, "pointing": 70.0 + seed}
    values: dict[str, object] = {
        "tagsight": "0",
        "name": name,
        "seed": seed,
        "recipe": RECIPES["gcam-cpu"].model_dump(mode="json"),
        "data_hash": "d" * 64,
        "split_hash": "5" * 64,
        "split": "test",
        "image_size": 32,
        "weights": "tiny, none",
        "runtime": "cpu in float32",
        "minutes": 2.0 + seed,
        "measuring_minutes": 0.5,
        "parameters": 1_234_567,
        "epoch": 2,
        "validation": {"mAP": 60.0},
        "report": report,
    }
    return Result(Record.model_validate(values | changes), drawn_logits(skill, seed), TARGETS)


def a_failure(name: str, seed: int, message: str) -> Failure:
    recipe = RECIPES["vac-cpu"]
    training = recipe.training.model_copy(update={"seed": seed})
    return Failure(Run(name, recipe.model_copy(update={"training": training})), message)


def summary_of(*results: Result, **more: Any) -> Summary:
    return summarise(Progress(results, **more))


def sharing(collection: Annotations, out: Path, **more: Any) -> Shared:
    """What the runs of a comparison share."""
    prepared = prepare(collection, RUNTIME, seed=0, log=SILENT)
    return Shared(out, prepared, RUNTIME, **more)
