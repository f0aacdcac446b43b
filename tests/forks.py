"""Processes that start quickly: forks of one that has imported the package."""

import itertools
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import wait
from pathlib import Path
from typing import NamedTuple

FORKS = get_context("forkserver")
FORKS.set_forkserver_preload(["tagsight.workflows", "tagsight.commands.train"])

# Calls and returns of functions in a process of `run_for`, and the one that kills it.
MADE, LAST = itertools.count(1), [0]


class Ended(NamedTuple):
    """What came of several processes: the exit code of each, and what they wrote."""

    codes: list[int | None]
    out: str
    err: str


def run_together(
    count: int,
    folder: Path,
    task: Callable[..., None],
    *arguments: object,
    until_one_ends: bool = False,
) -> Ended:
    """Run a task in several processes, with the environment that a launcher gives them.

    Args:
        count: Number of processes.
        folder: Where what they write to their standard streams is kept.
        task: A function of a module of the tests.
        arguments: What it is called with.
        until_one_ends: Whether the others are terminated then, as a launcher does if it failed.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder.mkdir(parents=True, exist_ok=True)
    places = [{"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": count} for rank in range(count)]
    given = [({**place, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}) for place in places]
    processes = [FORKS.Process(target=_run, args=(one, folder, task, arguments)) for one in given]
    for process in processes:
        process.start()
    if until_one_ends:
        wait([process.sentinel for process in processes])
        for process in processes:
            process.terminate()  # one that has ended does not mind
    for process in processes:
        process.join(timeout=300)
    said = [_said(folder, stream) for stream in (1, 2)]
    return Ended([process.exitcode for process in processes], *said)


def run_for(calls: int, took: Path, task: Callable[..., None], *arguments: object) -> int | None:
    """Run a task in a process that is killed when it has made so many calls of functions.

    Args:
        calls: Calls, so that the moment depends neither on the machine nor on its load; 0 for all.
        took: Where the number of calls is written that the task made, if it ended before.
        task: A function of a module of the tests.
        arguments: What it is called with.

    Returns:
        The exit code, ``-signal.SIGKILL`` if it was killed.
    """
    return exit_code(_run_for, calls, took, task, arguments)


def exit_code(task: Callable[..., None], *arguments: object) -> int | None:
    """Run a task in a process of its own, and return how that ended."""
    process = FORKS.Process(target=task, args=arguments)
    process.start()
    process.join(timeout=300)
    return process.exitcode


def _run_for(
    calls: int, took: Path, task: Callable[..., None], arguments: tuple[object, ...]
) -> None:
    threading.setprofile(_on_call)
    sys.setprofile(_on_call)
    if calls:
        kill_after(calls)
    before = next(MADE)
    task(*arguments)
    took.write_text(str(next(MADE) - before))


def kill_after(calls: int) -> None:
    """Within a task of `run_for`: kill its process when all threads made so many calls from now."""
    LAST[0] = next(MADE) + calls


def _on_call(*_: object) -> None:
    if next(MADE) == LAST[0]:
        os.kill(os.getpid(), signal.SIGKILL)


def _said(folder: Path, stream: int) -> str:
    return "".join(path.read_text("utf-8") for path in sorted(folder.glob(f"said-{stream}-*")))


def _run(
    place: dict[str, object], folder: Path, task: Callable[..., None], arguments: tuple[object, ...]
) -> None:
    os.environ.update({name: str(value) for name, value in place.items()})
    for stream in (1, 2):
        with Path(folder, f"said-{stream}-{place['RANK']}").open("wb") as file:
            os.dup2(file.fileno(), stream)
    task(*arguments)
