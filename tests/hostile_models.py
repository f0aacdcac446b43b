"""Exported files that an attacker would send: sound ones with one thing changed, and sealed."""

import json
import re
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.parser
from onnx import TensorProto, helper

from tagsight.inference.networks.openvino_file import weights_file
from tagsight.inference.networks.seal import seal

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


LOOP = """for_ever (int64 number, bool go_on, float[] state) => (bool again, float[] state_out) {
    again = Identity(go_on)
    state_out = Identity(state)
}"""
BRANCH = "branch () => (float x) { x = Constant <value_float = 1.0> () }"


def _loop(model: onnx.ModelProto) -> None:
    most, go_on = add_constant(model, 2**62), add_constant(model, values=True, kind="bool")
    state = add_constant(model, [1], "float32")
    body = onnx.parser.parse_graph(LOOP)
    with_zeros_of(model, add_node(model, "Loop", [most, go_on, state], body=body))


def _branch(model: onnx.ModelProto) -> None:
    body = onnx.parser.parse_graph(BRANCH)
    go_on = add_constant(model, values=True, kind="bool")
    with_zeros_of(model, add_node(model, "If", [go_on], then_branch=body, else_branch=body))


def _function(model: onnx.ModelProto) -> None:
    node = helper.make_node("Identity", ["x"], ["y"])
    opset = [helper.make_opsetid("", 20)]
    model.functions.append(helper.make_function("mine", "twice", ["x"], ["y"], [node], opset))


def _own_domain(model: onnx.ModelProto) -> None:
    model.opset_import.append(helper.make_opsetid("evil.example", 1))
    model.graph.node[0].domain = "evil.example"


def _elsewhere(place: str, model: onnx.ModelProto) -> None:
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=place)


def _sized(sizes: list[int], model: onnx.ModelProto) -> None:
    model.graph.initializer[0].dims[:] = sizes


def _typed(kind: int, model: onnx.ModelProto) -> None:
    model.graph.initializer[0].data_type = kind


def _cycle(model: onnx.ModelProto) -> None:
    node = next(node for node in model.graph.node if node.op_type == "Relu")
    node.input[0] = node.output[0]


def _nodes(model: onnx.ModelProto) -> None:
    nodes = [helper.make_node("Abs", ["photos"], [f"n{number}"]) for number in range(60_000)]
    model.graph.node.extend(nodes)


OUTSIDE, WITHIN = "a tensor that is in another file", "a graph within, such as a loop or a branch"
MEMORY = "Available memory|to run on photos"
HOSTILE_GRAPHS: dict[str, tuple[Callable[[onnx.ModelProto], None], str]] = {
    "data outside": (partial(_elsewhere, "../../etc/passwd"), OUTSIDE),
    "data of the system": (partial(_elsewhere, "/etc/passwd"), OUTSIDE),
    "data beside": (partial(_elsewhere, "beside.bin"), OUTSIDE),
    "a loop for ever": (_loop, WITHIN),
    "a branch": (_branch, WITHIN),
    "a function": (_function, "functions"),
    "operators of a library": (_own_domain, "the operator 'evil.example::|operators of b'evil"),
    "10 GB declared": (partial(_sized, [50_000, 50_000]), "with more or fewer elements"),
    "a negative size": (partial(_sized, [-1]), "a tensor of the type"),
    "sizes that overflow": (partial(_sized, [2**32, 2**32]), "with more or fewer elements"),
    "a tensor of text": (partial(_typed, TensorProto.STRING), "a tensor of the type 8"),
    "a tensor of no type": (partial(_typed, 99), "a tensor of the type 99"),
    "60,000 nodes": (_nodes, "more than 50,000 nodes"),
    "a cycle": (_cycle, "expected a file exported by tagsight, got"),
    "expanded to 16 TB": (_expand, MEMORY),
    "a sum of 16 TB": (_outer_sum, MEMORY),
    "16 TB of one number": (_fill, MEMORY),
    "tiled to 16 TB": (_tile, MEMORY),
}
"""What is done to a sound graph, and what is said of it."""


def _label(name: str, said: dict[str, Any]) -> None:
    thresholds = said["decision"]["thresholds"]
    thresholds[name] = thresholds.pop(said["labels"][0], 0.5)
    said["labels"][0] = name


def _set(path: str, value: object, said: dict[str, Any]) -> None:
    *parents, last = path.split(".")
    for parent in parents:
        said = said[parent]
    said[last] = value


def _another_label(said: dict[str, Any]) -> None:
    said["labels"].append("one more")
    said["decision"]["thresholds"]["one more"] = 0.5


DEEP = json.loads("[" * 900 + "]" * 900)
NOWHERE = [{"source": 0, "target": 99, "weight": 0.5}]
MANY = [f"label {number}" for number in range(300_000)]
RED = "decision.thresholds.red"
HOSTILE_DESCRIPTIONS: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "a label of control characters": (partial(_label, "cat\x1b[2J"), "control characters"),
    "an odd half": (partial(_label, "\\ud800"), "surrogate|control characters|Invalid JSON"),
    "an empty label": (partial(_label, ""), "labels"),
    "a label twice": (partial(_label, "green"), "labels|threshold"),
    "300,000 labels": (partial(_set, "labels", MANY), "threshold"),
    "a label too many": (_another_label, "expected probabilities of 6 labels"),
    "a threshold of 2": (partial(_set, RED, 2), r"thresholds in \[0, 1\]"),
    "a threshold that is no number": (partial(_set, RED, "NaN"), "are numbers"),
    "a temperature of 0": (partial(_set, "decision.temperature", 0), "temperature above 0"),
    "an image of 10 million pixels a side": (partial(_set, "image_size", 10**7), "image_size"),
    "an image of no size": (partial(_set, "image_size", 0), "image_size"),
    "another length": (partial(_set, "embedding_size", 3), "features of length 3"),
    "a link to nowhere": (partial(_set, "links", NOWHERE), "links"),
    "facts in 900 lists": (partial(_set, "facts", {"deep": DEEP}), "recursion|depth"),
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
_GRAPH = b'<body><layers><layer id="0"/></layers></body><input>'
HOSTILE_XML: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "entities": (partial(re.sub, b"<net", _BOMB + b"<net", count=1), "a document type"),
    "another encoding": (
        partial(re.sub, b'"1.0"', b'"1.0" encoding="utf-16"', count=1),
        "encoding|not well-formed",
    ),
    "a loop": (partial(re.sub, b'type="ReLU"', b'type="Loop"'), "the operation"),
    "a library": (partial(re.sub, b'="opset1"', b'="extension"'), "the operation"),
    "a graph within": (partial(re.sub, b"<input>", _GRAPH), "the element 'body'"),
    "behind the end": (partial(re.sub, rb'offset="\d+"', b'offset="99999999999"'), "a constant of"),
    "before the beginning": (partial(re.sub, rb'offset="\d+"', b'offset="-8"'), "a constant {"),
    "a constant larger than it is": (
        partial(re.sub, rb'shape="1" offset', b'shape="1000000, 1000000" offset', count=1),
        "a constant of",
    ),
    "a million elements": (
        partial(re.sub, b"<rt_info>", b"<rt_info>" + b"<a b='1'/>" * 600_000, count=1),
        "more than 1,000,000 elements",
    ),
    "elements within one another": (
        partial(re.sub, b"<rt_info>", b"<rt_info>" + b"<a>" * 100_000, count=1),
        "within one another",
    ),
    "an edge to nowhere": (
        partial(re.sub, b'to-layer="', b'to-layer="9', count=1),
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
