"""``tagsight reproduce``: a table or figure of the G-CAM paper, beside what was published."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from tagsight.commands.compare import Budget, ending
from tagsight.commands.options import Hardware, MemoryLimits
from tagsight.commands.output import print_info, print_result
from tagsight.commands.recipe_options import SettingsOption, setting_flags
from tagsight.runtime.amounts import amount

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tagsight.data.literature.locations import Collection
    from tagsight.experiments.comparison import Progress
    from tagsight.experiments.paper import Experiment
    from tagsight.experiments.reproduction import Reproduction
    from tagsight.experiments.run import Shared
    from tagsight.systems.settings import Change


@Parameter(name="*")
@dataclass(frozen=True)
class Terms:
    """Data, settings and seeds of a reproduction."""

    data_root: Path = Path("data")
    """Folder of the data sets, as 'tagsight download --out' fills it."""

    dataset: str | None = None
    """Name of a data set, or a labels file; by default the paper's data set."""

    profile: Literal["cpu", "paper-224", "paper-448"] = "cpu"
    """Settings: quick ones for a CPU, or the published ones at a resolution."""

    seeds: Annotated[int, Parameter(validator=Number(gte=1))] = 1
    """Number of runs of each, with seeds 0, 1, ..."""

    epochs: int | None = None
    """Number of passes over the training photos, for all."""

    system: SettingsOption = None
    """A setting of all systems, as in --system.pooling max."""

    training: SettingsOption = None
    """A setting of the training of all, as in --training.image_size 192."""

    def changes(self) -> list[Change]:
        """Changes to the profile's recipes, for all runs.

        Example:
            >>> [change.spelled for change in Terms(epochs=5, system={"pooling": "max"}).changes()]
            ['--system.pooling', '--epochs']
        """
        return setting_flags(self.system, self.training, epochs=self.epochs)


def reproduce(
    name: str,
    /,
    *,
    out: Path = Path("reproduced"),
    terms: Terms = Terms(),
    budget: Budget = None,
    memory: MemoryLimits = MemoryLimits(),
    hardware: Hardware = Hardware(),
) -> int:
    """Reproduce a table or figure of the G-CAM paper beside the published figures.

    ```console
    tagsight reproduce table1 --seeds 3
    tagsight reproduce table4 --dataset labels.csv
    ```

    Running the command again continues unfinished runs. Tables and figures on the same data set
    share their runs.

    Args:
        name: table1 to table4, or figure4 to figure9.
        out: Folder for runs, tables and figures.
        budget: Time limit in minutes; runs not expected to finish in time are not started.
    """
    started = time.monotonic()

    from tagsight.experiments.paper import experiment_of

    experiment = experiment_of(name)  # before torch is imported, so that a typo is answered at once
    changes = terms.changes()
    print_info(f"reproducing {name}")

    from tagsight.data.literature.locations import read_collection
    from tagsight.experiments.carrying_out import carried_out, shared_by_runs
    from tagsight.experiments.reproduction import entries_of, reproduced
    from tagsight.runtime.progress import TerminalLog

    entries = entries_of(experiment, terms.profile, changes)
    collection = read_collection(terms.dataset or experiment.dataset, terms.data_root)
    runs = out / f"{collection.name}-{terms.profile}"
    folder = out / f"{name}-{collection.name}-{terms.profile}"
    runtime, log = hardware.runtime(memory), TerminalLog()
    shared = shared_by_runs(collection.annotations, runs, runtime, boxes=collection.boxes, log=log)

    def reproduction(state: Progress) -> Reproduction:
        return reproduced(
            state, name, experiment, terms.profile, collection.name, entries, shared.out
        )

    state = carried_out(
        list({entry.name: entry for entry in entries.values()}.values()),
        terms.seeds,
        shared,
        budget,
        started,
        report=lambda so_far: _write(reproduction(so_far), folder),
        log=log,
    )
    done = reproduction(state)
    _write_commands(done, folder, collection, terms, changes)
    if experiment.shape == "retrieval" and done.summary.rows:
        print_result(_write_nearest(done, folder, shared))
    print_result(_write(done, folder))
    print_info(f"written to {folder}")
    return ending(state)


def _write(reproduction: Reproduction, folder: Path) -> list[str]:
    """Write tables and plot; give the first table's lines."""
    from tagsight.experiments.figures import write_figure
    from tagsight.experiments.plots import can_plot
    from tagsight.experiments.reproduction import notes_of
    from tagsight.experiments.reproduction_tables import tables_of
    from tagsight.experiments.tables import comma_separated, latex, markdown, markdown_table
    from tagsight.runtime.files import write_atomically

    title = _title(reproduction.name, reproduction.experiment)
    tables, notes = tables_of(reproduction), notes_of(reproduction)
    write_atomically(folder / "table.md", markdown(title, tables, notes))
    write_atomically(folder / "table.csv", comma_separated(tables))
    write_atomically(folder / "table.tex", latex(tables, notes))
    if can_plot() and any(row for _, row in reproduction.rows()):
        write_figure(folder / "plot.svg", reproduction)
    shown = markdown_table(tables[0]) if tables else []
    return [title, "", *shown, *(f"- {note}" for note in notes)]


def _title(name: str, experiment: Experiment) -> str:
    return f"{name[:-1].capitalize()} {name[-1]}: {experiment.title}"


def _write_commands(
    reproduction: Reproduction,
    folder: Path,
    collection: Collection,
    terms: Terms,
    changes: Sequence[Change],
) -> None:
    from tagsight.experiments.reproduction import commands_of
    from tagsight.runtime.files import write_atomically

    lines = commands_of(reproduction, collection.arguments, terms.seeds, changes)
    write_atomically(folder / "commands.sh", "\n".join(lines) + "\n")


def _write_nearest(reproduction: Reproduction, folder: Path, shared: Shared) -> list[str]:
    """Draw the queries with their nearest photos; say how often they share a label."""
    from tagsight.checkpoint.folder import load_model
    from tagsight.experiments.nearest_photos import (
        draw_queries,
        find_nearest,
        nearest_sheet,
        precision,
    )
    from tagsight.inference.networks.trained import TrainedNetwork
    from tagsight.inference.recognizer import Recognizer
    from tagsight.runtime.files import replacing

    row = next(row for _, row in reproduction.rows() if row is not None)
    model = shared.out / "runs" / f"{row.name}-{row.seeds[0]}" / "model"
    loaded = load_model(model, shared.runtime.device)
    recognizer = Recognizer(
        TrainedNetwork(loaded, shared.runtime), max_memory=shared.runtime.max_photo_memory
    )
    rows = shared.annotations.rows(shared.split)
    found = find_nearest(recognizer, rows.paths, draw_queries(rows, seed=0))
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(folder / "photos.png") as temporary:
        nearest_sheet(rows, found).save(temporary, format="PNG")
    return [
        f"{amount(len(found), 'query')} among {amount(len(rows), 'photo')} of {shared.split}: "
        f"{100 * precision(rows, found):.0f} % of their nearest photos share a label"
    ]
