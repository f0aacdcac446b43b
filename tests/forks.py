"""Processes that start quickly: forks of one that has imported the package."""

import os
import signal
import socket
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import wait
from pathlib import Path
from typing import NamedTuple

FORKS = get_context("forkserver")
FORKS.set_forkserver_preload(["tagsight.workflows", "tagsight.commands.train"])


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


def run_for(
    seconds: float, took: Path, task: Callable[..., None], *arguments: object
) -> int | None:
    """Run a task in a process that is killed when it has used so many seconds of a processor.

    Args:
        seconds: Seconds of a processor, so that the moment does not depend on its load.
        took: Where those are written that the task used, if it ended before.
        task: A function of a module of the tests.
        arguments: What it is called with.

    Returns:
        The exit code, ``-signal.SIGPROF`` if it was killed.
    """
    process = FORKS.Process(target=_run_for, args=(seconds, took, task, arguments))
    process.start()
    process.join(timeout=300)
    return process.exitcode


def _run_for(
    seconds: float, took: Path, task: Callable[..., None], arguments: tuple[object, ...]
) -> None:
    signal.setitimer(signal.ITIMER_PROF, seconds)  # its signal kills, as nobody handles it
    task(*arguments)
    left, _ = signal.setitimer(signal.ITIMER_PROF, 0)
    took.write_text(str(seconds - left))


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
