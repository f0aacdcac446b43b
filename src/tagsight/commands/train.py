"""``tagsight train``: from labelled photos to a model folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cyclopts.types import ExistingPath

from tagsight.commands.options import Choice, Keeping, Machine, Reading
from tagsight.commands.output import INTERRUPTED, remark, say
from tagsight.commands.rows import MaxBad, tell_problems
from tagsight.runlog import RunLog, progress

if TYPE_CHECKING:
    from tagsight.data.annotations import Annotations
    from tagsight.run import Outcome


def train(
    data: ExistingPath,
    /,
    *,
    out: Path,
    choice: Choice = Choice(),
    vectors: Path | None = None,
    max_bad: MaxBad = 0.01,
    keeping: Keeping = Keeping(),
    reading: Reading = Reading(),
    machine: Machine = Machine(),
) -> int:
    """Train a system and keep the epoch that is best on the validation split.

    Without splits of its own a collection is divided 70/15/15. Ctrl-C ends a run with the best
    model so far.

    Args:
        data: Labels: a file or a folder of a known format.
        out: The run folder; it gets the model, the log and the split.
        vectors: Word vectors of the labels, a GloVe text file or .npz with 'names' and 'vectors'.
        max_bad: Largest fraction of the photos that may be unusable.
    """
    recipe = choice.chosen()  # before torch is imported, so that a typo is answered at once

    from tagsight.preparation import prepare
    from tagsight.run import train_run

    runtime = machine.runtime(keeping)
    _require_free(out)
    annotations = reading.read(data)
    _tell_protocol(annotations)
    with progress("checking photos", len(annotations)) as advance:
        prepared = prepare(
            annotations,
            out,
            runtime,
            seed=recipe.training.seed,
            max_bad=max_bad,
            progress=advance,
        )
    tell_problems(prepared.problems)
    remark(f"{recipe.name}: {recipe.system} on {runtime}")
    steps = recipe.training.steps(prepared.annotations.split_sizes.get("train", 0))
    with RunLog(out / "run.jsonl", steps) as log:
        outcome = train_run(
            prepared.annotations,
            recipe,
            out,
            runtime,
            log=log,
            hashes=prepared.hashes,
            vectors=vectors,
            facts=prepared.facts,
        )
    say([_summary(outcome, recipe.training.epochs), str(outcome.model)])
    return INTERRUPTED if outcome.interrupted else 0


def _tell_protocol(annotations: Annotations) -> None:
    if annotations.protocol is not None:
        from tagsight.data.published_counts import compare

        for comparison in compare(annotations):
            for line in comparison.lines():
                remark(line)


def _require_free(out: Path) -> None:
    from tagsight.errors import DataError

    if (out / "model").exists():
        msg = f"expected a new run folder, got {out} with a model in it; choose another --out"
        raise DataError(msg)


def _summary(outcome: Outcome, epochs: int) -> str:
    ended = "interrupted; " if outcome.interrupted else ""
    return (
        f"{ended}best epoch {outcome.epoch + 1} of {epochs}: "
        f"mAP {outcome.validation['mAP']:.1f} on the validation split, "
        f"{outcome.minutes:.1f} minutes"
    )
