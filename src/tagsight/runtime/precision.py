"""Float32 inside autocast: pooling, maps and losses are not computed in half precision."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor


def full_precision(device: torch.device) -> AbstractContextManager[object]:
    """Return a context without autocast.

    Outside autocast it does nothing at all, so that exported graphs do not contain it.

    Args:
        device: Device of the computation.

    Example:
        >>> cpu = torch.device("cpu")
        >>> with torch.autocast("cpu", torch.bfloat16), full_precision(cpu):
        ...     (torch.ones(2, 2) @ torch.ones(2, 2)).dtype
        torch.float32
    """
    if torch.is_autocast_enabled(device.type):
        return torch.autocast(device.type, enabled=False)
    return nullcontext()


def widened(tensor: Tensor) -> Tensor:
    """Convert a half-precision tensor to float32, and return any other unchanged.

    Example:
        >>> [widened(torch.ones(1, dtype=kind)).dtype for kind in (torch.bfloat16, torch.float64)]
        [torch.float32, torch.float64]
    """
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))
