"""Origins of checkpoints: a file for each describes its layers, and how they are split."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from tagsight.errors import DataError

if TYPE_CHECKING:
    from torch import Tensor

    from tagsight.config import SystemConfig

    Tensors = Mapping[str, Tensor]
    Shapes = Mapping[str, tuple[int, ...]]


class Released(NamedTuple):
    """A checkpoint, as its names and shapes describe it.

    Attributes:
        labels: Number ``L`` of labels.
        encoder: Tensors of the encoder, under the names of its own project.
        head: All other tensors.
        shapes: Names and shapes that they must have.
        state: Turns them into those of our system, once their shapes are known to be right.
        settings: Of our system.
        image_size: Side of the square that photos are resized to, in pixels.
        names: The labels, if the file has them.
        unstated: Settings that neither the checkpoint nor the authors' commands state.
    """

    labels: int
    encoder: Tensors
    head: Tensors
    shapes: Shapes
    state: Callable[[Tensors], dict[str, Tensor]]
    settings: SystemConfig
    image_size: int
    names: tuple[str, ...] | None = None
    unstated: tuple[str, ...] = ()


def split_by(tensors: Tensors, encoder: str) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    r"""Separate an encoder's tensors from the others.

    Args:
        tensors: All of them.
        encoder: Regular expression of the beginning of its names, which is cut off.

    Example:
        >>> split_by({"features.0": 1, "A": 2}, r"features\.")
        ({'0': 1}, {'A': 2})
    """
    inside = {name: re.match(encoder, name) for name in tensors}
    return (
        {name[match.end() :]: tensors[name] for name, match in inside.items() if match},
        {name: tensors[name] for name, match in inside.items() if not match},
    )


def sizes(tensors: Tensors, name: str, dimensions: int) -> tuple[int, ...]:
    """Read the shape of a tensor that tells the size of the others.

    Args:
        tensors: Those of a checkpoint.
        name: One that every checkpoint of this origin has.
        dimensions: Their number.

    Raises:
        DataError: If it is not there, or has another number of dimensions.

    Example:
        >>> import torch
        >>> sizes({"A": torch.ones(80, 80)}, "A", 2)
        (80, 80)
    """
    tensor = tensors.get(name)
    if tensor is None or tensor.ndim != dimensions:
        found = "none" if tensor is None else f"one of shape {tuple(tensor.shape)}"
        msg = f"expected a tensor {name!r} of {dimensions} dimensions, got {found}"
        raise DataError(msg)
    return tuple(tensor.shape)


def count_layers(tensors: Tensors, prefix: str) -> int:
    """Count the layers that names number from 0.

    Example:
        >>> count_layers({"layers.0.weight": 1, "layers.1.weight": 2}, "layers.")
        2
    """
    start = len(prefix)
    numbers = {name[start:].partition(".")[0] for name in tensors if name.startswith(prefix)}
    count = 0
    while str(count) in numbers:
        count += 1
    return count


def attention_shapes(name: str, width: int) -> dict[str, tuple[int, ...]]:
    """List the tensors of a ``torch.nn.MultiheadAttention``.

    Example:
        >>> attention_shapes("attention", 8)["attention.in_proj_weight"]
        (24, 8)
    """
    return {
        f"{name}.in_proj_weight": (3 * width, width),
        f"{name}.in_proj_bias": (3 * width,),
        f"{name}.out_proj.weight": (width, width),
        f"{name}.out_proj.bias": (width,),
    }


def layer_shapes(name: str, width: int, hidden: int) -> dict[str, tuple[int, ...]]:
    """List the tensors of the two linear layers of a transformer layer.

    Example:
        >>> layer_shapes("layer", 8, 16)["layer.linear1.weight"]
        (16, 8)
    """
    return {
        f"{name}.linear1.weight": (hidden, width),
        f"{name}.linear1.bias": (hidden,),
        f"{name}.linear2.weight": (width, hidden),
        f"{name}.linear2.bias": (width,),
    }


def norm_shapes(name: str, width: int) -> dict[str, tuple[int, ...]]:
    """List the tensors of a layer norm.

    Example:
        >>> norm_shapes("norm", 8)
        {'norm.weight': (8,), 'norm.bias': (8,)}
    """
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def attention_layer(
    tensors: Tensors, theirs: str, ours: str, *, attention: str, norms: tuple[str, str]
) -> dict[str, Tensor]:
    """Rename the tensors of a transformer layer to those of `AttentionLayer`.

    The bias of the keys is left out: it adds the same number to all scores of a query.

    Args:
        tensors: Those of a checkpoint.
        theirs: Name of the layer there.
        ours: Name of the layer in our system.
        attention: Name of the attention in their layer.
        norms: Names of the norms after the attention and after the hidden units.

    Example:
        >>> import torch
        >>> shapes = attention_shapes("a.attend", 8) | layer_shapes("a", 8, 16)
        >>> shapes |= norm_shapes("a.one", 8) | norm_shapes("a.two", 8)
        >>> tensors = {name: torch.zeros(shape) for name, shape in shapes.items()}
        >>> ours = attention_layer(tensors, "a", "b", attention="attend", norms=("one", "two"))
        >>> ours["b.first.weight"].shape
        torch.Size([16, 8])
    """
    packed = f"{theirs}.{attention}"
    weights = tensors[f"{packed}.in_proj_weight"].chunk(3)
    biases = tensors[f"{packed}.in_proj_bias"].chunk(3)
    inside = {
        "attention.queries.weight": weights[0],
        "attention.queries.bias": biases[0],
        "attention.keys.weight": weights[1],
        "attention.values.weight": weights[2],
        "attention.values.bias": biases[2],
    }
    parts = {
        f"{attention}.out_proj": "attention.out",
        "linear1": "first",
        "linear2": "second",
        norms[0]: "first_norm",
        norms[1]: "second_norm",
    }
    renamed = {
        f"{to}.{kind}": tensors[f"{theirs}.{part}.{kind}"]
        for part, to in parts.items()
        for kind in ("weight", "bias")
    }
    return {f"{ours}.{name}": tensor for name, tensor in (inside | renamed).items()}
