"""Run an OpenVINO file with OpenVINO."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from tagsight.errors import DataError, needs_extra
from tagsight.inference.networks.exported import (
    KEY,
    OUTPUTS,
    ExportedNetwork,
    Threads,
    grey_photo,
    memory_limit,
    parse_description,
    unreadable,
)
from tagsight.inference.networks.openvino_structure import check_openvino, peak_bytes
from tagsight.inference.networks.seal import check_seal
from tagsight.runtime.files import sha256_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from tagsight.inference.model_info import ModelInfo

WEIGHTS_KEY = f"{KEY}_weights"
"""Key of the digest of the weights, which are in a file beside the description."""

DEVICES = {"auto": "CPU", "cpu": "CPU"}
PRECISIONS = {"auto": "f32", "float32": "f32", "bfloat16": "bf16", "float16": "f16"}


class OpenvinoNetwork(ExportedNetwork):
    """Network of an ``.xml`` file, compiled for this machine. Each thread has its own request.

    Example:
        >>> from pathlib import Path
        >>> network = OpenvinoNetwork.open(Path("runs/tiny/model.xml"), workers=1)
        >>> network.info.labels, network(np.zeros((1, 32, 32, 3), np.uint8)).logits.shape
        (('dog', 'sky'), (1, 2))
    """

    runs_on: ClassVar[str] = "OpenVINO"

    def __init__(
        self,
        file: Path,
        info: ModelInfo,
        threads: Threads,
        takes: str,
        compiled: Any,  # noqa: ANN401 - imported late
    ) -> None:
        super().__init__(file, info, threads, takes)
        self._compiled = compiled
        self._own = threading.local()

    @classmethod
    def open(
        cls, file: Path, *, device: str = "auto", precision: str = "auto", workers: int | None
    ) -> Self:
        """Open a file and compile it.

        Raises:
            DataError: If the file was not exported by tagsight or was changed since, its weights
                are missing or belong to another file, OpenVINO is not installed, or it does not
                have the device.
        """
        with needs_extra("openvino", f"to run {file}"):
            import openvino as ov
        core, threads = ov.Core(), Threads.choose(workers)
        place = DEVICES.get(device, device)
        if place not in core.available_devices:
            msg = f"expected a device of OpenVINO, {core.available_devices}, got {device!r}"
            raise DataError(msg)
        options = {
            "INFERENCE_PRECISION_HINT": PRECISIONS[precision],
            "INFERENCE_NUM_THREADS": threads.lanes * threads.each,
            "NUM_STREAMS": threads.lanes,
        }
        check_openvino(file, weights_file(file))
        check_seal(file)
        try:
            model = core.read_model(file)
            text = str(model.get_rt_info([KEY]).value) if model.has_rt_info([KEY]) else None
            inputs = [name for one in model.inputs for name in one.names]
            outputs = [name for one in model.outputs for name in one.names]
            info = parse_description(file, text, inputs, outputs)
            _check_weights(file, str(model.get_rt_info([WEIGHTS_KEY]).value))
            _check_memory(file, model, grey_photo(info, inputs[0]))
            compiled = core.compile_model(model, place, options)
        except DataError:
            raise
        # OpenVINO raises RuntimeError for everything, including files that it cannot parse.
        except RuntimeError as error:
            raise unreadable(file, error) from error
        return cls(file, info, threads, inputs[0], compiled)

    def answers(
        self, photos: NDArray[np.uint8], outputs: Sequence[str]
    ) -> list[NDArray[np.float32]]:
        """Run the graph on photos ``(B, H, W, 3)`` for some of its outputs."""
        request = self._request()
        request.infer([photos])
        # The tensors of a request are overwritten by its next run.
        return [np.array(request.get_output_tensor(OUTPUTS.index(name)).data) for name in outputs]

    def _request(self) -> Any:  # noqa: ANN401 - imported late
        if not hasattr(self._own, "request"):
            self._own.request = self._compiled.create_infer_request()
        return self._own.request


def weights_file(file: Path) -> Path:
    """Return the path of the weights that belong to a description.

    Example:
        >>> from pathlib import Path
        >>> weights_file(Path("model.xml")).name
        'model.bin'
    """
    return file.with_suffix(".bin")


def _check_weights(file: Path, digest: str) -> None:
    if sha256_of(weights_file(file)).hex() != digest:
        msg = f"expected the weights of {file} beside it, got others in {weights_file(file)}"
        raise DataError(msg)


def _check_memory(file: Path, model: Any, shape: tuple[int, int, int, int]) -> None:  # noqa: ANN401 - imported late
    needed, most = peak_bytes(model, shape), memory_limit()
    if needed > most:
        msg = f"expected a graph that runs in {most:,} bytes, got {file}, which needs {needed:,}"
        raise DataError(msg)
