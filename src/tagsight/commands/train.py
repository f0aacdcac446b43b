"""``tagsight train``: from labelled photos to a model folder."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Literal

from tagsight.commands.options import Hardware, Initialisation, LabelsPath, MemoryLimits
from tagsight.commands.output import INTERRUPTED, print_info, print_result, shown_source
from tagsight.commands.reading import CheckedReading, GroupingOptions
from tagsight.commands.recipe_options import RecipeOptions


def train(  # noqa: PLR0913 - groups of options
    data: LabelsPath,
    /,
    *,
    out: Path,
    track: Literal["tensorboard", "mlflow", "wandb"] | None = None,
    options: RecipeOptions = RecipeOptions(),
    initialisation: Initialisation = Initialisation(),
    memory: MemoryLimits = MemoryLimits(),
    reading: CheckedReading = CheckedReading(),
    grouping: GroupingOptions = GroupingOptions(),
    hardware: Hardware = Hardware(),
) -> int:
    """Train a system, and keep the last epoch unless an earlier one is clearly better.

    ```console
    tagsight train labels.csv --out runs/first
    tagsight train labels.csv --recipe quick --epochs 20 --out runs/quick
    ```

    A collection without splits is divided 70/15/15. Better is a higher mAP on the validation split,
    by more than its standard error. With --training.selection last no photos are held out for
    validation and the last epoch is kept. Ctrl-C ends the run with the model so far; --resume
    continues it.

    Args:
        data: Labels: a file or folder in a known format.
        out: Run folder for the model, the log and the split.
        track: Also write settings, curves and the report for this program. They stay on this
            machine unless MLFLOW_TRACKING_URI names a server or WANDB_MODE is online.
    """
    begins = "going on with" if initialisation.resume else "beginning"
    print_info(f"{begins} {out}, reading {shown_source(data)}")
    recipe = options.chosen()

    from tagsight.workflows import check_run_folder
    from tagsight.workflows import train as train_labels

    check_run_folder(out, resume=initialisation.resume)  # before the labels are read
    with hardware.together(memory) as runtime:
        run = train_labels(
            reading.read(data, grouping=grouping.chosen()),
            recipe=recipe,
            out=out,
            seed=recipe.training.seed,
            vectors=initialisation.vectors,
            init=initialisation.init,
            resume=initialisation.resume,
            state_every=initialisation.state_every,
            max_bad=reading.max_bad,
            track=track,
            runtime=runtime,
        )
    print_result([run.summary(), str(run.model_folder)])
    if run.outcome.interrupted:
        print_info("the same command with --resume goes on from the last saved state")
        return INTERRUPTED
    _show_next_steps(out, data)
    return 0


def _show_next_steps(out: Path, data: Path) -> None:
    """Print which labels to look at, and how to measure the run."""
    from tagsight.data.annotations import SPLITS
    from tagsight.data.remote.places import place, shown
    from tagsight.data.splits.split import recorded_splits
    from tagsight.evaluation.measured_rows import SPLIT_FILE
    from tagsight.training.label_quality import labels_to_look_at, read_quality

    for label in labels_to_look_at(read_quality(out)):
        print_info(f"look at {label.advice()}")
    held_out = {*recorded_splits(out / SPLIT_FILE).values()} - {"train"}
    if not held_out:
        return
    split, report = max(held_out, key=SPLITS.index), out / "report.html"
    chosen = [] if split == "test" else ["--split", split]
    command = ["tagsight", "evaluate", str(out / "model"), shown(place(data)), *chosen]
    name = "validation" if split == "val" else split
    print_info(f"figures on the {name} split: {shlex.join([*command, '--html', str(report)])}")
    print_info(f"report, once that has run: {report}")
