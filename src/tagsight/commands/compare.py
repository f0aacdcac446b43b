"""``tagsight compare``: trains and evaluates several systems in one table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from tagsight.commands.options import Hardware, LabelsPath, MemoryLimits
from tagsight.commands.output import FAILED, INTERRUPTED, print_info, print_result, shown_source
from tagsight.commands.reading import CheckedReading
from tagsight.commands.recipe_options import SettingsOption, setting_flags

if TYPE_CHECKING:
    from tagsight.experiments.comparison import Progress
    from tagsight.experiments.variants import Entry

Budget = Annotated[float | None, Parameter(validator=Number(gt=0))]
"""Time limit in minutes; runs that are not expected to finish in time are not started."""


@Parameter(name="*")
@dataclass(frozen=True)
class ComparedRecipes:
    """The systems to compare."""

    systems: str | None = None
    """Comma-separated systems and recipes; a system stands for its CPU recipe, and 'quick' for all
    quick recipes, whose photos are encoded once. By default all systems, or none with
    --variants."""

    variants: Path | None = None
    """TOML file with a table for each variant: its 'recipe' and the changed settings."""

    seeds: Annotated[int, Parameter(validator=Number(gte=1))] = 3
    """Number of runs of each, with seeds 0, 1, ..."""

    epochs: int | None = None
    """Number of passes over the training photos, for all."""

    system: SettingsOption = None
    """A setting of all systems, as in --system.pooling max."""

    training: SettingsOption = None
    """A setting of the training of all, as in --training.image_size 192."""

    def entries(self) -> list[Entry]:
        """Return the chosen recipes with their changes.

        Example:
            >>> [entry.name for entry in ComparedRecipes(systems="gcam, ml-gcn-paper").entries()]
            ['gcam-cpu', 'ml-gcn-paper']
        """
        from tagsight.experiments.variants import ALL, chosen_entries

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
    """Conditions shared by all runs."""

    boxes: Path | None = None
    """COCO file of boxes, to measure whether the evidence lies on the objects."""

    vectors: Path | None = None
    """Word vectors of the labels: a GloVe text file, or an .npz with 'names' and 'vectors'."""

    budget: Budget = None
    """Time limit in minutes; runs that are not expected to finish in time are not started."""

    html: Path | None = None
    """HTML file for the results as a page: tables that sort, intervals, each label, and curves of
    the runs."""


def compare(
    data: LabelsPath,
    /,
    *,
    out: Path,
    compared: ComparedRecipes = ComparedRecipes(),
    conditions: Conditions = Conditions(),
    memory: MemoryLimits = MemoryLimits(),
    reading: CheckedReading = CheckedReading(),
    hardware: Hardware = Hardware(),
) -> int:
    """Train and evaluate several systems on one split, and report them with error bars.

    ```console
    tagsight compare labels.csv --systems gcam,resnet --seeds 2 --out runs/both
    ```

    Running the command again continues unfinished runs. Epochs are chosen on the validation split;
    the test split is evaluated once, after training. A collection without splits is divided as by
    'train', with --split-seed.

    Args:
        data: Labels: a file or folder in a known format.
        out: Folder for the runs, the results, the tables and the plot.
    """
    print_info(f"reading {shown_source(data)}")
    entries = compared.entries()  # before a photo is opened

    from tagsight.experiments.compare import compare as compare_systems

    comparison = compare_systems(
        reading.read(data),
        out=out,
        systems=entries,
        seeds=compared.seeds,
        boxes=conditions.boxes,
        vectors=conditions.vectors,
        budget=conditions.budget,
        split_seed=reading.split_seed,
        max_bad=reading.max_bad,
        runtime=hardware.runtime(memory),
    )
    print_result(comparison.lines())
    if conditions.html is not None:
        from tagsight.experiments.comparison_report import comparison_report
        from tagsight.experiments.training_curves import read_histories
        from tagsight.runtime.files import write_atomically

        title = f"Comparison on {data.name}"
        histories = read_histories(out, comparison.summary)
        page = comparison_report(comparison.summary, title, histories)
        write_atomically(conditions.html, page)
        print_info(f"report: {conditions.html}")
    return _ending(comparison.progress, out)


def _ending(state: Progress, out: Path) -> int:
    from tagsight.experiments.plots import can_plot

    if state.results:
        print_info(f"tables: {out / 'table.md'}, table.csv and table.tex")
        print_info(
            f"plot: {out / 'plot.svg'}"
            if can_plot()
            else "no plot: it needs matplotlib, which the extra 'plots' brings; the tables have "
            "the same numbers"
        )
    return ending(state)


def ending(state: Progress) -> int:
    """Print what is missing and return the exit code.

    Example:
        >>> from tagsight.experiments.comparison import Progress
        >>> ending(Progress(results=())), ending(Progress(results=(), interrupted=True))
        (0, 130)
    """
    if state.interrupted:
        print_info("interrupted; the same command goes on from the last saved state")
        return INTERRUPTED
    if state.left_out:
        left = "; ".join(str(run) for run in state.left_out)
        print_info(f"left out, as it would not have ended within the budget: {left}")
    return FAILED if state.failures else 0
