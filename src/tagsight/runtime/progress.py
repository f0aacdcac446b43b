"""Progress of long work: a bar on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from tagsight.runtime.escaping import printable
from tagsight.runtime.launch import launched

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from types import TracebackType


LINE_EVERY = 15.0
"""Seconds between two plain lines where there is no terminal to draw a bar on."""


wording: ContextVar[Callable[[str], str]] = ContextVar("wording", default=str)
"""Spells arguments for the reader; the command line sets it to flags (`commands.flags`)."""


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


def terminal() -> Console:
    """The standard error stream, on which the first of several processes alone speaks."""
    return Console(stderr=True, quiet=launched().rank > 0)


def print_line(console: Console, text: str) -> None:
    """Print one line, whatever the names in it hold: unwrapped, and nothing in it is obeyed."""
    console.print(
        printable(wording.get()(text)), markup=False, highlight=False, emoji=False, soft_wrap=True
    )


def clock(seconds: float) -> str:
    """Write a length of time as a clock would.

    >>> clock(75), clock(3600)
    ('1:15', '1:00:00')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class WorkLog(Protocol):
    """What follows long work: it hears remarks, and how far the work is."""

    def note(self, text: str) -> None:
        """Say something once."""

    def work(self, description: str, total: int) -> AbstractContextManager[Callable[[int], None]]:
        """Show how far work is; the function that it gives is called with the number done."""


class TerminalLog:
    """Follow long work on the terminal, or not at all.

    Args:
        shown: Whether anything is shown.
    """

    def __init__(self, *, shown: bool = True) -> None:
        self.console = terminal() if shown else Console(quiet=True)

    def note(self, text: str) -> None:
        """Print a line that stays."""
        print_line(self.console, text)

    def work(self, description: str, total: int) -> AbstractContextManager[Advance]:
        """Show how far work is, for as long as the block lasts."""
        return progress(description, total, console=self.console)
