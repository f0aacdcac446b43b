"""Check the structure of an OpenVINO file before OpenVINO opens it.

As with ONNX, a graph is a program. Graphs that we export run each operation once, and all weights
are in the ``.bin`` file beside the description.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any
from xml.parsers import expat

from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

LARGEST_FILE = 2**28
"""Most bytes of a description, including that of the model."""

LARGEST_WEIGHTS = 2**40
MOST_ELEMENTS = 1_000_000
DEEPEST = 12
MOST_AXES = 16

_OPERATIONS = """
Abs Acos Acosh AdaptiveAvgPool AdaptiveMaxPool Add Asin Asinh Atan Atanh AvgPool
BatchNormInference Broadcast Ceiling Clamp Concat Const Convert ConvertLike Convolution
ConvolutionBackpropData Cos Cosh CumSum DepthToSpace Divide Einsum Elu Equal Erf Exp Eye
FakeConvert FakeQuantize Floor FloorMod GRUSequence Gather GatherElements GatherND Gelu Greater
GreaterEqual GridSample GroupConvolution GroupConvolutionBackpropData GroupNormalization HSigmoid
HSwish HardSigmoid Interpolate IsFinite IsInf IsNaN LRN LSTMSequence Less LessEqual Log LogSoftmax
LogicalAnd LogicalNot LogicalOr LogicalXor MVN MatMul MaxPool Maximum Minimum Mish Mod Multiply
Negative NonZero NormalizeL2 NotEqual OneHot PRelu Pad Parameter Power RNNSequence ROIAlign Range
ReLU ReduceL1 ReduceL2 ReduceLogicalAnd ReduceLogicalOr ReduceMax ReduceMean ReduceMin ReduceProd
ReduceSum Reshape Result Reverse Roll Round ScatterElementsUpdate ScatterNDUpdate ScatterUpdate
Select Selu ShapeOf ShuffleChannels Sigmoid Sign Sin Sinh Slice SoftMax SoftPlus SoftSign
SpaceToDepth Split Sqrt SquaredDifference Squeeze StridedSlice Subtract Swish Tan Tanh Tile TopK
Transpose Unsqueeze VariadicSplit
"""
OPERATIONS = frozenset(_OPERATIONS.split())
"""Operations of OpenVINO from tensors to tensors, without those that contain graphs."""

BITS = {
    **dict.fromkeys(("f64", "i64", "u64"), 64),
    **dict.fromkeys(("f32", "i32", "u32"), 32),
    **dict.fromkeys(("f16", "bf16", "i16", "u16"), 16),
    **dict.fromkeys(("i8", "u8", "boolean"), 8),
}
"""Bits of an element, by OpenVINO's name of the data type."""

_ELEMENTS = frozenset(
    {
        *("net", "layers", "layer", "data", "input", "output", "port", "dim", "edges", "edge"),
        *("rt_info", "attribute"),
    }
)


def check_openvino(file: Path, weights: Path) -> None:
    """Check that a file describes a graph of the kind that we export, and that it has weights.

    Args:
        file: The description.
        weights: The file of weights beside it.

    Raises:
        DataError: If the description is malformed or holds something else, or the weights are
            missing, not a file, or too short.

    Example:
        >>> from pathlib import Path
        >>> _ = Path("model.xml").write_text('<net><layers><layer type="Script"/></layers></net>')
        >>> try:
        ...     check_openvino(Path("model.xml"), Path("model.bin"))
        ... except DataError as error:
        ...     print(error)
        expected a file exported by tagsight, got model.xml, which has the operation ::'Script'
    """
    if not 0 < (size := file.stat().st_size) <= LARGEST_FILE:
        msg = f"expected 1 to {LARGEST_FILE:,} bytes in {file}, got {size:,}"
        raise DataError(msg)
    there = weights.is_file()
    check = _Check(weights.stat().st_size if there else LARGEST_WEIGHTS)
    # A fixed encoding: what is checked here must be what OpenVINO reads.
    parser = expat.ParserCreate("utf-8")
    parser.StartElementHandler = check.start
    parser.EndElementHandler = check.end
    parser.XmlDeclHandler = check.declaration
    parser.StartDoctypeDeclHandler = check.refuse_doctype
    parser.ProcessingInstructionHandler = check.refuse_instruction
    parser.StartCdataSectionHandler = check.refuse_section
    try:
        with file.open("rb") as opened:
            parser.ParseFile(opened)
    except (DataError, expat.ExpatError) as error:
        msg = f"expected a file exported by tagsight, got {file}, which has {error}"
        raise DataError(msg) from error
    if not there:
        msg = f"expected the weights of {file} beside it, got no file {weights}"
        raise DataError(msg)


def peak_bytes(model: Any, shape: tuple[int, int, int, int]) -> int:  # noqa: ANN401 - imported late
    """Compute the peak memory of the values of a graph, from the shapes that OpenVINO infers.

    Args:
        model: A model that OpenVINO has read but not compiled; it is left unchanged.
        shape: Shape of the photos.

    Raises:
        RuntimeError: If the graph does not take such photos, or has shapes that depend on them.

    Example:
        >>> import openvino as ov
        >>> model = ov.Core().read_model("runs/tiny/model.xml")
        >>> peak_bytes(model, (2, 32, 32, 3)) > peak_bytes(model, (1, 32, 32, 3)) > 32 * 32 * 3
        True
    """
    import openvino as ov

    before = model.inputs[0].get_partial_shape()
    model.reshape(ov.PartialShape(list(shape)))
    operations = model.get_ordered_ops()
    last = {
        value.get_node().get_instance_id(): place
        for place, operation in enumerate(operations)
        for value in operation.input_values()
    }
    ends: dict[int, int] = {}
    held = most = 0
    for place, operation in enumerate(operations):
        made = sum(_bytes(output) for output in operation.outputs())
        held += made
        most = max(most, held)
        end = last.get(operation.get_instance_id(), place)
        ends[end] = ends.get(end, 0) + made
        held -= ends.pop(place, 0)
    model.reshape(before)
    return most


def _bytes(output: Any) -> int:  # noqa: ANN401 - imported late
    size: int = output.get_element_type().size
    return math.prod(int(axis) for axis in output.get_shape()) * size


class _Check:
    """Check of one file, element by element."""

    def __init__(self, weights: int) -> None:
        self._weights = weights
        self._elements = 0
        self._path: list[str] = []
        self._layer = ""

    def declaration(self, _version: str, encoding: str | None, _standalone: int) -> None:
        if encoding is not None and encoding.lower() != "utf-8":
            self._refuse(f"the encoding {encoding[:40]!r}")

    def refuse_doctype(self, *_: object) -> None:
        self._refuse("a document type")

    def refuse_instruction(self, *_: object) -> None:
        self._refuse("an instruction to the reader")

    def refuse_section(self) -> None:
        self._refuse("text that is no markup")

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        self._elements += 1 + len(attributes)
        if self._elements > MOST_ELEMENTS:
            self._refuse(f"more than {MOST_ELEMENTS:,} elements and attributes")
        if len(self._path) >= DEEPEST:
            self._refuse(f"more than {DEEPEST} elements within one another")
        if name not in _ELEMENTS and "rt_info" not in self._path:
            self._refuse(f"the element {name[:80]!r}")
        self._path.append(name)
        if name == "layer":
            self._start_layer(attributes)
        elif name == "data" and self._layer == "Const":
            self._check_place(attributes)

    def end(self, _name: str) -> None:
        self._path.pop()

    def _start_layer(self, attributes: Mapping[str, str]) -> None:
        self._layer = attributes.get("type", "")
        version = attributes.get("version", "")
        if self._path != ["net", "layers", "layer"]:
            self._refuse("a graph within a graph")
        if self._layer not in OPERATIONS or not version.startswith("opset"):
            self._refuse(f"the operation {version}::{self._layer[:80]!r:.90}")

    def _check_place(self, attributes: Mapping[str, str]) -> None:
        """Check that a constant has the size of its shape and lies within the weights."""
        bits = BITS.get(attributes.get("element_type", ""), 0)
        numbers = [attributes.get("offset", ""), attributes.get("size", "")]
        axes = [axis.strip() for axis in attributes.get("shape", "").split(",") if axis.strip()]
        sound = all(n.isascii() and n.isdigit() and len(n) < 20 for n in (*numbers, *axes))
        if not bits or not sound or len(axes) > MOST_AXES:
            self._refuse(f"a constant {dict(attributes)!r:.200}")
        offset, size = map(int, numbers)
        if math.prod(map(int, axes)) * bits != 8 * size or offset + size > self._weights:
            self._refuse(
                f"a constant of {size:,} bytes at {offset:,} of {self._weights:,}, and of the "
                f"shape {axes!r:.80}"
            )

    def _refuse(self, what: str) -> None:
        raise DataError(what)
