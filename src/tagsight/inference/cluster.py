"""Recognise photos on the machines of a Ray cluster.

Workers decode and recognise photos. Only scores and embeddings come back, in the order of the
photos; thresholds are applied and files are written on the machine that asks.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from tagsight.data.remote.places import shown
from tagsight.errors import DataError
from tagsight.inference.result import EmbeddedPhoto
from tagsight.runtime.cluster import Answer, RayCluster, check_same, paths_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from tagsight.inference.recognizer import OnError, Recognizer
    from tagsight.inference.result import Result
    from tagsight.runtime.cluster import Columns


class RayRecognizer:
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
        >>> shared = RayRecognizer(lambda: ts.load("runs/first/model"), recognizer, workers=1)
        >>> shared.labels, shared.batch_size
        (('dog', 'sky'), 16)
    """

    def __init__(
        self,
        load: Callable[[], Recognizer],
        recognizer: Recognizer,
        *,
        workers: int | None = None,
    ) -> None:
        self._cluster = RayCluster(workers)
        self.labels = recognizer.labels
        self.batch_size = recognizer.batch_size
        self.identity = recognizer.identity
        self._load = partial(_loaded, load, recognizer.info.model)
        self._decision = recognizer.decision

    def recognize(
        self, photos: Iterable[Path], *, on_error: OnError | None = None
    ) -> Iterator[EmbeddedPhoto]:
        """Recognise photos, in order, on the cluster of ``RAY_ADDRESS`` or a local one.

        Args:
            photos: Paths that are valid on every machine.
            on_error: As in `Recognizer.recognize`.

        Raises:
            DataError: If the machines cannot use the model, or a photo cannot be read and there is
                no ``on_error``.
        """
        for part in self._cluster.answers(self._load, photos, batch_size=self.batch_size):
            yield from self._decided(part, on_error)

    def _decided(self, part: Columns, on_error: OnError | None) -> Iterator[EmbeddedPhoto]:
        columns = (part[name] for name in ("problem", "scores", "embedding"))
        for path, problem, scores, embedding in zip(paths_of(part), *columns, strict=True):
            if not problem:
                yield EmbeddedPhoto(
                    path,
                    self.labels,
                    scores.copy(),
                    self._decision.thresholds.copy(),
                    self._decision.predicted(scores),
                    embedding.copy(),
                )
            elif on_error is None:
                raise DataError(problem)
            else:
                on_error(path, DataError(problem))


def _loaded(load: Callable[[], Recognizer], model: str) -> Answer:
    """Load the recognizer of a worker, which answers with scores or the reason for their lack."""
    recognizer = load()
    check_same(model, recognizer.info.model, recognizer.network.place)
    nothing = (
        np.zeros(len(recognizer.labels)),
        np.zeros(recognizer.info.embedding_size, np.float32),
    )

    def numbers(answer: Result | DataError) -> tuple[np.ndarray, np.ndarray]:
        return nothing if isinstance(answer, DataError) else (answer.scores, answer.embedding)

    def columns(answers: list[Result | DataError]) -> Columns:
        scores, embeddings = zip(*map(numbers, answers), strict=True)
        return {
            "problem": np.array([str(a) if isinstance(a, DataError) else "" for a in answers]),
            "scores": np.stack(scores),
            "embedding": np.stack(embeddings),
        }

    def of(photos: list[Path]) -> Columns:
        return columns(recognizer.answers(photos))

    def without(photo: Path, reason: str) -> Columns:
        return columns([DataError(f"{shown(photo)}: {reason}")])

    return Answer(of, without)
