"""Checkpoints of ML-Decoder: https://github.com/Alibaba-MIIL/ML_Decoder.

The encoder has its own names, and ``head.decoder`` is the decoder: ``embed_standart`` projects the
features, ``query_embed`` are the fixed queries, of which the first norm is taken, and
``duplicate_pooling`` are the classifiers, those of a group in its last dimension.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from tagsight.checkpoint.released.encoders import encoder_name
from tagsight.checkpoint.released.origin import (
    Released,
    attention_layer,
    attention_shapes,
    layer_shapes,
    norm_shapes,
    sizes,
    split_by,
)
from tagsight.errors import DataError
from tagsight.nn.config import DecoderConfig
from tagsight.systems.catalogue import RECIPES

if TYPE_CHECKING:
    from torch import Tensor

    from tagsight.checkpoint.released.origin import Tensors
    from tagsight.nn.tensor_file import TensorFile

PAPER = RECIPES["ml-decoder-paper"].settings

PIXELS = {"tresnet_m": 224, "tresnet_v2_l": 448, "tresnet_v2_xl": 640}
"""Resolution of the released checkpoints for COCO, by their encoder."""

HEADS = 8
DECODER, LAYER = "head.decoder", "head.decoder.layers.0"


def read(file: TensorFile) -> Released:
    """Describe a checkpoint.

    Raises:
        DataError: If it is of another network, or one with words as queries.
    """
    encoder, rest = split_by(file.tensors, r"(?!head\.|fc\.)")
    rest = {name.replace("fc.decoder.", "head.decoder.", 1): rest[name] for name in rest}
    if any("wordvec" in name for name in rest):
        msg = "expected a decoder with fixed queries, got one with word vectors as queries"
        raise DataError(msg)
    (width, channels) = sizes(rest, f"{DECODER}.embed_standart.weight", 2)
    (hidden, _) = sizes(rest, f"{LAYER}.linear1.weight", 2)
    (queries, _, size) = sizes(rest, f"{DECODER}.duplicate_pooling", 3)
    (labels,) = sizes(rest, f"{DECODER}.duplicate_pooling_bias", 1)
    if not 0 < labels <= queries * size or size != -(-labels // queries):
        msg = f"expected groups of all {labels} labels, got {queries} groups of {size}"
        raise DataError(msg)
    name = encoder_name(encoder)
    return Released(
        labels=labels,
        encoder=encoder,
        head=rest,
        shapes=_shapes(width, channels, hidden) | _head_shapes(labels, width, queries, size),
        state=partial(_state, labels=labels, size=size),
        settings=PAPER.model_copy(
            update={
                "backbone": PAPER.backbone.model_copy(
                    update={"name": name, "normalization": "none"}
                ),
                "decoder": DecoderConfig(width=width, heads=HEADS, hidden=hidden),
                "groups": queries,
            }
        ),
        image_size=PIXELS.get(name, 448),
        names=_names(file, labels),
        unstated=() if name in PIXELS else ("training.image_size",),
    )


def _shapes(width: int, channels: int, hidden: int) -> dict[str, tuple[int, ...]]:
    return {
        f"{DECODER}.embed_standart.weight": (width, channels),
        f"{DECODER}.embed_standart.bias": (width,),
        **attention_shapes(f"{LAYER}.multihead_attn", width),
        **layer_shapes(LAYER, width, hidden),
        **norm_shapes(f"{LAYER}.norm1", width),
        **norm_shapes(f"{LAYER}.norm2", width),
        **norm_shapes(f"{LAYER}.norm3", width),
    }


def _head_shapes(labels: int, width: int, queries: int, size: int) -> dict[str, tuple[int, ...]]:
    """List the queries, and the classifiers of each group of labels."""
    return {
        f"{DECODER}.query_embed.weight": (queries, width),
        f"{DECODER}.duplicate_pooling": (queries, width, size),
        f"{DECODER}.duplicate_pooling_bias": (labels,),
    }


def _state(tensors: Tensors, labels: int, size: int) -> dict[str, Tensor]:
    used = -(-labels // size)  # groups beyond the last label have no label
    pooling = tensors[f"{DECODER}.duplicate_pooling"]
    return {
        "projection.weight": tensors[f"{DECODER}.embed_standart.weight"],
        "projection.bias": tensors[f"{DECODER}.embed_standart.bias"],
        "queries": tensors[f"{DECODER}.query_embed.weight"][:used],
        "query_norm.weight": tensors[f"{LAYER}.norm1.weight"],
        "query_norm.bias": tensors[f"{LAYER}.norm1.bias"],
        "head.weight": pooling.mT.flatten(0, 1)[:labels],
        "head.bias": tensors[f"{DECODER}.duplicate_pooling_bias"],
        **attention_layer(
            tensors, LAYER, "layers.0", attention="multihead_attn", norms=("norm2", "norm3")
        ),
    }


def _names(file: TensorFile, labels: int) -> tuple[str, ...] | None:
    """Read the labels that the checkpoint lists, as the released code does."""
    listed = file.others.get("idx_to_class")
    names = tuple(map(str, listed.values())) if isinstance(listed, dict) else ()
    return names if len(names) == labels else None
