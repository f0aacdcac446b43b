"""Several systems by the same loop on the same split, measured by the same code.

A run is one recipe with one seed. Its result is a file (`comparison_result`), so that a comparison
goes on where it was ended, whatever ended it, and takes in what other machines have computed.
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
from tagsight.training.origin import Origin, changes

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from pathlib import Path

    from tagsight.config import Recipe
    from tagsight.experiments.variants import Entry

FAILURE = "failure.txt"
"""In the folder of a run that failed: where the error came from."""


class Failure(NamedTuple):
    """A run that did not come to its end, and why."""

    run: Run
    message: str


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

    def only(self, names: Collection[str]) -> Self:
        """What there is of some of them."""
        return self._replace(
            results=tuple(r for r in self.results if r.record.name in names),
            failures=tuple(f for f in self.failures if f.run.name in names),
            left_out=tuple(run for run in self.left_out if run.name in names),
        )


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
            with contextlib.suppress(OSError):  # a full disk may be what failed
                write_atomically(shared.folder(run) / FAILURE, traceback.format_exc())
            tell(f"{run} failed: {failure.message}")
            state = state._replace(failures=(*state.failures, failure))
        else:
            (shared.folder(run) / FAILURE).unlink(missing_ok=True)
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
