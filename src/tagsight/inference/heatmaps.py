"""Draw evidence maps over photos.

Maps stay raw, in logits, until they are drawn. All maps drawn for one photo share one scale, from
zero, where the photo shows through unchanged, to the strongest evidence among the labels shown.
Evidence against a label is not drawn.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

OPACITY = 0.85
"""Opacity of the colour where evidence is strongest."""


class Panel(NamedTuple):
    """One label of a photo, as it is shown.

    Attributes:
        name: Name of the label.
        score: In [0, 1].
        threshold: In [0, 1]; the label is found if its score reaches it.
        found: Whether the label is found.
        evidence: ``(h, w)`` float32, the map over the whole photo.
    """

    name: str
    score: float
    threshold: float
    found: bool
    evidence: NDArray[np.float32]


def strongest(maps: NDArray[np.float32]) -> float:
    """Return the top of the scale on which maps are drawn together; 0 if no value is positive.

    Args:
        maps: ``(..., h, w)`` float, the maps of all labels shown.

    Example:
        >>> strongest(np.array([[[1, -4]], [[3, 2]]], dtype=np.float32))
        3.0
    """
    return max(0.0, float(maps.max(initial=0.0)))


def upsample(evidence: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """Resize a map to the size of a photo: ``(h, w) -> (height, width)``, bilinear.

    The value of a cell stands at the centre of the cell; beyond the outermost centres the map is
    constant.

    Args:
        evidence: ``(h, w)`` float.
        size: Width and height of the photo in pixels.

    Example:
        >>> upsample(np.array([[0, 1]], dtype=np.float32), (4, 1)).tolist()
        [[0.0, 0.25, 0.75, 1.0]]
    """
    grid = Image.fromarray(np.ascontiguousarray(evidence, dtype=np.float32))
    return np.asarray(grid.resize(size, Image.Resampling.BILINEAR))


def overlay(photo: Image.Image, evidence: NDArray[np.float32], top: float) -> Image.Image:
    """Draw the evidence for one label on a photo, which is paled so that colour means evidence.

    Args:
        photo: RGB, upright.
        evidence: ``(h, w)`` float, over the whole photo.
        top: Value that gets the last colour; values of 0 or less get none.

    Example:
        >>> photo = Image.new("RGB", (8, 8), (128, 128, 128))
        >>> picture = overlay(photo, np.array([[0, 2]], dtype=np.float32), top=2.0)
        >>> picture.getpixel((0, 0)), picture.getpixel((7, 0))
        ((118, 118, 118), (234, 225, 104))
    """
    share = np.clip(upsample(evidence, photo.size) / top, 0, 1) if top > 0 else np.float32(0)
    paled = np.asarray(_paled(photo), dtype=np.float32)
    share = np.broadcast_to(share, paled.shape[:2])
    return Image.fromarray(blend(paled, share).round().astype(np.uint8))


def transparent_overlay(
    evidence: NDArray[np.float32], top: float, size: tuple[int, int]
) -> Image.Image:
    """Draw the evidence for one label as a layer to put over a photo, transparent where it is 0.

    Args:
        evidence: ``(h, w)`` float, over the whole photo.
        top: Value that gets the last colour; values of 0 or less are transparent.
        size: Width and height of the layer in pixels; it is smooth, so a small one will do.

    Returns:
        An image with a palette of 256 colours, each with its own opacity.
    """
    share = np.clip(upsample(evidence, size) / top, 0, 1) if top > 0 else np.zeros(size[::-1])
    picture = Image.fromarray((share * 255).round().astype(np.uint8), "P")
    picture.putpalette(colour_table().tobytes())
    opacity = 255 * OPACITY * np.sqrt(np.linspace(0, 1, 256))
    picture.info["transparency"] = opacity.round().astype(np.uint8).tobytes()
    return picture


def blend(paled: NDArray[np.float32], share: NDArray[np.float32]) -> NDArray[np.float32]:
    """Blend the colours of the scale over pixels, with more opacity for stronger evidence.

    Args:
        paled: ``(H, W, 3)`` float in [0, 255].
        share: ``(H, W)`` float in [0, 1], evidence relative to the top of the scale.
    """
    colours = colour_table()[(share * 255).round().astype(np.uint8)].astype(np.float32)
    opacity = OPACITY * np.sqrt(share)[..., None]
    return paled + opacity * (colours - paled)


@functools.cache
def colour_table() -> NDArray[np.uint8]:
    """Compute the colours from violet over red to light yellow: ``(256, 3)`` uint8 sRGB.

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
