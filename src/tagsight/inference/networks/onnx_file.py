"""An ONNX file, run by ONNX Runtime."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, ClassVar, Self

from tagsight.errors import DataError
from tagsight.inference.networks.exported import (
    KEY,
    PHOTOS,
    ExportedNetwork,
    Threads,
    described,
    memory_limit,
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
"""What ONNX Runtime is to write to the terminal: its errors are raised as well."""


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
            DataError: If it is none that `tagsight export` wrote, has been changed since, ONNX
                Runtime is not installed, or device or precision is none that it has.
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
        check_onnx(file)
        check_seal(file)
        threads, options = Threads.choose(workers), _bounded_options()
        options.intra_op_num_threads = threads.each
        try:
            # Otherwise it prints what it cannot open, and tries once more.
            session = ort.InferenceSession(
                str(file), options, providers=providers, enable_fallback=0
            )
            said = session.get_modelmeta().custom_metadata_map.get(KEY)
            outputs = [output.name for output in session.get_outputs()]
        # Its errors are of a class of their own each, and have no common name.
        except Exception as error:
            raise unreadable(file, error) from error
        info = described(file, said, outputs)
        return cls(file, info, threads, session)

    def answers(
        self, photos: NDArray[np.uint8], outputs: Sequence[str]
    ) -> list[NDArray[np.float32]]:
        """Run the graph on photos ``(B, H, W, 3)`` for some of its outputs."""
        found: list[NDArray[np.float32]] = self._session.run(list(outputs), {PHOTOS: photos})
        return found


def _bounded_options() -> SessionOptions:
    """Options of a session that takes its memory where there is no more than `memory_limit`."""
    import onnxruntime as ort

    _share_bounded_memory()
    options = ort.SessionOptions()
    options.log_severity_level = _FATAL
    options.add_session_config_entry("session.use_env_allocators", "1")
    options.add_session_config_entry("session.load_model_format", "ONNX")
    return options


@functools.cache
def _share_bounded_memory() -> None:
    """Give all sessions of the process one bounded store of memory; there can be only one."""
    import onnxruntime as ort

    place = ort.OrtMemoryInfo(
        "Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT
    )
    ort.create_and_register_allocator(place, ort.OrtArenaCfg({"max_mem": memory_limit()}))
