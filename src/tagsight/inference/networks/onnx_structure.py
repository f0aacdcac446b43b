"""Check the structure of an ONNX file before a runtime opens it.

A graph is a program. Graphs that we export run each node once and hold all weights: there are no
loops, branches, functions, custom operators or external files. The check reads the protocol
buffers itself, field by field in place, so that it needs neither the ``onnx`` package nor the
memory and time to load the weights.
"""

from __future__ import annotations

import math
import mmap
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tagsight.errors import DataError
from tagsight.inference.networks.exported import LARGEST_DESCRIPTION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

LARGEST_FILE = 2**31
"""Bytes, the limit of protocol buffers."""

MOST_NODES = 50_000
MOST_AXES = 16

MOST_FIELDS = 1_000_000
"""Most fields of a file; a network of a thousand layers has about 50,000."""

_OPERATORS = """
Abs Acos Add And ArgMax ArgMin Asin Atan AveragePool BatchNormalization Cast CastLike Ceil Celu
Clip Concat Constant ConstantOfShape Conv ConvInteger ConvTranspose Cos CumSum DepthToSpace
DequantizeLinear Div DynamicQuantizeLinear Einsum Elu Equal Erf Exp Expand EyeLike Flatten Floor
GRU Gather GatherElements GatherND Gelu Gemm GlobalAveragePool GlobalMaxPool Greater
GreaterOrEqual GridSample GroupNormalization HardSigmoid HardSwish Identity InstanceNormalization
IsInf IsNaN LRN LSTM LayerNormalization LeakyRelu Less LessOrEqual Log LogSoftmax LpNormalization
LpPool MatMul MatMulInteger Max MaxPool Mean MeanVarianceNormalization Min Mish Mod Mul Neg
NonZero Not OneHot Or PRelu Pad Pow QLinearConv QLinearMatMul QuantizeLinear RMSNormalization RNN
Range Reciprocal ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin
ReduceProd ReduceSum ReduceSumSquare Relu Reshape Resize Round ScatterElements ScatterND Selu
Shape Sigmoid Sign Sin Size Slice Softmax Softplus Softsign SpaceToDepth Split Sqrt Squeeze Sub
Sum Swish Tan Tanh ThresholdedRelu Tile TopK Transpose Trilu Unsqueeze Where Xor
"""
OPERATORS = frozenset(_OPERATORS.split())
"""Operators of ONNX from tensors to tensors, without those that contain graphs."""

OWN_DOMAINS = frozenset({b"", b"ai.onnx"})

ITEM_SIZES = {1: 4, 2: 1, 3: 1, 4: 2, 5: 2, 6: 4, 7: 8, 9: 1, 10: 2, 11: 8, 12: 4, 13: 8, 16: 2}
"""Bytes of an element, by ONNX's number of the data type: numbers and Booleans."""


_VARINT, _LONG, _BYTES, _SHORT = 0, 1, 2, 5
_FIXED = {_LONG: 8, _SHORT: 4}


class _Field(NamedTuple):
    """A field of a message.

    Attributes:
        number: Number of the field in the message.
        value: Value of a varint; -1 for other types.
        content: Bytes of text, a message, or a number of fixed length; empty for a varint.
    """

    number: int
    value: int
    content: memoryview


class Reader:
    r"""Reads messages of one file, up to `MOST_FIELDS` fields in all.

    Example:
        >>> message = memoryview(b"\x08\x07\x12\x03dog")  # field 1: 7; field 2: "dog"
        >>> [(one.number, one.value, bytes(one.content)) for one in Reader().fields(message)]
        [(1, 7, b''), (2, -1, b'dog')]
    """

    def __init__(self) -> None:
        self._left = MOST_FIELDS

    def fields(self, message: memoryview) -> Iterator[_Field]:
        """Yield the fields of a message, in order.

        Raises:
            DataError: If it is malformed, or the file has more than `MOST_FIELDS`.
        """
        place, nothing = 0, message[:0]
        while place < len(message):
            self._left -= 1
            if self._left < 0:
                msg = f"more than {MOST_FIELDS:,} fields"
                raise DataError(msg)
            key, place = _varint(message, place)
            number, kind = key >> 3, key & 7
            if not 0 < number < 2**29:
                msg = f"a field of the number {number}"
                raise DataError(msg)
            if kind == _VARINT:
                value, place = _varint(message, place)
                yield _Field(number, value, nothing)
                continue
            size = _FIXED.get(kind, -1)
            if kind == _BYTES:
                size, place = _varint(message, place)
            if not 0 <= size <= len(message) - place:
                msg = "a field that is cut short"
                raise DataError(msg)
            yield _Field(number, -1, message[place : place + size])
            place += size


def varints(content: memoryview) -> list[int]:
    r"""Read the unsigned varints packed into one field.

    Raises:
        DataError: If the last one is cut short.

    Example:
        >>> varints(memoryview(b"\x00\x7f\x80\x01"))
        [0, 127, 128]
    """
    found: list[int] = []
    place = 0
    while place < len(content):
        value, place = _varint(content, place)
        found.append(value)
    return found


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if place >= len(message):
            break
        byte = message[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, place
    msg = "a field that is cut short"
    raise DataError(msg)


class _Kind(NamedTuple):
    """Fields that a message may have.

    Attributes:
        harmless: Fields that need no check.
        read: Fields that are messages, and the methods that check them.
        once: Fields that may not be repeated, since a parser would merge the two.
    """

    harmless: frozenset[int]
    read: Mapping[int, Callable[[_Check, memoryview], None]]
    once: frozenset[int] = frozenset()


def check_onnx(file: Path) -> None:
    """Check that a file holds a whole graph of the kind that we export, and nothing else.

    Raises:
        DataError: If the file is malformed or holds something else, which the message names.

    Example:
        >>> from pathlib import Path
        >>> _ = Path("model.onnx").write_bytes(b"no graph")
        >>> try:
        ...     check_onnx(Path("model.onnx"))
        ... except DataError as error:
        ...     print(error)
        expected a file exported by tagsight, got model.onnx, which has a field that is cut short
    """
    size = file.stat().st_size
    if not 0 < size <= LARGEST_FILE:
        msg = f"expected 1 to {LARGEST_FILE:,} bytes in {file}, got {size:,}"
        raise DataError(msg)
    with file.open("rb") as opened:
        mapped = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
    try:
        _Check().model(memoryview(mapped))
    except DataError as error:
        msg = f"expected a file exported by tagsight, got {file}, which has {error}"
        raise DataError(msg) from error


class _Check:
    """Check of one file, with a method for each kind of message."""

    def __init__(self) -> None:
        self._reader = Reader()
        self._nodes = 0

    def model(self, content: memoryview) -> None:
        for _ in self._fields("model", content):
            pass

    def graph(self, content: memoryview) -> None:
        for _ in self._fields("graph", content):
            pass

    def opset(self, content: memoryview) -> None:
        for field in self._fields("set of operators", content):
            if field.number == 1 and bytes(field.content[:80]) not in OWN_DOMAINS:
                msg = f"operators of {bytes(field.content[:80])!r}"
                raise DataError(msg)

    def note(self, content: memoryview) -> None:
        # JSON may escape a character in six bytes.
        if len(content) > 6 * LARGEST_DESCRIPTION:
            msg = f"a description of {len(content):,} bytes"
            raise DataError(msg)

    def node(self, content: memoryview) -> None:
        self._nodes += 1
        if self._nodes > MOST_NODES:
            msg = f"more than {MOST_NODES:,} nodes"
            raise DataError(msg)
        domain, operator = b"", b""
        for field in self._fields("node", content):
            if field.number == _OPERATOR:
                operator = bytes(field.content[:80])
            elif field.number == _DOMAIN:
                domain = bytes(field.content[:80])
        if domain not in OWN_DOMAINS or operator.decode("latin-1") not in OPERATORS:
            name = b"::".join(filter(None, (domain, operator))).decode("latin-1")
            msg = f"the operator {name!r}"
            raise DataError(msg)

    def attribute(self, content: memoryview) -> None:
        for _ in self._fields("attribute", content):
            pass

    def tensor(self, content: memoryview) -> None:
        kind, sizes, found, raw = 0, list[int](), 0, -1
        for field in self._fields("tensor", content):
            if field.number == _DIMENSIONS:
                sizes += [field.value] if field.value >= 0 else _dimensions(field.content)
            elif field.number == _TYPE:
                kind = field.value
            elif field.number == _RAW:
                raw = len(field.content)
            elif field.number == _PLACE and field.value:
                msg = "a tensor that is in another file"
                raise DataError(msg)
            else:
                found += _elements(field)
        shape = str(sizes)[:80]
        if kind not in ITEM_SIZES or len(sizes) > MOST_AXES or max(sizes, default=0) >= 2**63:
            msg = f"a tensor of the type {kind} and the shape {shape}"
            raise DataError(msg)
        count = math.prod(sizes)
        if raw != count * ITEM_SIZES[kind] if raw >= 0 and not found else found != count:
            msg = f"a tensor of the shape {shape} with more or fewer elements than that"
            raise DataError(msg)

    def _fields(self, name: str, content: memoryview) -> Iterator[_Field]:
        """Yield the fields of a message after checking them and the messages in them."""
        kind, seen = _KINDS[name], set[int]()
        for field in self._reader.fields(content):
            number = field.number
            if number not in kind.harmless and number not in kind.read:
                raise DataError(_NAMES.get((name, number), f"a {name} with the field {number}"))
            if number in kind.once and number in seen:
                msg = f"a {name} that says twice what may be said once"
                raise DataError(msg)
            seen.add(number)
            if number in kind.read:
                kind.read[number](self, field.content)
            yield field


def _dimensions(content: memoryview) -> list[int]:
    return varints(content) if len(content) <= 10 * MOST_AXES else [0] * (MOST_AXES + 1)


def _elements(field: _Field) -> int:
    """Count the elements in a field of a tensor without decoding them."""
    if field.number in _FIXED_NUMBERS:
        return len(field.content) // _FIXED_NUMBERS[field.number]
    if field.number in _WHOLE_NUMBERS:
        ends = np.frombuffer(field.content, np.uint8) < 0x80
        return 1 if field.value >= 0 else int(ends.sum())
    return 0


_OPERATOR, _DOMAIN = 4, 7
_DIMENSIONS, _TYPE, _RAW, _PLACE = 1, 2, 9, 14
_FIXED_NUMBERS = {4: 4, 10: 8}
_WHOLE_NUMBERS = frozenset({5, 7, 11})

_KINDS: dict[str, _Kind] = {
    "model": _Kind(
        frozenset({1, 2, 3, 4, 5, 6}),
        {7: _Check.graph, 8: _Check.opset, 14: _Check.note},
        once=frozenset({7}),
    ),
    "set of operators": _Kind(frozenset({1, 2}), {}, once=frozenset({1, 2})),
    "graph": _Kind(frozenset({2, 10, 11, 12, 13, 14, 16}), {1: _Check.node, 5: _Check.tensor}),
    "node": _Kind(frozenset({1, 2, 3, 4, 6, 7, 9}), {5: _Check.attribute}, frozenset({4, 7})),
    "attribute": _Kind(
        frozenset({1, 2, 3, 4, 7, 8, 9, 13, 20}),
        {5: _Check.tensor, 10: _Check.tensor},
        once=frozenset({5}),
    ),
    "tensor": _Kind(
        frozenset({1, 2, 4, 5, 7, 8, 9, 10, 11, 12, 14, 16}), {}, once=frozenset({2, 9})
    ),
}

_NAMES = {
    ("model", 20): "a training within",
    ("model", 25): "functions",
    ("graph", 15): "sparse tensors",
    ("attribute", 6): "a graph within, such as a loop or a branch",
    ("attribute", 11): "graphs within, such as a branch",
    ("attribute", 22): "a sparse tensor",
    ("attribute", 23): "sparse tensors",
    ("tensor", 3): "a tensor in parts",
    ("tensor", 6): "a tensor of text",
    ("tensor", 13): "a tensor that is in another file",
}
