"""A trained model as one file that runs without torch: ONNX, or OpenVINO's format.

Names, thresholds and what was recorded of the model are in the file. Before it is delivered it is
run, and compared with the model.
"""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Literal

from tagsight.errors import DataError
from tagsight.inference.agreement import Agreement, compare
from tagsight.inference.exported_graph import ExportedGraph, onnx_program
from tagsight.inference.networks import open_network
from tagsight.inference.networks.exported import KEY
from tagsight.inference.networks.openvino_file import WEIGHTS_KEY, weights_digest, weights_file
from tagsight.inference.networks.seal import SEAL_KEY, UNSEALED, seal
from tagsight.inference.networks.trained import describe
from tagsight.runtime.files import replacing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tagsight.checkpoint.folder import LoadedModel
    from tagsight.inference.agreement import OnProblem

Form = Literal["onnx", "openvino"]
ENDINGS: dict[Form, str] = {"onnx": ".onnx", "openvino": ".xml"}

TOLERANCE = 0.01
"""Largest difference of a score, on any photo, with which a file in float32 is delivered."""


def export_model(
    model: LoadedModel,
    file: Path,
    photos: Iterable[Path],
    *,
    on_problem: OnProblem | None = None,
) -> Agreement:
    """Write a model in float32, if the file then says what the model says.

    Args:
        model: On the CPU.
        file: Replaced when all is well; its ending, one of `ENDINGS`, decides the form.
        photos: What the two are compared on.
        on_problem: Called with a photo that cannot be read, which is left out, and why.

    Raises:
        DataError: If something to export with is not installed, the system cannot be exported, no
            photo can be read, or the file differs by more than `TOLERANCE`.
    """
    with written_onnx(model) as graph, delivering(graph, file) as written:
        network = open_network(written, precision="float32")
        agreement = compare(model, network, photos, on_problem=on_problem)
        if agreement.scores > TOLERANCE:
            msg = (
                f"expected scores within {TOLERANCE} of the model's, got a difference of "
                f"{agreement.scores:.3f}: the file is not written"
            )
            raise DataError(msg)
    return agreement


@contextmanager
def written_onnx(model: LoadedModel) -> Iterator[Path]:
    """Give a temporary ONNX file of a model.

    Raises:
        DataError: If the system cannot be exported, or what exports is not installed.
    """
    _check_installed()
    if not model.system.portable:
        msg = f"expected a system that ONNX can express, got {type(model.system).__name__}"
        raise DataError(msg)
    side = model.recipe.training.image_size
    program = onnx_program(ExportedGraph(model.system, side, model.decision.temperature).eval())
    program.model.metadata_props[KEY] = describe(model).model_dump_json()
    program.model.metadata_props[SEAL_KEY] = UNSEALED
    with TemporaryDirectory(prefix="tagsight-") as folder:
        file = Path(folder) / "model.onnx"
        program.save(str(file), external_data=False)
        seal(file)
        yield file


@contextmanager
def delivering(graph: Path, file: Path) -> Iterator[Path]:
    """Give a file in the form that ``file`` asks for, which takes its place if the block succeeds.

    Args:
        graph: In ONNX.
        file: Its ending is one of `ENDINGS`. With ``.xml`` the weights come to lie beside it.

    Raises:
        DataError: If OpenVINO is asked for and not installed.
    """
    with TemporaryDirectory(prefix="tagsight-") as folder:
        written = Path(folder) / f"delivered{file.suffix.lower()}"
        if file.suffix.lower() == ENDINGS["openvino"]:
            _write_openvino(graph, written)
            yield written
            # The weights first: the description names them by their digest.
            _put(weights_file(written), weights_file(file))
        else:
            written = graph
            yield written
        _put(written, file)


def _write_openvino(graph: Path, file: Path) -> None:
    try:
        import openvino as ov
    except ImportError as error:
        msg = "expected the extra 'openvino' to write its format: pip install 'tagsight[openvino]'"
        raise DataError(msg) from error
    import onnx

    said = {one.key: one.value for one in onnx.load(graph).metadata_props}
    model = ov.Core().read_model(graph)
    ov.save_model(model, file, compress_to_fp16=False)
    # Its description is written once more, now that the weights can be named in it.
    model.set_rt_info(said[KEY], [KEY])
    model.set_rt_info(weights_digest(file), [WEIGHTS_KEY])
    model.set_rt_info(UNSEALED, [SEAL_KEY])
    ov.save_model(model, file, compress_to_fp16=False)
    seal(file)


def _put(written: Path, place: Path) -> None:
    with replacing(place) as temporary:
        shutil.copyfile(written, temporary)


def _check_installed() -> None:
    try:
        import onnx
        import onnxruntime
        import onnxscript
    except ImportError as error:
        msg = "expected the extra 'export' to export a model: pip install 'tagsight[export]'"
        raise DataError(msg) from error
    del onnx, onnxruntime, onnxscript
