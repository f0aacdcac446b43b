"""``tagsight train``: from labelled photos to a model folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cyclopts.types import ExistingPath

from tagsight.commands.options import (
    CheckedReading,
    Hardware,
    Initialisation,
    MemoryLimits,
    RecipeOptions,
)
from tagsight.commands.output import INTERRUPTED, print_info, print_result
from tagsight.commands.rows import tell_labels, tell_problems
from tagsight.runtime.amounts import amount
from tagsight.runtime.progress import progress
from tagsight.training.log import RunLog

if TYPE_CHECKING:
    from tagsight.config import Recipe
    from tagsight.data.annotations import Annotations
    from tagsight.runtime.device import Runtime
    from tagsight.training.run_folder import Outcome


def train(
    data: ExistingPath,
    /,
    *,
    out: Path,
    options: RecipeOptions = RecipeOptions(),
    initialisation: Initialisation = Initialisation(),
    memory: MemoryLimits = MemoryLimits(),
    reading: CheckedReading = CheckedReading(),
    hardware: Hardware = Hardware(),
) -> int:
    """Train a system and keep the epoch that is best on the validation split.

    With --training.selection last nothing is held out of 'train' and the last epoch is kept.

    Without splits of its own a collection is divided 70/15/15. Ctrl-C ends a run with the best
    model so far; --resume goes on with a run that was ended before its time, by whatever.

    Args:
        data: Labels: a file or a folder of a known format.
        out: The run folder; it gets the model, the log and the split.
    """
    print_info(f"{'going on with' if initialisation.resume else 'beginning'} {out}, reading {data}")
    recipe = options.chosen()
    if _is_finished(out, resume=initialisation.resume):
        print_info(f"the run in {out} came to its end before: there is nothing to resume")
        print_result([str(out / "model")])
        return 0
    if initialisation.init is not None:
        from tagsight.checkpoint.config import model_folder

        model_folder(initialisation.init)  # a wrong one is named before every photo is opened
    with hardware.together(memory) as runtime:
        outcome = _trained(data, out, recipe, runtime, initialisation, reading)
    print_result([_summary(outcome, recipe), str(outcome.model)])
    if outcome.interrupted:
        print_info("the same command with --resume goes on from the last saved state")
    return INTERRUPTED if outcome.interrupted else 0


def _trained(
    data: Path,
    out: Path,
    recipe: Recipe,
    runtime: Runtime,
    initialisation: Initialisation,
    reading: CheckedReading,
) -> Outcome:
    from tagsight.training.preparation import prepare
    from tagsight.training.run import train_run

    annotations = reading.read(data)
    _tell_protocol(annotations)
    seed = recipe.training.seed
    with progress("checking photos", len(annotations)) as advance:
        prepared = prepare(
            annotations,
            out,
            runtime,
            seed=seed,
            max_bad=reading.max_bad,
            hold_out=recipe.training.selection == "best",
            progress=advance,
        )
    tell_problems(prepared.problems)
    tell_labels(prepared.annotations)
    print_info(f"{recipe.name}: {recipe.system} on {_place(runtime)}")
    steps = recipe.training.steps(prepared.annotations.split_sizes.get("train", 0))
    with RunLog(out / "run.jsonl" if runtime.processes.is_first else None, steps) as log:
        return train_run(
            prepared.annotations,
            recipe,
            out,
            runtime,
            log=log,
            start=initialisation.start(),
            hashes=prepared.hashes,
            facts=prepared.facts,
        )


def _tell_protocol(annotations: Annotations) -> None:
    if annotations.protocol is not None:
        from tagsight.data.published_counts import compare

        for comparison in compare(annotations):
            for line in comparison.lines():
                print_info(line)


def _is_finished(out: Path, *, resume: bool) -> bool:
    """Whether there is nothing left to do in a run folder.

    Raises:
        DataError: If there is a model or an unfinished run already, and no run is to go on.
    """
    from tagsight.errors import DataError
    from tagsight.training.resume import is_unfinished

    unfinished = is_unfinished(out)
    if resume:
        return (out / "model").exists() and not unfinished
    if unfinished:
        msg = (
            f"expected a new run folder, got {out} with an unfinished run; go on with --resume, or "
            "choose another --out"
        )
        raise DataError(msg)
    if (out / "model").exists():
        msg = f"expected a new run folder, got {out} with a model in it; choose another --out"
        raise DataError(msg)
    return False


def _place(runtime: Runtime) -> str:
    count = runtime.processes.count
    return f"{runtime}" if count == 1 else f"{runtime}, in {amount(count, 'process')}"


def _summary(outcome: Outcome, recipe: Recipe) -> str:
    from tagsight.metrics.measured_labels import mean_over
    from tagsight.systems.catalogue import SYSTEMS

    ended = "interrupted; " if outcome.interrupted else ""
    done = f"best epoch {outcome.epoch + 1} of {recipe.training.epochs}"
    if recipe.training.selection == "last":
        done = f"epoch {outcome.epoch + 1} of {recipe.training.epochs}, without selection"
    if SYSTEMS[recipe.system].remembers:
        done = "training photos remembered"
    if not outcome.validation:
        return f"{ended}{done}, {outcome.minutes:.1f} minutes"
    score = outcome.validation["mAP"]
    if score is None:
        done = f"the last epoch, {outcome.epoch + 1}, as validation can rank no label"
    return (
        f"{ended}{done}: mAP {'-' if score is None else f'{score:.1f}'} "
        f"{mean_over(outcome.validation)} on the validation split, {outcome.minutes:.1f} minutes"
    )
