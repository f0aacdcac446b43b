"""The light of a scene: colours of the sky, and the shading of objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PIL import Image, ImageChops

from tagsight.demo.scenes.colours import Colour, one_of, varied
from tagsight.demo.scenes.textures import grain

if TYPE_CHECKING:
    from numpy.random import Generator

    from tagsight.demo.scenes.dependencies import LightName

SKIES: dict[str, tuple[tuple[Colour, Colour], ...]] = {
    "sunny": (
        ((74, 134, 206), (196, 224, 240)),
        ((96, 156, 214), (222, 234, 236)),
        ((58, 118, 190), (170, 212, 228)),
        ((84, 164, 200), (214, 238, 226)),
        ((124, 166, 206), (238, 232, 214)),
    ),
    "overcast": (
        ((144, 156, 170), (208, 212, 214)),
        ((168, 176, 182), (224, 222, 214)),
        ((118, 134, 152), (188, 198, 206)),
        ((104, 150, 196), (206, 224, 232)),
    ),
    "dusk": (
        ((74, 66, 124), (250, 164, 100)),
        ((122, 92, 142), (255, 194, 154)),
        ((52, 72, 122), (244, 128, 84)),
        ((92, 112, 162), (255, 208, 142)),
        ((150, 84, 110), (255, 176, 96)),
    ),
    "night": (
        ((10, 14, 40), (40, 56, 98)),
        ((18, 14, 46), (66, 56, 100)),
        ((8, 24, 42), (32, 76, 92)),
        ((24, 30, 54), (78, 84, 114)),
        ((16, 20, 58), (92, 70, 110)),
    ),
}
"""Colours above and at the horizon."""

TINTS: dict[str, tuple[float, float, float]] = {
    "sunny": (1.0, 0.99, 0.96),
    "overcast": (0.84, 0.87, 0.91),
    "dusk": (0.82, 0.64, 0.6),
    "night": (0.46, 0.52, 0.72),
}
CLOUDS: dict[str, tuple[Colour, Colour]] = {
    "sunny": ((255, 254, 250), (160, 174, 198)),
    "overcast": ((232, 234, 236), (130, 138, 152)),
    "dusk": ((255, 206, 170), (128, 88, 122)),
    "night": ((132, 140, 172), (64, 70, 104)),
}


class Light(NamedTuple):
    """The light source of a scene and its colours.

    Attributes:
        mood: Key of the tables above.
        above: The sky's colour overhead.
        horizon: The sky's colour at the horizon, which hides distant things as haze.
        tint: Factors of red, green and blue.
        side: Where it comes from, -1 from the left to 1 from the right.
        haze: Share of the haze at the horizon.
    """

    mood: str
    above: Colour
    horizon: Colour
    tint: tuple[float, float, float]
    side: float
    haze: float

    @property
    def dark(self) -> bool:
        """Whether lamps are on.

        Example:
            >>> rng = np.random.default_rng(0)
            >>> draw_light(rng, "dusk", frozenset()).dark, draw_light(rng, "day", frozenset()).dark
            (True, False)
        """
        return self.mood in {"dusk", "night"}


def draw_light(rng: Generator, name: LightName, labels: frozenset[str]) -> Light:
    """Choose the colours of the light, of a bright day if the sun is seen.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> day = draw_light(rng, "day", frozenset({"sun"}))
        >>> day.mood, draw_light(rng, "night", frozenset()).dark
        ('sunny', True)
    """
    mood: str = name
    if name == "day":
        mood = "sunny" if "sun" in labels or rng.random() < 0.4 else "overcast"
    above, horizon = one_of(rng, SKIES[mood])
    strength = rng.uniform(0.85, 1.08)
    red, green, blue = (factor * strength * rng.uniform(0.96, 1.04) for factor in TINTS[mood])
    return Light(
        mood,
        varied(rng, above, 14),
        varied(rng, horizon, 10),
        (red, green, blue),
        float(rng.uniform(-1, 1)),
        float(rng.uniform(0.25, 0.75)),
    )


def lit(rng: Generator, image: Image.Image, light: Light, distance: float) -> Image.Image:
    """Give a drawing relief and grain, the light's colour, and haze.

    Args:
        rng: Chooses the grain.
        image: RGBA.
        light: What shines on it.
        distance: 0 at our feet to 1 at the horizon.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> light = draw_light(rng, "night", frozenset())._replace(haze=0.0)
        >>> house = Image.new("RGBA", (8, 8), (200, 200, 200, 255))
        >>> red, _, blue, opacity = lit(rng, house, light, 0.0).getpixel((4, 4))
        >>> red < blue < 200, opacity  # nights are dark and blue
        (True, 255)
    """
    relief = _relief(rng, image.size, light.side)
    surface = ImageChops.soft_light(image.convert("RGB"), relief)
    table = _table(light, distance)
    lighted = surface.point(table)
    lighted.putalpha(image.getchannel("A"))
    return lighted


def _relief(rng: Generator, size: tuple[int, int], side: float) -> Image.Image:
    # Brighter above and on the side of the light, as round things are.
    corners = np.array([[160 - 34 * side, 160 + 34 * side], [104 - 26 * side, 104 + 26 * side]])
    slope = Image.fromarray(corners.astype(np.uint8)).resize(size, Image.Resampling.BILINEAR)
    rough = (grain(rng, size, across=2.2, down=2.2) * 90 + 83).astype(np.uint8)
    relief = ImageChops.add(slope, Image.fromarray(rough), offset=-128)
    return Image.merge("RGB", [relief] * 3)


def _table(light: Light, distance: float) -> list[int]:
    share = light.haze * distance**1.5
    values = np.arange(256)[None, :] * np.array(light.tint)[:, None]
    hazed = values * (1 - share) + np.array(light.horizon)[:, None] * share
    return [int(value) for value in hazed.clip(0, 255).ravel()]
