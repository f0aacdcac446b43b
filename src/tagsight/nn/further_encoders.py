"""Encoders of released checkpoints that timm builds but does not name; importing registers them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from timm.models.tresnet import TResNet, checkpoint_filter_fn

if TYPE_CHECKING:
    from torch import nn

__all__ = ["checkpoint_filter_fn", "tresnet_v2_xl"]

default_cfgs = generate_default_cfgs(
    {
        "tresnet_v2_xl": {
            "num_classes": 1000,
            "input_size": (3, 224, 224),
            "pool_size": (7, 7),
            "mean": (0.0, 0.0, 0.0),
            "std": (1.0, 1.0, 1.0),
            "first_conv": "body.conv1.conv",
            "classifier": "head.fc",
        }
    }
)
"""What timm knows of each, under the name that it looks for in a module."""


@register_model
def tresnet_v2_xl(*, pretrained: bool = False, **options: Any) -> nn.Module:  # noqa: ANN401 (timm is untyped)
    """Build the larger sibling of timm's ``tresnet_v2_l``, as ML-Decoder's code defines it.

    Args:
        pretrained: As for every model of timm; there are no weights.
        options: Other options of `TResNet`.

    Example:
        >>> import timm
        >>> timm.create_model("tresnet_v2_xl", num_classes=0).num_features
        2048
    """
    layers: dict[str, Any] = {"layers": [3, 8, 34, 5], "v2": True}
    return build_model_with_cfg(
        TResNet,
        "tresnet_v2_xl",
        pretrained,
        pretrained_filter_fn=checkpoint_filter_fn,
        feature_cfg={"out_indices": (1, 2, 3, 4), "flatten_sequential": True},
        **(layers | options),
    )
