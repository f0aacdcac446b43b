"""The colours of evidence, and how opaque each is."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

OPACITY = 0.75
"""Opacity of the last colour: the object is still seen through it."""


@functools.cache
def colour_table() -> NDArray[np.uint8]:
    """Compute the colours from violet over red to light yellow: ``(256, 3)`` uint8 sRGB.

    Lightness rises evenly in Oklab (Björn Ottosson, A perceptual color space for image processing,
    2020), so that equal steps of evidence look equal, also without colour vision or in print. The
    chroma is the largest that a screen shows, up to 0.2.

    Example:
        >>> colour_table().shape, colour_table()[255].tolist()
        ((256, 3), [255, 244, 101])
    """
    steps = np.linspace(0, 1, 256)
    lightness = 0.35 + 0.6 * steps
    hue = np.deg2rad(300 + 165 * steps)
    chroma = np.linspace(0, 0.2, 101)[:, None]
    candidates = _linear_rgb(lightness, chroma * np.cos(hue), chroma * np.sin(hue))
    shown = np.all((candidates >= 0) & (candidates <= 1), axis=-1)
    most = len(shown) - 1 - shown[::-1].argmax(0)
    linear = candidates[most, np.arange(256)]
    srgb = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return (255 * srgb).round().astype(np.uint8)


@functools.cache
def opacity_table() -> NDArray[np.uint8]:
    """Compute the opacity of each colour: ``(256,)`` uint8, in even steps up to `OPACITY`.

    Example:
        >>> opacity_table()[[0, 255]].tolist()
        [0, 191]
    """
    return (255 * OPACITY * np.linspace(0, 1, 256)).round().astype(np.uint8)


def _linear_rgb(
    lightness: NDArray[np.float64], a: NDArray[np.float64], b: NDArray[np.float64]
) -> NDArray[np.float64]:
    cones = (
        lightness + 0.3963377774 * a + 0.2158037573 * b,
        lightness - 0.1055613458 * a - 0.0638541728 * b,
        lightness - 0.0894841775 * a - 1.2914855480 * b,
    )
    long, medium, short = (cone**3 for cone in cones)
    return np.stack(
        [
            4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
            -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
            -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
        ],
        axis=-1,
    )
