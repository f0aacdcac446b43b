"""Full precision inside an autocast region: poolings, maps and losses are never halved."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor


def full_precision(device: torch.device) -> AbstractContextManager[object]:
    """Give a region without autocast; where there is none to leave, nothing that export sees."""
    if torch.is_autocast_enabled(device.type):
        return torch.autocast(device.type, enabled=False)
    return nullcontext()


def widened(tensor: Tensor) -> Tensor:
    """Give a half-precision tensor in float32, and any other as it is."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))
