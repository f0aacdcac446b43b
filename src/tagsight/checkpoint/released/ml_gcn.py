"""Checkpoints of ML-GCN: https://github.com/Megvii-Nanjing/ML-GCN.

``features.N`` are the layers of a ResNet in the order of torchvision, ``gc1`` and ``gc2`` the two
graph convolutions, and ``A`` the graph before it is normalised. The word vectors are not in the
checkpoint; they are files of the repository, a row for each label.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tagsight.checkpoint.released.encoders import encoder_name
from tagsight.checkpoint.released.origin import Released, sizes, split_by
from tagsight.nn.config import GraphConfig
from tagsight.systems.catalogue import RECIPES
from tagsight.systems.recipes import RESNET101

if TYPE_CHECKING:
    from torch import Tensor

    from tagsight.checkpoint.released.origin import Tensors
    from tagsight.nn.tensor_file import TensorFile

PAPER = RECIPES["ml-gcn-paper"].settings

PLACES = {"0": "conv1", "1": "bn1", "4": "layer1", "5": "layer2", "6": "layer3", "7": "layer4"}
"""Names of the numbered layers of the encoder."""


def read(file: TensorFile) -> Released:
    """Describe a checkpoint.

    Raises:
        DataError: If it is of another network.
    """
    numbered, rest = split_by(file.tensors, r"features\.")
    encoder = {_named(name): tensor for name, tensor in numbered.items()}
    (labels, _) = sizes(rest, "A", 2)
    (length, hidden) = sizes(rest, "gc1.weight", 2)
    (_, channels) = sizes(rest, "gc2.weight", 2)
    return Released(
        labels=labels,
        encoder=encoder,
        head=rest,
        shapes={
            "A": (labels, labels),
            "gc1.weight": (length, hidden),
            "gc2.weight": (hidden, channels),
        },
        state=_state,
        settings=PAPER.model_copy(
            update={
                "backbone": RESNET101.model_copy(update={"name": encoder_name(encoder)}),
                "graph": GraphConfig(variant="stored", vectors="raw", hidden=hidden),
            }
        ),
        image_size=448,
    )


def normalised_graph(graph: Tensor) -> Tensor:
    """Normalise the graph as the released code does: ``D A^T D``, ``(L, L) -> (L, L)``.

    ``D`` has the inverse roots of the row sums of ``A``.

    Args:
        graph: ``A``, ``(L, L)`` float.

    Example:
        >>> import torch
        >>> normalised_graph(torch.tensor([[1.0, 3.0], [0.0, 1.0]]))
        tensor([[0.2500, 0.0000],
                [1.5000, 1.0000]])
    """
    scale = graph.sum(1) ** -0.5
    return scale[:, None] * graph.T * scale


def _named(name: str) -> str:
    place, _, rest = name.partition(".")
    return f"{PLACES.get(place, place)}.{rest}"


def _state(tensors: Tensors) -> dict[str, Tensor]:
    return {
        "label_graph.first.weight": tensors["gc1.weight"],
        "label_graph.second.weight": tensors["gc2.weight"],
        "label_graph.adjacency": normalised_graph(tensors["A"].float()),
    }
