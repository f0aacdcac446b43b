"""Quantise an exported model to 8 bits, and measure the loss of mAP."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from tagsight.errors import DataError
from tagsight.inference.agreement import compare
from tagsight.inference.exporting import checked_suffix, delivering, written_onnx
from tagsight.inference.networks import open_network
from tagsight.inference.networks.exported import PHOTOS
from tagsight.inference.networks.seal import seal
from tagsight.inference.recognizer import Recognizer
from tagsight.metrics.classification import average_precision, mean_over_labels
from tagsight.runtime.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from tagsight.checkpoint.folder import LoadedModel
    from tagsight.data.annotations import Annotations
    from tagsight.inference.agreement import Agreement, OnProblem
    from tagsight.inference.networks.base import Network
    from tagsight.runtime.progress import WorkLog

CALIBRATED = 256
"""Most training photos that the range of each layer's activations is estimated on."""


class Quantized(NamedTuple):
    """Outcome of an 8-bit export.

    Attributes:
        agreement: Agreement of the file with the model.
        before: mAP of the float32 graph, in percent.
        after: mAP of the 8-bit file, in percent.
        photos: Number of photos that both were measured on.
    """

    agreement: Agreement
    before: float
    after: float
    photos: int


def export_quantized(
    model: LoadedModel,
    file: Path | str,
    photos: Iterable[Path | str],
    *,
    calibration: Sequence[Path],
    validation: Annotations,
    max_map_drop: float,
    on_problem: OnProblem | None = None,
    log: WorkLog = SILENT,
) -> Quantized:
    """Export a model whose convolutions compute in 8 bits, unless its mAP drops too far.

    Everything but convolutions stays in float32, so that the mean of a map still is the logit.

    Args:
        model: The model, on the CPU.
        file: As in `tagsight.inference.exporting.export_model`.
        photos: Photos to compare the file with the model on.
        calibration: Training photos that the ranges of activations are estimated on.
        validation: Labelled photos that mAP is measured on.
        max_map_drop: Allowed drop of mAP, in percentage points.
        on_problem: Called with each of ``photos`` that cannot be read and the reason.
        log: Receives the progress of the comparison.

    Raises:
        DataError: If the model cannot be exported, or mAP drops by more.

    Example:
        >>> import tagsight as ts
        >>> from tagsight.checkpoint.folder import load_model
        >>> rows = ts.read_annotations("labels.csv")
        >>> outcome = export_quantized(
        ...     load_model(Path("runs/tiny/model")),
        ...     "runs/eight_bits.onnx",
        ...     ["photos/dog.jpg"],
        ...     calibration=rows.rows("train").paths,
        ...     validation=rows.rows("val"),
        ...     max_map_drop=100.0,
        ... )
        >>> outcome.photos, outcome.before - outcome.after <= 100.0
        (4, True)
    """
    file = checked_suffix(file)
    with written_onnx(model) as graph:
        reference = open_network(graph)
        quantized = graph.with_name("quantized.onnx")
        quantize(graph, quantized, _pixels(reference, calibration))
        with delivering(quantized, file) as written:
            network = open_network(written)
            before, after = (_map(each, validation) for each in (reference, network))
            if before - after > max_map_drop:
                msg = (
                    f"expected an mAP at most {max_map_drop:g} below {before:.2f}, that in "
                    f"float32, got {after:.2f}, so the file is not written; raise "
                    "`max_map_drop`, or export without `int8`"
                )
                raise DataError(msg)
            agreement = compare(model, network, map(Path, photos), on_problem=on_problem, log=log)
    return Quantized(agreement, before, after, len(validation))


def _pixels(network: Network, photos: Sequence[Path]) -> Iterator[NDArray[np.uint8]]:
    recognizer = Recognizer(network)
    chosen = np.random.default_rng(0).permutation(len(photos))[:CALIBRATED]
    return (recognizer.pixels(photos[place])[None] for place in chosen)


def quantize(graph: Path, quantized: Path, pixels: Iterator[NDArray[np.uint8]]) -> None:
    """Quantise all convolutions of a graph to 8 bits but the first, whose input is pixels.

    Args:
        graph: ONNX file in float32.
        quantized: The file to write.
        pixels: Photos ``(1, S, S, 3)`` uint8 that the ranges of activations are estimated on.

    Example:
        >>> graph, quantized = Path("runs/tiny/model.onnx"), Path("runs/quantized.onnx")
        >>> quantize(graph, quantized, iter(np.full((2, 1, 32, 32, 3), 128, np.uint8)))
        >>> quantized.stat().st_size < graph.stat().st_size
        True
    """
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
            photo = next(pixels, None)
            return None if photo is None else {PHOTOS: photo}

    quant_pre_process(graph, quantized, skip_symbolic_shape=True)
    first = next(node.name for node in onnx.load(quantized).graph.node if node.op_type == "Conv")
    quantize_static(
        quantized,
        quantized,
        Reader(),
        op_types_to_quantize=["Conv"],
        nodes_to_exclude=[first],
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        # The extremes of many photos would leave few of the 256 steps for common values.
        extra_options={"CalibMovingAverage": True},
    )
    # ONNX Runtime imports operator sets that the graph does not use; `check_onnx` refuses them.
    model = onnx.load(quantized)
    used = {node.domain for node in model.graph.node}
    for known in [one for one in model.opset_import if one.domain not in used]:
        model.opset_import.remove(known)
    onnx.save(model, quantized)
    seal(quantized)


def _map(network: Network, rows: Annotations) -> float:
    logits = [result.logits for result in Recognizer(network).recognize(rows.paths)]
    ap = average_precision(torch.from_numpy(np.stack(logits)), rows.targets)
    return 100 * mean_over_labels(ap)[0]
