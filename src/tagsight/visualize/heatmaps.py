"""Heatmaps: maps drawn on the photo they speak of.

Maps stay as raw as the system made them until they are drawn, and then all maps of a photo share
one scale: from no evidence, which leaves the photo as it is, to the strongest evidence among the
labels shown. What speaks against a label is not drawn.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

OPACITY = 0.85
"""Share of the colour over the photo where evidence is strongest."""


def strongest(maps: NDArray[np.float32]) -> float:
    """The top of the scale on which maps are drawn together; 0 if nothing speaks for any label.

    Args:
        maps: ``(..., h, w)`` float of any number of labels.
    """
    return max(0.0, float(maps.max(initial=0.0)))


def enlarged(evidence: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """Stretch a map over the whole photo: ``(h, w) -> (height, width)``, bilinear between cells.

    A cell's value stands at its centre; outside the outermost centres it continues.

    Args:
        evidence: ``(h, w)`` float.
        size: Width and height of the photo in pixels.
    """
    grid = Image.fromarray(np.ascontiguousarray(evidence, dtype=np.float32))
    return np.asarray(grid.resize(size, Image.Resampling.BILINEAR))


def overlay(photo: Image.Image, evidence: NDArray[np.float32], top: float) -> Image.Image:
    """Draw one label's evidence on the photo, which is paled so that colour means evidence.

    Args:
        photo: RGB, upright.
        evidence: ``(h, w)`` float, over the whole photo.
        top: Evidence that gets the last colour; where there is 0 or less, there is no colour.
    """
    share = np.clip(enlarged(evidence, photo.size) / top, 0, 1) if top > 0 else np.float32(0)
    paled = np.asarray(_paled(photo), dtype=np.float32)
    share = np.broadcast_to(share, paled.shape[:2])
    return Image.fromarray(blended(paled, share).round().astype(np.uint8))


def veil(evidence: NDArray[np.float32], top: float, size: tuple[int, int]) -> Image.Image:
    """Draw one label's evidence as colours over a photo, transparent where there is none.

    Args:
        evidence: ``(h, w)`` float, over the whole photo.
        top: Evidence that gets the last colour; where there is 0 or less, there is no colour.
        size: Width and height of the picture in pixels; it is smooth, so that a small one will do.

    Returns:
        A picture of at most 256 colours, each with an opacity of its own.
    """
    share = np.clip(enlarged(evidence, size) / top, 0, 1) if top > 0 else np.zeros(size[::-1])
    picture = Image.fromarray((share * 255).round().astype(np.uint8), "P")
    picture.putpalette(colour_table().tobytes())
    opacity = 255 * OPACITY * np.sqrt(np.linspace(0, 1, 256))
    picture.info["transparency"] = opacity.round().astype(np.uint8).tobytes()
    return picture


def blended(paled: NDArray[np.float32], share: NDArray[np.float32]) -> NDArray[np.float32]:
    """Lay the scale's colours over pixels, the denser the stronger the evidence.

    Args:
        paled: ``(H, W, 3)`` float in [0, 255].
        share: ``(H, W)`` float in [0, 1], evidence relative to the top of the scale.
    """
    colours = colour_table()[(share * 255).round().astype(np.uint8)].astype(np.float32)
    density = OPACITY * np.sqrt(share)[..., None]
    return paled + density * (colours - paled)


@functools.cache
def colour_table() -> NDArray[np.uint8]:
    """Colours from violet over red to light yellow: ``(256, 3)`` uint8 sRGB.

    Lightness rises evenly in Oklab (Björn Ottosson, A perceptual color space for image processing,
    2020), so that equal steps of evidence look equal, also without colour vision or in print. The
    chroma is the largest that a screen shows, up to 0.2.
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


def _paled(photo: Image.Image) -> Image.Image:
    grey = photo.convert("L").convert("RGB")
    return Image.blend(grey, photo, 0.35).point(lambda value: 0.8 * value + 16)
