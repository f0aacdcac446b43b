"""The machines of a Ray cluster: work on many files is shared out, and comes back in order.

Ray pickles what it sends between its own processes: functions, paths and arrays, but neither photos
nor models, which each process reads from the disk.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tagsight.errors import DataError, needs_extra
from tagsight.runtime.attempts import MOST_DEATHS, Attempts
from tagsight.runtime.threads import batched

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

Columns = dict[str, NDArray[Any]]
"""Arrays with a row for each file."""


class Answer(NamedTuple):
    """The work of a process.

    Attributes:
        of: Does the work on a batch of files.
        without: Makes the row of a file that cannot be worked on, for this reason; or raises a
            `DataError` if there is no work without it.
    """

    of: Callable[[list[Path]], Columns]
    without: Callable[[Path, str], Columns]


PART = 128
"""Paths in a block of the cluster's object store; batches divide it, so that they are those of one
process."""

ROUND = 2**20
"""Files that the cluster knows of at a time; their paths take about 100 MB."""


@dataclass(frozen=True)
class RayCluster:
    """The cluster of ``RAY_ADDRESS`` in the environment, or one on this machine while it is used.

    Args:
        workers: Most worker processes; by default as many as the cluster has GPUs, or processors
            if it has none.

    Raises:
        DataError: If Ray is not installed.

    Example:
        >>> RayCluster(workers=2)
        RayCluster(workers=2)
    """

    workers: int | None = None

    def __post_init__(self) -> None:
        with needs_extra("ray", "for `engine=ray`"):
            import ray.data
        del ray

    def answers(
        self, load: Callable[[], Answer], files: Iterable[Path], *, batch_size: int
    ) -> Iterator[Columns]:
        """Work on files in batches on all machines, and yield what comes of each, in order.

        A process that dies is replaced, and the files that it had are worked on again. If two
        processes die over the same block of 128, its files are worked on one by one, and one over
        which two more die is given up. Memory does not grow with the number of files; workers are
        prepared again after a million.

        Args:
            load: Prepares a worker process; called once in each.
            files: Paths that are valid on every machine.
            batch_size: Files per batch, a divisor of 128.

        Yields:
            The columns that the worker made of a batch, and ``path``, bytes; batches may come
            joined.

        Raises:
            DataError: If there is no such cluster, a worker raises a `DataError`, or one dies again
                and again while it is prepared.
            ValueError: If ``batch_size`` does not divide 128.
        """
        if PART % batch_size:
            msg = f"expected a batch size that divides {PART}, got {batch_size}"
            raise ValueError(msg)
        with _joined() as ray:
            try:
                for part in batched(files, ROUND):
                    yield from self._answers(load, part, batch_size)
            except ray.exceptions.RayError as error:
                _, found, reason = str(error).rpartition(f"{DataError.__name__}: ")
                if found:
                    msg = f"expected machines that have and can use the same files, got: {reason}"
                    raise DataError(msg) from error
                raise

    def _answers(
        self, load: Callable[[], Answer], files: Sequence[Path], batch_size: int
    ) -> Iterator[Columns]:
        import ray

        gpus, workers = self._devices(ray.cluster_resources())
        paths: list[Any] = [ray.put(_table(part)) for part in batched(files, PART)]
        answers = ray.data.from_arrow_refs(paths).map_batches(
            _worker(load, batch_size, Attempts.on_this_machine()),
            batch_size=None,
            concurrency=workers,
            num_gpus=1 if gpus else 0,
            num_cpus=0 if gpus else 1,
        )
        yield from answers.iter_batches(batch_size=None)

    def _devices(self, resources: dict[str, float]) -> tuple[int, int]:
        """Return the number of GPUs and of workers of a cluster."""
        gpus, processors = (int(resources.get(kind, 0)) for kind in ("GPU", "CPU"))
        if not gpus and not processors:
            msg = "expected a cluster with processors or GPUs, got one without: start its workers"
            raise DataError(msg)
        return gpus, min(self.workers or 2**16, gpus or processors)


def paths_of(columns: Columns) -> list[Path]:
    """Return the files of a batch.

    Example:
        >>> import numpy as np
        >>> paths_of({"path": np.array([b"/photos/a.jpg"])})
        [PosixPath('/photos/a.jpg')]
    """
    return [Path(os.fsdecode(name)) for name in columns["path"]]


def check_same(here: str, there: str, place: object) -> None:
    """Check that a worker has the model of the machine that asks.

    Args:
        here: Digest of the model on that machine.
        there: Digest of the worker's.
        place: Where the worker read it.

    Raises:
        DataError: If they differ.

    Example:
        >>> check_same("3f2a9c", "3f2a9c", "/shared/model")
    """
    if there != here:
        msg = f"another model at {place}: {there[:12]} in place of {here[:12]}"
        raise DataError(msg)


def _worker(load: Callable[[], Answer], batch_size: int, attempts: Attempts) -> type:
    """Make the class whose instances run in the processes of Ray.

    Its constructor has no arguments, as those would stay in the object store until the end.
    """

    class Worker:
        """Works on blocks of files; the next process has the same name."""

        def __init__(self) -> None:
            import ray

            name = [os.fsencode(ray.get_runtime_context().get_actor_id() or "")]
            if attempts.begin(name) >= MOST_DEATHS:
                raise DataError(_fatal("a model", "loads it"))
            self._answer = load()
            attempts.end(name)

        def __call__(self, block: Columns) -> Columns:
            parts = self._answers(paths_of(block))
            return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

        def _answers(self, files: list[Path]) -> list[Columns]:
            names = [*map(os.fsencode, files)]
            divided = attempts.begin(names) >= MOST_DEATHS
            if divided and len(files) == 1:  # counted on, as others of its block may kill, too
                refused = self._answer.without(files[0], _fatal("a photo", "works on it"))
                return [_named(files, refused)]
            if divided:
                parts = [part for file in files for part in self._answers([file])]
            else:
                batches = batched(files, batch_size)
                parts = [_named(batch, self._answer.of(batch)) for batch in batches]
            attempts.end(names)
            return parts

    return Worker


def _fatal(what: str, when: str) -> str:
    return (
        f"expected {what} that no process of the cluster dies of, got one that each process which "
        f"{when} died of: too large for the memory of the machines, or broken"
    )


def _named(files: list[Path], answer: Columns) -> Columns:
    return {"path": np.array([*map(os.fsencode, files)], dtype=object)} | answer


def _table(paths: Sequence[Path]) -> object:
    import pyarrow as pa

    return pa.table({"path": pa.array([os.fsencode(path) for path in paths], pa.binary())})


@contextmanager
def _joined() -> Iterator[Any]:
    """Connect to the cluster of ``RAY_ADDRESS`` or start a local one, and disconnect at the end."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray

    address = os.environ.get("RAY_ADDRESS", "local")
    with warnings.catch_warnings():
        # LanceDB warns of forks, but Ray's programs take the place of what is forked.
        warnings.filterwarnings("ignore", "lancedb fork support", RuntimeWarning)
        try:
            ray.init(
                address,
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
            )
        except (ConnectionError, ValueError) as error:
            msg = f"expected a cluster of Ray at RAY_ADDRESS={address!r}, got none that answers"
            raise DataError(msg) from error
    try:
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.execution_options.preserve_order = True
        logging.getLogger("ray.data").setLevel(logging.CRITICAL)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Ray warns of fewer photos than processors
            yield ray
    finally:
        ray.shutdown()
