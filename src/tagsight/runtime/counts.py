"""Counts of the rows and columns of large tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from torch import Tensor


def column_counts(mask: Tensor) -> Tensor:
    """Count the rows in which each column is true: ``(N, L)`` bool -> ``(L,)`` int64, on the CPU.

    ``mask.sum(0)`` would first convert every cell to an integer of eight bytes.

    Example:
        >>> column_counts(torch.tensor([[True, False], [True, True]])).tolist()
        [2, 1]
    """
    return torch.from_numpy(np.count_nonzero(mask.cpu().numpy(), axis=0))


def row_counts(mask: Tensor) -> Tensor:
    """Count the columns in which each row is true: ``(N, L)`` bool -> ``(N,)`` int64, on the CPU.

    Example:
        >>> row_counts(torch.tensor([[True, False], [True, True]])).tolist()
        [1, 2]
    """
    return torch.from_numpy(np.count_nonzero(mask.cpu().numpy(), axis=1))
