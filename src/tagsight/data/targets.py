"""Tables of targets: bounded, and of one value before a reader fills them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from tagsight.errors import DataError
from tagsight.runtime.amounts import amount

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

LARGEST_TABLE = 4 * 2**30
"""Most targets of one source, a byte each."""


def target_table(photos: int, labels: int, *, value: int, source: Path | str) -> Tensor:
    """``(photos, labels)`` int8 of one value.

    Raises:
        DataError: If the table would not be of a sensible size.
    """
    if not photos or not labels:
        msg = (
            f"expected photos and labels in {source}, got "
            f"{amount(photos, 'photo')} and {amount(labels, 'label')}"
        )
        raise DataError(msg)
    if photos * labels > LARGEST_TABLE:
        msg = (
            f"expected at most {LARGEST_TABLE:,} targets in {source}, got "
            f"{amount(photos, 'photo')} with {amount(labels, 'label')}; "
            "are these labels, or free text?"
        )
        raise DataError(msg)
    return torch.full((photos, labels), value, dtype=torch.int8)
