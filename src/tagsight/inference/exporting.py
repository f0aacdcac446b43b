"""Export a trained model to a file that runs without torch: ONNX or OpenVINO.

The file holds the labels, thresholds and facts of the model as well. It is run and compared with
the model before it replaces an existing file.
"""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tagsight.errors import DataError, needs_extra
from tagsight.inference.agreement import Agreement, compare
from tagsight.inference.exported_graph import ExportedGraph, onnx_program
from tagsight.inference.networks import open_network
from tagsight.inference.networks.exported import ENDINGS, KEY
from tagsight.inference.networks.openvino_file import WEIGHTS_KEY, weights_file
from tagsight.inference.networks.seal import SEAL_KEY, UNSEALED, seal
from tagsight.inference.networks.trained import describe
from tagsight.runtime.files import replacing, sha256_of, temporary_folder
from tagsight.runtime.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tagsight.checkpoint.folder import LoadedModel
    from tagsight.inference.agreement import OnProblem
    from tagsight.runtime.progress import WorkLog

TOLERANCE = 0.01
"""Largest difference of a score on any photo with which a float32 file is kept."""


def export_model(
    model: LoadedModel,
    file: Path | str,
    photos: Iterable[Path | str],
    *,
    on_problem: OnProblem | None = None,
    log: WorkLog = SILENT,
) -> Agreement:
    """Export a model in float32, if the file agrees with the model.

    Args:
        model: The model, on the CPU.
        file: File to write, ``.onnx`` or ``.xml`` (OpenVINO); an existing one is replaced only if
            the new one agrees with the model.
        photos: Photos to compare the file with the model on.
        on_problem: Called with each photo that cannot be read and the reason; it is skipped.
        log: Receives the progress.

    Raises:
        DataError: If the file has another suffix, a package needed for export is missing, the
            system cannot be exported, no photo can be read, or a score differs by more than
            `TOLERANCE`.

    Example:
        >>> from tagsight.checkpoint.folder import load_model
        >>> model = load_model(Path("runs/tiny/model"))
        >>> agreement = export_model(model, "runs/again.onnx", ["photos/dog.jpg"])
        >>> agreement.photos, agreement.scores <= TOLERANCE
        (1, True)
    """
    file = checked_suffix(file)
    with written_onnx(model) as graph, delivering(graph, file) as written:
        network = open_network(written, precision="float32")
        agreement = compare(model, network, map(Path, photos), on_problem=on_problem, log=log)
        if agreement.scores > TOLERANCE:
            msg = (
                f"expected scores within {TOLERANCE} of the model's, got a difference of "
                f"{agreement.scores:.3f}: the file is not written"
            )
            raise DataError(msg)
    return agreement


def checked_suffix(file: Path | str) -> Path:
    """Return the path of a file to write, if its suffix is that of a format.

    Raises:
        DataError: If the suffix is another.

    Example:
        >>> checked_suffix("model.pt")
        Traceback (most recent call last):
        tagsight.errors.DataError: expected a file ending in .onnx or .xml, got 'model.pt'
    """
    file = Path(file)
    if file.suffix.lower() not in ENDINGS.values():
        msg = f"expected a file ending in {' or '.join(ENDINGS.values())}, got {str(file)!r}"
        raise DataError(msg)
    return file


@contextmanager
def written_onnx(model: LoadedModel, *, squares: bool = False) -> Iterator[Path]:
    """Write a model to a temporary ONNX file, and yield its path.

    Args:
        model: The model, on the CPU.
        squares: Whether the graph takes squares that are ready, instead of photos of any size.

    Raises:
        DataError: If the system cannot be exported, or a package needed for that is missing.

    Example:
        >>> from tagsight.checkpoint.folder import load_model
        >>> model = load_model(Path("runs/tiny/model"))
        >>> with written_onnx(model, squares=True) as graph:
        ...     network = open_network(graph)
        >>> network.info.labels, graph.exists()
        (('dog', 'sky'), False)
    """
    _check_installed()
    if not model.system.portable:
        msg = f"expected a system that ONNX can express, got {type(model.system).__name__}"
        raise DataError(msg)
    side = model.recipe.training.image_size
    temperature, resize = model.decision.temperature, model.recipe.training.resize
    graph = ExportedGraph(model.system, side, temperature, resize, squares=squares)
    program = onnx_program(graph.eval())
    program.model.metadata_props[KEY] = describe(model).model_dump_json()
    program.model.metadata_props[SEAL_KEY] = UNSEALED
    with temporary_folder() as folder:
        file = folder / "model.onnx"
        program.save(str(file), external_data=False)
        seal(file)
        yield file


@contextmanager
def delivering(graph: Path, file: Path) -> Iterator[Path]:
    """Yield a temporary file in the format of ``file``, and move it there if the block succeeds.

    Args:
        graph: An ONNX file.
        file: Its suffix is one of `ENDINGS`. With ``.xml`` the weights are written beside it.

    Raises:
        DataError: If OpenVINO is needed and not installed.

    Example:
        >>> graph, file = Path("graph.onnx"), Path("model.onnx")
        >>> _ = graph.write_bytes(f"{SEAL_KEY}: {UNSEALED}".encode())
        >>> try:
        ...     with delivering(graph, file):
        ...         raise DataError("it disagrees with its model")
        ... except DataError:
        ...     print(file.exists())
        False
        >>> with delivering(graph, file):
        ...     pass
        >>> file.exists()
        True
    """
    with temporary_folder() as folder:
        written = folder / f"delivered{file.suffix.lower()}"
        if file.suffix.lower() == ENDINGS["openvino"]:
            _write_openvino(graph, written)
            yield written
            # Weights first: a description is of no use without those that its digest names.
            _put(weights_file(written), weights_file(file))
        else:
            written = graph
            yield written
        _put(written, file)


def _write_openvino(graph: Path, file: Path) -> None:
    with needs_extra("openvino", "to write its format"):
        import openvino as ov
    import onnx

    metadata = {one.key: one.value for one in onnx.load(graph).metadata_props}
    model = ov.Core().read_model(graph)
    ov.save_model(model, file, compress_to_fp16=False)
    # The digest of the weights, which it contains, is only known once they are written.
    model.set_rt_info(metadata[KEY], [KEY])
    model.set_rt_info(sha256_of(weights_file(file)).hex(), [WEIGHTS_KEY])
    model.set_rt_info(UNSEALED, [SEAL_KEY])
    ov.save_model(model, file, compress_to_fp16=False)
    seal(file)


def _put(written: Path, place: Path) -> None:
    with replacing(place) as temporary:
        shutil.copyfile(written, temporary)


def _check_installed() -> None:
    with needs_extra("export", "to export a model"):
        import onnx
        import onnxruntime
        import onnxscript
    del onnx, onnxruntime, onnxscript
