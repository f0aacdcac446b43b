"""Run an ONNX file with ONNX Runtime."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, ClassVar, Self

from tagsight.errors import DataError, needs_extra
from tagsight.inference.networks.exported import (
    KEY,
    ExportedNetwork,
    Threads,
    memory_limit,
    parse_description,
    unreadable,
)
from tagsight.inference.networks.onnx_structure import check_onnx
from tagsight.inference.networks.seal import check_seal

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray
    from onnxruntime import InferenceSession, SessionOptions

    from tagsight.inference.model_info import ModelInfo

DEVICES = {
    "auto": ["CPUExecutionProvider"],
    "cpu": ["CPUExecutionProvider"],
    "cuda": ["CUDAExecutionProvider", "CPUExecutionProvider"],
}
_FATAL = 4
"""Severity from which ONNX Runtime logs: it raises its errors as well."""


class OnnxNetwork(ExportedNetwork):
    """Network of an ``.onnx`` file. Each batch runs in the thread that calls it.

    Example:
        >>> import numpy as np
        >>> from pathlib import Path
        >>> network = OnnxNetwork.open(Path("runs/tiny/model.onnx"), workers=1)
        >>> logits, maps, embedding = network(np.zeros((1, 32, 32, 3), np.uint8))
        >>> network.info.labels, logits.shape, np.allclose(maps.mean((2, 3)), logits, atol=1e-4)
        (('dog', 'sky'), (1, 2), True)
    """

    runs_on: ClassVar[str] = "ONNX Runtime"

    def __init__(
        self, file: Path, info: ModelInfo, threads: Threads, takes: str, session: InferenceSession
    ) -> None:
        super().__init__(file, info, threads, takes)
        self._session = session

    @classmethod
    def open(
        cls, file: Path, *, device: str = "auto", precision: str = "auto", workers: int | None
    ) -> Self:
        """Open a file.

        Raises:
            DataError: If the file was not exported by tagsight or was changed since, ONNX Runtime
                is not installed, or it does not have the device or precision.
        """
        with needs_extra("onnx", f"to run {file}"):
            import onnxruntime as ort
        if precision not in {"auto", "float32"}:
            msg = f"expected `precision=float32` to run {file} with ONNX Runtime, got {precision!r}"
            raise DataError(msg)
        providers = DEVICES.get(device, [device])
        if providers[0] not in ort.get_available_providers():
            msg = f"expected a device of ONNX Runtime, such as 'cpu', got {device!r}"
            raise DataError(msg)
        check_onnx(file)
        check_seal(file)
        threads, options = Threads.choose(workers), _bounded_options()
        options.intra_op_num_threads = threads.each
        try:
            # With the fallback it would print the error and try again.
            session = ort.InferenceSession(
                str(file), options, providers=providers, enable_fallback=0
            )
            text = session.get_modelmeta().custom_metadata_map.get(KEY)
            inputs = [one.name for one in session.get_inputs()]
            outputs = [one.name for one in session.get_outputs()]
        # The exceptions of ONNX Runtime have no common base class.
        except Exception as error:
            raise unreadable(file, error) from error
        info = parse_description(file, text, inputs, outputs)
        return cls(file, info, threads, inputs[0], session)

    def answers(
        self, photos: NDArray[np.uint8], outputs: Sequence[str]
    ) -> list[NDArray[np.float32]]:
        """Run the graph on photos ``(B, H, W, 3)`` for some of its outputs."""
        found: list[NDArray[np.float32]] = self._session.run(list(outputs), {self.takes: photos})
        return found


def _bounded_options() -> SessionOptions:
    """Options of a session that allocates from the bounded memory of the process."""
    import onnxruntime as ort

    _share_bounded_memory()
    options = ort.SessionOptions()
    options.log_severity_level = _FATAL
    options.add_session_config_entry("session.use_env_allocators", "1")
    options.add_session_config_entry("session.load_model_format", "ONNX")
    return options


@functools.cache
def _share_bounded_memory() -> None:
    """Register one allocator, bounded by `memory_limit`, for all sessions of the process."""
    import onnxruntime as ort

    place = ort.OrtMemoryInfo(
        "Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT
    )
    ort.create_and_register_allocator(place, ort.OrtArenaCfg({"max_mem": memory_limit()}))
