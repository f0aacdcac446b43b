"""The connected parts of a map where the evidence for a label is strong."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tagsight.inference.interpolation import upsample

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHARE = 0.2
"""Share of the strongest evidence that the inside of a part has at least."""

WEAKEST_PEAK = 0.6
"""Share of the strongest evidence that a further part of the same label must reach."""

MOST_PARTS = 5
"""Most parts of a label."""

GRID = 56
"""Rows and columns at which a map is interpolated before it is cut."""


class StrongParts(NamedTuple):
    """A map cut into parts, on a grid of `GRID` rows and columns.

    Attributes:
        evidence: ``(GRID, GRID)`` float32, the map interpolated, in logits.
        level: In logits; what reaches it is inside.
        masks: ``(GRID, GRID)`` bool each, the part with the strongest evidence first.
    """

    evidence: NDArray[np.float32]
    level: float
    masks: list[NDArray[np.bool_]]


def strong_parts(evidence: NDArray[np.float32]) -> StrongParts:
    """Cut a map at a share of its maximum, and find the connected parts that remain.

    As in Zhou et al., Learning deep features for discriminative localization, CVPR 2016, Sec. 3.2.
    The share, `SHARE`, counts from zero, because maps are in logits, and parts whose own maximum is
    below `WEAKEST_PEAK` are left out. Cells are connected by their sides.

    Args:
        evidence: ``(h, w)`` float, in logits.

    Returns:
        At most `MOST_PARTS`; none if no value is positive.

    Example:
        >>> evidence = np.zeros((4, 4), np.float32)
        >>> evidence[1:3, 2:] = 2
        >>> [int(mask.sum()) for mask in strong_parts(evidence).masks]
        [1020]
    """
    fine = upsample(evidence, (GRID, GRID))
    strongest = float(fine.max())
    level = SHARE * strongest
    if strongest <= 0:
        return StrongParts(fine, level, [])
    numbers = _numbered(fine >= level)
    masks = [numbers == number for number in np.unique(numbers) if number < numbers.size]
    peaks = [float(fine[mask].max()) for mask in masks]
    order = sorted(range(len(masks)), key=lambda place: -peaks[place])
    chosen = [masks[place] for place in order if peaks[place] >= WEAKEST_PEAK * strongest]
    return StrongParts(fine, level, chosen[:MOST_PARTS])


def _numbered(inside: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Give the cells inside the number of their part, and those outside the number of all cells.

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
            return numbers
        numbers = least
