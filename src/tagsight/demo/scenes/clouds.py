"""Clouds, which have no outline: piles of puffs, frayed by noise."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageDraw, ImageFilter

from tagsight.demo.scenes.colours import one_of, varied
from tagsight.demo.scenes.light import CLOUDS
from tagsight.demo.scenes.textures import grain

if TYPE_CHECKING:
    from tagsight.demo.scenes.light import Light
    from tagsight.demo.scenes.textures import Field


def draw_cloud(rng: Generator, width: int, light: Light) -> Image.Image:
    """Draw a cloud of one of four kinds, RGBA, lit by the scene.

    Args:
        rng: Chooses everything.
        width: About how wide it becomes, in pixels.
        light: Its mood gives the colours.

    Example:
        >>> from tagsight.demo.scenes.light import draw_light
        >>> rng = np.random.default_rng(0)
        >>> cloud = draw_cloud(rng, 80, draw_light(rng, "day", frozenset()))
        >>> cloud.mode, cloud.width, cloud.getchannel("A").getpixel((0, 0))  # clear at its border
        ('RGBA', 80, 0)
    """
    pile, height, softness = one_of(rng, FORMS)
    size = width, max(6, round(width * height * rng.uniform(0.8, 1.2)))
    body = _blurred(pile(rng, size), max(1.0, softness * size[1] * 0.35))
    rough = grain(rng, size, across=220 / width, down=260 / width) - 0.5
    fine = grain(rng, size, across=600 / width, down=600 / width) - 0.5
    frayed = body + (0.9 * rough + 0.35 * fine) * (0.15 + softness)
    opacity = np.clip((frayed - 0.37) / (0.12 + 0.7 * softness), 0, 1) * np.clip(body * 4, 0, 1)
    return _coloured(rng, opacity * _window(size), rough, light)


def _heap(rng: Generator, size: tuple[int, int]) -> Image.Image:
    width, height = size
    image, draw = _empty(size)
    base = height * 0.82
    for x in np.linspace(0.18, 0.82, 9):
        tall = 1 - abs(2 * x - 1) ** 1.6
        radius = height * rng.uniform(0.13, 0.22) * (0.6 + 0.6 * tall)
        for level in (0.0, 0.32 * tall * rng.random()):
            y = base - radius - level * height
            at = x * width + rng.normal(0, 0.02) * width
            draw.ellipse((at - radius, y - radius, at + radius, y + radius), fill=255)
    draw.rounded_rectangle((width * 0.12, base - height * 0.22, width * 0.88, base), 4, fill=255)
    return image


def _layer(rng: Generator, size: tuple[int, int]) -> Image.Image:
    width, height = size
    image, draw = _empty(size)
    for _ in range(4):
        left, y = rng.uniform(0.06, 0.4) * width, rng.uniform(0.2, 0.8) * height
        right = left + rng.uniform(0.35, 0.55) * width
        thick = height * rng.uniform(0.1, 0.2)
        draw.ellipse((left, y - thick, right, y + thick), fill=255)
    return image


def _wisp(rng: Generator, size: tuple[int, int]) -> Image.Image:
    width, height = size
    image, draw = _empty(size)
    rise = rng.uniform(-0.3, 0.3) * height
    for _ in range(5):
        y = rng.uniform(0.3, 0.7) * height
        left, right = rng.uniform(0.04, 0.35) * width, rng.uniform(0.6, 0.96) * width
        thick = max(2, round(height * rng.uniform(0.05, 0.13)))
        draw.line(
            (left, y - rise, (left + right) / 2, y - 0.1 * height, right, y + rise), 255, thick
        )
    return image


def _empty(size: tuple[int, int]) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    image = Image.new("L", size)
    return image, ImageDraw.Draw(image)


def _blurred(image: Image.Image, radius: float) -> Field:
    blurred = image.filter(ImageFilter.GaussianBlur(radius))
    return np.asarray(blurred, np.float32) / 255


def _window(size: tuple[int, int]) -> Field:
    # So that noise never ends at the straight edge of the image.
    across, down = (
        np.clip(8 * np.minimum(np.linspace(0, 1, side), np.linspace(1, 0, side)), 0, 1)
        for side in size
    )
    return (down[:, None] * across[None, :]).astype(np.float32)


def _coloured(rng: Generator, opacity: Field, rough: Field, light: Light) -> Image.Image:
    bright, shade = (np.array(varied(rng, colour, 8)) for colour in CLOUDS[light.mood])
    height, width = opacity.shape
    down = np.linspace(1.1, -0.05, height, dtype=np.float32)[:, None]
    across = np.linspace(-0.18, 0.18, width, dtype=np.float32)[None, :] * light.side
    share = np.clip(down + across + 1.1 * rough, 0, 1)[..., None]
    pixels = np.empty((height, width, 4), np.uint8)
    pixels[..., :3] = shade + (bright - shade) * share
    pixels[..., 3] = opacity * 245
    return Image.fromarray(pixels)


class Form(NamedTuple):
    """A kind of cloud: its puffs, height by width, and how much it frays, in [0, 1]."""

    pile: Callable[[Generator, tuple[int, int]], Image.Image]
    height: float
    softness: float


FORMS = (
    Form(_heap, 0.5, 0.3),
    Form(_heap, 0.5, 0.3),
    Form(_heap, 0.55, 0.04),
    Form(_layer, 0.26, 0.5),
    Form(_wisp, 0.34, 0.75),
)
