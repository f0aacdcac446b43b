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
    """Paint the layers over the sky, from back to front; RGB."""
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
    """Add blur, vignetting, a colour cast and noise; RGB."""
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
