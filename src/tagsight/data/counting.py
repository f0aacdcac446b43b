"""Counts over large tables of targets, without copies of several bytes a target."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from torch import Tensor

ROWS_AT_ONCE = 2**16


def photos_with(present: Tensor) -> list[int]:
    """Count the photos with each label.

    PyTorch would sum a copy of 8 bytes a target.

    Args:
        present: ``(N, L)`` bool, which photos have which label.

    Example:
        >>> photos_with(torch.tensor([[True, False], [True, True]]))
        [2, 1]
    """
    return [int(count) for count in np.count_nonzero(present.numpy(), axis=0)]


def photos_with_both(present: Tensor) -> Tensor:
    """Count the photos with each pair of labels: ``(N, L)`` bool -> ``(L, L)`` int64.

    Example:
        >>> photos_with_both(torch.tensor([[True, False], [True, True]])).tolist()
        [[2, 1], [1, 1]]
    """
    labels = present.shape[1]
    both = torch.zeros(labels, labels, dtype=torch.int64)
    for rows in present.split(ROWS_AT_ONCE):
        block = rows.float()  # exact, as a block has fewer rows than float32 counts
        both += (block.T @ block).long()
    return both
