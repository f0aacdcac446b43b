"""A model folder that is run by a file exported from it."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from tagsight.errors import DataError
from tagsight.inference.networks import open_network

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from tagsight.inference.model_info import ModelInfo
    from tagsight.inference.networks.base import Item, Network, Outcome, Outputs, Prepared
    from tagsight.inference.networks.trained import TrainedNetwork


class FolderFileNetwork:
    """Network of a model folder, run by a file; what a file cannot do, torch does when asked to.

    Args:
        folder: The model folder.
        file: Network of the exported file.
        workers: Threads that decode photos; by default one per processor, at most 16.

    Example:
        >>> from pathlib import Path
        >>> folder, file = Path("runs/tiny/model"), Path("runs/tiny/model.onnx")
        >>> network = FolderFileNetwork(folder, open_network(file))
        >>> network.runs_on, network.trained.runs_on, network.place == folder
        ('ONNX Runtime', 'torch', True)
    """

    def __init__(self, folder: Path, file: Network, workers: int | None = None) -> None:
        self.folder = folder
        self.file = file
        self.workers = workers

    @property
    def info(self) -> ModelInfo:
        """Description of the model."""
        return self.file.info

    @property
    def place(self) -> Path:
        """The model folder."""
        return self.folder

    @property
    def runs_on(self) -> str:
        """Name of the runtime."""
        return self.file.runs_on

    @cached_property
    def trained(self) -> TrainedNetwork:
        """The same model, run by torch.

        Raises:
            DataError: If the folder has changed since.
        """
        from tagsight.inference.networks.trained import TrainedNetwork

        network = open_network(self.folder, "cpu", "float32", workers=self.workers)
        assert isinstance(network, TrainedNetwork)
        if network.info.model != self.info.model:
            msg = f"expected the model that was opened in {self.folder}, got another"
            raise DataError(msg)
        return network

    def __call__(self, pixels: NDArray[np.uint8]) -> Outputs:
        """Recognise photos."""
        return self.file(pixels)

    def features(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Compute feature grids of photos: ``(B, D, h, w)`` float32."""
        return self.file.features(pixels)

    def grad_cam(self, pixels: NDArray[np.uint8], labels: Sequence[int]) -> NDArray[np.float32]:
        """Compute Grad-CAM maps of photos, by torch: ``(B, len(labels), h, w)`` float32."""
        return self.trained.grad_cam(pixels, labels)

    def with_labels(self, names: Sequence[str], *, vectors: Path | None = None) -> Network:
        """Return a network, run by torch, that recognises further labels.

        Raises:
            DataError: As in `tagsight.checkpoint.new_labels.add_labels`.
        """
        return self.trained.with_labels(names, vectors=vectors)

    def pipeline(
        self,
        prepare: Callable[[Item], Prepared],
        forward: Callable[[Prepared], Outcome],
        batches: Iterable[Item],
    ) -> Iterator[Outcome]:
        """Process batches in parallel, each on its share of the processors."""
        return self.file.pipeline(prepare, forward, batches)

    def lanes(self) -> tuple[int, Callable[[], object]]:
        """Return the number of threads to call this network from, and how to initialise each."""
        return self.file.lanes()
