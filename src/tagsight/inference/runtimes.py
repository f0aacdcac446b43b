"""Open a model in the runtime that is fastest for it on this machine, or in a given one."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal

from tagsight.checkpoint.config import CONFIG, model_folder, read_config
from tagsight.errors import DataError, missing_extra
from tagsight.inference.networks import is_exported, open_network
from tagsight.inference.networks.exported import ENDINGS
from tagsight.inference.networks.folder_file import FolderFileNetwork
from tagsight.inference.runtime_cache import PACKAGES, RuntimeCache
from tagsight.runtime.progress import SILENT

if TYPE_CHECKING:
    from pathlib import Path

    from tagsight.inference.networks import Precision
    from tagsight.inference.networks.base import Network
    from tagsight.inference.networks.exported import Form
    from tagsight.inference.runtime_cache import Choice
    from tagsight.runtime.progress import WorkLog

RuntimeName = Literal["auto", "torch", "onnx", "openvino"]

MANY = 2000
"""Photos from which commands measure runtimes first: it takes as long as some hundred photos."""

MANY_LABELS = 2000
"""Labels from which a server starts with torch instead of comparing runtimes first: exporting and
comparing a model of 10,000 labels takes minutes."""

EXPORTERS = ("onnx", "onnxruntime", "onnxscript")
"""Packages of the extra ``export``."""


def open_model(
    path: Path,
    device: str = "auto",
    precision: Precision = "auto",
    *,
    runtime: RuntimeName = "auto",
    measure: bool = False,
    workers: int | None = None,
    log: WorkLog = SILENT,
) -> Network:
    """Open a model folder in the runtime asked for, or an exported file in its own.

    Args:
        path: A model folder, or an exported file.
        device: Device; files exported from a folder run on the CPU only.
        precision: Precision of the encoder; ``auto`` is float32.
        runtime: Runtime of a model folder; ``auto`` is the one that was measured to be fastest here
            among those that agree with torch, in float32 on a CPU, and torch otherwise.
        measure: Whether ``auto`` measures first if that is not known, which takes about half a
            minute.
        workers: Threads that decode photos; by default one per processor, at most 16.
        log: Told which runtime was chosen and why.

    Raises:
        DataError: If the model, the device or the runtime cannot be used.

    Example:
        >>> from pathlib import Path
        >>> open_model(Path("runs/first/model"), "cpu", runtime="torch").runs_on
        'torch'
    """
    if is_exported(path):
        form = next(form for form, ending in ENDINGS.items() if ending == path.suffix.lower())
        if runtime not in {"auto", form}:
            msg = f"expected a model folder to run with `runtime={runtime}`, got {path}"
            raise DataError(msg)
        return open_network(path, device, precision, workers=workers)
    comparable = device in {"auto", "cpu"} and precision in {"auto", "float32"}
    if runtime == "torch" or (runtime == "auto" and not (comparable and _installed())):
        return open_network(path, device, precision, workers=workers)
    if runtime == "auto":
        return _open_fastest(path, device, measure=measure, workers=workers, log=log)
    return _opened(path, runtime, device, precision, workers=workers, log=log)


def is_quick_to_compare(path: Path) -> bool:
    """Return whether runtimes can be compared for a model in about half a minute.

    Args:
        path: A model folder; an exported file has its own runtime and is not compared.

    Raises:
        DataError: If it is neither.

    Example:
        >>> from pathlib import Path
        >>> is_quick_to_compare(Path("runs/first/model"))
        True
    """
    if is_exported(path):
        return True
    return len(read_config(model_folder(path) / CONFIG).labels) < MANY_LABELS


def _opened(
    path: Path,
    form: Form,
    device: str = "auto",
    precision: Precision = "auto",
    *,
    workers: int | None,
    log: WorkLog,
) -> Network:
    """Open the file exported from a folder; export it if there is none.

    Raises:
        DataError: If it cannot be exported or opened, or is of another model.
    """
    if form not in _installed():
        raise missing_extra(form, f"for `runtime={form}`")
    cache = RuntimeCache.of(path)
    file = cache.file(form)
    if file is None:
        from tagsight.inference.fastest import export_for

        file = export_for(path, form, cache, log)
    network = open_network(file, device, precision, workers=workers)
    if network.info.model != cache.weights:
        msg = f"expected a file exported from {path}, got {file} of another model"
        raise DataError(msg)
    return FolderFileNetwork(path, network, workers)


def _open_fastest(
    path: Path, device: str, *, measure: bool, workers: int | None, log: WorkLog
) -> Network:
    cache = RuntimeCache.of(path)
    choice = cache.choice()
    note = f"runtime: torch; it has not been compared with {' or '.join(_installed())} here"
    if choice is None and measure and not _missing():
        try:
            cache.check_writable()
            choice = _measured(path, device, cache, workers, log)
        except (DataError, OSError) as error:  # such as a disk that is full
            note = f"runtime: torch, as others cannot be compared with it: {error}"
    if choice is not None:
        note = f"runtime: {choice.reason}"
    if choice is not None and choice.runtime != "torch":
        try:
            network = _opened(path, choice.runtime, workers=workers, log=log)
        except DataError as error:
            cache.forget()
            note = f"runtime: torch, as the exported file cannot be used: {error}"
        else:
            log.note(note)
            return network
    log.note(note)
    return open_network(path, device, workers=workers)


def _measured(
    path: Path, device: str, cache: RuntimeCache, workers: int | None, log: WorkLog
) -> Choice | None:
    """Choose a runtime by measurement, unless the model runs on a GPU."""
    from tagsight.inference.fastest import choose_runtime
    from tagsight.runtime.device import Runtime

    runtime = Runtime.choose(device, "float32", workers=workers, photo_memory=0)
    if runtime.device.type != "cpu":
        return None
    return choose_runtime(path, runtime, _installed(), cache, log)


def _installed() -> list[Form]:
    return [form for form, package in PACKAGES.items() if find_spec(package) is not None]


def _missing() -> list[str]:
    return [package for package in EXPORTERS if find_spec(package) is None]
