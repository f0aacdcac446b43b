"""Progress of long work: a bar on a terminal or in a notebook, otherwise a line now and then."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import contextmanager
from contextvars import ContextVar
from importlib.util import find_spec
from typing import TYPE_CHECKING, Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from tagsight.runtime.escaping import printable
from tagsight.runtime.launch import launched

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager


LINE_EVERY = 15.0
"""Seconds between two lines where no bar can be drawn."""


wording: ContextVar[Callable[[str], str]] = ContextVar("wording", default=str)
"""Spells arguments for the reader; the command line sets it to flags (`commands.flags`)."""


NARROW = 76
"""Columns of a terminal for the text beside the bar."""


class Advance(Protocol):
    """A function that long work calls to report its progress."""

    def __call__(self, done: int, total: int | None = None) -> None:
        """Report the number of items done, and their total if it was not known before."""


class Display:
    """The progress of one task: a bar on a terminal or in a notebook, otherwise occasional lines.

    A bar in a notebook needs ipywidgets; without it there are lines.

    Args:
        description: Name of the task.
        total: Number of items, if known.
        console: Shows the progress.

    Example:
        >>> with Display("checking photos", 3, Console(quiet=True)) as display:
        ...     display.update(1, state="cats")
    """

    def __init__(self, description: str, total: int | None, console: Console) -> None:
        self.console = console
        self.description = description
        self._total = total
        self._done_before = 0
        self._started = self._last_line = time.perf_counter()
        self._has_bar = console.is_terminal or (
            console.is_jupyter and find_spec("ipywidgets") is not None
        )
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=min(24, max(4, console.width - NARROW))),
            TextColumn("{task.fields[state]}", markup=False),
            console=console,
            transient=True,
            disable=not self._has_bar,
        )
        self._task = self._bar.add_task(description, total=total, state="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def begin(self, description: str, total: int, done: int = 0) -> None:
        """Start another task, of which some items may be done; its time counts from now."""
        self.description, self._total, self._done_before = description, total, done
        self._started = self._last_line = time.perf_counter()
        self._bar.reset(self._task, description=description, total=total, state="")

    def update(self, done: int, total: int | None = None, state: str = "") -> None:
        """Show the number of items done, and optionally a few words on the state."""
        self._total = self._total if total is None else total
        text = "  ".join(part for part in (self._count(done), self._left(done), state) if part)
        self._bar.update(self._task, completed=done, total=self._total, state=text)
        now = time.perf_counter()
        if not self._has_bar and now - self._last_line >= LINE_EVERY:
            self._last_line = now
            self.say(f"{self.description}  {text}")

    def say(self, text: str) -> None:
        """Print a line that stays, above the bar if there is one."""
        print_message(self.console, text)

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
    """Show the progress of a task during the block.

    Args:
        description: Name of the task.
        total: Number of items, if known.
        console: Shows the progress; by default standard error, or the notebook's cell.

    Yields:
        A function to call with the number of items done.

    Example:
        >>> with progress("checking photos", 3, console=Console(quiet=True)) as advance:
        ...     for done in range(1, 4):
        ...         advance(done)
    """
    with Display(description, total, console or terminal()) as display:
        yield display.update


def terminal() -> Console:
    """Return a console on standard error, or in the notebook's cell, for the first process only.

    Example:
        >>> terminal().stderr
        True
    """
    return Console(stderr=True, quiet=launched().rank > 0)


def print_message(console: Console, text: str) -> None:
    """Print one line of ours, its arguments spelled for the reader (`wording`).

    Results are printed by `print_line`, as labels and paths between backticks are no arguments.

    Example:
        >>> import sys
        >>> print_message(Console(file=sys.stdout), "choose another `out`")
        choose another `out`
    """
    print_line(console, wording.get()(text))


def print_line(console: Console, text: str) -> None:
    r"""Print one line, unwrapped, with control characters and markup escaped.

    Example:
        >>> import sys
        >>> print_line(Console(file=sys.stdout), "a name with \x1b[31m in it")
        a name with \x1b[31m in it
    """
    console.print(printable(text), markup=False, highlight=False, emoji=False, soft_wrap=True)


def clock(seconds: float) -> str:
    """Format a duration in seconds as a clock does.

    Example:
        >>> clock(75), clock(3600)
        ('1:15', '1:00:00')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class WorkLog(Protocol):
    """Receives remarks on long work, and its progress."""

    def note(self, text: str) -> None:
        """Record a remark."""

    def work(self, description: str, total: int) -> AbstractContextManager[Advance]:
        """Return a context for a task, with a function to call with the number of items done."""


class TerminalLog:
    """Shows remarks and progress on the terminal or in a notebook, or nowhere.

    Args:
        shown: Whether anything is shown.

    Example:
        >>> with TerminalLog(shown=False).work("checking photos", 2) as advance:
        ...     advance(1)
    """

    def __init__(self, *, shown: bool = True) -> None:
        self.console = terminal() if shown else Console(quiet=True)

    def note(self, text: str) -> None:
        """Print a line that stays."""
        print_message(self.console, text)

    def work(self, description: str, total: int) -> AbstractContextManager[Advance]:
        """Show the progress of a task during the block."""
        return progress(description, total, console=self.console)


SILENT = TerminalLog(shown=False)
"""Shows nothing."""
