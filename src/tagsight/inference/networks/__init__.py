"""Networks that run a trained model with torch, ONNX Runtime or OpenVINO."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from tagsight.errors import DataError
from tagsight.runtime.collection import no_collection

if TYPE_CHECKING:
    from pathlib import Path

    from tagsight.inference.networks.base import Network

Precision = Literal["auto", "float32", "bfloat16", "float16"]


def open_network(
    path: Path,
    device: str = "auto",
    precision: Precision = "auto",
    *,
    workers: int | None = None,
) -> Network:
    """Open a trained model: a model folder, an ``.onnx`` file or OpenVINO's ``.xml``.

    Args:
        path: The model folder, or an exported file.
        device: Device; ``auto`` is the fastest one for folders, the CPU for files.
        precision: Precision of the encoder; ``auto`` is float32, in which a model gives the same
            results whatever runs it. In bfloat16 scores differ by up to 0.12.
        workers: Threads that decode photos; by default one per processor, at most 16.

    Raises:
        DataError: If the model or the device cannot be used, or its runtime is not installed.

    Example:
        >>> import numpy as np
        >>> from pathlib import Path
        >>> network = open_network(Path("runs/tiny/model.onnx"))
        >>> network.runs_on, network(np.zeros((1, 32, 32, 3), np.uint8)).logits.shape
        ('ONNX Runtime', (1, 2))
    """
    if is_exported(path):
        if not path.is_file():
            msg = f"expected an exported model at {path}, which does not exist"
            raise DataError(msg)
        return _opened_file(path, device, precision, workers)

    with no_collection():
        from tagsight.checkpoint.folder import load_model
        from tagsight.inference.networks.trained import TrainedNetwork
        from tagsight.runtime.device import Runtime

    exact = "float32" if precision == "auto" else precision
    runtime = Runtime.choose(device, exact, workers=workers, photo_memory=0)
    return TrainedNetwork(load_model(path, runtime.device), runtime)


def is_exported(path: Path) -> bool:
    """Return whether a path is that of an exported file, and not of a model folder.

    Example:
        >>> from pathlib import Path
        >>> is_exported(Path("model.onnx")), is_exported(Path("runs/first/model"))
        (True, False)
    """
    return path.suffix.lower() in {".onnx", ".xml"} and not path.is_dir()


def _opened_file(path: Path, device: str, precision: Precision, workers: int | None) -> Network:
    if path.suffix.lower() == ".onnx":
        from tagsight.inference.networks.onnx_file import OnnxNetwork

        return OnnxNetwork.open(path, device=device, precision=precision, workers=workers).try_out()

    from tagsight.inference.networks.openvino_file import OpenvinoNetwork

    return OpenvinoNetwork.open(path, device=device, precision=precision, workers=workers).try_out()
