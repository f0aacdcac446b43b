"""Visible parts of layers that cover one another."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tagsight.demo.scenes.composition import Box, Layer

Mask: TypeAlias = NDArray[np.bool_]
"""``(height, width)`` bool, one for each pixel of the photo."""

LEAST_SEEN = 0.25
"""Fraction of an object, including its part outside the photo, that must be visible."""

LEAST_SIDE = 0.05
"""Least longer side of an object's visible part, as a share of the photo's shorter side."""

LEAST_BARE = 0.4
"""Least share of the sea that objects may leave visible."""


def seen_layers(layers: Sequence[Layer], size: tuple[int, int]) -> list[tuple[Layer, Mask]]:
    """Select the layers to keep, with the visible pixels of each.

    A pixel belongs to the foremost layer that covers at least half of it. A labelled thing of which
    too little would be seen is left out of the photo, so that nothing is in it that does not
    count; so is anything that would hide too much of the sea.

    Args:
        layers: From back to front.
        size: ``(width, height)`` of the photo in pixels.

    Example:
        >>> from PIL import Image
        >>> from tagsight.demo.scenes.composition import Layer
        >>> wall = Image.new("RGBA", (20, 20), (200, 60, 50, 255))
        >>> behind, before = Layer(wall, (0, 0), "house"), Layer(wall, (10, 0), "car")
        >>> hidden = Layer(wall, (11, 0), "person")
        >>> kept = seen_layers([hidden, behind, before], (40, 20))
        >>> [(layer.label, int(seen.sum())) for layer, seen in kept]
        [('house', 200), ('car', 400)]
    """
    masks = [_mask(layer, size) for layer in layers]
    grounds = _labelled_ground(layers, masks)
    free = np.ones(size[::-1], np.bool_)
    kept = []
    for layer, mask in zip(reversed(layers), reversed(masks), strict=True):
        seen = mask & free
        if layer.is_ground or (
            _is_there(seen, layer) and not any(_buries(seen, free, ground) for ground in grounds)
        ):
            free &= ~mask
            kept.append((layer, seen))
    return kept[::-1]


def tight_box(mask: Mask) -> Box:
    """The box of the pixels in a mask that is not empty; right and bottom are just outside.

    Example:
        >>> mask = np.zeros((4, 6), np.bool_)
        >>> mask[1:3, 2:5] = True
        >>> tight_box(mask)
        (2.0, 1.0, 5.0, 3.0)
    """
    columns, rows = np.flatnonzero(mask.any(0)), np.flatnonzero(mask.any(1))
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)


def _mask(layer: Layer, size: tuple[int, int]) -> Mask:
    width, height = size
    left, top = layer.corner
    inside = _opaque(layer)[max(0, -top) :, max(0, -left) :]
    inside = inside[: max(0, height - max(0, top)), : max(0, width - max(0, left))]
    rows, columns = inside.shape
    mask = np.zeros((height, width), np.bool_)
    mask[max(0, top) :, max(0, left) :][:rows, :columns] = inside
    return mask


def _opaque(layer: Layer) -> Mask:
    return np.asarray(layer.image.getchannel("A")) >= 128


def _labelled_ground(layers: Sequence[Layer], masks: Sequence[Mask]) -> list[Mask]:
    """Find the visible pixels of each labelled part of the ground if it had no objects."""
    free = np.ones_like(masks[0])
    grounds = []
    for layer, mask in zip(reversed(layers), reversed(masks), strict=True):
        if layer.is_ground:
            if layer.label:
                grounds.append(mask & free)
            free &= ~mask
    return grounds


def _is_there(seen: Mask, layer: Layer) -> bool:
    if layer.label is None:
        return True
    count = int(seen.sum())
    if not count or count < LEAST_SEEN * _opaque(layer).sum():
        return False
    left, top, right, bottom = tight_box(seen)
    return max(right - left, bottom - top) >= LEAST_SIDE * min(seen.shape)


def _buries(seen: Mask, free: Mask, ground: Mask) -> bool:
    left = int((ground & free).sum())
    covered = int((ground & seen).sum())
    return covered > 0 and left - covered < LEAST_BARE * int(ground.sum())
