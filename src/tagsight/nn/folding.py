"""Batch norm that is frozen, as part of the convolution before it.

With fixed statistics it multiplies every channel by a number and adds another. Both can be done by
the convolution: one pass over the features less, forwards and backwards. The weights that are
trained are the same as before, and so is their gradient.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn.utils import parametrize

if TYPE_CHECKING:
    from torch import Tensor

PAIRS = {
    "EfficientNet": (("conv_stem", "bn1"), ("conv_head", "bn2")),
    "ConvBnAct": (("conv", "bn1"),),
    "EdgeResidual": (("conv_exp", "bn1"), ("conv_pwl", "bn2")),
    "DepthwiseSeparableConv": (("conv_dw", "bn1"), ("conv_pw", "bn2")),
    "InvertedResidual": (("conv_pw", "bn1"), ("conv_dw", "bn2"), ("conv_pwl", "bn3")),
}
"""Names of convolutions and of the norms after them, by the class of timm's that has both."""


class PerChannel(nn.Module):
    """Weights of a convolution, each output channel's multiplied by a number of its own.

    Args:
        factors: ``(C,)`` float, one for each output channel.
    """

    factors: Tensor

    def __init__(self, factors: Tensor) -> None:
        super().__init__()
        self.register_buffer("factors", factors)

    def forward(self, weight: Tensor) -> Tensor:
        """Multiply: ``(C, D, k, k) -> (C, D, k, k)``."""
        return weight * self.factors.view(-1, 1, 1, 1)


def fold_norms(network: nn.Module) -> None:
    """Make batch norms part of the convolutions before them, where `PAIRS` knows of such.

    Args:
        network: Changed in place. It computes what it did in evaluation mode, but for rounding.
    """
    for module in list(network.modules()):
        for convolution, norm in PAIRS.get(type(module).__name__, ()):
            _fold(module, convolution, norm)


def multiply_out(network: nn.Module) -> None:
    """Multiply weights that are not trained once and for all, instead of in every step."""
    for module in list(network.modules()):
        if parametrize.is_parametrized(module, "weight") and not module.weight.requires_grad:
            parametrize.remove_parametrizations(module, "weight", leave_parametrized=True)
            module.requires_grad_(requires_grad=False)


def _fold(parent: nn.Module, convolution: str, norm: str) -> None:
    conv, after = getattr(parent, convolution), getattr(parent, norm)
    if not isinstance(after, nn.BatchNorm2d) or conv.bias is not None:
        return
    mean, variance = after.running_mean, after.running_var
    if mean is None or variance is None:  # it would take those of the batch
        return
    with torch.no_grad():
        factors = after.weight / (variance + after.eps).sqrt()
        shift = after.bias - mean * factors
    conv.bias = nn.Parameter(shift, requires_grad=False)
    parametrize.register_parametrization(conv, "weight", PerChannel(factors))
    setattr(parent, norm, getattr(after, "act", nn.Identity()))
