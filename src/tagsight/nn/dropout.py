"""Dropout that does not depend on how processes divide a step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from tagsight.runtime.step_share import drawn

if TYPE_CHECKING:
    from torch import Tensor


def dropped(tensor: Tensor, share: float, *, shared: bool = False) -> Tensor:
    """Apply dropout with a given probability, also in evaluation mode; 0 changes nothing.

    In a run the numbers that are dropped are chosen by the photo's place in the step
    (`tagsight.runtime.step_share.drawn`), so that several processes drop what one does.

    Args:
        tensor: ``(B, ...)`` float, a row for each photo of the batch.
        share: Fraction of the numbers to drop, in [0, 1); the others are scaled up.
        shared: Whether all photos share the tensor, of which the shape is then any.

    Example:
        >>> dropped(torch.ones(3), 0.0).tolist(), sorted(set(dropped(torch.ones(99), 0.5).tolist()))
        ([1.0, 1.0, 1.0], [0.0, 2.0])
    """
    if not share:
        return tensor

    def keep(values: Tensor, generator: torch.Generator | None) -> None:
        values.bernoulli_(1 - share, generator=generator)

    kept = drawn(torch.empty_like(tensor, dtype=torch.bool), keep, shared=shared)
    return tensor * kept / (1 - share)
