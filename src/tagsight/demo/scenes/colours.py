"""Colours and small choices."""

from __future__ import annotations

import colorsys
from typing import TYPE_CHECKING, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.random import Generator

T = TypeVar("T")

Colour: TypeAlias = tuple[int, int, int]
"""Red, green, blue in [0, 255]."""


def hsv(hue: float, saturation: float, value: float) -> Colour:
    """A colour by hue in turns, saturation and value in [0, 1].

    Example:
        >>> hsv(0, 1, 1), hsv(1 / 3, 0.5, 1)
        ((255, 0, 0), (128, 255, 128))
    """
    red, green, blue = colorsys.hsv_to_rgb(hue % 1, saturation, value)
    return round(red * 255), round(green * 255), round(blue * 255)


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """The first colour with a share of the second, in [0, 1].

    Example:
        >>> mix((200, 0, 0), (0, 0, 100), 0.25)
        (150, 0, 25)
    """
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def darker(colour: Colour, share: float = 0.25) -> Colour:
    """The colour in shade; dark colours of outdoor things tend to blue.

    Example:
        >>> darker((200, 100, 50), 0.5)
        (106, 57, 42)
    """
    return mix(colour, (12, 14, 34), share)


def lighter(colour: Colour, share: float = 0.25) -> Colour:
    """The colour in the light, which is warm.

    Example:
        >>> lighter((200, 100, 50), 0.5)
        (228, 175, 142)
    """
    return mix(colour, (255, 250, 235), share)


def varied(rng: Generator, colour: Colour, amount: float = 12) -> Colour:
    """A colour that differs by about so much, in brightness more than in hue.

    Example:
        >>> import numpy as np
        >>> rng = np.random.default_rng(0)
        >>> varied(rng, (200, 100, 50)), varied(rng, (200, 100, 50))
        ((201, 98, 47), (212, 109, 60))
    """
    together = rng.uniform(-amount, amount)
    red, green, blue = (
        round(min(255, max(0, value + together + rng.uniform(-amount, amount) / 2)))
        for value in colour
    )
    return red, green, blue


def one_of(rng: Generator, choices: Sequence[T]) -> T:
    """Any of the choices, all equally likely.

    Example:
        >>> import numpy as np
        >>> one_of(np.random.default_rng(0), ("sedan", "van", "pickup"))
        'pickup'
    """
    return choices[int(rng.integers(len(choices)))]
