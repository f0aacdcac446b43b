"""A training run as its user sees it: the model, how good it is, and how it came about."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from html import escape
from statistics import fmean
from typing import TYPE_CHECKING, Any, Self

from tagsight.checkpoint.config import CONFIG, read_config
from tagsight.inference.recognizer import Recognizer
from tagsight.metrics.measured_labels import mean_over
from tagsight.systems.catalogue import SYSTEMS, parse_recipe
from tagsight.training.run_folder import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from tagsight.config import Recipe

WIDTH, HEIGHT = 360, 120
"""Size of a drawn curve in pixels."""


@dataclass(frozen=True, eq=False)
class Run:
    """A training run, as `train` returns it.

    Args:
        folder: The run folder, with ``model/``, ``run.jsonl`` and ``split.csv``.
        recipe: System and settings.
        outcome: The epoch that was kept, its validation, and the minutes of the run.

    Example:
        >>> from pathlib import Path
        >>> run = Run.open(Path("runs/first"))
        >>> [sorted(epoch)[:3] for epoch in run.history]
        [['epoch', 'labels', 'labels_counted'], ['epoch', 'labels', 'labels_counted']]
        >>> run.model("photos/dog.jpg").ranked()[0].name in {"dog", "sky"}
        True
    """

    folder: Path
    recipe: Recipe
    outcome: Outcome

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Read a finished run again.

        Raises:
            DataError: If there is no model in the folder.
        """
        config = read_config(folder / "model" / CONFIG)
        validation: dict[str, Any] = dict(config.facts.get("validation") or {})  # type: ignore[arg-type]
        return cls(
            folder,
            parse_recipe(config.recipe),
            Outcome(
                epoch=int(validation.pop("epoch", 0)) - 1,
                validation=validation,
                model=folder / "model",
                minutes=0.0,  # not known any more
                interrupted=False,
            ),
        )

    @property
    def model_folder(self) -> Path:
        """Folder of the model, for `load` and the command line."""
        return self.outcome.model

    @cached_property
    def model(self) -> Recognizer:
        """The trained model, ready for photos."""
        return Recognizer.load(self.model_folder)

    @property
    def report(self) -> Mapping[str, float | None]:
        """Validation of the epoch that was kept: ``mAP`` in percent, and the labels counted.

        It chose the epoch, so it is optimistic; `evaluate` measures the test split.
        """
        return self.outcome.validation

    @cached_property
    def history(self) -> list[dict[str, float | None]]:
        """For each epoch the mean training loss, its terms, and the validation's figures."""
        return list(read_epochs(self.folder / "run.jsonl"))

    def summary(self) -> str:
        """Summarise the run in one line."""
        outcome, training = self.outcome, self.recipe.training
        took = f", {outcome.minutes:.1f} minutes" if outcome.minutes else ""
        ended = "interrupted; " if outcome.interrupted else ""
        done = f"epoch {outcome.epoch + 1} of {training.epochs}"
        if training.selection == "last":
            done = f"epoch {outcome.epoch + 1} of {training.epochs}, without selection"
        if SYSTEMS[self.recipe.system].remembers:
            done = "training photos remembered"
        if not self.report:
            return f"{ended}{done}{took}"
        score = self.report["mAP"]
        if score is None:
            done = f"the last epoch, {outcome.epoch + 1}, as validation can rank no label"
        return (
            f"{ended}{done}: mAP {'-' if score is None else f'{score:.1f}'} "
            f"{mean_over(self.report)} on the validation split{took}"
        )

    def __repr__(self) -> str:
        return f"Run({str(self.folder)!r}: {self.recipe.name}, {self.summary()})"

    def _repr_html_(self) -> str:
        """Draw loss and validation over the epochs, for notebooks."""
        curves = [
            _curve(title, [epoch.get(key) for epoch in self.history])
            for title, key in (("training loss", "loss"), ("validation mAP in %", "mAP"))
        ]
        return (
            f"<p><b>{escape(self.recipe.name)}</b> in <code>{escape(str(self.folder))}</code><br>"
            f"{escape(self.summary())}</p><div>{''.join(curves)}</div>"
        )


def read_epochs(file: Path) -> Iterator[dict[str, float | None]]:
    """Sum up a run's log epoch by epoch, as `Run.history`; nothing if there is no such file.

    Args:
        file: The ``run.jsonl`` of a run folder.

    Example:
        >>> from pathlib import Path
        >>> [epoch["epoch"] for epoch in read_epochs(Path("runs/first/run.jsonl"))]
        [1, 2]
    """
    if not file.is_file():
        return
    epochs: dict[int, list[dict[str, Any]]] = {}
    validations: dict[int, dict[str, Any]] = {}
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            values = json.loads(line)
            if values["kind"] == "step":
                epochs.setdefault(values["epoch"], []).append(values)
            elif values["kind"] == "epoch":
                validations[values["epoch"]] = {
                    key: value
                    for key, value in values.items()
                    if key not in {"kind", "time", "epoch", "step"}
                }
    for epoch in sorted({*epochs, *validations}):
        steps = epochs.get(epoch, [])
        means: dict[str, float | None] = {}
        if steps:
            means["loss"] = fmean(step["loss"] for step in steps)
            for term in steps[0]["losses"]:
                means[f"losses.{term}"] = fmean(step["losses"][term] for step in steps)
        yield {"epoch": epoch, **means, **validations.get(epoch, {})}


def _curve(title: str, values: Sequence[float | None]) -> str:
    """Draw numbers as an SVG line with the least and the greatest beside it."""
    known = [(place, value) for place, value in enumerate(values) if value is not None]
    if not known:
        return ""
    least, most = min(value for _, value in known), max(value for _, value in known)
    span, steps = (most - least) or 1.0, max(len(values) - 1, 1)
    points = " ".join(
        f"{60 + (WIDTH - 70) * place / steps:.1f},"
        f"{HEIGHT - 20 - (HEIGHT - 45) * (value - least) / span:.1f}"
        for place, value in known
    )
    return (
        f'<svg width="{WIDTH}" height="{HEIGHT}" role="img" aria-label="{escape(title)}" '
        'style="color:inherit" font-family="sans-serif" font-size="11" fill="currentColor">'
        f'<text x="0" y="14">{escape(title)}</text>'
        f'<text x="0" y="28">{most:.4g}</text><text x="0" y="{HEIGHT - 17}">{least:.4g}</text>'
        f'<text x="60" y="{HEIGHT - 4}">epoch 1</text>'
        f'<text x="{WIDTH - 10}" y="{HEIGHT - 4}" text-anchor="end">{len(values)}</text>'
        f'<polyline points="{points}" fill="none" stroke="#2f6fde" stroke-width="2"/></svg>'
    )
