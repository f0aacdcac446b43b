"""Shadows of objects on land, and their reflections in water."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PIL import Image, ImageFilter

if TYPE_CHECKING:
    from tagsight.demo.scenes.light import Light
    from tagsight.demo.scenes.textures import Field

STRENGTHS = {"sunny": 0.42, "overcast": 0.16, "dusk": 0.34, "night": 0.3}
"""Opacity of a shadow in each mood of the light."""

DARK = (16, 18, 40)
LENGTH = 0.32
"""Length of a shadow, as a share of the object's height."""

DEPTH = 0.55
"""Height of a reflection, as a share of the object's height."""


class Shade(NamedTuple):
    """A translucent picture on the ground.

    Attributes:
        image: RGBA.
        corner: Its left and top in the photo, pixels.
    """

    image: Image.Image
    corner: tuple[int, int]


def shadow(image: Image.Image, corner: tuple[int, int], light: Light) -> Shade:
    """Draw the outline of an object on the ground, away from the light, and softened.

    Example:
        >>> from tagsight.demo.scenes.light import draw_light
        >>> light = draw_light(np.random.default_rng(0), "day", frozenset({"sun"}))
        >>> post = Image.new("RGBA", (4, 50), (90, 60, 40, 255))
        >>> shade = shadow(post, (30, 10), light._replace(side=1))  # light from the right
        >>> shade.corner[0] < 30, shade.corner[1]  # at the foot of the post, to the left
        (True, 58)
    """
    width, height = image.size
    length = max(3, round(height * LENGTH))
    lean = -0.9 * light.side
    reach = round(abs(lean) * length)
    # A row of the shadow shows the row of the thing that is as far above its foot.
    matrix = (1, -lean, -reach, 0, -1 / LENGTH, height - 1)
    outline = image.getchannel("A").transform(
        (width + 2 * reach, length), Image.Transform.AFFINE, matrix
    )
    soft = outline.filter(ImageFilter.BoxBlur(max(1, height / 60)))
    strength = STRENGTHS[light.mood]
    cast = Image.new("RGBA", soft.size, DARK)
    cast.putalpha(_faded(soft, np.linspace(strength, 0.35 * strength, length)))
    return Shade(cast, (corner[0] - reach, corner[1] + height - 2))


def reflection(image: Image.Image, corner: tuple[int, int]) -> Shade:
    """Draw the object upside down and flattened, in stripes that fade out.

    Example:
        >>> mast = Image.new("RGBA", (4, 40), (250, 250, 250, 255))
        >>> mirrored = reflection(mast, (30, 10))
        >>> mirrored.image.size, mirrored.corner  # flatter, and below the mast
        ((4, 22), (30, 49))
    """
    width, height = image.size
    depth = max(2, round(height * DEPTH))
    flipped = image.transpose(Image.Transpose.FLIP_TOP_BOTTOM).resize((width, depth))
    ripples = 0.75 + 0.25 * np.sin(1.7 * np.arange(depth))
    flipped.putalpha(_faded(flipped.getchannel("A"), np.linspace(0.5, 0.05, depth) * ripples))
    return Shade(flipped, (corner[0], corner[1] + height - 1))


def _faded(opacity: Image.Image, rows: Field) -> Image.Image:
    return Image.fromarray((np.asarray(opacity) * rows[:, None]).astype(np.uint8))
