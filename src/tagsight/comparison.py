"""Several systems by the same loop on the same split, measured by the same code.

A run is one recipe with one seed. Its result is a file (`comparison_result`), so that a comparison
goes on where it was ended, whatever ended it, and takes in what other machines have computed.
"""

from __future__ import annotations

import json
import time
import traceback
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, NamedTuple

from tagsight import __version__
from tagsight.batches import PhotoStore
from tagsight.checkpoint import load_model
from tagsight.comparison_result import (
    Record,
    Result,
    read_result,
    read_results,
    result_file,
    write_result,
)
from tagsight.data.split import write_split
from tagsight.errors import DataError, user_message
from tagsight.evaluate import predict, report_on
from tagsight.evidence_report import find_pairs, measure_evidence
from tagsight.files import write_atomically
from tagsight.measured_rows import SPLIT_FILE
from tagsight.origin import Origin, changes, origin_of
from tagsight.resume import is_unfinished
from tagsight.run import Start, train_run
from tagsight.runlog import RunLog, progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from tagsight.config import Recipe
    from tagsight.data.annotations import Annotations
    from tagsight.data.boxes import Boxes
    from tagsight.evidence_report import Pairs
    from tagsight.preparation import Prepared
    from tagsight.runtime import Runtime
    from tagsight.variants import Entry

TRAINED = "trained.json"
"""In a run's folder once its training is done: what came of it."""

FAILURE = "failure.txt"


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


class Failure(NamedTuple):
    """A run that did not come to its end, and why."""

    run: Run
    message: str


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


class Progress(NamedTuple):
    """How far a comparison came.

    Attributes:
        results: All that there are, other machines' included.
        failures: Runs that ended in an error.
        left_out: Runs that did not fit into the budget, or were not reached.
        interrupted: Whether it was ended before its time.
    """

    results: tuple[Result, ...]
    failures: tuple[Failure, ...] = ()
    left_out: tuple[Run, ...] = ()
    interrupted: bool = False


def plan(entries: Iterable[Entry], seeds: int) -> list[Run]:
    """List the runs: all entries with one seed, then all with the next.

    A comparison that is ended early has then measured every system about equally often.
    """
    known = list(entries)
    return [Run(name, with_seed(recipe, seed)) for seed in range(seeds) for name, recipe in known]


def with_seed(recipe: Recipe, seed: int) -> Recipe:
    """The same recipe with a seed of its own."""
    training = recipe.training.model_copy(update={"seed": seed})
    return recipe.model_copy(update={"training": training})


def known_results(runs: Sequence[Run], shared: Shared) -> list[Result]:
    """Read the results that are there, of this comparison or of other machines.

    Raises:
        DataError: If one is of other data, another split, or other settings under the same name.
    """
    results = read_results(shared.results)
    settings = {run.name: run.recipe for run in reversed(runs)}
    for result in results:
        record = result.record
        file = result_file(shared.results, record.name, record.seed)
        _check_fits(file, record, shared)
        first = next(r.record.recipe for r in results if r.record.name == record.name)
        expected = settings.get(record.name)
        wanted = first if expected is None else expected.model_dump(mode="json")
        if differing := _differences(wanted, record.recipe):
            msg = (
                f"{file}: expected the settings of {record.name}, but {'; '.join(differing)}; "
                "remove the file, give it another name, or choose another --out"
            )
            raise DataError(msg)
    return results


def run_all(
    runs: Sequence[Run],
    shared: Shared,
    *,
    estimates: Mapping[str, float] | None = None,
    budget: float | None = None,
    tell: Callable[[str], None] = lambda _: None,
    report: Callable[[Progress], object] = lambda _: None,
) -> Progress:
    """Make the runs that have no result yet, one after another.

    The test photos are not read before a run's training is done. A run that fails does not end the
    others; Ctrl-C ends them all, and the next time they go on.

    Args:
        runs: In their order.
        shared: What they have in common.
        estimates: About how many minutes a run takes, by its name, until one of them has been made.
        budget: Minutes from now on; no run is begun that would not end within them.
        tell: Called with a sentence now and then.
        report: Called with what there is so far, after each run.

    Raises:
        DataError: As `known_results`, before anything is computed.
    """
    started = time.perf_counter()
    state = Progress(tuple(known_results(runs, shared)))
    waiting = unfinished(runs, state.results)
    for place, run in enumerate(waiting, 1):
        needed = minutes_taken(state.results, run.name) or (estimates or {}).get(run.name, 0.0)
        if budget is not None and (time.perf_counter() - started) / 60 + needed > budget:
            state = state._replace(left_out=(*state.left_out, run))
            continue
        tell(f"run {place} of {len(waiting)}: {run}")
        try:
            result = measured_run(run, shared)
        except KeyboardInterrupt:
            left = (*state.left_out, *waiting[place - 1 :])
            return state._replace(left_out=left, interrupted=True)
        except Exception as error:  # one run must not lose the others
            failure = Failure(run, _message(error))
            write_atomically(shared.folder(run) / FAILURE, traceback.format_exc())
            tell(f"{run} failed: {failure.message}")
            state = state._replace(failures=(*state.failures, failure))
        else:
            state = state._replace(results=(*state.results, result))
        report(state)
    return state


def unfinished(runs: Iterable[Run], results: Iterable[Result]) -> list[Run]:
    """The runs that have no result."""
    done = {(result.record.name, result.record.seed) for result in results}
    return [run for run in runs if (run.name, run.seed) not in done]


def minutes_taken(results: Iterable[Result], name: str) -> float | None:
    """How long the last run of that name took, measuring included, if there is one."""
    taken = [
        result.record.minutes + result.record.measuring_minutes
        for result in results
        if result.record.name == name
    ]
    return taken[-1] if taken else None


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
    photos = PhotoStore(rows.paths, run.recipe.training.image_size, memory=0)
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


def _trained(run: Run, shared: Shared) -> Origin:
    """Train, or go on with it, unless that is done; give what came of it."""
    folder, prepared = shared.folder(run), shared.prepared
    origin = origin_of(
        run.recipe, shared.annotations, hashes=prepared.hashes, vectors=shared.start.vectors
    )
    known = folder / TRAINED
    if known.is_file() and not is_unfinished(folder):
        trained: Origin = json.loads(known.read_text(encoding="utf-8"))
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


def _check_fits(file: Path, record: Record, shared: Shared) -> None:
    words = {"data_hash": "these photos and labels", "split_hash": "this split"}
    for key, value in shared.hashes().items():
        if getattr(record, key) != value:
            msg = (
                f"{file}: expected a result on {words[key]}, hash {value[:12]}, got "
                f"{getattr(record, key)[:12]}; remove the file, or choose another --out"
            )
            raise DataError(msg)
    if record.split != shared.split:
        msg = f"{file}: expected a result on the split {shared.split!r}, got {record.split!r}"
        raise DataError(msg)


def _differences(wanted: Origin, found: Origin) -> list[str]:
    """What differs between two recipes but the seed and what is said of them."""
    keys = ("system", "settings", "training")
    if any(not isinstance(found.get(key), str | dict) for key in keys):
        return ["its recipe is none"]
    sides = [
        {
            "system": recipe["system"],
            "settings": {
                "system": recipe["settings"],
                "training": {k: v for k, v in recipe["training"].items() if k != "seed"},
            },
            **dict.fromkeys(
                ("labels", "photos", "splits", "targets", "content", "vectors", "init")
            ),
        }
        for recipe in (found, wanted)
    ]
    return changes(*sides)


def _message(error: Exception) -> str:
    return user_message(error) or f"{type(error).__name__}: {error}"
