"""Folding of frozen batch norm into the preceding convolution.

With fixed statistics, batch norm scales each channel and adds a constant. The convolution can do
both, which saves a pass over the features forwards and backwards. The scale is a parametrization:
the trained weights and their gradients stay those of the unfolded network.
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
"""Attribute names of convolutions and the norms after them, by name of the timm class."""


class PerChannel(nn.Module):
    """A parametrization that multiplies a convolution's weights by a factor per output channel.

    Args:
        factors: ``(C,)`` float, one per output channel.

    Example:
        >>> PerChannel(torch.tensor([2.0, 3.0]))(torch.ones(2, 1, 1, 1)).flatten().tolist()
        [2.0, 3.0]
    """

    factors: Tensor

    def __init__(self, factors: Tensor) -> None:
        super().__init__()
        self.register_buffer("factors", factors)

    def forward(self, weight: Tensor) -> Tensor:
        """Scale the weights: ``(C, D, k, k) -> (C, D, k, k)``."""
        return weight * self.factors.view(-1, 1, 1, 1)


def fold_norms(network: nn.Module) -> None:
    """Fold batch norms into the convolutions before them, for the layers that `PAIRS` lists.

    Args:
        network: Changed in place; its results in evaluation mode change by rounding only.

    Example:
        >>> import timm
        >>> network = timm.create_model("test_efficientnet", num_classes=0).eval()
        >>> images = torch.rand(1, 3, 32, 32)
        >>> before = network.forward_features(images)
        >>> fold_norms(network)
        >>> torch.allclose(network.forward_features(images), before, atol=1e-5)
        True
    """
    for module in list(network.modules()):
        for convolution, norm in PAIRS.get(type(module).__name__, ()):
            _fold(module, convolution, norm)


def multiply_out(network: nn.Module) -> None:
    """Multiply the factors into weights that are not trained, instead of in every step.

    Args:
        network: Changed in place, after `fold_norms` and the choice of frozen parameters.

    Example:
        >>> network = nn.Sequential(nn.Conv2d(1, 2, 1).requires_grad_(requires_grad=False))
        >>> factors = PerChannel(torch.tensor([2.0, 3.0]))
        >>> _ = parametrize.register_parametrization(network[0], "weight", factors)
        >>> multiply_out(network)
        >>> parametrize.is_parametrized(network[0])
        False
    """
    for module in list(network.modules()):
        if parametrize.is_parametrized(module, "weight") and not module.weight.requires_grad:
            parametrize.remove_parametrizations(module, "weight", leave_parametrized=True)
            module.requires_grad_(requires_grad=False)


def _fold(parent: nn.Module, convolution: str, norm: str) -> None:
    conv, after = getattr(parent, convolution), getattr(parent, norm)
    if not isinstance(after, nn.BatchNorm2d) or conv.bias is not None:
        return
    mean, variance = after.running_mean, after.running_var
    if mean is None or variance is None:  # batch norm uses the statistics of each batch
        return
    with torch.no_grad():
        factors = after.weight / (variance + after.eps).sqrt()
        shift = after.bias - mean * factors
    conv.bias = nn.Parameter(shift, requires_grad=False)
    parametrize.register_parametrization(conv, "weight", PerChannel(factors))
    setattr(parent, norm, getattr(after, "act", nn.Identity()))
