"""Comparison of systems: trained by the same loop on the same split, measured by the same code.

A run is one recipe with one seed. Its result is a file (`results`), so that a comparison continues
where it was interrupted, and includes results that other machines have computed.
"""

from __future__ import annotations

import contextlib
import time
import traceback
from typing import TYPE_CHECKING, NamedTuple, Self

from tagsight.errors import DataError, user_message
from tagsight.experiments.results import Record, Result, read_results, result_file
from tagsight.experiments.run import Run, Shared, measured_run
from tagsight.runtime.files import write_atomically
from tagsight.training.resume import Origin, origin_changes

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from pathlib import Path

    from tagsight.config import Recipe
    from tagsight.experiments.variants import Entry

FAILURE = "failure.txt"
"""File with the traceback, in the folder of a run that failed."""


class Failure(NamedTuple):
    """A run that failed.

    Attributes:
        run: The run.
        message: The error, in one sentence.
    """

    run: Run
    message: str


class Progress(NamedTuple):
    """The state of a comparison.

    Attributes:
        results: All results so far, those of other machines included.
        failures: Runs that ended with an error.
        left_out: Runs that did not fit into the budget, or were not reached.
        interrupted: Whether Ctrl-C ended it early.

    Example:
        >>> from pathlib import Path
        >>> progress = Progress(tuple(read_results(Path("runs/compared/results"))))
        >>> len(progress.only({"knn-cpu"}).results), len(progress.only({"gcam-cpu"}).results)
        (1, 0)
    """

    results: tuple[Result, ...]
    failures: tuple[Failure, ...] = ()
    left_out: tuple[Run, ...] = ()
    interrupted: bool = False

    def only(self, names: Collection[str]) -> Self:
        """Select the runs of some entries.

        Args:
            names: Names of the entries.
        """
        return self._replace(
            results=tuple(r for r in self.results if r.record.name in names),
            failures=tuple(f for f in self.failures if f.run.name in names),
            left_out=tuple(run for run in self.left_out if run.name in names),
        )


def plan(entries: Iterable[Entry], seeds: int) -> list[Run]:
    """List the runs: all entries with the first seed, then all with the next.

    In this order an interrupted comparison has measured all systems about equally often.

    Args:
        entries: The recipes to compare.
        seeds: Runs of each, with seeds from 0.

    Example:
        >>> from tagsight.experiments.variants import chosen_entries
        >>> [str(run) for run in plan(chosen_entries(["gcam", "vac"]), seeds=2)]
        ['gcam-cpu, seed 0', 'vac-cpu, seed 0', 'gcam-cpu, seed 1', 'vac-cpu, seed 1']
    """
    known = list(entries)
    return [Run(name, with_seed(recipe, seed)) for seed in range(seeds) for name, recipe in known]


def with_seed(recipe: Recipe, seed: int) -> Recipe:
    """Return the recipe with another seed.

    Example:
        >>> from tagsight.systems.catalogue import RECIPES
        >>> with_seed(RECIPES["gcam-cpu"], 3).training.seed
        3
    """
    training = recipe.training.model_copy(update={"seed": seed})
    return recipe.model_copy(update={"training": training})


def known_results(runs: Sequence[Run], shared: Shared) -> list[Result]:
    """Read the results so far, of this comparison and of other machines.

    Args:
        runs: The planned runs.
        shared: Data and folders of the comparison.

    Raises:
        DataError: If a result is of other data, another split, or other settings of that name.

    Example:
        >>> import tagsight as ts
        >>> from pathlib import Path
        >>> from tagsight.experiments.carrying_out import shared_by_runs
        >>> from tagsight.runtime.progress import SILENT
        >>> rows, runtime = ts.read_annotations("labels.csv"), ts.Runtime.choose("cpu")
        >>> shared = shared_by_runs(rows, Path("runs/compared"), runtime, log=SILENT)
        >>> [result.record.name for result in known_results([], shared)]
        ['knn-cpu']
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
                "delete or rename the file, or choose another `out`"
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
    """Train and measure the runs that have no result yet, one after another.

    Test photos are not read before a run's training is finished. If a run fails, the others are
    still made. Ctrl-C ends them all; the next call resumes them.

    Args:
        runs: The runs, in the order to make them.
        shared: Data, folders and hardware of the comparison.
        estimates: Estimated minutes of a run by name, used until one of that name is finished.
        budget: Minutes from now; runs that would not finish within them are left out.
        tell: Called with messages on the progress.
        report: Called after each run with the state of the comparison.

    Raises:
        DataError: If a known result does not fit (`known_results`), before anything is computed.

    Example:
        >>> import tagsight as ts
        >>> from pathlib import Path
        >>> from tagsight.experiments.carrying_out import shared_by_runs
        >>> from tagsight.experiments.variants import chosen_entries
        >>> from tagsight.runtime.progress import SILENT
        >>> rows, runtime = ts.read_annotations("labels.csv"), ts.Runtime.choose("cpu")
        >>> shared = shared_by_runs(rows, Path("runs/all"), runtime, log=SILENT)
        >>> progress = run_all(plan(chosen_entries(["knn"]), seeds=2), shared, budget=0.0)
        >>> [str(run) for run in progress.left_out]
        ['knn-cpu, seed 0', 'knn-cpu, seed 1']
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
        except Exception as error:  # the other runs are still made
            failure = Failure(run, _message(error))
            with contextlib.suppress(OSError):  # the disk may be full
                write_atomically(shared.folder(run) / FAILURE, traceback.format_exc())
            tell(f"{run} failed: {failure.message}")
            state = state._replace(failures=(*state.failures, failure))
        else:
            (shared.folder(run) / FAILURE).unlink(missing_ok=True)
            state = state._replace(results=(*state.results, result))
        report(state)
    return state


def unfinished(runs: Iterable[Run], results: Iterable[Result]) -> list[Run]:
    """Select the runs that have no result.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.experiments.variants import chosen_entries
        >>> runs = plan(chosen_entries(["knn", "gcam"]), seeds=1)
        >>> [str(run) for run in unfinished(runs, read_results(Path("runs/compared/results")))]
        ['gcam-cpu, seed 0']
    """
    done = {(result.record.name, result.record.seed) for result in results}
    return [run for run in runs if (run.name, run.seed) not in done]


def minutes_taken(results: Iterable[Result], name: str) -> float | None:
    """Return the minutes of training and measuring of the last run of that name, if any.

    Example:
        >>> from pathlib import Path
        >>> results = read_results(Path("runs/compared/results"))
        >>> minutes_taken(results, results[0].record.name) > 0, minutes_taken(results, "gcam-cpu")
        (True, None)
    """
    taken = [
        result.record.minutes + result.record.measuring_minutes
        for result in results
        if result.record.name == name
    ]
    return taken[-1] if taken else None


def _check_fits(file: Path, record: Record, shared: Shared) -> None:
    words = {"data_hash": "these photos and labels", "split_hash": "this split"}
    for key, value in shared.hashes().items():
        if getattr(record, key) != value:
            msg = (
                f"{file}: expected a result on {words[key]}, hash {value[:12]}, got "
                f"{getattr(record, key)[:12]}; delete the file, or choose another `out`"
            )
            raise DataError(msg)
    if record.split != shared.split:
        msg = f"{file}: expected a result on the split {shared.split!r}, got {record.split!r}"
        raise DataError(msg)


def _differences(wanted: Origin, found: Origin) -> list[str]:
    """List the differences between the settings of two recipes, seeds aside."""
    keys = ("system", "settings", "training")
    if any(not isinstance(found.get(key), str | dict) for key in keys):
        return ["its recipe lacks system or settings"]
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
    return origin_changes(*sides)


def _message(error: Exception) -> str:
    return user_message(error) or f"{type(error).__name__}: {error}"
