"""Spatial transforms that act alike on images and on maps (G-CAM Eq. 11).

A map is equivariant when ``maps(T(image)) == T(maps(image))``. Each transform here is one of the
paper's, on whatever grid it is given: ``flip`` mirrors left and right, ``quarter_turn`` turns by 90
degrees counter-clockwise, ``scale`` shows the network a smaller copy.
"""

from __future__ import annotations

from math import lcm
from typing import TYPE_CHECKING, Literal

import torch.nn.functional as F

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from tagsight.config import Transform

Alignment = Literal["bilinear", "nearest"]


def transform_images(
    images: Tensor, transform: Transform, *, scale: float = 6 / 7, multiple: int = 1
) -> Tensor:
    """Make the transformed view of images: ``(B, 3, H, W) -> (B, 3, H', W')``.

    Args:
        images: ``(B, 3, H, W)`` float.
        transform: Which; only ``scale`` changes the size.
        scale: Side of the small view relative to the large one, in (0, 1).
        multiple: What the sides of the small view are a multiple of, in pixels. It should be the
            stride of the encoder, which otherwise fills the last cells with padding: the small
            view's grid would cover more than the photo, and no cell would lie where it should.
    """
    if transform == "flip":
        return images.flip(-1)
    if transform == "quarter_turn":
        return images.rot90(1, (-2, -1))
    height, width = (_smaller(side, scale, multiple) for side in images.shape[-2:])
    return F.interpolate(
        images, size=(height, width), mode="bilinear", align_corners=False, antialias=True
    )


def _smaller(side: int, scale: float, multiple: int) -> int:
    nearest = multiple * round(side * scale / multiple)
    return max(multiple, min(nearest, side - multiple))


def undo_on_maps(maps: Tensor, transform: Transform) -> Tensor:
    """Bring the maps of a transformed view back to the photo's own frame, on their own grid."""
    if transform == "flip":
        return maps.flip(-1)
    if transform == "quarter_turn":
        return maps.rot90(-1, (-2, -1))
    return maps


def on_one_grid(first: Tensor, second: Tensor, alignment: Alignment) -> tuple[Tensor, Tensor]:
    """Resample two stacks of maps ``(B, L, h, w)`` of the same frame to one grid.

    ``bilinear`` interpolates the finer at the cell centres of the coarser grid, exactly so for
    evidence that changes linearly over the photo. ``nearest`` repeats both to the least common
    multiple of their sides, as VAC's released code does (7 and 6 to 42); between grids that differ
    this leaves an error that even an exactly equivariant network has.
    """
    if first.shape[-2:] == second.shape[-2:]:
        return first, second
    if alignment == "nearest":
        return _repeated_to_common_multiple(first, second)
    grid = min(first.shape[-2:], second.shape[-2:], key=lambda size: size[0] * size[1])
    return _resampled(first, grid), _resampled(second, grid)


def _resampled(maps: Tensor, grid: torch.Size) -> Tensor:
    if maps.shape[-2:] == grid:
        return maps
    return F.interpolate(maps, size=grid, mode="bilinear", align_corners=False)


def _repeated_to_common_multiple(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    height, width = (lcm(a, b) for a, b in zip(first.shape[-2:], second.shape[-2:], strict=True))
    return (
        F.interpolate(first, size=(height, width), mode="nearest"),
        F.interpolate(second, size=(height, width), mode="nearest"),
    )
