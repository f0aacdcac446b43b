"""Rectangles around the evidence for a label."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tagsight.data.photos.resizing import WHOLE, Frame
from tagsight.inference.evidence_parts import GRID, strong_parts

if TYPE_CHECKING:
    from numpy.typing import NDArray


class EvidenceBox(NamedTuple):
    """A rectangle on a photo, in fractions of its width and height.

    Attributes:
        left: Of the photo's width, in [0, 1].
        top: Of the photo's height, in [0, 1].
        width: In (0, 1].
        height: In (0, 1].
    """

    left: float
    top: float
    width: float
    height: float


def evidence_boxes(evidence: NDArray[np.float32], frame: Frame = WHOLE) -> list[EvidenceBox]:
    """Find the rectangles around the strongest evidence for a label (`strong_parts`).

    Args:
        evidence: ``(h, w)`` float, in logits.
        frame: Where on the photo the map lies; by default on all of it.

    Returns:
        At most `MOST_PARTS`, the one with the strongest evidence first; none if no value is
        positive.

    Example:
        >>> evidence = np.zeros((4, 4), np.float32)
        >>> evidence[1:3, 2:] = 2
        >>> [[round(side, 2) for side in box] for box in evidence_boxes(evidence)]
        [[0.45, 0.2, 0.55, 0.61]]
    """
    boxes = (_box(mask, frame) for mask in strong_parts(evidence).masks)
    return [box for box in boxes if box is not None]


def _box(mask: NDArray[np.bool_], frame: Frame) -> EvidenceBox | None:
    rows, columns = np.nonzero(mask)
    place = frame.part(
        float(columns.min()) / GRID,
        float(rows.min()) / GRID,
        float(columns.max() + 1) / GRID,
        float(rows.max() + 1) / GRID,
    )
    left, top = max(0.0, place.left), max(0.0, place.top)
    width, height = min(1.0, place.right) - left, min(1.0, place.bottom) - top
    return EvidenceBox(left, top, width, height) if width > 0 and height > 0 else None
