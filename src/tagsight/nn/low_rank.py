"""Low-rank updates of an encoder's attention.

Hu, Shen, Wallis, Allen-Zhu, Li, Wang, Wang and Chen. LoRA: Low-Rank Adaptation of Large Language
Models. ICLR 2022. https://arxiv.org/abs/2106.09685
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from torch import Tensor, nn
from torch.nn.utils import parametrize

from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tagsight.config import LowRankConfig

PROJECTIONS = ("qkv", "q_proj", "k_proj", "v_proj", "proj")
"""Names of the linear layers of timm's attention."""


class LowRank(nn.Module):
    """A parametrization ``W + alpha / r B A`` of a weight ``W`` that is not trained (section 4.1).

    ``B`` begins at zero, so that training begins at ``W``. As a parametrization the sum is an
    ordinary weight for the layer and for export; torch's `remove_parametrizations` merges the two.

    Args:
        weight: ``W``: ``(C, D)`` float.
        config: Rank ``r`` and alpha.

    Attributes:
        down: ``A``: ``(r, D)`` float.
        up: ``B``: ``(C, r)`` float.

    Example:
        >>> import torch
        >>> from tagsight.config import LowRankConfig
        >>> weight = torch.rand(6, 4)
        >>> update = LowRank(weight, LowRankConfig(rank=2))
        >>> update.down.shape, update.up.shape, torch.equal(update(weight), weight)
        (torch.Size([2, 4]), torch.Size([6, 2]), True)
    """

    def __init__(self, weight: Tensor, config: LowRankConfig) -> None:
        super().__init__()
        outputs, inputs = weight.shape
        self.scale = config.alpha / config.rank
        self.down = nn.Parameter(weight.new_empty(config.rank, inputs))
        self.up = nn.Parameter(weight.new_zeros(outputs, config.rank))
        nn.init.kaiming_uniform_(self.down, a=math.sqrt(5))  # as the released code

    def forward(self, weight: Tensor) -> Tensor:
        """Add the update: ``(C, D) -> (C, D)``."""
        return weight + self.scale * (self.up @ self.down)


def add_low_rank(network: nn.Module, config: LowRankConfig, name: str) -> None:
    """Give the projections of all attention layers low-rank updates, and train nothing else.

    Args:
        network: Changed in place; its results are not.
        config: Rank and alpha.
        name: Name of the encoder, for errors.

    Raises:
        DataError: If the network has no attention as timm's transformers have it.

    Example:
        >>> import timm
        >>> from tagsight.config import LowRankConfig
        >>> network = timm.create_model("test_vit", num_classes=0)
        >>> add_low_rank(network, LowRankConfig(rank=2), "test_vit")
        >>> trained = [name for name, p in network.named_parameters() if p.requires_grad]
        >>> trained[0]
        'blocks.0.attn.qkv.parametrizations.weight.0.down'
    """
    network.requires_grad_(requires_grad=False)
    layers = list(_projections(network))
    if not layers:
        msg = (
            f"expected `system.backbone.lora.rank=0` for {name!r}, which has no attention in its "
            f"stages that are not frozen, got {config.rank}"
        )
        raise DataError(msg)
    for layer in layers:
        parametrize.register_parametrization(layer, "weight", LowRank(layer.weight, config))


def _projections(network: nn.Module) -> Iterator[nn.Linear]:
    """Find the linear layers of attention: a ``proj`` beside a ``qkv`` or ``q_proj``."""
    for module in network.modules():
        layers = {n: c for n, c in module.named_children() if isinstance(c, nn.Linear)}
        if "proj" in layers and ("qkv" in layers or "q_proj" in layers):
            yield from (layer for n, layer in layers.items() if n in PROJECTIONS)
