"""What work says while it runs: steps as lines of JSON in a file, progress on the terminal."""

from __future__ import annotations

import json
import math
import time
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol, Self, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from tagsight.escaping import printable
from tagsight.files import write_atomically
from tagsight.launch import launched
from tagsight.measured_labels import mean_over

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path
    from types import TracebackType

    from tagsight.train import Step

LINE_EVERY = 15.0
"""Seconds between two plain lines where there is no terminal to draw a bar on."""

NARROW = 76
"""Columns that the words beside the bar take; what is left of the terminal is the bar's."""


class Advance(Protocol):
    """What work that takes long calls as it goes on."""

    def __call__(self, done: int, total: int | None = None) -> None:
        """Say how many are done, and of how many if that was not known before."""


class Display:
    """One piece of work in progress: a bar on a terminal, a plain line now and then elsewhere.

    Args:
        description: What is being done.
        total: How much there is to do, if that is known.
        console: Where to say it.
    """

    def __init__(self, description: str, total: int | None, console: Console) -> None:
        self.console = console
        self.description = description
        self._total = total
        self._done_before = 0
        self._started = self._said = time.perf_counter()
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=min(24, max(4, console.width - NARROW))),
            TextColumn("{task.fields[state]}", markup=False),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task(description, total=total, state="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def begin(self, description: str, total: int, done: int = 0) -> None:
        """Turn to another piece of work, some of which may be done; its time counts from now."""
        self.description, self._total, self._done_before = description, total, done
        self._started = self._said = time.perf_counter()
        self._bar.reset(self._task, description=description, total=total, state="")

    def update(self, done: int, total: int | None = None, state: str = "") -> None:
        """Show how many are done, and a few words on how it stands."""
        self._total = self._total if total is None else total
        text = "  ".join(part for part in (self._count(done), self._left(done), state) if part)
        self._bar.update(self._task, completed=done, total=self._total, state=text)
        now = time.perf_counter()
        if not self.console.is_terminal and now - self._said >= LINE_EVERY:
            self._said = now
            self.say(f"{self.description}  {text}")

    def say(self, text: str) -> None:
        """Leave a line that stays."""
        print_line(self.console, text)

    def _count(self, done: int) -> str:
        return f"{done:,}" if self._total is None else f"{done:,}/{self._total:,}"

    def _left(self, done: int) -> str:
        done_here = done - self._done_before
        if done_here <= 0 or self._total is None:
            return ""
        spent = time.perf_counter() - self._started
        return f"{clock(spent / done_here * (self._total - done))} left"


@contextmanager
def progress(
    description: str, total: int | None = None, *, console: Console | None = None
) -> Iterator[Advance]:
    """Show how far a piece of work is, for as long as the block lasts.

    Args:
        description: What is being done.
        total: How much there is to do, if that is known before.
        console: Where to say it, by default the standard error stream.

    Yields:
        A function to call with the number done.
    """
    with Display(description, total, console or terminal()) as display:
        yield display.update


class Log(Protocol):
    """Who follows a run."""

    def go_on(self, number: int) -> None:
        """Go on after so many steps: what was said of later ones is said again."""

    def note(self, text: str) -> None:
        """Say something once."""

    def work(self, description: str, total: int) -> AbstractContextManager[Callable[[int], None]]:
        """Show how far work between the steps is; it calls with the number done."""

    def step(self, step: Step) -> None:
        """Record a step of the optimiser."""

    def epoch(self, epoch: int, metrics: Mapping[str, float | None]) -> None:
        """Record the validation after an epoch, counted from 0."""


class RunLog:
    """Follow a training run: a file for later, the terminal for now.

    The file has one JSON object a line, told apart by ``kind``: ``note``, ``step`` with every named
    term of the loss, ``epoch`` with the metrics on the validation split. Epochs and steps are
    counted from 1. A line is on its way to the disk as soon as it is written.

    Args:
        path: The file, which is begun anew unless a run goes on, or None for no file.
        total_steps: Steps of the whole run.
        console: Where progress is shown, by default the standard error stream.
    """

    def __init__(self, path: Path | None, total_steps: int, console: Console | None = None) -> None:
        self._path = path
        self._steps = total_steps
        self._display = Display("training", total_steps, console or terminal())
        self._open = ExitStack()
        self._file: TextIO | None = None
        self._first_step = 0
        self._best = -math.inf
        self._rate = 0.0
        self._last: Step | None = None

    def __enter__(self) -> Self:
        self._open.enter_context(self._display)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.close()

    def go_on(self, number: int) -> None:
        """Go on after so many steps; lines of later ones are dropped, as they come again."""
        self._first_step = number
        self._display.begin("training", self._steps, number)
        if self._path is None or not self._path.is_file():
            return
        kept = list(_until(number, self._path))
        write_atomically(self._path, "".join(kept))
        self._file = self._open.enter_context(self._path.open("a", encoding="utf-8", buffering=1))
        scores = [json.loads(line).get("mAP") for line in kept]
        self._best = max((score for score in scores if score is not None), default=-math.inf)

    def note(self, text: str) -> None:
        """Say something once."""
        self._record("note", text=text)
        self._display.say(text)

    @contextmanager
    def work(self, description: str, total: int) -> Iterator[Advance]:
        """Show how far work between the steps is, for as long as the block lasts."""
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
        """Record the validation after an epoch, counted from 0."""
        number = self._last.number if self._last else 0
        self._record("epoch", epoch=epoch + 1, step=number, **metrics)
        score = metrics["mAP"]
        if score is None:
            self._display.say(f"epoch {epoch + 1}: mAP - {mean_over(metrics)}")
            return
        self._best = max(self._best, score)
        self._display.say(
            f"epoch {epoch + 1}: mAP {score:.1f} {mean_over(metrics)}; best mAP {self._best:.1f}"
        )

    def _state(self, step: Step) -> str:
        parts = [f"epoch {step.epoch + 1}", f"loss {sum(step.losses.values()):.3g}"]
        if self._best > -math.inf:
            parts.append(f"mAP {self._best:.1f}")
        return "  ".join([*parts, f"{self._rate:.0f} photos/s"])

    def _record(self, kind: str, **values: object) -> None:
        if self._path is None:
            return
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._open.enter_context(
                self._path.open("w", encoding="utf-8", buffering=1)
            )
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        known = {key: _none_for_nan(value) for key, value in values.items()}
        self._file.write(json.dumps({"kind": kind, "time": now} | known) + "\n")


def _until(number: int, path: Path) -> Iterator[str]:
    """The lines of a log up to a step; what a killed process wrote in part is no line."""
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            try:
                values = json.loads(line)
            except ValueError:
                return
            if not isinstance(values, dict) or values.get("step", 0) > number:
                return
            yield line


def terminal() -> Console:
    """The standard error stream, on which the first of several processes alone speaks."""
    return Console(stderr=True, quiet=launched().rank > 0)


def print_line(console: Console, text: str) -> None:
    """Print one line, whatever the names in it hold: unwrapped, and nothing in it is obeyed."""
    console.print(printable(text), markup=False, highlight=False, emoji=False, soft_wrap=True)


def clock(seconds: float) -> str:
    """Write a length of time as a clock would.

    >>> clock(75), clock(3600)
    ('1:15', '1:00:00')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _none_for_nan(value: object) -> object:
    """JSON knows no numbers that are not finite."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
