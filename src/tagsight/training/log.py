"""The log of a run: JSON lines in a file, and progress on the terminal or in a notebook."""

from __future__ import annotations

import json
import math
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol, Self, TextIO

from tagsight.metrics.measured_labels import mean_over
from tagsight.runtime.files import naming, write_atomically
from tagsight.runtime.progress import Advance, Display, WorkLog, terminal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from rich.console import Console

    from tagsight.training.loop import Step


MOST_LINES = 40
"""Epochs up to which each is shown; of more, about half as many are."""


class Log(WorkLog, Protocol):
    """Receives the events of a training run."""

    def resume(self, number: int) -> None:
        """Drop the events after a step, as those steps will be taken again.

        Args:
            number: Steps done by the state that the run resumes from.
        """

    def step(self, step: Step) -> None:
        """Record a step of the optimiser."""

    def epoch(self, epoch: int, metrics: Mapping[str, float | None]) -> None:
        """Record the validation metrics of an epoch, counted from 0."""


class RunLog:
    """Write the events of a training run to a file, and show its progress.

    The file has one JSON object per line. Its ``kind`` is ``note``, ``step`` with every named term
    of the loss, or ``epoch`` with the metrics on the validation split. Epochs and steps are counted
    from 1. Each line is written to the file at once, except that notes before the first step are
    held until then: a run that is refused leaves no file.

    Args:
        path: The file, overwritten unless the run is resumed; None writes no file.
        total_steps: Steps of the whole run.
        console: Shows progress; by default standard error, or the notebook's cell.

    Example:
        >>> from rich.console import Console
        >>> with RunLog(None, 100, Console(quiet=True)) as log:
        ...     log.note("word vectors from labels.txt")
    """

    def __init__(self, path: Path | None, total_steps: int, console: Console | None = None) -> None:
        self._path = path
        self._steps = total_steps
        self._display = Display("training", total_steps, console or terminal())
        self._open = ExitStack()
        self._file: TextIO | None = None
        self._held: list[str] = []
        self._first_step = 0
        self._highest = -math.inf
        self._rate = 0.0
        self._last: Step | None = None

    def __enter__(self) -> Self:
        self._open.enter_context(self._display)
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def resume(self, number: int) -> None:
        """Keep the lines of the file up to a step, and append to them.

        Args:
            number: Steps done by the state that the run resumes from.
        """
        self._first_step = number
        self._display.begin("training", self._steps, number)
        if self._path is None or not self._path.is_file():
            return
        kept = list(_until(number, self._path))
        write_atomically(self._path, "".join(kept))
        self._file = self._open.enter_context(self._path.open("a", encoding="utf-8", buffering=1))
        scores = [json.loads(line).get("mAP") for line in kept]
        self._highest = max((score for score in scores if score is not None), default=-math.inf)

    def note(self, text: str) -> None:
        """Record a remark and show it."""
        self._record("note", text=text)
        self._display.say(text)

    @contextmanager
    def work(self, description: str, total: int) -> Iterator[Advance]:
        """Show the progress of work between steps, such as validation, during the block."""
        self._display.begin(description, total)
        yield self._display.update
        self._display.begin("training", self._steps, self._first_step)

    def step(self, step: Step) -> None:
        """Record a step of the optimiser."""
        self._last = step
        self._rate = 0.9 * (self._rate or step.photos_per_second) + 0.1 * step.photos_per_second
        self._record(
            "step",
            epoch=step.epoch + 1,
            step=step.number,
            loss=sum(step.losses.values()),
            losses=step.losses,
            lr=step.lr,
            photos_per_second=round(step.photos_per_second, 2),
        )
        self._display.update(step.number, state=self._state(step))

    def epoch(self, epoch: int, metrics: Mapping[str, float | None]) -> None:
        """Record the validation metrics of an epoch, counted from 0, and show its mAP.

        Of a run of more epochs than `MOST_LINES`, the first, the last and every nth are shown.
        """
        number = self._last.number if self._last else 0
        self._record("epoch", epoch=epoch + 1, step=number, **metrics)
        score = metrics["mAP"]
        if score is not None:
            self._highest = max(self._highest, score)
        if not self._is_shown(epoch + 1, number):
            return
        shown, highest = "-", ""
        if score is not None:
            shown, highest = f"{score:.1f}", f"; highest {self._highest:.1f}"
        self._display.say(f"epoch {epoch + 1}: mAP {shown} {mean_over(metrics)}{highest}")

    def _is_shown(self, epochs: int, steps: int) -> bool:
        """Return whether the epoch is shown after which so many epochs and steps are done."""
        all_epochs = self._steps * epochs / steps if steps else epochs
        every = 1 if all_epochs <= MOST_LINES else math.ceil(2 * all_epochs / MOST_LINES)
        return epochs == 1 or epochs % every == 0 or steps >= self._steps

    def _state(self, step: Step) -> str:
        parts = [f"epoch {step.epoch + 1}", f"loss {sum(step.losses.values()):.3g}"]
        if self._highest > -math.inf:
            parts.append(f"mAP {self._highest:.1f}")
        return "  ".join([*parts, f"{self._rate:.0f} photos/s"])

    def _record(self, kind: str, **values: object) -> None:
        if self._path is None:
            return
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        known = {key: _none_for_nan(value) for key, value in values.items()}
        self._held.append(json.dumps({"kind": kind, "time": now} | known) + "\n")
        if self._file is None and kind != "note":
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._open.enter_context(
                self._path.open("w", encoding="utf-8", buffering=1)
            )
        if self._file is not None:
            with naming(self._path):
                self._file.write("".join(self._held))
            self._held.clear()


def _until(number: int, path: Path) -> Iterator[str]:
    """Yield the lines of a log up to a step; a killed process may have left a partial line."""
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            try:
                values = json.loads(line)
            except ValueError:
                return
            if not isinstance(values, dict) or values.get("step", 0) > number:
                return
            yield line


def _none_for_nan(value: object) -> object:
    """Replace a number that is not finite, which JSON does not have, by None."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
