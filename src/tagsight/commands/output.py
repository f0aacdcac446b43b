"""Results go to standard output as plain text or JSON; all else goes to standard error."""

from __future__ import annotations

import json
import logging
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from tagsight.runtime.launch import launched
from tagsight.runtime.progress import print_line, terminal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

STANDARD_OUTPUT = Path("-")
FAILED = 1
"""Exit code of a command that could not do part of its work."""

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells expect it."""


def print_result(lines: Iterable[str]) -> None:
    """Print lines to standard output, unwrapped; only in the first of several processes."""
    console = Console(quiet=launched().rank > 0)
    for line in lines:
        print_line(console, line)


def print_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows under a heading, their columns aligned to the left."""
    lines = [head, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    print_result(
        "  ".join(f"{cell:{width}}" for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def print_info(text: str) -> None:
    """Print a line to standard error; only in the first of several processes."""
    print_line(terminal(), text)


def shown_source(given: Path) -> str:
    """Return a path, or a URL without its secrets, for messages."""
    from tagsight.data.remote.places import without_secrets

    return without_secrets(given)


def print_error(text: str) -> None:
    """Print a line to standard error, in any process."""
    print_line(Console(stderr=True), text)


class Notices(logging.Handler):
    """Prints log records as `print_error` does."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print one record."""
        print_error(record.getMessage())


def print_traceback(error: BaseException) -> None:
    """Print the traceback of an error."""
    for text in traceback.format_exception(error):
        for line in text.splitlines():
            print_error(line)


def write_json(values: Mapping[str, object], path: Path) -> None:
    """Write JSON to a file atomically, or to standard output if the path is ``-``."""
    if launched().rank > 0:
        return
    text = json.dumps(values, indent=2)
    if path == STANDARD_OUTPUT:
        print_result(text.splitlines())
        return
    from tagsight.runtime.files import write_atomically

    write_atomically(path, text + "\n")
