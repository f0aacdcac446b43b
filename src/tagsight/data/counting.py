"""Counts over large tables of targets, a block of rows at a time, so that nothing is copied."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

ROWS_AT_ONCE = 2**14


def photos_with(targets: Tensor, value: int = 1, rows: Tensor | None = None) -> list[int]:
    """Count the photos with each label, or of which it is known to be absent, or unknown.

    Args:
        targets: ``(N, L)`` int8, 1 present, 0 absent, -1 unknown.
        value: The target to count.
        rows: ``(N,)`` bool, which photos to count; by default all.

    Example:
        >>> targets = torch.tensor([[1, 0], [1, 1], [-1, 1]])
        >>> photos_with(targets), photos_with(targets, -1)
        ([2, 2], [1, 0])
        >>> photos_with(targets, rows=torch.tensor([True, False, True]))
        [1, 1]
    """
    total = np.zeros(targets.shape[1], dtype=np.int64)
    chosen = targets.split(ROWS_AT_ONCE) if rows is None else _chosen(targets, rows)
    for block in chosen:
        total += np.count_nonzero(block.numpy() == value, axis=0)
    return [int(count) for count in total]


def _chosen(targets: Tensor, rows: Tensor) -> Iterator[Tensor]:
    pairs = zip(targets.split(ROWS_AT_ONCE), rows.split(ROWS_AT_ONCE), strict=True)
    return (block[chosen] for block, chosen in pairs)


def photos_without_any(targets: Tensor) -> int:
    """Count the photos in which no label is present.

    Args:
        targets: ``(N, L)`` int8, 1 present.

    Example:
        >>> photos_without_any(torch.tensor([[1, 0], [0, -1]]))
        1
    """
    blocks = (block.numpy() == 1 for block in targets.split(ROWS_AT_ONCE))
    return sum(int(np.count_nonzero(~present.any(axis=1))) for present in blocks)


def photos_with_both(targets: Tensor) -> Tensor:
    """Count the photos with each pair of labels.

    Args:
        targets: ``(N, L)`` int8, 1 present.

    Returns:
        ``(L, L)`` int64.

    Example:
        >>> photos_with_both(torch.tensor([[1, 0], [1, 1]])).tolist()
        [[2, 1], [1, 1]]
    """
    labels = targets.shape[1]
    both = torch.zeros(labels, labels, dtype=torch.int64)
    for rows in targets.split(ROWS_AT_ONCE):
        block = (rows == 1).float()  # exact, as a block has fewer rows than float32 counts
        both += (block.T @ block).long()
    return both
