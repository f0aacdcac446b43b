"""A file that `tagsight export` wrote: what is the same whichever program runs it.

Nothing here, nor in what it imports, needs torch.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, NamedTuple, NoReturn, Self

import numpy as np
from pydantic import ValidationError

from tagsight.errors import DataError, settings_sentence
from tagsight.inference.model_info import ModelInfo
from tagsight.inference.networks.base import Outputs
from tagsight.runtime.threads import ordered_map

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from tagsight.inference.networks.base import Item, Outcome, Prepared

KEY = "tagsight"
"""Under which a file keeps what it says of itself."""

PHOTOS = "photos"
OUTPUTS = ("probabilities", "maps", "embedding", "logits", "features")
"""Names of the graph's input and of its outputs, in their order."""

CONTAINER_MEMORY = Path("/sys/fs/cgroup/memory.max")
"""Where Linux tells how much memory a container has."""

LARGEST_DESCRIPTION = 2**23
"""Characters of what a file says of itself; a label takes some two hundred."""


class Threads(NamedTuple):
    """How the processors are shared.

    Attributes:
        lanes: Batches that are taken through the network at once.
        each: Processors that one batch gets.
    """

    lanes: int
    each: int

    @classmethod
    def choose(cls, workers: int | None) -> Self:
        """A lane for every worker, as far as there are processors; by default all of them."""
        processors = os.cpu_count() or 1
        lanes = min(workers or min(16, processors), processors)
        return cls(lanes, processors // lanes)


class ExportedNetwork(ABC):
    """A graph that takes decoded photos and does all else itself.

    It also takes photos of any other size: ``(B, H, W, 3)`` uint8.

    Args:
        file: That it was read from.
        info: What the file says of itself.
        threads: That share the processors.
    """

    runs_on: ClassVar[str]
    """The program that runs the file."""

    def __init__(self, file: Path, info: ModelInfo, threads: Threads) -> None:
        self.file = file
        self.info = info
        self.threads = threads

    @property
    def place(self) -> Path:
        """The file."""
        return self.file

    @abstractmethod
    def answers(
        self, photos: NDArray[np.uint8], outputs: Sequence[str]
    ) -> list[NDArray[np.float32]]:
        """Run the graph on photos ``(B, H, W, 3)`` for some of `OUTPUTS`, whatever it gives."""

    def run(self, photos: NDArray[np.uint8], outputs: Sequence[str]) -> list[NDArray[np.float32]]:
        """Run the graph on photos ``(B, H, W, 3)`` for some of `OUTPUTS`.

        Raises:
            DataError: If it cannot be run on them, or gives something else than the file says of
                itself, or values that are not finite.
        """
        try:
            answers = self.answers(photos, outputs)
        # Runtimes have errors of their own, which have no common name.
        except Exception as error:
            msg = f"expected {self.file} to run on photos of the shape {photos.shape}: "
            raise DataError(msg + _reason(error)) from error
        for name, answer in zip(outputs, answers, strict=True):
            self._check_answer(name, answer, len(photos))
        return answers

    def try_out(self) -> Self:
        """See that the graph answers as the file says of itself, on a grey photo.

        Raises:
            DataError: As `run` does.
        """
        self.run(
            np.full((1, self.info.image_size, self.info.image_size, 3), 128, np.uint8), OUTPUTS
        )
        return self

    def _check_answer(self, name: str, answer: NDArray[np.float32], photos: int) -> None:
        labels, length = len(self.info.labels), self.info.embedding_size
        expected = {
            "probabilities": (photos, labels),
            "maps": (photos, labels, *answer.shape[2:4]),
            "embedding": (photos, length),
            "logits": (photos, labels),
            "features": (photos, length, *answer.shape[2:4]),
        }[name]
        axes = 4 if name in {"maps", "features"} else 2
        if answer.dtype != np.float32 or answer.shape != expected or answer.ndim != axes:
            msg = (
                f"expected {name} of {labels} labels and features of length {length} from "
                f"{self.file}, got {answer.shape} of {answer.dtype}; export the model again"
            )
            raise DataError(msg)
        if not answer.size or not np.isfinite(answer).all():
            msg = f"expected finite {name} from {self.file}, got others: the model is of no use"
            raise DataError(msg)

    def __call__(self, pixels: NDArray[np.uint8]) -> Outputs:
        """Recognise photos."""
        return Outputs(*self.run(pixels, ("logits", "maps", "embedding")))

    def features(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Describe photos cell by cell: ``(B, D, h, w)`` float32."""
        (features,) = self.run(pixels, ("features",))
        return features

    def grad_cam(self, pixels: NDArray[np.uint8], labels: Sequence[int]) -> NoReturn:
        """Refuse: the graph has no gradients.

        Raises:
            DataError: Always.
        """
        del pixels, labels
        msg = f"expected a model folder for Grad-CAM, got {self.file}, which has no gradients"
        raise DataError(msg)

    def with_labels(self, names: Sequence[str], *, vectors: Path | None = None) -> NoReturn:
        """Refuse: the labels are folded into the graph.

        Raises:
            DataError: Always.
        """
        del vectors
        msg = f"expected a model folder to add the labels {list(names)!r:.200} to, got {self.file}"
        raise DataError(msg)

    def pipeline(
        self,
        prepare: Callable[[Item], Prepared],
        forward: Callable[[Prepared], Outcome],
        batches: Iterable[Item],
    ) -> Iterator[Outcome]:
        """Work batches off, in their order, each on a share of the processors."""
        lanes = self.threads.lanes
        return ordered_map(
            lambda batch: forward(prepare(batch)), batches, workers=lanes, ahead=lanes + 1
        )

    def lanes(self) -> tuple[int, Callable[[], object]]:
        """How many threads take a batch of their own through the network, and how each begins."""
        return self.threads.lanes, _nothing


def described(file: Path, text: str | None, outputs: Iterable[str]) -> ModelInfo:
    """Read what a file says of itself.

    Args:
        file: For the error.
        text: JSON that was found in it under `KEY`, if there was any.
        outputs: Of its graph.

    Raises:
        DataError: If it is no file of ours, or of another version.
    """
    if text is None or len(text) > LARGEST_DESCRIPTION or set(OUTPUTS) - set(outputs):
        msg = f"expected a file that this 'tagsight export' wrote, got another: {file}"
        raise DataError(msg)
    try:
        info = ModelInfo.model_validate_json(text)
        info.fitted_decision()
    except ValidationError as error:
        msg = f"{file}: {settings_sentence(error)}; export the model again"
        raise DataError(msg) from error
    except DataError as error:
        msg = f"{file}: {error}"
        raise DataError(msg) from error
    return info


def unreadable(file: Path, error: Exception) -> DataError:
    """The error of a runtime that cannot open a file, in one sentence."""
    return DataError(f"expected a file that 'tagsight export' wrote, got {file}: {_reason(error)}")


def memory_limit() -> int:
    """How many bytes the values of a graph may take: half of the memory of machine or container."""
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):  # not every system tells it so
        memory = 16 * 2**30
    try:
        container = int(CONTAINER_MEMORY.read_text(encoding="ascii"))
    except (OSError, ValueError):  # none, or "max"
        container = memory
    return min(memory, container) // 2


def _reason(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[-1][-200:]  # what went wrong comes last, after where it did


def _nothing() -> None:
    pass
