"""Cloudy noise that gives surfaces their grain."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

if TYPE_CHECKING:
    from numpy.random import Generator

Field: TypeAlias = NDArray[np.floating]
"""``(h, w)`` float, or as stated."""

SIDE = 512
FINEST = 7
"""Octaves: the finest grain of the tile is 512 / 4 / 2^6 = 2 pixels."""


@functools.cache
def _tile() -> Field:
    """``(512, 512)`` float in [0, 1], mean 0.5; it continues itself at its edges."""
    rng = np.random.default_rng(2021)
    total = np.zeros((SIDE, SIDE), np.float32)
    for octave in range(FINEST):
        cells = 4 * 2**octave
        grid = np.tile(rng.random((cells, cells), dtype=np.float32) - 0.5, (3, 3))
        enlarged = Image.fromarray(grid).resize((3 * SIDE, 3 * SIDE), Image.Resampling.BICUBIC)
        total += np.asarray(enlarged)[SIDE : 2 * SIDE, SIDE : 2 * SIDE] * 0.62**octave
    total /= 5 * total.std()
    return np.clip(total + 0.5, 0, 1)


def grain(rng: Generator, size: tuple[int, int], *, across: float = 1, down: float = 1) -> Field:
    """A random piece of the tile, ``(h, w)`` float in [0, 1].

    Args:
        rng: Chooses the piece.
        size: ``(width, height)`` in pixels.
        across: Steps in the tile per pixel; below 1, what is seen is stretched.
        down: The same, downwards.

    Example:
        >>> rough = grain(np.random.default_rng(0), (6, 4))
        >>> rough.shape, bool(0 <= rough.min() < rough.max() <= 1)
        ((4, 6), True)
    """
    width, height = size
    left, top = rng.integers(0, SIDE, 2)
    columns = (left + np.arange(width) * across).astype(int) % SIDE
    rows = (top + np.arange(height) * down).astype(int) % SIDE
    return _tile()[rows[:, None], columns[None, :]]


def plane(
    rng: Generator, size: tuple[int, int], below: Field, *, scale: float = 1, stretch: float = 1
) -> Field:
    """The tile laid on level ground that reaches to the horizon, ``(h, w)`` float in [0, 1].

    Args:
        rng: Chooses where on the ground.
        size: ``(width, height)`` in pixels.
        below: ``(h,)`` float, how far each row is below the horizon, in pixels, above 0.
        scale: Steps in the tile for a pixel a hundred pixels below the horizon.
        stretch: How much longer the grain is from left to right than into the distance.

    Example:
        >>> below = np.arange(1, 101, dtype=np.float32)
        >>> ground = plane(np.random.default_rng(0), (200, 100), below)
        >>> far, near = (np.abs(np.diff(ground[row])).mean() for row in (5, -1))
        >>> bool(far > near)  # the grain is finer in the distance
        True
    """
    width, _ = size
    distance = 100 / np.maximum(below, 2)
    left, near = rng.integers(0, SIDE, 2)
    across = (np.arange(width) - width / 2)[None, :] * distance[:, None] * scale / stretch
    columns = (left + across).astype(int) % SIDE
    rows = (near + distance * 100 * scale).astype(int) % SIDE
    return _tile()[rows[:, None], columns]


def line(rng: Generator, length: int, *, scale: float = 1) -> Field:
    """A wavy line, ``(length,)`` float of mean 0, within about 0.5.

    Example:
        >>> ridge = line(np.random.default_rng(0), 1000)
        >>> ridge.shape, bool(abs(ridge.mean()) < 0.1)
        ((1000,), True)
    """
    return grain(rng, (length, 1), across=scale)[0] - 0.5
