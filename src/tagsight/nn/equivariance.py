"""Spatial transforms that act alike on images and on maps (G-CAM Eq. 11).

Maps are equivariant when ``maps(T(image)) == T(maps(image))``. The transforms are those of the
paper, on any grid: ``flip`` mirrors left and right, ``quarter_turn`` turns by 90 degrees
counter-clockwise, ``scale`` gives the network a smaller copy.
"""

from __future__ import annotations

from math import lcm
from typing import TYPE_CHECKING, Literal

import torch.nn.functional as F

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from tagsight.nn.config import Transform

Alignment = Literal["bilinear", "nearest"]


def transform_images(
    images: Tensor, transform: Transform, *, scale: float = 6 / 7, multiple: int = 1
) -> Tensor:
    """Apply a transform to images: ``(B, 3, H, W) -> (B, 3, H', W')``.

    Args:
        images: ``(B, 3, H, W)`` float.
        transform: The transform; only ``scale`` changes the area.
        scale: Side of the small view as a fraction of the large one, in (0, 1).
        multiple: Divisor of the sides of the small view, in pixels. It should be the stride of the
            encoder. Otherwise the encoder pads the last cells, the small view's grid covers more
            than the photo, and its cells are displaced.

    Example:
        >>> import torch
        >>> images = torch.rand(1, 3, 224, 224)
        >>> transform_images(images, "scale", scale=6 / 7, multiple=32).shape
        torch.Size([1, 3, 192, 192])
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
    """Undo a transform on the maps of a view, which keep their grid.

    Args:
        maps: ``(..., h, w)`` float.
        transform: The transform that made the view; ``scale`` moves nothing.

    Example:
        >>> import torch
        >>> maps = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
        >>> undo_on_maps(transform_images(maps, "quarter_turn"), "quarter_turn").tolist()
        [[1.0, 2.0], [3.0, 4.0]]
    """
    if transform == "flip":
        return maps.flip(-1)
    if transform == "quarter_turn":
        return maps.rot90(-1, (-2, -1))
    return maps


def on_one_grid(first: Tensor, second: Tensor, alignment: Alignment) -> tuple[Tensor, Tensor]:
    """Resample two stacks of maps ``(B, L, h, w)`` of the same frame to one grid.

    ``bilinear`` interpolates the finer maps at the cell centres of the coarser grid, which is exact
    for evidence that changes linearly over the photo. ``nearest`` repeats the cells of both up to
    the least common multiple of their sides, as VAC's released code does (7 and 6 to 42); even an
    exactly equivariant network then has an error between different grids.

    Args:
        first: ``(B, L, h, w)`` float.
        second: ``(B, L, h', w')`` float.
        alignment: How to resample.

    Example:
        >>> import torch
        >>> first, second = on_one_grid(torch.ones(1, 1, 7, 7), torch.ones(1, 1, 6, 6), "nearest")
        >>> first.shape == second.shape == (1, 1, 42, 42)
        True
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
