"""One run of a comparison: trained, then measured, each of them once."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from tagsight.checkpoint.folder import load_model
from tagsight.data.split import write_split
from tagsight.errors import DataError
from tagsight.evaluation.evaluate import report_on
from tagsight.evaluation.evidence_report import find_pairs, measure_evidence
from tagsight.evaluation.measured_rows import SPLIT_FILE
from tagsight.evaluation.predictions import predict
from tagsight.experiments.results import Record, Result, read_result, write_result
from tagsight.loading.batches import PhotoStore
from tagsight.runtime.files import write_atomically
from tagsight.runtime.progress import progress
from tagsight.runtime.version import __version__
from tagsight.training.log import RunLog
from tagsight.training.origin import changes, origin_of
from tagsight.training.resume import is_unfinished
from tagsight.training.run import Start, train_run

if TYPE_CHECKING:
    from pathlib import Path

    from tagsight.config import Recipe
    from tagsight.data.annotations import Annotations
    from tagsight.data.boxes import Boxes
    from tagsight.evaluation.evidence_report import Pairs
    from tagsight.runtime.device import Runtime
    from tagsight.training.preparation import Prepared

TRAINED = "trained.json"
"""In a run's folder once its training is done: what came of it."""


class Run(NamedTuple):
    """One recipe with one seed.

    Attributes:
        name: What the comparison calls the recipe.
        recipe: With the seed.
    """

    name: str
    recipe: Recipe

    @property
    def seed(self) -> int:
        """Of the training."""
        return self.recipe.training.seed

    def __str__(self) -> str:
        return f"{self.name}, seed {self.seed}"


@dataclass(frozen=True)
class Shared:
    """What all runs of a comparison have in common.

    Args:
        out: Folder of the comparison: ``runs/`` and ``results/``.
        prepared: The photos, checked once, with their splits.
        runtime: Device, precision and caches.
        boxes: Where objects are, to measure the evidence by.
        start: Word vectors, and how often states are saved.
    """

    out: Path
    prepared: Prepared
    runtime: Runtime
    boxes: Boxes | None = None
    start: Start = Start()

    @property
    def annotations(self) -> Annotations:
        """All rows, with their splits."""
        return self.prepared.annotations

    @property
    def split(self) -> Literal["val", "test"]:
        """What is reported: the test split, or for want of one the split that chose the epoch."""
        return "test" if "test" in self.annotations.split_sizes else "val"

    @property
    def results(self) -> Path:
        """Folder of the results."""
        return self.out / "results"

    def folder(self, run: Run) -> Path:
        """The run's own folder."""
        return self.out / "runs" / f"{run.name}-{run.seed}"

    def pairs(self, rows: Annotations) -> Pairs | None:
        """Match the boxes to the rows that are measured."""
        return None if self.boxes is None else find_pairs(rows, self.boxes)

    def hashes(self) -> dict[str, str]:
        """Name the data and the splits, as results do."""
        data = self.prepared.facts["data"]
        assert isinstance(data, dict)
        return {"data_hash": data["hash"], "split_hash": data["split_file_hash"]}


def measured_run(run: Run, shared: Shared) -> Result:
    """Train and measure; what an earlier sitting has done of it is not done again.

    Raises:
        KeyboardInterrupt: After Ctrl-C, with the state to go on from on the disk.
        DataError: If the folder has a run of something else; else as `train_run`.
    """
    folder = shared.folder(run)
    trained = _trained(run, shared)
    started = time.perf_counter()
    model = load_model(folder / "model", shared.runtime.device)
    rows = shared.annotations.rows(shared.split)
    photos = PhotoStore(
        rows.paths,
        run.recipe.training.image_size,
        memory=0,
        max_memory=shared.runtime.max_photo_memory,
    )
    with progress("recognising", len(rows)) as advance:
        predictions = predict(model.system, photos, shared.runtime, progress=advance)
    report = report_on(model, rows, predictions)
    if (pairs := shared.pairs(rows)) is not None:
        with progress("measuring evidence", len(rows)) as advance:
            report["evidence"] = measure_evidence(
                model, rows, shared.runtime, pairs=pairs, progress=advance
            )
    record = Record.model_validate(
        {
            "tagsight": __version__,
            "name": run.name,
            "seed": run.seed,
            "recipe": run.recipe.model_dump(mode="json"),
            **shared.hashes(),
            "split": shared.split,
            "image_size": report["image_size"],
            "weights": report["weights"],
            "runtime": str(shared.runtime),
            "minutes": round(trained["minutes"], 4),
            "measuring_minutes": round((time.perf_counter() - started) / 60, 4),
            "parameters": sum(p.numel() for p in model.system.parameters()),
            "epoch": trained["epoch"],
            "validation": trained["validation"],
            "report": report,
        }
    )
    file = write_result(shared.results, Result(record, predictions.logits, rows.targets))
    return read_result(file)


def _trained(run: Run, shared: Shared) -> dict[str, Any]:
    """Train, or go on with it, unless that is done; give what came of it."""
    folder, prepared = shared.folder(run), shared.prepared
    origin = origin_of(
        run.recipe, shared.annotations, hashes=prepared.hashes, vectors=shared.start.vectors
    )
    known = folder / TRAINED
    if known.is_file() and not is_unfinished(folder):
        trained: dict[str, Any] = json.loads(known.read_text(encoding="utf-8"))
        if changed := changes(trained["origin"], origin):
            msg = (
                f"expected the run in {folder} to be of the same, but {'; '.join(changed)}; "
                "remove the folder, or choose another --out"
            )
            raise DataError(msg)
        return trained
    if (folder / "model").exists() and not is_unfinished(folder):
        msg = (
            f"expected a run of this comparison in {folder}, got a model of another; remove the "
            "folder, or choose another --out"
        )
        raise DataError(msg)
    write_split(folder / SPLIT_FILE, shared.annotations)
    steps = run.recipe.training.steps(shared.annotations.split_sizes.get("train", 0))
    with RunLog(folder / "run.jsonl", steps) as log:
        outcome = train_run(
            shared.annotations,
            run.recipe,
            folder,
            shared.runtime,
            log=log,
            start=replace(shared.start, resume=True),
            hashes=prepared.hashes,
            facts=prepared.facts,
        )
    if outcome.interrupted:
        raise KeyboardInterrupt
    trained = {
        "minutes": outcome.minutes,
        "epoch": outcome.epoch + 1,
        "validation": dict(outcome.validation),
        "origin": origin,
    }
    write_atomically(known, json.dumps(trained, indent=2) + "\n")
    return trained
