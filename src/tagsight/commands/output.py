"""Results go to standard output as plain text or JSON; all else goes to standard error."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

STANDARD_OUTPUT = Path("-")
INTERRUPTED = 130
"""What a command returns that Ctrl-C ended before its time, as shells expect it."""


def say(lines: Iterable[str]) -> None:
    """Print results, unchanged and unwrapped."""
    console = Console()
    for line in lines:
        console.print(line, markup=False, highlight=False, emoji=False, soft_wrap=True)


def remark(text: str) -> None:
    """Tell the user something that is no result."""
    console = Console(stderr=True)
    console.print(text, markup=False, highlight=False, emoji=False, soft_wrap=True)


def write_json(values: Mapping[str, object], path: Path) -> None:
    """Write a report to a file, whole or not at all, or to standard output if that is ``-``."""
    text = json.dumps(values, indent=2, ensure_ascii=False)
    if path == STANDARD_OUTPUT:
        say([text])
        return
    from tagsight.files import write_atomically

    write_atomically(path, text + "\n")
