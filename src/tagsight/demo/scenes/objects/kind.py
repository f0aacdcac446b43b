"""A way to draw a label."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

from numpy.random import Generator

from tagsight.demo.scenes.sketch import Sketch


class Kind(NamedTuple):
    """One way to draw a label.

    Attributes:
        draw: Adds its shapes to a sketch.
        place: Where it is: far up (``heaven``), in the ``air``, on ``land``, or on the ``sea``.
        sizes: Smallest and largest length of the sketch's unit: as a share of the photo's shorter
            side if it is not on the ground, otherwise in heights of a person who stands beside it.
        turn: Largest angle by which it is turned, degrees.
        surfaces: The grounds it belongs to, or none if it belongs to all.
    """

    draw: Callable[[Sketch, Generator], None]
    place: Literal["heaven", "air", "land", "sea"]
    sizes: tuple[float, float]
    turn: float = 0
    surfaces: tuple[str, ...] = ()
