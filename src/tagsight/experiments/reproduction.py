"""Reproduction of a table or figure of the paper: our results beside the published ones.

The runs of all tables and figures on one data set share a folder, like those of a comparison. They
are named after their recipe, so that a system in three tables is trained once.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass, replace
from statistics import fmean
from typing import TYPE_CHECKING, Any, NamedTuple

from tagsight.experiments.paper import (
    PROFILE_WORDS,
    SIDES,
    base_recipe,
    changes_of,
    recipe_of,
)
from tagsight.experiments.summary import summarise
from tagsight.experiments.variants import Entry
from tagsight.metrics.measured_labels import label_remark

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from tagsight.experiments.comparison import Progress
    from tagsight.experiments.paper import Experiment, Profile, Variant
    from tagsight.experiments.summary import Row, Summary
    from tagsight.systems.settings import Change


@dataclass(frozen=True)
class Reproduction:
    """A table or figure on one data set.

    Args:
        name: Its key in `EXPERIMENTS`.
        experiment: The experiment.
        profile: Recipes and resolution.
        dataset: Name of the data set.
        runs: Name of each variant's run, by the variant's name.
        summary: Results of all runs on the data set.
        folder: Folder of the runs.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.experiments.comparison import Progress
        >>> from tagsight.experiments.paper import experiment_of
        >>> table = experiment_of("table4")
        >>> entries = entries_of(table, "cpu")
        >>> found = reproduced(Progress(()), "table4", table, "cpu", "demo", entries, Path("runs"))
        >>> found.own_summary().rows, len(list(found.rows())) == len(table.variants)
        ((), True)
    """

    name: str
    experiment: Experiment
    profile: Profile
    dataset: str
    runs: Mapping[str, str]
    summary: Summary
    folder: Path

    def own_summary(self) -> Summary:
        """Summarise the finished variants, by their names and in their order here."""
        rows = [replace(row, name=v.name) for v, row in self.rows() if row is not None]
        return replace(self.summary, rows=tuple(rows))

    def rows(self) -> Iterator[tuple[Variant, Row | None]]:
        """Yield each variant with its results, or None if there are none."""
        found = {row.name: row for row in self.summary.rows if row.results}
        for variant in self.experiment.variants:
            yield variant, found.get(self.runs[variant.name])


class Curve(NamedTuple):
    """The loss of a run by iteration.

    Attributes:
        name: Name of the variant.
        steps: Iterations, counted from 1.
        losses: Sum of the loss terms at each.
    """

    name: str
    steps: Sequence[int]
    losses: Sequence[float]


def entries_of(
    experiment: Experiment, profile: Profile, changes: Sequence[Change] = ()
) -> dict[str, Entry]:
    """Create the entry to train for each variant, by the variant's name.

    Equal recipes get equal names, so that they are trained once.

    Args:
        experiment: Its variants.
        profile: Recipes and resolution.
        changes: Further changes of all recipes.

    Example:
        >>> from tagsight.experiments.paper import experiment_of
        >>> [entry.name for entry in entries_of(experiment_of("table4"), "cpu").values()]
        ['vac-cpu', 'gcam-cpu+system.consistency.weight-0', 'gcam-cpu']
    """
    return {
        variant.name: Entry(_run_name(variant, profile), recipe_of(variant, profile, changes))
        for variant in experiment.variants
    }


def reproduced(
    progress: Progress,
    name: str,
    experiment: Experiment,
    profile: Profile,
    dataset: str,
    entries: Mapping[str, Entry],
    folder: Path,
) -> Reproduction:
    """Summarise the runs of a table or figure, finished or not.

    Args:
        progress: Results and failures of the data set's runs.
        name: Key of the experiment in `EXPERIMENTS`.
        experiment: The experiment.
        profile: Recipes and resolution.
        dataset: Name of the data set.
        entries: What was trained for each variant, as `entries_of` lists it.
        folder: Folder of the runs.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.experiments.comparison import Progress
        >>> from tagsight.experiments.paper import experiment_of
        >>> table = experiment_of("table4")
        >>> entries = entries_of(table, "cpu")
        >>> found = reproduced(Progress(()), "table4", table, "cpu", "demo", entries, Path("runs"))
        >>> [(variant.name, row) for variant, row in found.rows()][:1]
        [('without GCN', None)]
    """
    called = {variant: entry.name for variant, entry in entries.items()}
    summary = summarise(progress.only(set(called.values())))
    return Reproduction(name, experiment, profile, dataset, called, summary, folder)


def _run_name(variant: Variant, profile: Profile) -> str:
    name = base_recipe(variant, profile)
    if profile != "cpu":
        name += f"-at-{SIDES[profile]}"
    unchanged = recipe_of(variant._replace(changes={}), profile)
    if recipe_of(variant, profile) == unchanged:
        return name
    return name + "".join(f"+{key}-{value}" for key, value in variant.changes.items())


def commands_of(
    reproduction: Reproduction,
    arguments: Sequence[str],
    seeds: int,
    changes: Sequence[Change] = (),
) -> list[str]:
    """Write the command line of each run, without options that only describe the machine.

    Args:
        reproduction: Its variants.
        arguments: Arguments that read the data set.
        seeds: Number of seeds, from 0.
        changes: Further changes of all recipes.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.experiments.comparison import Progress
        >>> from tagsight.experiments.paper import experiment_of
        >>> table = experiment_of("table4")
        >>> entries = entries_of(table, "cpu")
        >>> found = reproduced(Progress(()), "table4", table, "cpu", "demo", entries, Path("runs"))
        >>> commands_of(found, ["voc"], seeds=1)[0]
        'tagsight train voc --recipe vac-cpu --seed 0 --out runs/vac-cpu-0'
    """
    profile, lines = reproduction.profile, []
    for variant in reproduction.experiment.variants:
        given = [*changes_of(variant, profile), *changes]
        flags = [word for change in given for word in (change.spelled, str(change.value))]
        for seed in range(seeds):
            out = f"runs/{reproduction.runs[variant.name]}-{seed}"
            command = ["tagsight", "train", *arguments, "--recipe", base_recipe(variant, profile)]
            lines.append(shlex.join([*command, *flags, "--seed", str(seed), "--out", out]))
    return lines


def notes_of(reproduction: Reproduction) -> list[str]:
    """List the notes for the reader: on the published numbers, then on ours.

    Args:
        reproduction: Results and published numbers.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.experiments.comparison import Progress
        >>> from tagsight.experiments.paper import experiment_of
        >>> table = experiment_of("table4")
        >>> entries = entries_of(table, "cpu")
        >>> found = reproduced(Progress(()), "table4", table, "cpu", "demo", entries, Path("runs"))
        >>> notes_of(found)[1].partition(":")[0]
        'Ours are on demo, the published on mirflickr25k'
    """
    experiment, profile = reproduction.experiment, reproduction.profile
    notes = [experiment.reading]
    if reproduction.dataset not in {experiment.dataset, *experiment.also}:
        notes.append(
            f"Ours are on {reproduction.dataset}, the published on {experiment.dataset}: the order "
            "of the systems can be compared, not the numbers."
        )
    notes.append(PROFILE_WORDS[profile])
    notes += [f"{v.name}: {v.note}." for v in experiment.variants if v.note]
    wanted = set(reproduction.runs.values())
    missing = sorted(wanted - {row.name for row in reproduction.summary.rows if row.results})
    if missing:
        notes.append(f"Not run yet, or failed: {', '.join(missing)}.")
    return [*notes, *reproduction.summary.notes]


def curves_of(reproduction: Reproduction) -> list[Curve]:
    """Read the losses of the first seed of each finished variant from its log.

    Args:
        reproduction: Its runs.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.experiments.comparison import Progress
        >>> from tagsight.experiments.paper import experiment_of
        >>> table = experiment_of("table4")
        >>> entries = entries_of(table, "cpu")
        >>> found = reproduced(Progress(()), "table4", table, "cpu", "demo", entries, Path("runs"))
        >>> curves_of(found)  # of the runs that are finished
        []
    """
    return [
        _curve(variant.name, reproduction.folder / "runs" / f"{row.name}-{row.seeds[0]}")
        for variant, row in reproduction.rows()
        if row is not None
    ]


def _curve(name: str, folder: Path) -> Curve:
    """Read the losses of a run's log; if a resumed run took a step twice, the later one counts."""
    totals: dict[int, float] = {}
    with (folder / "run.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            event = json.loads(line)
            if event["kind"] == "step":
                totals[event["step"]] = sum(event["losses"].values())
    return Curve(name, sorted(totals), [totals[step] for step in sorted(totals)])


def label_values(row: Row) -> dict[str, float | None]:
    """Compute the AP of each label, in percent, averaged over seeds.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.experiments.comparison import Progress
        >>> from tagsight.experiments.results import read_results
        >>> (row,) = summarise(Progress(tuple(read_results(Path("runs/compared/results"))))).rows
        >>> sorted(label_values(row))
        ['dog', 'sky']
    """
    reports: list[Any] = [result.record.report["per_label"] for result in row.results]
    found: dict[str, float | None] = {}
    for label in reports[0]:
        values = [report[label]["AP"] for report in reports]
        known = [value for value in values if value is not None]
        found[label] = fmean(known) if known else None
    return found


def label_remarks(row: Row) -> dict[str, str]:
    """Write a caveat on the AP of each label, empty for most.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.experiments.comparison import Progress
        >>> from tagsight.experiments.results import read_results
        >>> (row,) = summarise(Progress(tuple(read_results(Path("runs/compared/results"))))).rows
        >>> label_remarks(row)
        {'dog': '2 test photos', 'sky': '2 test photos'}
    """
    result, split = row.results[0], row.record.split
    return {
        label: label_remark(label, count, result.left_out, split)
        for label, count in result.positives.items()
    }
