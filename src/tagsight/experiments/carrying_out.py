"""Several systems trained and measured: the photos prepared, the plan told, the runs made."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tagsight.errors import DataError
from tagsight.experiments.comparison import (
    known_results,
    minutes_taken,
    plan,
    run_all,
    unfinished,
)
from tagsight.experiments.estimate import minutes_of
from tagsight.experiments.run import Shared
from tagsight.nn.encoder_weights import missing_weights
from tagsight.runtime.amounts import agreeing
from tagsight.training.opening import for_few_photos
from tagsight.training.preparation import prepare
from tagsight.training.run import Start

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from tagsight.data.annotations import Annotations
    from tagsight.data.boxes import Boxes
    from tagsight.experiments.comparison import Progress
    from tagsight.experiments.results import Result
    from tagsight.experiments.run import Run
    from tagsight.experiments.variants import Entry
    from tagsight.runtime.device import Runtime
    from tagsight.runtime.progress import WorkLog

STATE_EVERY = 60.0
"""Seconds from one saved state of a run to the next, which is what Ctrl-C loses at most."""


def shared_by_runs(  # noqa: PLR0913 - what all runs have in common
    annotations: Annotations,
    out: Path,
    runtime: Runtime,
    *,
    boxes: Boxes | None = None,
    vectors: Path | None = None,
    seed: int = 0,
    max_bad: float | None = None,
    hold_out: bool = True,
    unjudged: bool = False,
    log: WorkLog,
) -> Shared:
    """Check the photos and divide them, once for all runs.

    Args:
        annotations: As read.
        out: Folder of the runs.
        runtime: Device, precision and caches.
        boxes: Where objects are.
        vectors: Word vectors file, if any.
        seed: Of the split, where one has to be drawn.
        max_bad: Largest fraction of the photos that may be unusable, as for `without_problems`.
        hold_out: Whether validation photos are taken out of ``train`` if there are no others.
        unjudged: Whether a run trains on photos of which no label is known.
        log: Follows the work.

    Raises:
        DataError: If there are no photos to measure on, apart from those that train.

    Example:
        >>> import tagsight as ts
        >>> from pathlib import Path
        >>> from tagsight.runtime.progress import SILENT
        >>> rows, runtime = ts.read_annotations("labels.csv"), ts.Runtime.choose("cpu")
        >>> shared = shared_by_runs(rows, Path("runs/planned"), runtime, log=SILENT)
        >>> shared.split, shared.annotations.split_sizes
        ('test', {'train': 16, 'val': 4, 'test': 4})
    """
    prepared = prepare(
        annotations,
        runtime,
        seed=seed,
        max_bad=max_bad,
        hold_out=hold_out,
        unjudged=unjudged,
        log=log,
    )
    shared = Shared(out, prepared, runtime, boxes, Start(vectors, state_every=STATE_EVERY))
    if not shared.annotations.split_sizes.get(shared.split):
        msg = (
            "expected photos of the split 'test' or 'val' to measure on, got "
            f"{', '.join(shared.annotations.split_sizes)} alone"
        )
        raise DataError(msg)
    shared.pairs(shared.annotations.rows(shared.split))  # boxes of others are told before the runs
    if runtime.processes.is_first:
        prepared.write(out)
    return shared


def carried_out(
    entries: Sequence[Entry],
    seeds: int,
    shared: Shared,
    budget: float | None,
    started: float,
    report: Callable[[Progress], object],
    log: WorkLog,
) -> Progress:
    """Print the plan and carry out the runs that have no result yet.

    Few photos have more epochs, and the last is kept, as `workflows.train` has it.

    Args:
        entries: What is trained.
        seeds: Runs of each, from seed 0 on.
        shared: What they have in common.
        budget: Minutes, from ``started`` on.
        started: When the command began, by the monotonic clock.
        report: Called with what there is so far, after each run.
        log: Follows the work.

    Example:
        >>> import tagsight as ts
        >>> from pathlib import Path
        >>> from tagsight.experiments.variants import chosen_entries
        >>> from tagsight.runtime.progress import SILENT
        >>> rows, runtime = ts.read_annotations("labels.csv"), ts.Runtime.choose("cpu")
        >>> shared = shared_by_runs(rows, Path("runs/carried"), runtime, log=SILENT)
        >>> entries, started = chosen_entries(["knn"]), time.monotonic()
        >>> found = carried_out(entries, 1, shared, 0.0, started, lambda progress: None, SILENT)
        >>> [str(run) for run in found.left_out]
        ['knn-cpu, seed 0']
    """
    entries = _suited(entries, shared, log)
    runs = plan(entries, seeds)
    results = known_results(runs, shared)
    waiting = unfinished(runs, results)
    _check_weights(entries, waiting, budget, log)
    estimates = _estimates(waiting, results, shared, log)
    _tell_plan(entries, waiting, estimates, budget, log)
    spent = (time.monotonic() - started) / 60
    return run_all(
        runs,
        shared,
        estimates=estimates,
        budget=None if budget is None else budget - spent,
        tell=log.note,
        report=report,
    )


def _suited(entries: Sequence[Entry], shared: Shared, log: WorkLog) -> list[Entry]:
    """Train each as a run of its own would be on these photos, and say once what several need."""
    found: list[Entry] = []
    remarks: dict[str, None] = {}
    for entry in entries:
        training, said = for_few_photos(entry.recipe.training, shared.annotations)
        remarks |= dict.fromkeys(said)
        recipe = entry.recipe.model_copy(update={"training": training})
        found.append(entry._replace(recipe=recipe))
    for remark in remarks:
        log.note(remark)
    return found


def _check_weights(
    entries: Sequence[Entry], waiting: Sequence[Run], budget: float | None, log: WorkLog
) -> None:
    """Print the plan, and refuse it if no run can have its first weights.

    Raises:
        DataError: If so.
    """
    backbones = {run.recipe.settings.backbone for run in waiting}
    reasons = [
        next(filter(None, map(missing_weights, backbone.encoders)), None)
        if backbone.weights in {"imagenet", "hub"}
        else None
        for backbone in backbones
    ]
    found = [reason for reason in reasons if reason is not None]
    if found and len(found) == len(reasons):
        _tell_plan(entries, waiting, {}, budget, log)
        raise DataError(found[0])


def _estimates(
    waiting: Sequence[Run], results: Sequence[Result], shared: Shared, log: WorkLog
) -> dict[str, float]:
    """Minutes that a run takes, by its name; of those that cannot be tried nothing is known."""
    firsts = {run.name: run for run in reversed(waiting)}
    found: dict[str, float] = {}
    with log.work("estimating times", len(firsts)) as advance:
        for done, (name, run) in enumerate(firsts.items(), 1):
            minutes = minutes_taken(results, name) or minutes_of(run, shared)
            if minutes is not None:
                found[name] = minutes
            advance(done)
    return found


def _tell_plan(
    entries: Sequence[Entry],
    waiting: Sequence[Run],
    estimates: Mapping[str, float],
    budget: float | None,
    log: WorkLog,
) -> None:
    known = [estimates[run.name] for run in waiting if run.name in estimates]
    total = f", {_about(sum(known))} in all" if known else ""
    within = "" if budget is None else f", of which as much as fits into {budget:g} min"
    log.note(f"to run: {len(waiting)}{total}{within}")
    for entry in entries:
        seeds = [str(run.seed) for run in waiting if run.name == entry.name]
        if seeds:
            each = estimates.get(entry.name)
            expected = "time not known" if each is None else f"{_about(each)} each"
            which = f"{agreeing(len(seeds), 'seed')} {', '.join(seeds)}"
            log.note(f"  {entry.name}: {expected}, {which}")
        else:
            log.note(f"  {entry.name}: finished")


def _about(minutes: float) -> str:
    if minutes < 1:
        return "less than a minute"
    hours, rest = divmod(round(minutes), 60)
    return f"about {hours} h {rest} min" if hours else f"about {rest} min"
