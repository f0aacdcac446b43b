"""Painting of the layers, and the imperfections of a camera."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageChops, ImageFilter

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.random import Generator

    from tagsight.demo.scenes.composition import Layer

BLOOM = 0.7
"""Strength of the glow around light sources."""


def painted(sky: Image.Image, layers: Iterable[Layer]) -> Image.Image:
    """Paint the layers over the sky, from back to front; RGB.

    Example:
        >>> from tagsight.demo.scenes.composition import Layer
        >>> sky = Image.new("RGB", (4, 3), (10, 20, 200))
        >>> tree = Layer(Image.new("RGBA", (2, 2), (0, 120, 0, 255)), (1, 1), "tree")
        >>> picture = painted(sky, [tree])
        >>> picture.getpixel((0, 0)), picture.getpixel((1, 1))
        ((10, 20, 200), (0, 120, 0))
    """
    picture = sky.copy()
    shining = Image.new("RGB", sky.size)
    for layer in layers:
        if layer.shade:
            picture.paste(layer.shade.image, layer.shade.corner, layer.shade.image)
        picture.paste(layer.image, layer.corner, layer.image)
        shining.paste((0, 0, 0), layer.corner, layer.image)
        if layer.glow:
            shining.paste(layer.glow, layer.corner, layer.glow)
    bloom = shining.reduce(4).point(lambda value: value * BLOOM)
    bloom = bloom.filter(ImageFilter.GaussianBlur(2.5))
    return ImageChops.screen(picture, bloom.resize(sky.size, Image.Resampling.BICUBIC))


def photographed(rng: Generator, picture: Image.Image) -> Image.Image:
    """Add blur, vignetting, a colour cast and noise; RGB.

    Example:
        >>> grey = Image.new("RGB", (64, 48), (128, 128, 128))
        >>> photo = photographed(np.random.default_rng(0), grey)
        >>> photo.size, len(photo.getcolors(maxcolors=64 * 48)) > 100  # as a sensor has noise
        ((64, 48), True)
    """
    if rng.random() < 0.6:
        picture = picture.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 0.9)))
    width, height = picture.size
    across = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    down = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    exposure = rng.uniform(0.96, 1.14) * (1 - rng.uniform(0, 0.11) * (across**2 + down**2))
    cast = rng.uniform(0.95, 1.05, 3).astype(np.float32)
    noise = rng.standard_normal((height, width, 3), np.float32) * rng.uniform(1, 4.5)
    pixels = np.asarray(picture) * exposure.astype(np.float32)[..., None] * cast + noise
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
