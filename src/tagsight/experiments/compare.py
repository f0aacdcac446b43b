"""Several systems by the same loop on the same split: what the command ``compare`` does."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tagsight.data.boxes import read_boxes
from tagsight.data.readers import read_annotations
from tagsight.experiments.carrying_out import carried_out, shared_by_runs
from tagsight.experiments.comparison_tables import tables, write_tables
from tagsight.experiments.plots import can_plot, write_plot
from tagsight.experiments.summary import summarise
from tagsight.experiments.tables import markdown_table
from tagsight.experiments.variants import ALL, Entry, chosen_entries
from tagsight.runtime.device import Runtime
from tagsight.runtime.files import default_cache
from tagsight.runtime.progress import TerminalLog
from tagsight.systems.settings import Change, changes_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tagsight.data.readers import Labels
    from tagsight.experiments.comparison import Progress
    from tagsight.experiments.summary import Summary


@dataclass(frozen=True, eq=False)
class Comparison:
    """Outcome of a comparison.

    Args:
        folder: With the runs, the results, the tables and the plot.
        progress: Results, failures, and what was left out.
        summary: A row for each system over its seeds.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.experiments.comparison import Progress
        >>> comparison = Comparison(Path("runs"), Progress(()), summarise(Progress(())))
        >>> comparison.lines()  # without a result
        []
    """

    folder: Path
    progress: Progress
    summary: Summary

    def lines(self) -> list[str]:
        """The main table and its notes, in Markdown; nothing without a result."""
        if not self.summary.rows:
            return []
        main = markdown_table(tables(self.summary)[0])
        return [*main, *(f"- {note}" for note in self.summary.notes)]

    def write(self) -> None:
        """Write the tables, and the plot if matplotlib is there."""
        if not self.summary.rows:
            return
        write_tables(self.folder, self.summary)
        if can_plot() and self.progress.results:
            write_plot(self.folder / "plot.svg", self.summary)

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def _repr_markdown_(self) -> str:
        return "\n".join(["", *self.lines()]).replace("\n- ", "\n\n- ", 1)


def compare(  # noqa: PLR0913 - an option of the command each
    labels: Labels,
    *,
    out: str | Path,
    systems: Sequence[str | Entry] | None = None,
    variants: str | Path | None = None,
    seeds: int = 3,
    epochs: int | None = None,
    settings: Mapping[str, object] | None = None,
    images: str | Path | None = None,
    boxes: str | Path | None = None,
    vectors: str | Path | None = None,
    budget: float | None = None,
    split_seed: int = 0,
    max_bad: float | None = None,
    runtime: Runtime | None = None,
    progress: bool = True,
) -> Comparison:
    """Train, measure and report systems on one split, with error bars.

    The same call goes on with what is not finished. Epochs are chosen on the validation split; the
    test split is measured once, after the training.

    Args:
        labels: As for `train`.
        out: Folder of the comparison; it gets the runs, the results, the tables and the plot.
        systems: Names of systems, each trained by its recipe for a processor, or of recipes;
            ``quick`` stands for all quick ones. By default all systems, or with ``variants`` none.
        variants: A TOML file: for each variant a table with ``recipe`` and what it changes.
        seeds: Runs of each, from seed 0 on.
        epochs: Passes over the training photos, for all.
        settings: Changes of all, named as for `train`.
        images: Folder of the photos, where it is not the usual one of the format.
        boxes: COCO file of boxes, to measure whether the evidence points at the objects.
        vectors: Word vectors of the labels, a GloVe text file or ``.npz``.
        budget: Minutes; no run is begun that is not expected to end within them.
        split_seed: Decides the split, if one has to be drawn.
        max_bad: Largest fraction of unusable photos; by default 0.01, or 5 photos if that is more.
        runtime: Device, precision and caches; by default the GPU if there is one.
        progress: Whether progress and remarks are shown.

    Raises:
        DataError: If systems, settings, labels or what lies in ``out`` cannot be used.

    Example:
        >>> import tagsight as ts
        >>> comparison = ts.compare(
        ...     "labels.csv",
        ...     out="runs/comparison",
        ...     systems=["knn"],
        ...     seeds=1,
        ...     settings={"training.image_size": 64},
        ...     progress=False,
        ... )
        >>> [row.name for row in comparison.summary.rows]
        ['knn-cpu']
    """
    started = time.monotonic()
    changes = list(changes_of(settings or {}))
    if epochs is not None:
        changes.append(Change(("training", "epochs"), epochs, "`epochs`"))
    default = () if variants else (ALL,)
    entries = chosen_entries(  # before a photo is opened
        default if systems is None else systems,
        None if variants is None else Path(variants),
        changes,
    )
    folder, log = Path(out), TerminalLog(shown=progress)
    shared = shared_by_runs(
        read_annotations(labels, images=images),
        folder,
        runtime or Runtime.choose(cache=default_cache()),
        boxes=None if boxes is None else read_boxes(Path(boxes)),
        vectors=None if vectors is None else Path(vectors),
        seed=split_seed,
        max_bad=max_bad,
        hold_out=any(entry.recipe.training.selection == "best" for entry in entries),
        unjudged=any(entry.recipe.training.unjudged == "consistency" for entry in entries),
        log=log,
    )

    def so_far(state: Progress) -> Comparison:
        comparison = Comparison(folder, state, summarise(state))
        comparison.write()
        return comparison

    return so_far(carried_out(entries, seeds, shared, budget, started, report=so_far, log=log))
