"""A graph in whole numbers of 8 bits, and what that costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from tagsight.errors import DataError
from tagsight.inference.agreement import compare
from tagsight.inference.exporting import delivering, written_onnx
from tagsight.inference.networks import open_network
from tagsight.inference.networks.exported import PHOTOS
from tagsight.inference.networks.seal import seal
from tagsight.inference.recognizer import Recognizer
from tagsight.metrics.classification import average_precision, mean_average_precision

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from tagsight.checkpoint.folder import LoadedModel
    from tagsight.data.annotations import Annotations
    from tagsight.inference.agreement import Agreement, OnProblem
    from tagsight.inference.networks.base import Network

CALIBRATED = 256
"""Training photos that the range of each layer's values is taken from, at most."""


class Quantized(NamedTuple):
    """What an export in 8 bits has come to.

    Attributes:
        agreement: Of the file and the model.
        before: mAP of the graph in float32, in percent.
        after: mAP of the file.
        photos: That both were measured on.
    """

    agreement: Agreement
    before: float
    after: float
    photos: int


def export_quantized(
    model: LoadedModel,
    file: Path,
    photos: Iterable[Path],
    *,
    calibration: Sequence[Path],
    validation: Annotations,
    most: float,
    on_problem: OnProblem | None = None,
) -> Quantized:
    """Write a model whose convolutions compute in 8 bits, unless it loses too much by it.

    Everything but convolutions stays in float32: a map still averages to its logit where it did.

    Args:
        model: On the CPU.
        file: As in `tagsight.inference.exporting.export_model`.
        photos: What file and model are compared on.
        calibration: Training photos, to learn the ranges of values from.
        validation: Labelled photos that mAP is measured on.
        most: Allowed drop of mAP, in points of percent.
        on_problem: Called with one of ``photos`` that cannot be read, and why.

    Raises:
        DataError: If the model cannot be exported, or the drop is larger.
    """
    with written_onnx(model) as graph:
        reference = open_network(graph)
        quantized = graph.with_name("quantized.onnx")
        quantize(graph, quantized, _pixels(reference, calibration))
        with delivering(quantized, file) as written:
            network = open_network(written)
            before, after = (_map(each, validation) for each in (reference, network))
            if before - after > most:
                msg = (
                    f"expected an mAP at most {most:g} below that in float32, {before:.2f}, got "
                    f"{after:.2f}: the file is not written; allow more with --max-map-drop, or "
                    "export without --int8"
                )
                raise DataError(msg)
            agreement = compare(model, network, photos, on_problem=on_problem)
    return Quantized(agreement, before, after, len(validation))


def _pixels(network: Network, photos: Sequence[Path]) -> Iterator[NDArray[np.uint8]]:
    recognizer = Recognizer(network)
    chosen = np.random.default_rng(0).permutation(len(photos))[:CALIBRATED]
    return (recognizer.pixels(photos[place])[None] for place in chosen)


def quantize(graph: Path, quantized: Path, pixels: Iterator[NDArray[np.uint8]]) -> None:
    """Write a graph whose convolutions compute in 8 bits, but for the first, which sees pixels.

    Args:
        graph: In ONNX, in float32.
        quantized: The file to write.
        pixels: Photos ``(1, S, S, 3)`` uint8, to learn the ranges of values from.
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
        # The widest range of many photos would leave few steps for what is usual.
        extra_options={"CalibMovingAverage": True},
    )
    # ONNX Runtime names its own operators and others as possible, used or not.
    model = onnx.load(quantized)
    used = {node.domain for node in model.graph.node}
    for known in [one for one in model.opset_import if one.domain not in used]:
        model.opset_import.remove(known)
    onnx.save(model, quantized)
    seal(quantized)


def _map(network: Network, rows: Annotations) -> float:
    logits = [result.logits for result in Recognizer(network).recognize(rows.paths)]
    ap = average_precision(torch.from_numpy(np.stack(logits)), rows.targets)
    return 100 * mean_average_precision(ap)[0]
