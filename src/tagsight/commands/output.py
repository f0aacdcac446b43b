"""Results go to standard output as plain text or JSON; all else goes to standard error."""

from __future__ import annotations

import json
import logging
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from tagsight.runtime.launch import launched
from tagsight.runtime.progress import print_line, print_message, terminal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

STANDARD_OUTPUT = Path("-")
FAILED = 1
"""Exit code of a command that could not do part of its work."""

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells expect it."""


def print_result(lines: Iterable[str]) -> None:
    """Print lines to standard output, unwrapped; only in the first of several processes.

    Example:
        >>> print_result(["photos/a.jpg  dog, sky", "photos/b.jpg  sky"])
        photos/a.jpg  dog, sky
        photos/b.jpg  sky
    """
    console = Console(quiet=launched().rank > 0)
    for line in lines:
        print_line(console, line)


def print_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows under a heading, their columns aligned to the left.

    Example:
        >>> print_table(("label", "photos"), [("dog", "3"), ("sky", "12")])
        label  photos
        dog    3
        sky    12
    """
    lines = [head, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    print_result(
        "  ".join(f"{cell:{width}}" for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def print_info(text: str) -> None:
    r"""Print a line to standard error; only in the first of several processes.

    Example:
        >>> import io
        >>> from contextlib import redirect_stderr
        >>> with redirect_stderr(io.StringIO()) as stream:
        ...     print_info("loading runs/first")
        >>> stream.getvalue()
        'loading runs/first\n'
    """
    print_message(terminal(), _with_urls(text))


def shown_source(given: Path) -> str:
    """Return a path, or a URL without its secrets, for messages.

    Example:
        >>> shown_source(Path("https://host/photos/dog.jpg?signature=secret"))
        'https://host/photos/dog.jpg'
    """
    from tagsight.data.remote.places import without_secrets

    return without_secrets(given)


def _with_urls(text: str) -> str:
    from tagsight.data.remote.places import with_urls

    return with_urls(text)


def print_error(text: str) -> None:
    r"""Print a line to standard error, in any process.

    Example:
        >>> import io
        >>> from contextlib import redirect_stderr
        >>> with redirect_stderr(io.StringIO()) as stream:
        ...     print_error("tagsight: expected a photo, got a\x1b[2Jb.jpg")
        >>> stream.getvalue()
        'tagsight: expected a photo, got a\\x1b[2Jb.jpg\n'
    """
    print_message(Console(stderr=True), _with_urls(text))


class Notices(logging.Handler):
    r"""Prints log records as `print_error` does.

    Example:
        >>> import io
        >>> from contextlib import redirect_stderr
        >>> record = logging.LogRecord("tagsight", logging.WARNING, "", 0, "%d photos", (3,), None)
        >>> with redirect_stderr(io.StringIO()) as stream:
        ...     Notices().handle(record)
        True
        >>> stream.getvalue()
        '3 photos\n'
    """

    def emit(self, record: logging.LogRecord) -> None:
        """Print one record."""
        print_error(record.getMessage())


def print_traceback(error: BaseException) -> None:
    r"""Print the traceback of an error.

    Example:
        >>> import io
        >>> from contextlib import redirect_stderr
        >>> with redirect_stderr(io.StringIO()) as stream:
        ...     print_traceback(ValueError("a defect"))
        >>> stream.getvalue()
        'ValueError: a defect\n'
    """
    for text in traceback.format_exception(error):
        for line in text.splitlines():
            print_error(line)


def write_json(values: Mapping[str, object], path: Path) -> None:
    """Write JSON to a file atomically, or to standard output if the path is ``-``.

    Example:
        >>> write_json({"mAP": 71.5}, STANDARD_OUTPUT)
        {
          "mAP": 71.5
        }
    """
    if launched().rank > 0:
        return
    text = json.dumps(values, indent=2)
    if path == STANDARD_OUTPUT:
        print_result(text.splitlines())
        return
    from tagsight.runtime.files import write_atomically

    write_atomically(path, text + "\n")
