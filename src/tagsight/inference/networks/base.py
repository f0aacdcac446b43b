"""What runs a trained model, as all of it that stands around a network sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol, Self, TypeVar

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
    """What a network says of ``B`` photos, all float32.

    Attributes:
        logits: ``(B, L)``, before temperature and sigmoid.
        maps: ``(B, L, h, w)``, raw evidence, in logits.
        embedding: ``(B, D)``, the pooled features.
    """

    logits: NDArray[np.float32]
    maps: NDArray[np.float32]
    embedding: NDArray[np.float32]


class Network(Protocol):
    """A trained model at work. Threads may share it.

    Pixels are ``(B, S, S, 3)`` uint8, RGB, each photo as `as_square` makes it.
    """

    @property
    def info(self) -> ModelInfo:
        """What the model says of itself."""

    @property
    def place(self) -> Path | None:
        """The model folder or file that it was read from, if there is one."""

    def __call__(self, pixels: NDArray[np.uint8]) -> Outputs:
        """Recognise warped photos."""

    def features(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Describe warped photos cell by cell: ``(B, D, h, w)``, which pooling makes embeddings."""

    def grad_cam(self, pixels: NDArray[np.uint8], labels: Sequence[int]) -> NDArray[np.float32]:
        """Explain warped photos by `tagsight.systems.gradcam`: ``(B, len(labels), h, w)``.

        Raises:
            DataError: If whatever runs the model has no gradients.
        """

    def with_labels(self, names: Sequence[str], *, vectors: Path | None = None) -> Self:
        """The same model with labels that it was never trained on (`new_labels.add_labels`).

        Raises:
            DataError: As `new_labels.add_labels` does, or if the model is a graph that can
                no longer be changed.
        """

    def pipeline(
        self,
        prepare: Callable[[Item], Prepared],
        forward: Callable[[Prepared], Outcome],
        batches: Iterable[Item],
    ) -> Iterator[Outcome]:
        """Work batches off, in their order, some of them at once; an error comes in its place.

        Args:
            prepare: Makes a batch ready, in a thread.
            forward: Calls this network; several threads may be in it at once.
            batches: Drawn in the consumer's thread, a bounded number ahead.
        """

    def lanes(self) -> tuple[int, Callable[[], object]]:
        """How many threads take a batch of their own through the network, and how each begins."""
