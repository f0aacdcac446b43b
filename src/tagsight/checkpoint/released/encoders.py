"""Encoders of released checkpoints: recognised by their tensors, and read by timm's names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tagsight.checkpoint.released.origin import count_layers, sizes
from tagsight.errors import DataError

if TYPE_CHECKING:
    from tagsight.checkpoint.released.origin import Tensors

Kind = tuple[bool, tuple[int, ...]]

RESNETS: dict[Kind, str] = {
    (False, (2, 2, 2, 2)): "resnet18.tv_in1k",
    (False, (3, 4, 6, 3)): "resnet34.tv_in1k",
    (True, (3, 4, 6, 3)): "resnet50.tv_in1k",
    (True, (3, 4, 23, 3)): "resnet101.tv_in1k",
    (True, (3, 8, 36, 3)): "resnet152.tv_in1k",
}
"""torchvision's networks by the kind of their blocks, bottlenecks or not, and their numbers."""

TRESNETS: dict[Kind, str] = {
    (False, (3, 4, 11, 3)): "tresnet_m",
    (False, (4, 5, 18, 3)): "tresnet_l",
    (False, (4, 5, 24, 3)): "tresnet_xl",
    (True, (3, 4, 23, 3)): "tresnet_v2_l",
    (True, (3, 8, 34, 5)): "tresnet_v2_xl",
}
"""TResNets by the kind of their first blocks, bottlenecks or not, and the numbers of blocks."""

SWINS = {
    (96, 6, 13): "swin_tiny_patch4_window7_224",
    (96, 18, 13): "swin_small_patch4_window7_224",
    (128, 18, 13): "swin_base_patch4_window7_224",
    (128, 18, 23): "swin_base_patch4_window12_384",
    (192, 18, 13): "swin_large_patch4_window7_224",
    (192, 18, 23): "swin_large_patch4_window12_384",
}
"""Swin by its channels, the blocks of its third stage and the side of its table of positions."""


def encoder_name(tensors: Tensors) -> str:
    """Find out which of timm's encoders tensors belong to.

    Args:
        tensors: Those of an encoder, under the names of its own project.

    Raises:
        DataError: If it is none of those that released checkpoints have.

    Example:
        >>> import timm
        >>> encoder_name(timm.create_model("resnet18").state_dict())
        'resnet18.tv_in1k'
    """
    if is_tresnet(tensors):
        prefix, bottleneck, known = "body.layer", "conv3.0", TRESNETS
    elif "layer1.0.conv1.weight" in tensors:
        prefix, bottleneck, known = "layer", "conv3", RESNETS
    elif "layers.0.blocks.0.attn.relative_position_bias_table" in tensors:
        return _swin(tensors)
    else:
        found = "CvT" if "stage0.patch_embed.proj.weight" in tensors else "another"
        msg = (
            "expected a ResNet, TResNet or Swin as the encoder of a released checkpoint, got "
            f"{found}, with tensors such as {sorted(tensors)[:2]}"
        )
        raise DataError(msg)
    kind = (
        f"{prefix}1.0.{bottleneck}.weight" in tensors,
        tuple(count_layers(tensors, f"{prefix}{stage}.") for stage in range(1, 5)),
    )
    if kind not in known:
        blocks = " with bottlenecks" if kind[0] else ""
        msg = f"expected one of {', '.join(known.values())}, got {kind[1]} blocks{blocks}"
        raise DataError(msg)
    return known[kind]


def is_tresnet(tensors: Tensors) -> bool:
    """Whether an encoder is a TResNet, by the name of its first layer.

    Example:
        >>> import torch
        >>> is_tresnet({"body.conv1.0.weight": torch.ones(1)})
        True
    """
    return "body.conv1.0.weight" in tensors


def _swin(tensors: Tensors) -> str:
    (channels, *_) = sizes(tensors, "patch_embed.proj.weight", 4)
    (places, _) = sizes(tensors, "layers.0.blocks.0.attn.relative_position_bias_table", 2)
    kind = channels, count_layers(tensors, "layers.2.blocks."), round(places**0.5)
    if kind not in SWINS:
        msg = f"expected one of {', '.join(SWINS.values())}, got {kind[1]} blocks of {channels}"
        raise DataError(msg)
    return SWINS[kind]
