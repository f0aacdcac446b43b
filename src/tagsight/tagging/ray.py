"""Recognise photos on the machines of a Ray cluster.

Workers decode and recognise photos. Only scores come back, in the order of the photos; thresholds
are applied and files are written here. Ray pickles what it sends between its own processes, but
neither photos nor models are among that.
"""

from __future__ import annotations

import logging
import os
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tagsight.errors import DataError, needs_extra
from tagsight.inference.result import PhotoLabels
from tagsight.runtime.threads import batched

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

    from tagsight.inference.recognizer import OnError, Recognizer

    Columns = dict[str, NDArray[Any]]

PART = 128
"""Paths in a block of the cluster's object store."""


class RayTagger:
    """Recognises photos on many machines, which have photos and model at the same paths.

    Args:
        load: Loads the recognizer of a worker; called once in each.
        recognizer: The same recognizer on this machine, whose thresholds are used.
        workers: Most worker processes; by default as many as the cluster has GPUs, or processors
            if it has none.

    Raises:
        DataError: If Ray is not installed.

    Example:
        >>> import tagsight as ts
        >>> recognizer = ts.load("runs/first/model")
        >>> tagger = RayTagger(lambda: ts.load("runs/first/model"), recognizer, workers=1)
        >>> tagger.labels, tagger.batch_size
        (('dog', 'sky'), 16)
    """

    def __init__(
        self,
        load: Callable[[], Recognizer],
        recognizer: Recognizer,
        *,
        workers: int | None = None,
    ) -> None:
        with needs_extra("ray", "for `engine=ray`"):
            import ray.data
        del ray
        self.labels = recognizer.labels
        self.batch_size = recognizer.batch_size
        self._load = load
        self._decision = recognizer.decision
        self._workers = workers

    def recognize(
        self, photos: Iterable[Path], *, on_error: OnError | None = None
    ) -> Iterator[PhotoLabels]:
        """Recognise photos, in order, on the cluster of ``RAY_ADDRESS`` or a local one.

        Args:
            photos: Paths that are valid on every machine.
            on_error: As in `Recognizer.recognize`.

        Raises:
            DataError: If a photo cannot be read and there is no ``on_error``.
        """
        with _joined() as ray:
            devices = ray.cluster_resources()
            gpus = int(devices.get("GPU", 0))
            paths = [ray.put(_table(part)) for part in batched(photos, PART)]
            answers = ray.data.from_arrow_refs(paths).map_batches(
                _worker(self._load),
                batch_size=self.batch_size,
                concurrency=min(self._workers or 2**16, gpus or int(devices["CPU"])),
                num_gpus=1 if gpus else 0,
                num_cpus=0 if gpus else 1,
            )
            try:
                for part in answers.iter_batches(batch_size=None):
                    yield from self._decided(part, on_error)
            except ray.exceptions.RayError as error:
                _, found, reason = str(error).rpartition(f"{DataError.__name__}: ")
                if found:
                    msg = f"expected the model on every machine of the cluster, got: {reason}"
                    raise DataError(msg) from error
                raise

    def _decided(self, part: Columns, on_error: OnError | None) -> Iterator[PhotoLabels]:
        rows = zip(part["path"], part["problem"], part["scores"], strict=True)
        for name, problem, scores in rows:
            path = Path(os.fsdecode(name))
            if not problem:
                thresholds = self._decision.thresholds.copy()
                predicted = self._decision.predicted(scores)
                yield PhotoLabels(path, self.labels, scores.copy(), thresholds, predicted)
            elif on_error is None:
                raise DataError(problem)
            else:
                on_error(path, DataError(problem))


def _worker(load: Callable[[], Recognizer]) -> type:
    """Make the class whose instances run in the processes of Ray.

    Its constructor has no arguments, as those would stay in the object store until the end.
    """

    class Worker:
        """Computes the scores of photos, or the reason why there are none."""

        def __init__(self) -> None:
            self._recognizer = load()

        def __call__(self, batch: Columns) -> Columns:
            answers = self._recognizer.answers([Path(os.fsdecode(name)) for name in batch["path"]])
            nothing = np.zeros(len(self._recognizer.labels))
            problems = [str(a) if isinstance(a, DataError) else "" for a in answers]
            scores = [nothing if isinstance(a, DataError) else a.scores for a in answers]
            return {
                "path": batch["path"],
                "problem": np.array(problems),
                "scores": np.stack(scores),
            }

    return Worker


def _table(paths: list[Path]) -> object:
    import pyarrow as pa

    return pa.table({"path": pa.array([os.fsencode(path) for path in paths], pa.binary())})


@contextmanager
def _joined() -> Iterator[Any]:
    """Connect to the cluster of ``RAY_ADDRESS`` or start a local one, and disconnect at the end."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray

    ray.init(
        os.environ.get("RAY_ADDRESS", "local"),
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
    )
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
