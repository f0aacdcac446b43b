"""The command table: a command is a function, its signature the syntax."""

from __future__ import annotations

import io
import logging
import os
import re
import sys
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from cyclopts import App, CycloptsError, Group, Parameter

from tagsight.commands.calibrate import calibrate
from tagsight.commands.compare import compare
from tagsight.commands.confirm import confirm
from tagsight.commands.convert import convert
from tagsight.commands.data import data
from tagsight.commands.demo import demo
from tagsight.commands.doctor import doctor
from tagsight.commands.download import download
from tagsight.commands.encoders import encoders
from tagsight.commands.evaluate import evaluate
from tagsight.commands.explain import explain
from tagsight.commands.export import export
from tagsight.commands.flags import as_flags
from tagsight.commands.formats import formats
from tagsight.commands.graph import graph
from tagsight.commands.index import index
from tagsight.commands.label import label
from tagsight.commands.models import check_model
from tagsight.commands.output import (
    INTERRUPTED,
    STANDARD_OUTPUT,
    Notices,
    print_error,
    print_info,
    print_traceback,
)
from tagsight.commands.pull import pull
from tagsight.commands.push import push
from tagsight.commands.recipes import recipes
from tagsight.commands.reproduce import reproduce
from tagsight.commands.runs import runs
from tagsight.commands.search import search
from tagsight.commands.serve import serve
from tagsight.commands.systems import systems
from tagsight.commands.tag import tag
from tagsight.commands.train import train
from tagsight.commands.undo import undo
from tagsight.commands.vectors import vectors
from tagsight.errors import DataError, RankError, user_message
from tagsight.runtime.collection import end_without_collection
from tagsight.runtime.launch import launched
from tagsight.runtime.progress import wording
from tagsight.runtime.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

GROUPS: dict[str, tuple[Callable[..., int | None], ...]] = {
    "Getting started": (demo, doctor, systems, recipes, encoders),
    "Data": (formats, download, data, label, graph, vectors),
    "Training": (train, convert),
    "Evaluation": (evaluate, calibrate, compare, reproduce),
    "Use": (tag, confirm, runs, undo, explain, index, search),
    "Serving and sharing": (serve, export, push, pull),
}
"""All commands, as the help groups them."""

COMMANDS = tuple(command for group in GROUPS.values() for command in group)

SHARED: tuple[Callable[..., int | None], ...] = (train, evaluate)
"""What several processes can do together."""

USER_ERROR, OUTPUT_CLOSED = 2, 1
FIRST_TELLS_WITHIN = 30.0
"""Seconds that other processes leave the first one to tell what is wrong for all of them."""

DEBUG = "TAGSIGHT_DEBUG"

app = App(
    name="tagsight",
    version=f"tagsight {__version__}",
    help=(
        "Which of my labels are in this photo, and where is the evidence?\n\n"
        "Errors are one line; --debug adds where they come from."
    ),
    default_parameter=Parameter(negative=()),
)
for place, (title, commands) in enumerate(GROUPS.items()):
    group = Group(title, sort_key=place)
    for position, command in enumerate(commands):
        app.command(command, group=group, sort_key=position)
app.register_install_completion_command(
    group=app["--help"].group,
    help="Let Tab complete commands and options in bash, zsh or fish: writes a file, and a line "
    "into the shell's startup file.",
)


SEVERAL_PATHS = re.compile(r'Invalid value "\(\w+Path\(.*?\),?\)"(?= for )')
"""All paths of an argument, as Python writes them."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: What follows ``tagsight`` on the command line, by default that of the process.

    Returns:
        0, or 2 for an error of the user's, 130 after Ctrl-C, 1 if nobody reads the output or a part
        of the work failed.

    Example:
        >>> main(["--version"])  # doctest: +ELLIPSIS
        tagsight ...
        0
        >>> main(["trian"])  # and a line on standard error
        2
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a name that it cannot show is no reason to stop
            stream.reconfigure(errors="backslashreplace")
    logging.lastResort = Notices(logging.INFO)
    logging.getLogger("tagsight").setLevel(logging.INFO)
    # Pillow warns of large photos; those that are too large for us are told as such.
    warnings.filterwarnings("ignore", r"Image size \(\d+ pixels\) exceeds limit of")
    # It also warns of metadata that are damaged, without the photo's name: they are not used.
    warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
    if arguments is None:  # the process is the command's own
        end_without_collection()
    given = list(sys.argv[1:] if arguments is None else arguments)
    library_wording = wording.set(as_flags)
    debug = "--debug" in given or bool(os.environ.get(DEBUG))
    tokens = with_standard_output([token for token in given if token != "--debug"] or ["--help"])
    try:
        return _run(tokens)
    except BrokenPipeError:
        _drop_output()
        return OUTPUT_CLOSED
    except KeyboardInterrupt:
        print_info("tagsight: interrupted")
        return INTERRUPTED
    except Exception as error:
        message = _message(error, tokens)
        if message is None:
            raise
        if debug:
            print_traceback(error)
        if not _is_printed_here(error):
            time.sleep(FIRST_TELLS_WITHIN)  # the launcher ends all as soon as one has ended
        print_error(f"tagsight: {message}")
        return USER_ERROR
    finally:
        wording.reset(library_wording)


def with_standard_output(tokens: Sequence[str]) -> list[str]:
    """Let ``-`` mean standard output after any option, and ``--json`` need no file at all.

    What follows ``--json`` is no file if it is an option, or an existing folder or file that is not
    JSON: a photo is never written over.

    Example:
        >>> with_standard_output(["tag", "model", "photos", "--json", "--out", "-"])
        ['tag', 'model', 'photos', '--json=-', '--out=-']
    """
    completed: list[str] = []
    rest = list(tokens)
    while rest:
        token, following = rest.pop(0), rest[0] if rest else None
        named = token.startswith("--") and "=" not in token and following == "-"
        if named:
            rest.pop(0)
        to_output = named or (token == "--json" and not _is_target(following))
        completed.append(f"{token}={STANDARD_OUTPUT}" if to_output else token)
    return completed


def _is_target(token: str | None) -> bool:
    if token is None or token.startswith("-"):
        return False
    path = Path(token)
    return not path.exists() or (path.is_file() and path.suffix in {".json", ".jsonl", ".ndjson"})


def _run(tokens: Sequence[str]) -> int:
    try:
        command, bound, _ = app.parse_args(tokens, exit_on_error=False, print_error=False)
    except AttributeError as error:
        # Cyclopts stumbles over --system.graph 1 --system.graph.epsilon 1.
        msg = "expected a setting to have either a value or settings of its own, got both"
        raise DataError(msg) from error
    launch = launched()
    if launch.rank > 0:
        logging.disable(logging.WARNING)  # the first process warns for all
    if launch.count > 1 and command not in SHARED:
        names = " and ".join(shared.__name__ for shared in SHARED)
        msg = (
            f"expected one process for '{command.__name__}', got {launch.count}: only {names} "
            "share their work; start it without the launcher"
        )
        raise DataError(msg)
    check_model(command, bound.arguments)

    from tagsight.data.photos.deaths import watched

    with watched():
        result = command(*bound.args, **bound.kwargs)
    sys.stdout.flush()
    return result or 0


def _is_printed_here(error: Exception) -> bool:
    """Return whether this process prints an error; of one that all have, only the first does."""
    from_all = isinstance(error, DataError | FloatingPointError | CycloptsError)
    return isinstance(error, RankError) or not from_all or _rank() == 0


def _rank() -> int:
    try:
        return launched().rank
    except DataError:
        return 0


def _message(error: Exception, tokens: Sequence[str]) -> str | None:
    """One line for a user's error; None for a defect of ours, which needs its traceback."""
    if isinstance(error, CycloptsError):
        known = {command.__name__ for command in COMMANDS}
        about = f" {tokens[0]}" if tokens and tokens[0] in known else ""
        text = re.sub(r"(?<!\.)\.$", "", " ".join(str(error).split()))  # not the end of an ellipsis
        text = SEVERAL_PATHS.sub("Invalid value", text)  # what follows names the one that is meant
        return f"{text}; see 'tagsight{about} --help'"
    return user_message(error)


def _drop_output() -> None:
    """Nobody reads any more: what is still buffered must not fail once more at the exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
