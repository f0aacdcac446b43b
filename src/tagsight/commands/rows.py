"""Photos that a command works on: those that open, of the split that is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from tagsight.commands.output import print_info
from tagsight.runtime.progress import progress

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tagsight.checkpoint.folder import LoadedModel
    from tagsight.data.annotations import Annotations
    from tagsight.data.check import Problem
    from tagsight.runtime.device import Runtime

Split = Literal["train", "val", "test"]
MOST_TOLD = 10


def measured(
    model: Path,
    loaded: LoadedModel,
    annotations: Annotations,
    split: Split,
    runtime: Runtime,
    *,
    max_bad: float | None,
) -> Annotations:
    """Find the rows of a split, with the model's labels, and leave out photos that do not open."""
    from tagsight.data.check import without_problems
    from tagsight.evaluation.measured_rows import measured_rows
    from tagsight.training.preparation import checked

    rows, origin = measured_rows(annotations.matched_to(loaded.labels.names), model, split)
    print_info(origin)
    with progress("checking photos", len(rows)) as advance:
        check = checked(rows.paths, runtime, progress=advance)
    tell_problems(check.problems)
    return without_problems(rows, check, max_bad=max_bad)


def tell_labels(annotations: Annotations) -> None:
    """Say of which labels a run will know little: those without training photos, and the rare."""
    from tagsight.metrics.measured_labels import (
        left_out_labels,
        left_out_sentences,
        rare_labels,
        rare_sentence,
    )

    names, sizes = annotations.names, annotations.split_sizes
    if "train" not in sizes:
        return
    trained = (annotations.rows("train").targets == 1).any(0)
    for split in sizes:
        targets = annotations.rows(split).targets
        left_out = left_out_labels(names, targets, trained) if split != "train" else {}
        for sentence in left_out_sentences(left_out):
            print_info(f"{split}: {sentence}")
        if rare := rare_labels(names, targets):
            print_info(rare_sentence(rare, split))


def tell_problems(problems: Sequence[Problem]) -> None:
    """Name the photos that are left out."""
    for path, reason in problems[:MOST_TOLD]:
        print_info(f"left out: {path}: {reason}")
    if len(problems) > MOST_TOLD:
        print_info(
            f"left out: {len(problems) - MOST_TOLD:,} more; 'tagsight data --json' lists them"
        )
