"""An ONNX file, run by ONNX Runtime."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

from tagsight.errors import DataError
from tagsight.networks.exported import (
    KEY,
    PHOTOS,
    ExportedNetwork,
    Threads,
    described,
    unreadable,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray
    from onnxruntime import InferenceSession

    from tagsight.model_info import ModelInfo

DEVICES = {
    "auto": ["CPUExecutionProvider"],
    "cpu": ["CPUExecutionProvider"],
    "cuda": ["CUDAExecutionProvider", "CPUExecutionProvider"],
}
_ONLY_ERRORS = 3


class OnnxNetwork(ExportedNetwork):
    """A session of ONNX Runtime; each lane's batch runs in the thread that brings it."""

    runs_on: ClassVar[str] = "ONNX Runtime"

    def __init__(
        self, file: Path, info: ModelInfo, threads: Threads, session: InferenceSession
    ) -> None:
        super().__init__(file, info, threads)
        self._session = session

    @classmethod
    def open(
        cls, file: Path, *, device: str = "auto", precision: str = "auto", workers: int | None
    ) -> Self:
        """Read a file.

        Raises:
            DataError: If it is none that `tagsight export` wrote, ONNX Runtime is not installed, or
                device or precision is none that it has.
        """
        try:
            import onnxruntime as ort
        except ImportError as error:
            msg = f"expected the extra 'onnx' to run {file}: pip install 'tagsight[onnx]'"
            raise DataError(msg) from error
        if precision not in {"auto", "float32"}:
            msg = f"expected float32, in which ONNX Runtime runs {file}, got {precision}"
            raise DataError(msg)
        providers = DEVICES.get(device, [device])
        if providers[0] not in ort.get_available_providers():
            msg = f"expected a device that ONNX Runtime has here, such as 'cpu', got {device!r}"
            raise DataError(msg)
        threads, options = Threads.choose(workers), ort.SessionOptions()
        options.intra_op_num_threads = threads.each
        options.log_severity_level = _ONLY_ERRORS
        try:
            session = ort.InferenceSession(str(file), options, providers=providers)
        # Its errors are of a class of their own each, and have no common name.
        except Exception as error:
            raise unreadable(file, error) from error
        said = session.get_modelmeta().custom_metadata_map.get(KEY)
        info = described(file, said, (output.name for output in session.get_outputs()))
        return cls(file, info, threads, session)

    def run(self, photos: NDArray[np.uint8], outputs: Sequence[str]) -> list[NDArray[np.float32]]:
        """Run the graph on photos ``(B, H, W, 3)`` for some of its outputs."""
        found: list[NDArray[np.float32]] = self._session.run(list(outputs), {PHOTOS: photos})
        return found
