"""Exported files that an attacker would send: sound ones with one thing changed, and sealed."""

from __future__ import annotations

import json
import re
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from tagsight.inference.networks.openvino_file import weights_file
from tagsight.inference.networks.seal import seal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BIG = 2_000_000
"""Side of a square of floats that is larger than any machine's memory."""


def add_node(model: onnx.ModelProto, kind: str, inputs: list[str], **settings: Any) -> str:
    """Add a node at the end; what it gives is named after its kind."""
    name = f"hostile_{kind}_{len(model.graph.node)}"
    model.graph.node.append(helper.make_node(kind, inputs, [name], **settings))
    return name


def add_constant(model: onnx.ModelProto, values: object, kind: str = "int64") -> str:
    name = f"hostile_{len(model.graph.initializer)}"
    tensor = onnx.numpy_helper.from_array(np.array(values, kind), name)
    model.graph.initializer.append(tensor)
    return name


def with_zeros_of(model: onnx.ModelProto, huge: str) -> None:
    """Let what the graph answers depend on a tensor, so that no runtime leaves it out."""
    (last,) = [node for node in model.graph.node if "logits" in node.output]
    last.output[list(last.output).index("logits")] = "hostile_logits"
    total = add_node(model, "ReduceMax", [huge], keepdims=0)
    nothing = add_node(model, "Mul", [total, add_constant(model, 0, "float32")])
    model.graph.node.append(helper.make_node("Add", ["hostile_logits", nothing], ["logits"]))


def _expand(model: onnx.ModelProto) -> None:
    ones = add_constant(model, [1], "float32")
    with_zeros_of(model, add_node(model, "Expand", [ones, add_constant(model, [BIG, BIG])]))


def _outer_sum(model: onnx.ModelProto) -> None:
    row = add_node(model, "Range", [add_constant(model, x) for x in (0, BIG, 1)])
    floats = add_node(model, "Cast", [row], to=TensorProto.FLOAT)
    column = add_node(model, "Unsqueeze", [floats, add_constant(model, [1])])
    with_zeros_of(model, add_node(model, "Add", [floats, column]))


def _fill(model: onnx.ModelProto) -> None:
    size = add_constant(model, [BIG, BIG])
    with_zeros_of(model, add_node(model, "ConstantOfShape", [size]))


def _tile(model: onnx.ModelProto) -> None:
    ones = add_constant(model, [[1.0]], "float32")
    with_zeros_of(model, add_node(model, "Tile", [ones, add_constant(model, [BIG, BIG])]))


def _body(inputs: list[onnx.ValueInfoProto], name: str) -> onnx.GraphProto:
    outputs = [
        helper.make_tensor_value_info("again", TensorProto.BOOL, []),
        helper.make_tensor_value_info("state_out", TensorProto.FLOAT, None),
    ]
    nodes = [
        helper.make_node("Identity", ["go_on"], ["again"]),
        helper.make_node("Identity", ["state"], ["state_out"]),
    ]
    return helper.make_graph(nodes, name, inputs, outputs)


def _loop(model: onnx.ModelProto) -> None:
    inputs = [
        helper.make_tensor_value_info("number", TensorProto.INT64, []),
        helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
        helper.make_tensor_value_info("state", TensorProto.FLOAT, None),
    ]
    most, go_on = add_constant(model, 2**62), add_constant(model, values=True, kind="bool")
    state = add_constant(model, [1], "float32")
    with_zeros_of(
        model, add_node(model, "Loop", [most, go_on, state], body=_body(inputs, "for ever"))
    )


def _branch(model: onnx.ModelProto) -> None:
    value = helper.make_node("Constant", [], ["x"], value_float=1.0)
    output = helper.make_tensor_value_info("x", TensorProto.FLOAT, [])
    body = helper.make_graph([value], "branch", [], [output])
    go_on = add_constant(model, values=True, kind="bool")
    with_zeros_of(model, add_node(model, "If", [go_on], then_branch=body, else_branch=body))


def _function(model: onnx.ModelProto) -> None:
    node = helper.make_node("Identity", ["x"], ["y"])
    opset = [helper.make_opsetid("", 20)]
    model.functions.append(helper.make_function("mine", "twice", ["x"], ["y"], [node], opset))


def _own_domain(model: onnx.ModelProto) -> None:
    model.opset_import.append(helper.make_opsetid("evil.example", 1))
    model.graph.node[0].domain = "evil.example"


def _external(place: str) -> Callable[[onnx.ModelProto], None]:
    def change(model: onnx.ModelProto) -> None:
        tensor = model.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        entry = tensor.external_data.add()
        entry.key, entry.value = "location", place

    return change


def _dimensions(*sizes: int) -> Callable[[onnx.ModelProto], None]:
    def change(model: onnx.ModelProto) -> None:
        tensor = model.graph.initializer[0]
        del tensor.dims[:]
        tensor.dims.extend(sizes)

    return change


def _tensor_kind(kind: int) -> Callable[[onnx.ModelProto], None]:
    def change(model: onnx.ModelProto) -> None:
        model.graph.initializer[0].data_type = kind

    return change


def _cycle(model: onnx.ModelProto) -> None:
    node = next(node for node in model.graph.node if node.op_type == "Relu")
    node.input[0] = node.output[0]


def _nodes(model: onnx.ModelProto) -> None:
    for number in range(60_000):
        model.graph.node.append(helper.make_node("Abs", ["photos"], [f"n{number}"]))


HOSTILE_GRAPHS: dict[str, tuple[Callable[[onnx.ModelProto], None], str]] = {
    "data outside": (_external("../../etc/passwd"), "a tensor that is in another file"),
    "data of the system": (_external("/etc/passwd"), "a tensor that is in another file"),
    "data beside": (_external("beside.bin"), "a tensor that is in another file"),
    "a loop for ever": (_loop, "a graph within, such as a loop or a branch"),
    "a branch": (_branch, "a graph within, such as a loop or a branch"),
    "a function": (_function, "functions"),
    "operators of a library": (_own_domain, "the operator 'evil.example::|operators of b'evil"),
    "10 GB declared": (_dimensions(50_000, 50_000), "with more or fewer elements"),
    "a negative size": (_dimensions(-1), "a tensor of the type"),
    "sizes that overflow": (_dimensions(2**32, 2**32), "with more or fewer elements"),
    "a tensor of text": (_tensor_kind(TensorProto.STRING), "a tensor of the type 8"),
    "a tensor of no type": (_tensor_kind(99), "a tensor of the type 99"),
    "60,000 nodes": (_nodes, "more than 50,000 nodes"),
    "a cycle": (_cycle, "expected a file exported by tagsight, got"),
    "expanded to 16 TB": (_expand, "Available memory|to run on photos"),
    "a sum of 16 TB": (_outer_sum, "Available memory|to run on photos"),
    "16 TB of one number": (_fill, "Available memory|to run on photos"),
    "tiled to 16 TB": (_tile, "Available memory|to run on photos"),
}
"""What is done to a sound graph, and what is said of it."""


def _label(name: str) -> Callable[[dict[str, Any]], None]:
    def change(said: dict[str, Any]) -> None:
        thresholds = said["decision"]["thresholds"]
        thresholds[name] = thresholds.pop(said["labels"][0], 0.5)
        said["labels"][0] = name

    return change


def _set(path: str, value: object) -> Callable[[dict[str, Any]], None]:
    def change(said: dict[str, Any]) -> None:
        *parents, last = path.split(".")
        for parent in parents:
            said = said[parent]
        said[last] = value

    return change


def _another_label(said: dict[str, Any]) -> None:
    said["labels"].append("one more")
    said["decision"]["thresholds"]["one more"] = 0.5


def _many_labels(said: dict[str, Any]) -> None:
    said["labels"] = [f"label {number}" for number in range(300_000)]


def _nested(said: dict[str, Any]) -> None:
    deep: list[Any] = []
    for _ in range(900):
        deep = [deep]
    said["facts"] = {"deep": deep}


HOSTILE_DESCRIPTIONS: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "a label of control characters": (_label("cat\x1b[2J"), "control characters"),
    "a label with an odd half": (_label("\\ud800"), "surrogate|control characters|Invalid JSON"),
    "an empty label": (_label(""), "labels"),
    "a label twice": (_label("green"), "labels|threshold"),
    "300,000 labels": (_many_labels, "threshold"),
    "a label too many": (_another_label, "expected probabilities of 6 labels"),
    "a threshold of 2": (_set("decision.thresholds.red", 2), r"thresholds in \[0, 1\]"),
    "a threshold that is no number": (_set("decision.thresholds.red", "NaN"), "are numbers"),
    "a temperature of 0": (_set("decision.temperature", 0), "temperature above 0"),
    "an image of 10 million pixels a side": (_set("image_size", 10**7), "image_size"),
    "an image of no size": (_set("image_size", 0), "image_size"),
    "an embedding of another length": (_set("embedding_size", 3), "features of length 3"),
    "a link to nowhere": (
        _set("links", [{"source": 0, "target": 99, "weight": 0.5}]),
        "links",
    ),
    "facts in 900 lists": (_nested, "recursion|depth"),
}
"""What is done to what a sound file says of itself, and what is said of that."""


def changed_graph(sound: Path, place: Path, change: Callable[[onnx.ModelProto], None]) -> Path:
    """Write an ONNX file whose graph is changed."""
    model = onnx.load(sound)
    change(model)
    place.write_bytes(model.SerializeToString())
    seal(place)
    return place


def changed_description(sound: Path, place: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """Write an ONNX file that says something else of itself."""
    model = onnx.load(sound)
    (entry,) = [one for one in model.metadata_props if one.key == "tagsight"]
    said = json.loads(entry.value)
    change(said)
    # An escape that stands for half a character is not JSON's to refuse.
    entry.value = json.dumps(said, ensure_ascii=False).replace("\\\\ud800", "\\ud800")
    place.write_bytes(model.SerializeToString())
    seal(place)
    return place


_BOMB = b'<!DOCTYPE n [<!ENTITY a "' + b"x" * 1000 + b'"><!ENTITY b "' + b"&a;" * 1000 + b'">]>'

HOSTILE_XML: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "entities": (lambda xml: xml.replace(b"<net", _BOMB + b"<net", 1), "a document type"),
    "another encoding": (
        lambda xml: xml.replace(b'"1.0"', b'"1.0" encoding="utf-16"', 1),
        "encoding|not well-formed",
    ),
    "a loop": (lambda xml: xml.replace(b'type="ReLU"', b'type="Loop"'), "the operation"),
    "an operation of a library": (
        lambda xml: xml.replace(b'version="opset1"', b'version="extension"'),
        "the operation",
    ),
    "a graph within": (
        lambda xml: xml.replace(
            b"<input>", b'<body><layers><layer id="0"/></layers></body><input>'
        ),
        "the element 'body'",
    ),
    "weights behind the end": (
        lambda xml: re.sub(rb'offset="\d+"', b'offset="99999999999"', xml),
        "a constant of",
    ),
    "weights before the beginning": (
        lambda xml: re.sub(rb'offset="\d+"', b'offset="-8"', xml),
        "a constant {",
    ),
    "a constant larger than it is": (
        lambda xml: re.sub(rb'shape="1" offset', b'shape="1000000, 1000000" offset', xml, count=1),
        "a constant of",
    ),
    "a million elements": (
        lambda xml: xml.replace(b"<rt_info>", b"<rt_info>" + b"<a b='1'/>" * 600_000, 1),
        "more than 1,000,000 elements",
    ),
    "elements within one another": (
        lambda xml: xml.replace(b"<rt_info>", b"<rt_info>" + b"<a>" * 100_000, 1),
        "within one another",
    ),
    "an edge to nowhere": (
        lambda xml: xml.replace(b'to-layer="', b'to-layer="9', 1),
        "expected a file exported by tagsight",
    ),
}
"""What is done to a sound description for OpenVINO, and what is said of it."""


def changed_xml(sound: Path, place: Path, change: Callable[[bytes], bytes]) -> Path:
    """Write an OpenVINO file whose description is changed, with its weights."""
    shutil.copy(weights_file(sound), weights_file(place))
    place.write_bytes(change(sound.read_bytes()))
    seal(place)
    return place
