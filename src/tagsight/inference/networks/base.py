"""Interface of the networks, whatever runs them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from tagsight.inference.model_info import ModelInfo

Item = TypeVar("Item")
Prepared = TypeVar("Prepared")
Outcome = TypeVar("Outcome")


class Outputs(NamedTuple):
    """Outputs of a network for ``B`` photos, all float32.

    Attributes:
        logits: ``(B, L)``, before temperature and sigmoid.
        maps: ``(B, L, h, w)``, raw evidence, in logits.
        embedding: ``(B, D)``, the pooled features.
    """

    logits: NDArray[np.float32]
    maps: NDArray[np.float32]
    embedding: NDArray[np.float32]


class Network(Protocol):
    """A trained model that can be run. Threads may share it.

    Pixels are ``(B, S, S, 3)`` uint8, RGB, each photo as `as_square` makes it; with padding
    ``(B, S, S, 4)``.
    """

    @property
    def info(self) -> ModelInfo:
        """Description of the model."""

    @property
    def place(self) -> Path | None:
        """The model folder or file that it was read from, if there is one."""

    @property
    def runs_on(self) -> str:
        """Name of the runtime."""

    def __call__(self, pixels: NDArray[np.uint8]) -> Outputs:
        """Recognise photos."""

    def features(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Compute the feature grids that embeddings are pooled from: ``(B, D, h, w)``."""

    def grad_cam(self, pixels: NDArray[np.uint8], labels: Sequence[int]) -> NDArray[np.float32]:
        """Compute Grad-CAM maps (`tagsight.systems.gradcam`): ``(B, len(labels), h, w)``.

        Raises:
            DataError: If the network cannot compute gradients.
        """

    def with_labels(self, names: Sequence[str], *, vectors: Path | None = None) -> Network:
        """Return a network that also knows labels the model was not trained on.

        Raises:
            DataError: As in `tagsight.checkpoint.new_labels.add_labels`; or if the model is an
                exported file.
        """

    def pipeline(
        self,
        prepare: Callable[[Item], Prepared],
        forward: Callable[[Prepared], Outcome],
        batches: Iterable[Item],
    ) -> Iterator[Outcome]:
        """Process batches in parallel and yield the outcomes in order; errors keep their place.

        Args:
            prepare: Prepares a batch, in a thread.
            forward: Calls this network, from several threads at once.
            batches: Consumed in the caller's thread, a bounded number ahead.
        """

    def lanes(self) -> tuple[int, Callable[[], object]]:
        """Return the number of threads to call this network from, and how to initialise each."""
