"""Common parts of the networks that run exported files.

Neither this module nor its imports need torch.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple, NoReturn, Self

import numpy as np
from pydantic import ValidationError

from tagsight.data.photos.resizing import without_padding
from tagsight.errors import DataError, settings_sentence
from tagsight.inference.model_info import ModelInfo
from tagsight.inference.networks.base import Outputs
from tagsight.runtime.threads import ordered_map

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from tagsight.config import Resize
    from tagsight.inference.networks.base import Item, Outcome, Prepared

Form = Literal["onnx", "openvino"]
ENDINGS: dict[Form, str] = {"onnx": ".onnx", "openvino": ".xml"}

KEY = "tagsight"
"""Key of the description in the metadata of a file."""

PHOTOS, SQUARES = "photos", "squares"
"""Names of the input of a graph: photos of any size, or squares that `as_square` has made."""

OUTPUTS = ("probabilities", "maps", "embedding", "logits", "features")
"""Names of the outputs of a graph, in order."""

CONTAINER_MEMORY = Path("/sys/fs/cgroup/memory.max")
"""File in which Linux gives the memory limit of a container."""

LARGEST_DESCRIPTION = 2**23
"""Most characters of a description; a label takes about two hundred."""


class Threads(NamedTuple):
    """Division of the processors among batches.

    Attributes:
        lanes: Batches that run in parallel.
        each: Processors for each of them.

    Example:
        >>> Threads.choose(1).lanes, Threads.choose(None).each >= 1
        (1, True)
    """

    lanes: int
    each: int

    @classmethod
    def choose(cls, workers: int | None) -> Self:
        """Choose one lane per worker, at most one per processor; by default up to 16."""
        processors = os.cpu_count() or 1
        lanes = min(workers or min(16, processors), processors)
        return cls(lanes, processors // lanes)


def channels(resize: Resize) -> int:
    """Return the number of channels of a square: with padding, its opacity is the fourth.

    Example:
        >>> channels("warp"), channels("fit")
        (3, 4)
    """
    return 4 if resize == "fit" else 3


class ExportedNetwork(ABC):
    """Network whose graph takes decoded photos of any size, ``(B, H, W, 3)`` uint8, or squares.

    Args:
        file: The exported file.
        info: Description in the file.
        threads: Division of the processors.
        takes: Name of the graph's input: `PHOTOS` or `SQUARES`.
    """

    runs_on: ClassVar[str]
    """Name of the runtime."""

    def __init__(self, file: Path, info: ModelInfo, threads: Threads, takes: str) -> None:
        self.file = file
        self.info = info
        self.threads = threads
        self.takes = takes

    @property
    def place(self) -> Path:
        """The file."""
        return self.file

    @abstractmethod
    def answers(
        self, photos: NDArray[np.uint8], outputs: Sequence[str]
    ) -> list[NDArray[np.float32]]:
        """Run the graph on photos ``(B, H, W, 3)`` for some of `OUTPUTS`, unchecked."""

    def run(self, photos: NDArray[np.uint8], outputs: Sequence[str]) -> list[NDArray[np.float32]]:
        """Run the graph on photos ``(B, H, W, 3)`` for some of `OUTPUTS`.

        Raises:
            DataError: If it cannot run on them, an output does not fit the description, or a
                value is not finite.
        """
        try:
            answers = self.answers(photos, outputs)
        # The exceptions of the runtimes have no common base class.
        except Exception as error:
            msg = f"expected {self.file} to run on photos of the shape {photos.shape}: "
            raise DataError(msg + _reason(error)) from error
        for name, answer in zip(outputs, answers, strict=True):
            self._check_answer(name, answer, len(photos))
        return answers

    def try_out(self) -> Self:
        """Run the graph on a grey photo, to check its outputs.

        Raises:
            DataError: As in `run`.
        """
        self.run(np.full(grey_photo(self.info, self.takes), 128, np.uint8), OUTPUTS)
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
        return Outputs(*self._run_squares(pixels, ("logits", "maps", "embedding")))

    def features(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Compute feature grids of photos: ``(B, D, h, w)`` float32."""
        (features,) = self._run_squares(pixels, ("features",))
        return features

    def _run_squares(
        self, pixels: NDArray[np.uint8], outputs: Sequence[str]
    ) -> list[NDArray[np.float32]]:
        """Run the graph on squares; those of one shape without padding, which it adds, together."""
        if pixels.shape[3] == 3 or self.takes == SQUARES:
            return self.run(pixels, outputs)
        photos = [without_padding(square) for square in pixels]
        shapes = [photo.shape for photo in photos]
        found: list[list[NDArray[np.float32]]] = [[] for _ in photos]
        for shape in dict.fromkeys(shapes):
            places = [place for place, own in enumerate(shapes) if own == shape]
            answers = self.run(np.stack([photos[place] for place in places]), outputs)
            for row, place in enumerate(places):
                found[place] = [answer[row] for answer in answers]
        return [np.stack(answers) for answers in zip(*found, strict=True)]

    def grad_cam(self, pixels: NDArray[np.uint8], labels: Sequence[int]) -> NoReturn:
        """Raise an error: the graph has no gradients.

        Raises:
            DataError: Always.
        """
        del pixels, labels
        msg = f"expected a model folder for Grad-CAM, got {self.file}, which has no gradients"
        raise DataError(msg)

    def with_labels(self, names: Sequence[str], *, vectors: Path | None = None) -> NoReturn:
        """Raise an error: the labels are constants of the graph.

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
        """Process batches in parallel, each on its share of the processors."""
        lanes = self.threads.lanes
        return ordered_map(
            lambda batch: forward(prepare(batch)), batches, workers=lanes, ahead=lanes + 1
        )

    def lanes(self) -> tuple[int, Callable[[], object]]:
        """Return the number of threads to call this network from, and how to initialise each."""
        return self.threads.lanes, _nothing


def grey_photo(info: ModelInfo, takes: str) -> tuple[int, int, int, int]:
    """Return the shape of a batch of one photo that needs no resizing.

    Example:
        >>> from tagsight.checkpoint.folder import load_model
        >>> from tagsight.inference.networks.trained import describe
        >>> info = describe(load_model(Path("runs/first/model")))
        >>> grey_photo(info, PHOTOS), grey_photo(info.model_copy(update={"resize": "fit"}), SQUARES)
        ((1, 64, 64, 3), (1, 64, 64, 4))
    """
    return (1, info.image_size, info.image_size, channels(info.resize) if takes == SQUARES else 3)


def parse_description(
    file: Path, text: str | None, inputs: Sequence[str], outputs: Iterable[str]
) -> ModelInfo:
    """Parse the description in a file.

    Args:
        file: The file, for errors.
        text: JSON found in the file under `KEY`, if any.
        inputs: Names of the inputs of the graph.
        outputs: Names of the outputs of the graph.

    Raises:
        DataError: If the file was not exported by this version of the package.

    Example:
        >>> from tagsight.checkpoint.folder import load_model
        >>> from tagsight.inference.networks.trained import describe
        >>> text = describe(load_model(Path("runs/first/model"))).model_dump_json()
        >>> parse_description(Path("model.onnx"), text, [PHOTOS], OUTPUTS).labels
        ('dog', 'sky')
    """
    named = set(OUTPUTS) <= set(outputs) and list(inputs) in ([PHOTOS], [SQUARES])
    if text is None or len(text) > LARGEST_DESCRIPTION or not named:
        msg = f"expected a file exported by this version of tagsight, got another: {file}"
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
    """Describe in one sentence why a runtime cannot open a file.

    Example:
        >>> print(unreadable(Path("model.onnx"), ValueError("no graph")))
        expected a file exported by tagsight, got model.onnx: no graph
    """
    return DataError(f"expected a file exported by tagsight, got {file}: {_reason(error)}")


def memory_limit() -> int:
    """Return half the memory of the machine or container, in bytes: the limit for activations.

    Example:
        >>> memory_limit() > 2**28
        True
    """
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):  # not known on this system
        memory = 16 * 2**30
    try:
        container = int(CONTAINER_MEMORY.read_text(encoding="ascii"))
    except (OSError, ValueError):  # no container, or no limit: "max"
        container = memory
    return min(memory, container) // 2


def _reason(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[-1][-200:]  # runtimes give the place first and the reason last


def _nothing() -> None:
    pass
