"""Rectangles around the evidence for a label."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tagsight.data.photos.resizing import WHOLE, Frame
from tagsight.inference.interpolation import upsample

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHARE = 0.2
"""Share of the strongest evidence that the inside of a rectangle has at least."""

WEAKEST_PEAK = 0.6
"""Share of the strongest evidence that a further rectangle of the same label must reach."""

MOST_BOXES = 5
"""Most rectangles of a label."""

GRID = 56
"""Rows and columns at which a map is interpolated before it is cut."""


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
    """Find the rectangles around the strongest evidence for a label.

    As in Zhou et al., Learning deep features for discriminative localization, CVPR 2016, Sec. 3.2:
    the map is cut at a share of its maximum, and each connected part that remains has a rectangle
    around it. The share, `SHARE`, counts from zero, because maps are in logits, and parts whose own
    maximum is below `WEAKEST_PEAK` are left out.

    Args:
        evidence: ``(h, w)`` float, in logits.
        frame: Where on the photo the map lies; by default on all of it.

    Returns:
        At most `MOST_BOXES`, the one with the strongest evidence first; none if no value is
        positive.

    Example:
        >>> evidence = np.zeros((4, 4), np.float32)
        >>> evidence[1:3, 2:] = 2
        >>> [[round(side, 2) for side in box] for box in evidence_boxes(evidence)]
        [[0.45, 0.2, 0.55, 0.61]]
    """
    fine = upsample(evidence, (GRID, GRID))
    strongest = float(fine.max())
    if strongest <= 0:
        return []
    parts = _parts(fine >= SHARE * strongest)
    peaks = [float(fine[part].max()) for part in parts]
    order = sorted(range(len(parts)), key=lambda place: -peaks[place])
    chosen = [parts[place] for place in order if peaks[place] >= WEAKEST_PEAK * strongest]
    boxes = (_box(part, frame) for part in chosen[:MOST_BOXES])
    return [box for box in boxes if box is not None]


def _parts(inside: NDArray[np.bool_]) -> list[tuple[NDArray[Any], ...]]:
    """Split cells into parts that are connected by their sides: the rows and columns of each.

    Every cell takes the smallest number among itself and its neighbours until none changes.
    """
    none = inside.size
    numbers = np.where(inside, np.arange(inside.size).reshape(inside.shape), none)
    while True:
        ringed = np.pad(numbers, 1, constant_values=none)
        neighbours = (ringed[:-2, 1:-1], ringed[2:, 1:-1], ringed[1:-1, :-2], ringed[1:-1, 2:])
        least = np.where(inside, np.minimum.reduce([numbers, *neighbours]), none)
        # A number is the place of a cell that may have found a smaller one itself.
        least = np.append(least.ravel(), none)[least]
        if (least == numbers).all():
            break
        numbers = least
    found = np.unique(numbers[inside])
    return [np.nonzero(numbers == number) for number in found]


def _box(part: tuple[NDArray[Any], ...], frame: Frame) -> EvidenceBox | None:
    rows, columns = part
    place = frame.part(
        float(columns.min()) / GRID,
        float(rows.min()) / GRID,
        float(columns.max() + 1) / GRID,
        float(rows.max() + 1) / GRID,
    )
    left, top = max(0.0, place.left), max(0.0, place.top)
    width, height = min(1.0, place.right) - left, min(1.0, place.bottom) - top
    return EvidenceBox(left, top, width, height) if width > 0 and height > 0 else None
