"""Checkpoints of Query2Label: https://github.com/SlongLiu/query2labels.

``backbone.0`` is the encoder, whose convolutional kinds are below ``body``; ``backbone.1.pe`` are
the positions, which tell the resolution; ``transformer`` is that of DETR, without self-attention
between labels; ``query_embed`` and ``fc`` are the queries and classifiers of the labels. The number
of heads is in the configuration beside the checkpoint; the code's default and README have 4.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import torch

from tagsight.checkpoint.released.encoders import encoder_name, is_tresnet
from tagsight.checkpoint.released.origin import (
    Released,
    attention_layer,
    attention_shapes,
    count_layers,
    layer_shapes,
    norm_shapes,
    sizes,
    split_by,
)
from tagsight.errors import DataError
from tagsight.nn.config import DecoderConfig
from tagsight.nn.label_attention import position_code
from tagsight.systems.catalogue import RECIPES

if TYPE_CHECKING:
    from torch import Tensor

    from tagsight.checkpoint.released.origin import Tensors
    from tagsight.config import BackboneConfig
    from tagsight.nn.tensor_file import TensorFile

PAPER = RECIPES["query2label-paper"].settings

STRIDE = 32
HEADS = 4
ENCODER, DECODER = "transformer.encoder.layers.", "transformer.decoder.layers."


def read(file: TensorFile) -> Released:
    """Describe a checkpoint.

    Raises:
        DataError: If it is of another network, or one that our system cannot be.
    """
    encoder, rest = split_by(file.tensors, r"backbone\.0\.(body\.(?=conv1|bn1|layer|body))?")
    (labels, width) = sizes(rest, "query_embed.weight", 2)
    (hidden, _) = sizes(rest, f"{DECODER}0.linear1.weight", 2)
    (_, _, rows, columns) = sizes(rest, "backbone.1.pe", 4)
    layers = count_layers(rest, ENCODER), count_layers(rest, DECODER)
    if any(".self_attn." in name and name.startswith(DECODER) for name in rest):
        msg = (
            "expected a decoder without self-attention, as the released code is by default, got "
            "one with it, which our system does not have"
        )
        raise DataError(msg)
    shapes = _shapes(labels, width, hidden, layers)
    shapes["backbone.1.pe"] = (1, width, rows, columns)
    projection = "input_proj.weight" in rest
    if projection:
        (_, channels, _, _) = sizes(rest, "input_proj.weight", 4)
        shapes |= {"input_proj.weight": (width, channels, 1, 1), "input_proj.bias": (width,)}
    return Released(
        labels=labels,
        encoder=encoder,
        head=rest,
        shapes=shapes,
        state=partial(_state, layers=layers),
        settings=PAPER.model_copy(
            update={
                "backbone": _backbone(encoder),
                "decoder": DecoderConfig(width=width, heads=HEADS, hidden=hidden),
                "projection": projection,
                "encoder_layers": layers[0],
                "decoder_layers": layers[1],
            }
        ),
        image_size=STRIDE * rows,
    )


def _backbone(encoder: Tensors) -> BackboneConfig:
    """Normalise photos by ImageNet's mean, as the code does unless told, and TResNet's not."""
    name = encoder_name(encoder)
    normalization = "none" if is_tresnet(encoder) else "imagenet"
    return PAPER.backbone.model_copy(
        update={"name": name, "normalization": normalization, "frozen_stages": 0}
    )


def _shapes(
    labels: int, width: int, hidden: int, layers: tuple[int, int]
) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {
        "query_embed.weight": (labels, width),
        "fc.W": (1, labels, width),
        "fc.b": (1, labels),
        **norm_shapes("transformer.decoder.norm", width),
    }
    places = (
        (ENCODER, layers[0], "self_attn", ("norm1", "norm2")),
        (DECODER, layers[1], "multihead_attn", ("norm2", "norm3")),
    )
    for prefix, count, attention, norms in places:
        for name in (f"{prefix}{place}" for place in range(count)):
            shapes |= attention_shapes(f"{name}.{attention}", width)
            shapes |= layer_shapes(name, width, hidden)
            for norm in norms:
                shapes |= norm_shapes(f"{name}.{norm}", width)
    return shapes


def _state(tensors: Tensors, layers: tuple[int, int]) -> dict[str, Tensor]:
    _check_positions(tensors["backbone.1.pe"])
    state = {
        "queries": tensors["query_embed.weight"],
        "norm.weight": tensors["transformer.decoder.norm.weight"],
        "norm.bias": tensors["transformer.decoder.norm.bias"],
        "head.weight": tensors["fc.W"][0],
        "head.bias": tensors["fc.b"][0],
    }
    for place in range(layers[0]):
        state |= attention_layer(
            tensors,
            f"{ENCODER}{place}",
            f"encoder.{place}",
            attention="self_attn",
            norms=("norm1", "norm2"),
        )
    for place in range(layers[1]):
        state |= attention_layer(
            tensors,
            f"{DECODER}{place}",
            f"layers.{place}",
            attention="multihead_attn",
            norms=("norm2", "norm3"),
        )
    if "input_proj.weight" in tensors:
        state["projection.weight"] = tensors["input_proj.weight"].flatten(1)
        state["projection.bias"] = tensors["input_proj.bias"]
    return state


def _check_positions(stored: Tensor) -> None:
    """Check that the positions are the ones that our system computes."""
    ours = position_code(stored.shape[-2:], stored.shape[1], like=stored)
    if not torch.allclose(stored[0].flatten(1).T, ours, atol=1e-3):
        msg = "expected the sines of DETR in 'backbone.1.pe', got other positions"
        raise DataError(msg)
