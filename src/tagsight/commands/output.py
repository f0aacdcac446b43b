"""Results go to standard output as plain text or JSON; all else goes to standard error."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from tagsight.launch import launched
from tagsight.runlog import terminal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

STANDARD_OUTPUT = Path("-")
UNPRINTABLE = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
"""What a file's name may hold and a terminal would obey, or could not show."""

INTERRUPTED = 130
"""What a command returns that Ctrl-C ended before its time, as shells expect it."""


def say(lines: Iterable[str]) -> None:
    """Print results, unchanged and unwrapped; of several processes the first does."""
    console = Console(quiet=launched().rank > 0)
    for line in lines:
        _print(console, line)


def remark(text: str) -> None:
    """Tell the user something that is no result; of several processes the first does."""
    _print(terminal(), text)


def complain(text: str) -> None:
    """Tell the user what went wrong, whichever process this is."""
    _print(Console(stderr=True), text)


def write_json(values: Mapping[str, object], path: Path) -> None:
    """Write a report to a file, whole or not at all, or to standard output if that is ``-``."""
    if launched().rank > 0:
        return
    text = json.dumps(values, indent=2)
    if path == STANDARD_OUTPUT:
        say([text])
        return
    from tagsight.files import write_atomically

    write_atomically(path, text + "\n")


def _print(console: Console, text: str) -> None:
    shown = UNPRINTABLE.sub("?", text)
    console.print(shown, markup=False, highlight=False, emoji=False, soft_wrap=True)
