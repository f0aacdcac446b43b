"""``tagsight compare``: several systems by the same loop on the same split, in one table."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from cyclopts.types import ExistingPath
from cyclopts.validators import Number

from tagsight.commands.options import Machine, Reading, Room, SettingsOption, setting_flags
from tagsight.commands.output import INTERRUPTED, remark, say
from tagsight.commands.rows import MaxBad, tell_problems
from tagsight.runlog import progress

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tagsight.comparison import Progress
    from tagsight.comparison_result import Result
    from tagsight.comparison_run import Run, Shared
    from tagsight.runtime import Runtime
    from tagsight.variants import Entry

FAILED = 1

STATE_EVERY = 60.0
"""Seconds from one saved state of a run to the next, which is what Ctrl-C loses at most."""


@Parameter(name="*")
@dataclass(frozen=True)
class Contest:
    """What is compared."""

    systems: str | None = None
    """Systems by name, each by its recipe for a processor, and recipes, with commas between them;
    by default all systems, or with --variants none."""

    variants: Path | None = None
    """A TOML file: for each variant a table with 'recipe' and what it changes."""

    seeds: Annotated[int, Parameter(validator=Number(gte=1))] = 3
    """Runs of each, from seed 0 on."""

    epochs: int | None = None
    """Passes over the training photos, for all."""

    system: SettingsOption = None
    """A setting of all systems, as in --system.pooling max."""

    training: SettingsOption = None
    """A setting of the training of all, as in --training.image_size 192."""

    def entries(self) -> list[Entry]:
        """Look the recipes up and change them."""
        from tagsight.variants import ALL, chosen_entries

        default = "" if self.variants else ALL
        names = default if self.systems is None else self.systems
        return chosen_entries(
            [name.strip() for name in names.split(",") if name.strip()],
            self.variants,
            setting_flags(self.system, self.training, epochs=self.epochs),
        )


@Parameter(name="*")
@dataclass(frozen=True)
class Conditions:
    """What all runs have in common."""

    boxes: Path | None = None
    """COCO file of boxes, to measure whether the evidence points at the objects."""

    vectors: Path | None = None
    """Word vectors of the labels, a GloVe text file or .npz with 'names' and 'vectors'."""

    budget: Annotated[float | None, Parameter(validator=Number(gt=0))] = None
    """Minutes; no run is begun that is not expected to end within them."""


def compare(
    data: ExistingPath,
    /,
    *,
    out: Path,
    contest: Contest = Contest(),
    conditions: Conditions = Conditions(),
    max_bad: MaxBad = 0.01,
    room: Room = Room(),
    reading: Reading = Reading(),
    machine: Machine = Machine(),
) -> int:
    """Train, measure and report systems on one split, with error bars.

    The same command goes on with what is not finished. Epochs are chosen on the validation split;
    the test split is measured once, after the training. Without splits of its own a collection is
    divided as by 'train', by --split-seed.

    Args:
        data: Labels: a file or a folder of a known format.
        out: Folder of the comparison; it gets the runs, the results, the tables and the plot.
        max_bad: Largest fraction of the photos that may be unusable.
    """
    started = time.monotonic()
    entries = contest.entries()  # before torch is imported, so that a typo is answered at once

    from tagsight.comparison import known_results, plan, run_all, unfinished

    shared = _shared(data, out, conditions, reading, max_bad, machine.runtime(room))
    runs = plan(entries, contest.seeds)
    results = known_results(runs, shared)
    waiting = unfinished(runs, results)
    estimates = _estimates(waiting, results, shared)
    _tell_plan(entries, waiting, estimates, conditions.budget)
    spent = (time.monotonic() - started) / 60
    state = run_all(
        runs,
        shared,
        estimates=estimates,
        budget=None if conditions.budget is None else conditions.budget - spent,
        tell=remark,
        report=lambda so_far: _report(so_far, out),
    )
    say(_report(state, out))
    return _ending(state, out)


def _shared(
    data: Path,
    out: Path,
    conditions: Conditions,
    reading: Reading,
    max_bad: float,
    runtime: Runtime,
) -> Shared:
    from tagsight.comparison_run import Shared
    from tagsight.data.boxes import read_boxes
    from tagsight.preparation import prepare
    from tagsight.run import Start

    boxes = read_boxes(conditions.boxes) if conditions.boxes is not None else None
    annotations = reading.read(data)
    with progress("checking photos", len(annotations)) as advance:
        prepared = prepare(
            annotations, out, runtime, seed=reading.split_seed, max_bad=max_bad, progress=advance
        )
    tell_problems(prepared.problems)
    shared = Shared(
        out, prepared, runtime, boxes, Start(conditions.vectors, state_every=STATE_EVERY)
    )
    shared.pairs(shared.annotations.rows(shared.split))  # boxes of others are told before the runs
    return shared


def _estimates(
    waiting: Sequence[Run], results: Sequence[Result], shared: Shared
) -> dict[str, float]:
    """Minutes that a run takes, by its name; of those that cannot be tried nothing is known."""
    from tagsight.comparison import minutes_taken
    from tagsight.run_estimate import minutes_of

    firsts = {run.name: run for run in reversed(waiting)}
    found: dict[str, float] = {}
    with progress("estimating times", len(firsts)) as advance:
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
) -> None:
    total = sum(estimates.get(run.name, 0.0) for run in waiting)
    within = "" if budget is None else f", of which as much as fits into {budget:g} min"
    remark(f"to run: {len(waiting)}, {_about(total)} in all{within}")
    for entry in entries:
        seeds = [str(run.seed) for run in waiting if run.name == entry.name]
        if seeds:
            each = estimates.get(entry.name)
            expected = "time not known" if each is None else f"{_about(each)} each"
            remark(f"  {entry.name}: {expected}, seeds {', '.join(seeds)}")
        else:
            remark(f"  {entry.name}: finished")


def _about(minutes: float) -> str:
    if minutes < 1:
        return "less than a minute"
    hours, rest = divmod(round(minutes), 60)
    return f"about {hours} h {rest} min" if hours else f"about {rest} min"


def _report(state: Progress, out: Path) -> list[str]:
    """Write tables and plot; give the main table's lines."""
    from tagsight.comparison_summary import summarise
    from tagsight.comparison_tables import markdown_table, tables, write_tables
    from tagsight.plots import can_plot, write_plot

    summary = summarise(state)
    if not summary.rows:
        return []
    write_tables(out, summary)
    if can_plot() and state.results:
        write_plot(out / "plot.svg", summary)
    return [*markdown_table(tables(summary)[0]), *(f"- {note}" for note in summary.notes)]


def _ending(state: Progress, out: Path) -> int:
    from tagsight.plots import can_plot

    if state.results:
        remark(f"tables: {out / 'table.md'}, table.csv and table.tex")
        remark(
            f"plot: {out / 'plot.svg'}"
            if can_plot()
            else "no plot: it needs matplotlib, which the extra 'plots' brings; the tables have "
            "the same numbers"
        )
    if state.interrupted:
        remark("interrupted; the same command goes on from the last saved state")
        return INTERRUPTED
    if state.left_out:
        left = "; ".join(str(run) for run in state.left_out)
        remark(f"left out, as it would not have ended within the budget: {left}")
    return FAILED if state.failures else 0
