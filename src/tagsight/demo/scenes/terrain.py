"""The background of a scene: sky, hills, sea and land."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PIL import Image

from tagsight.demo.scenes.colours import Colour, mix, varied
from tagsight.demo.scenes.textures import grain, line, plane

if TYPE_CHECKING:
    from numpy.random import Generator

    from tagsight.demo.scenes.light import Light
    from tagsight.demo.scenes.textures import Field

GROUNDS: dict[str, tuple[Colour, Colour]] = {
    "grass": ((98, 138, 66), (140, 164, 84)),
    "meadow": ((150, 156, 78), (188, 174, 98)),
    "sand": ((224, 202, 158), (196, 172, 130)),
    "snow": ((234, 240, 248), (204, 216, 234)),
    "earth": ((162, 128, 94), (130, 104, 80)),
    "paving": ((172, 168, 162), (142, 140, 138)),
    "heath": ((150, 116, 134), (128, 142, 84)),
}
"""The two colours of each kind of ground."""

SEAS: tuple[Colour, ...] = (
    (34, 92, 128),
    (28, 112, 126),
    (52, 84, 116),
    (46, 128, 140),
    (60, 96, 104),
)
ASPHALT: Colour = (92, 92, 98)


class Ground(NamedTuple):
    """Heights of the photo's parts, in pixels from its top.

    Attributes:
        size: ``(width, height)`` of the photo.
        horizon: Of the land and the sea.
        shore: Where the land begins: at the horizon if there is no sea, maybe below the photo.
        surface: Key of `GROUNDS`.
        road: Upper and lower edge of a road, or None.
    """

    size: tuple[int, int]
    horizon: int
    shore: int
    surface: str
    road: tuple[int, int] | None


class Shine(NamedTuple):
    """The sun or the moon as it lights the air and the water around it.

    Attributes:
        at: Its place in pixels.
        colour: Of its halo.
        reach: Of the halo, in pixels.
    """

    at: tuple[float, float]
    colour: Colour
    reach: float


def draw_sky(rng: Generator, ground: Ground, light: Light, shine: Shine | None) -> Image.Image:
    """The sky down to a little below the horizon, and its colour below that; RGB.

    Example:
        >>> from tagsight.demo.scenes.light import draw_light
        >>> rng, ground = np.random.default_rng(0), Ground((64, 48), 24, 24, "grass", None)
        >>> light = draw_light(rng, "day", frozenset())
        >>> sun = Shine(at=(10, 10), colour=(255, 246, 214), reach=8)
        >>> sky = draw_sky(rng, ground, light, sun)
        >>> sum(sky.getpixel((10, 10))) > sum(sky.getpixel((60, 10)))
        True
    """
    width, height = ground.size
    down = np.clip(np.arange(height, dtype=np.float32) / ground.horizon, 0, 1)
    share = down[:, None] ** rng.uniform(0.8, 1.5)
    share = share + (grain(rng, ground.size, across=0.5, down=1.1) - 0.5) * rng.uniform(0, 0.16)
    sky = _between(light.above, light.horizon, np.clip(share, 0, 1))
    if shine:
        rows, columns = np.ogrid[:height, :width]
        away = np.hypot(columns - shine.at[0], rows - shine.at[1]) / shine.reach
        halo = (0.4 * np.exp(-((2.4 * away) ** 2)) + 0.3 * np.exp(-1.2 * away)).astype(np.float32)
        sky += (np.array(shine.colour, np.float32) - sky) * halo[..., None]
    return Image.fromarray(sky.astype(np.uint8))


def draw_hills(rng: Generator, ground: Ground, light: Light) -> list[Image.Image]:
    """Ranges of hills or mountains behind one another, each paler than the next; RGBA.

    Example:
        >>> from tagsight.demo.scenes.light import draw_light
        >>> rng, ground = np.random.default_rng(1), Ground((64, 48), 24, 24, "grass", None)
        >>> hills = draw_hills(rng, ground, draw_light(rng, "day", frozenset()))
        >>> [hill.getchannel("A").getpixel((32, 24)) for hill in hills]  # opaque at the horizon
        [255, 255, 255]
    """
    width, _ = ground.size
    ranges = []
    count = int(rng.integers(0, 4))
    rocky = rng.random() < 0.4
    first = varied(rng, (92, 108, 116) if rocky else (88, 122, 84), 22)
    for number in range(count):
        near = (number + 1) / count
        tall = ground.horizon * rng.uniform(0.12, 0.42) * (1.15 - 0.6 * near)
        ridge = line(rng, width, scale=(0.9 if rocky else 0.4) * rng.uniform(0.7, 1.3))
        ridge = ridge + rng.uniform(-0.5, 0.5) * np.linspace(-1, 1, width)
        top = ground.horizon - tall * np.clip(0.55 + ridge, 0.05, 1.2)
        share = light.haze * (1.15 - 0.75 * near)
        colour = mix(_tinted(first, light), light.horizon, min(0.9, share))
        snow = mix(_tinted((236, 240, 246), light), light.horizon, share * 0.7)
        is_high = ground.horizon - top.min() > 0.2 * ground.horizon
        ranges.append(_range(rng, ground, top, colour, snow if rocky and is_high else None))
    return ranges


def draw_sea(rng: Generator, ground: Ground, light: Light, shine: Shine | None) -> Image.Image:
    """Water with waves from the horizon to the shore, RGBA, as wide as the photo.

    Example:
        >>> from tagsight.demo.scenes.light import draw_light
        >>> rng, ground = np.random.default_rng(0), Ground((64, 48), 20, 34, "sand", None)
        >>> draw_sea(rng, ground, draw_light(rng, "dusk", frozenset()), None).size
        (64, 28)
    """
    width, _ = ground.size
    rows = _sea_depth(ground)
    below = np.arange(rows, dtype=np.float32) + 1
    deep = _tinted(varied(rng, SEAS[int(rng.integers(len(SEAS)))]), light)
    far = mix(deep, light.horizon, rng.uniform(0.35, 0.7))
    near = np.clip(below / (ground.size[1] - ground.horizon), 0, 1)[:, None] ** 0.6
    size = width, rows
    swell = plane(rng, size, below, scale=rng.uniform(0.25, 0.5), stretch=6) - 0.5
    ripple = plane(rng, size, below, scale=rng.uniform(0.9, 1.8), stretch=5) - 0.5
    waves = (swell * 1.2 + ripple) * (0.35 + near)
    water = _between(far, deep, np.clip(near * 1.1 + 0.3 * swell, 0, 1))
    water *= (1 + rng.uniform(0.35, 0.8) * waves)[..., None]
    crests = np.clip((waves - rng.uniform(0.3, 0.5)) * 6, 0, 1) * rng.uniform(0.3, 1)
    water += (np.array(_tinted((250, 252, 252), light)) - water) * crests[..., None]
    if shine:
        spread = 0.05 * width + 0.3 * below[:, None]
        column = np.exp(-(((np.arange(width)[None, :] - shine.at[0]) / spread) ** 2))
        glitter = column * np.clip(waves * 5 + 0.5, 0, 1) * 0.75
        water += (np.array(shine.colour) - water) * glitter[..., None]
    return _opaque(water)


def draw_land(rng: Generator, ground: Ground, light: Light) -> Image.Image:
    """The land from the shore to the photo's lower edge, RGBA; its upper edge is a little wavy.

    Example:
        >>> from tagsight.demo.scenes.light import draw_light
        >>> rng, ground = np.random.default_rng(0), Ground((64, 48), 20, 30, "sand", None)
        >>> land = draw_land(rng, ground, draw_light(rng, "day", frozenset()))
        >>> land.size, land.getchannel("A").getextrema()  # a wavy edge above
        ((64, 26), (0, 255))
    """
    width, height = ground.size
    rise = 8 if ground.shore > ground.horizon else 3
    top = ground.shore - rise
    rows = np.arange(top, height, dtype=np.float32)
    below = np.maximum(rows - ground.horizon, 1)
    land = _surface(rng, ground, light, below)
    if ground.road:
        _lay_road(rng, land, ground, light, rows)
    distant = (1 - np.clip(below / (height - ground.horizon), 0, 1))[:, None, None]
    land += (np.array(light.horizon) - land) * (light.haze * distant**1.5)
    bend = line(rng, width, scale=rng.uniform(0.3, 0.9)) * 2 * rise
    edge = np.clip(np.arange(len(rows))[:, None] - (rise + bend)[None, :] + 0.5, 0, 1)
    if ground.shore > ground.horizon:
        foam = np.exp(-(((np.arange(len(rows))[:, None] - (rise + bend)[None, :] - 1) / 2.2) ** 2))
        land += (np.array(_tinted((246, 248, 246), light)) - land) * (0.75 * foam[..., None])
    return _opaque(land, edge)


def _surface(rng: Generator, ground: Ground, light: Light, below: Field) -> Field:
    first, second = (_tinted(varied(rng, colour, 14), light) for colour in GROUNDS[ground.surface])
    size = ground.size[0], len(below)
    patches = plane(rng, size, below, scale=rng.uniform(0.1, 0.25), stretch=1.6)
    rough = plane(rng, size, below, scale=rng.uniform(0.9, 1.6), stretch=1.3) - 0.5
    near = np.clip(below / (ground.size[1] - ground.horizon), 0, 1)[:, None]
    land = _between(first, second, np.clip(patches * 1.8 - 0.4, 0, 1))
    if ground.surface in {"grass", "meadow", "heath"}:
        blades = grain(rng, size, across=3, down=0.8) - 0.5
        rough = rough + blades * near
    return land * (1 + 0.5 * rough * (0.35 + near))[..., None]


def _lay_road(rng: Generator, land: Field, ground: Ground, light: Light, rows: Field) -> None:
    upper, lower = ground.road or (0, 0)
    width = ground.size[0]
    slope = rng.uniform(-0.02, 0.02) * (np.arange(width) - width / 2)
    across = (rows[:, None] - upper - slope[None, :]) / (lower - upper)
    asphalt = np.array(_tinted(varied(rng, ASPHALT, 16), light))
    rough = 1 + 0.3 * (grain(rng, (width, len(rows)), across=3, down=3) - 0.5)
    inside = np.clip(np.minimum(across, 1 - across) * (lower - upper) + 0.5, 0, 1)
    land += (asphalt * rough[..., None] - land) * inside[..., None]
    dash = (np.arange(width) + rng.integers(0, 99)) % max(8, (lower - upper)) < (lower - upper) / 2
    marks = np.exp(-(((across - 0.5) / 0.03) ** 2)) * dash[None, :]
    kerbs = np.exp(-(((np.abs(across - 0.5) - 0.5) / 0.025) ** 2))
    paint = np.clip(0.9 * marks + 0.6 * kerbs, 0, 1)
    land += (np.array(_tinted((226, 222, 212), light)) - land) * paint[..., None]


def _range(
    rng: Generator, ground: Ground, top: Field, colour: Colour, snow: Colour | None
) -> Image.Image:
    width, _ = ground.size
    rows = np.arange(ground.horizon + 4, dtype=np.float32)[:, None]
    deep = rows - top[None, :]
    rough = grain(rng, (width, len(rows)), across=2, down=2) - 0.5
    hill = (
        np.array(colour, np.float32) * (1 + 0.3 * rough - 0.1 * np.clip(deep / 60, 0, 1))[..., None]
    )
    if snow:
        reach = 0.28 * (ground.horizon - top.min())
        white = np.clip((top.min() + reach - rows + 26 * rough) / 5, 0, 1)
        hill += (np.array(snow) - hill) * white[..., None]
    return _opaque(hill, np.clip(deep + 0.5, 0, 1))


def _sea_depth(ground: Ground) -> int:
    return min(ground.size[1], ground.shore + 14) - ground.horizon


def _tinted(colour: Colour, light: Light) -> Colour:
    red, green, blue = (
        min(255, round(value * factor)) for value, factor in zip(colour, light.tint, strict=True)
    )
    return red, green, blue


def _between(first: Colour, second: Colour, share: Field) -> Field:
    start, end = np.array(first, np.float32), np.array(second, np.float32)
    return start + (end - start) * share[..., None]


def _opaque(colours: Field, opacity: Field | None = None) -> Image.Image:
    height, width = colours.shape[:2]
    pixels = np.full((height, width, 4), 255, np.uint8)
    pixels[..., :3] = colours.clip(0, 255)
    if opacity is not None:
        pixels[..., 3] = opacity * 255
    return Image.fromarray(pixels)
