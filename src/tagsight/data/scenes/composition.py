"""Where things are: one layer for everything in the photo, from back to front."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PIL import Image, ImageFilter

from tagsight.data.scenes.cast import Thing, choose_things, lie_of_the_land
from tagsight.data.scenes.clouds import draw_cloud
from tagsight.data.scenes.light import SHADOWS, lit
from tagsight.data.scenes.sketch import Sketch
from tagsight.data.scenes.terrain import Shine, draw_hills, draw_land, draw_sea, draw_sky

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.random import Generator

    from tagsight.data.scenes.colours import Colour
    from tagsight.data.scenes.light import Light

SMALLEST, LARGEST = 0.085, 0.62
"""Of a thing's longer side, as shares of the photo's shorter side."""

DEPTHS: dict[str | None, tuple[float, float]] = {
    "house": (0.08, 0.55),
    "tree": (0.05, 0.7),
    "car": (0.25, 0.85),
    "person": (0.2, 1.0),
    "bird": (0.3, 1.0),
    "flower": (0.4, 1.03),
    "boat": (0.05, 0.85),
    None: (0.1, 1.0),
}
"""Where a thing's foot may be between the far and the near end of what it stands on."""

HALOS: dict[str, Colour] = {
    "sunny": (255, 246, 214),
    "dusk": (255, 206, 138),
    "night": (150, 160, 196),
}
ATTEMPTS = 8
"""Places that are tried for a thing; the one that hides least is taken."""


class Layer(NamedTuple):
    """Something that hides what is behind it.

    Attributes:
        image: RGBA, as it is seen.
        corner: Its left and top in the photo, pixels.
        label: What it counts as.
        shade: RGBA of a shadow or reflection, and its corner; it hides nothing.
        glow: RGBA of the parts that shine, of the size of the image.
        is_ground: Whether it can never be left out.
    """

    image: Image.Image
    corner: tuple[int, int]
    label: str | None = None
    shade: tuple[Image.Image, tuple[int, int]] | None = None
    glow: Image.Image | None = None
    is_ground: bool = False


class Composer:
    """Makes the layers of one scene.

    Args:
        rng: Decides everything that the labels leave open.
        labels: What is to be in the photo.
        light: The light of the scene.
        size: ``(width, height)`` of the photo in pixels.
    """

    def __init__(
        self, rng: Generator, labels: frozenset[str], light: Light, size: tuple[int, int]
    ) -> None:
        self.rng, self.labels, self.light, self.size = rng, labels, light, size
        self.side = min(size)
        self.ground = lie_of_the_land(rng, labels, size)
        self.things = choose_things(rng, labels, self.ground)
        self.person = 0.42 * 3.4 ** rng.random()
        self.taken: list[tuple[float, float, float, float]] = []

    def compose(self) -> tuple[Image.Image, list[Layer]]:
        """The sky, RGB, and everything before it from back to front."""
        heaven, shine = self._heaven()
        sky = draw_sky(self.rng, self.ground, self.light, shine)
        layers = [*heaven, *self._clouds()]
        hills = draw_hills(self.rng, self.ground, self.light)
        layers += [Layer(image, (0, 0), is_ground=True) for image in hills]
        layers += [self._flying(thing) for thing in self.things if thing.kind.place == "air"]
        if "sea" in self.labels:
            sea = draw_sea(self.rng, self.ground, self.light, shine)
            layers.append(Layer(sea, (0, self.ground.horizon), "sea", is_ground=True))
            layers += self._standing("sea")
        if self.ground.shore < self.size[1]:
            land = draw_land(self.rng, self.ground, self.light)
            layers.append(Layer(land, (0, self.size[1] - land.height), is_ground=True))
            layers += self._standing("land")
        return sky, layers

    def _heaven(self) -> tuple[list[Layer], Shine | None]:
        layers: list[Layer] = []
        shine = None
        halo = HALOS.get(self.light.mood)
        for thing in sorted(self.things, key=lambda thing: thing.label != "star"):
            if thing.kind.place != "heaven":
                continue
            low = 1.02 if thing.label == "sun" and self.light.dark else 0.7
            layer, middle = self._hung(thing, low)
            layers.append(layer._replace(glow=layer.image))
            if halo and thing.label != "star":
                shine = Shine(middle, halo, self.side * self.rng.uniform(0.6, 1.4))
        return layers, shine

    def _flying(self, thing: Thing) -> Layer:
        layer, _ = self._hung(thing, 0.95)
        near = self.rng.uniform(0, 0.6)
        return layer._replace(image=lit(self.rng, layer.image, self.light, near))

    def _hung(self, thing: Thing, low: float) -> tuple[Layer, tuple[float, float]]:
        sketch = _sketched(thing, self.rng)
        unit = self._bounded(sketch, self.rng.uniform(*thing.kind.sizes) * self.side)
        picture = sketch.picture(unit, mirrored=self.rng.random() < 0.5, turn=self._turn(thing))
        size = picture.image.size

        def somewhere() -> tuple[float, float]:
            x = self.rng.uniform(0.03, 0.97) * self.size[0]
            return x, self.rng.uniform(0.1, low) * self.ground.horizon

        x, y = self._freest(somewhere, (picture.origin[0], picture.origin[1]), size)
        corner = round(x - picture.origin[0]), round(y - picture.origin[1])
        return Layer(picture.image, corner, thing.label), (x, y)

    def _clouds(self) -> Iterator[Layer]:
        if "cloud" not in self.labels:
            return
        for _ in range(int(self.rng.integers(1, 5))):
            width = round(self.size[0] * self.rng.uniform(0.22, 0.62))
            image = draw_cloud(self.rng, width, self.light)
            left = round(self.rng.uniform(-0.1, 0.95) * self.size[0] - 0.4 * width)
            top = round(self.rng.uniform(0.02, 0.72) * self.ground.horizon - 0.3 * image.height)
            yield Layer(image, (left, top), "cloud")

    def _standing(self, place: str) -> list[Layer]:
        placed = [self._placed(thing) for thing in self.things if thing.kind.place == place]
        return [layer for _, layer in sorted(placed, key=lambda entry: entry[0])]

    def _placed(self, thing: Thing) -> tuple[float, Layer]:
        sketch = _sketched(thing, self.rng)
        foot = self._foot(thing)
        size = self.rng.uniform(*thing.kind.sizes) * self.person
        unit = self._bounded(sketch, size * (foot - self.ground.horizon))
        mirrored, turn = self.rng.random() < 0.5, self._turn(thing)
        picture = sketch.picture(unit, mirrored=mirrored, turn=turn)
        x, _ = self._freest(
            lambda: (self.rng.uniform(0.02, 0.98) * self.size[0], foot),
            picture.origin,
            picture.image.size,
        )
        corner = round(x - picture.origin[0]), round(foot - picture.origin[1])
        distance = 1 - (foot - self.ground.horizon) / (self.size[1] - self.ground.horizon)
        image = lit(self.rng, picture.image, self.light, max(0.0, distance))
        glow = None
        if self.light.dark and sketch.has_lamps:
            glow = sketch.picture(unit, mirrored=mirrored, turn=turn, lit=True).image
            image.alpha_composite(glow)
        water = thing.kind.place == "sea"
        shade = _reflection(image, corner) if water else self._shadow(image, corner)
        return foot, Layer(image, corner, thing.label, shade, glow)

    def _foot(self, thing: Thing) -> float:
        near, height = DEPTHS[thing.label], self.size[1]
        if thing.kind.place == "sea":
            far_end, near_end = self.ground.horizon + 2, min(self.ground.shore - 4, height)
        else:
            far_end, near_end = self.ground.shore + 3, height
        foot = far_end + self.rng.uniform(*near) * (near_end - far_end)
        if self.ground.road and thing.kind.place == "land":
            upper, lower = self.ground.road
            if thing.label == "car":
                return self.rng.uniform(0.35, 0.95) * (lower - upper) + upper
            if thing.label in {"house", "tree", "flower", None} and upper - 2 < foot < lower + 3:
                return max(far_end, upper - self.rng.uniform(2, 8))
        return foot

    def _bounded(self, sketch: Sketch, unit: float) -> float:
        extent = sketch.extent
        return float(np.clip(unit, SMALLEST * self.side / extent, LARGEST * self.side / extent))

    def _turn(self, thing: Thing) -> float:
        return self.rng.uniform(-1, 1) * thing.kind.turn

    def _freest(self, somewhere, origin, size):
        best, least = (0.0, 0.0), np.inf
        for _ in range(ATTEMPTS):
            x, y = somewhere()
            left, top = x - origin[0], y - origin[1]
            box = left, top, left + size[0], top + size[1]
            outside = size[0] * size[1] - _overlap(box, (0, 0, *self.size))
            hidden = outside + sum(_overlap(box, other) for other in self.taken)
            if hidden < least:
                best, least, chosen = (x, y), hidden, box
        self.taken.append(chosen)
        return best

    def _shadow(self, image: Image.Image, corner: tuple[int, int]):
        width, height = image.size
        squash = 0.32
        depth = max(3, round(height * squash))
        lean = -self.light.side * 0.9
        reach = round(abs(lean) * depth)
        # Each row of the shadow shows the row of the thing that is as far above its foot.
        matrix = (1, -lean, -reach, 0, -1 / squash, height - 1)
        alpha = image.getchannel("A")
        cast = alpha.transform((width + 2 * reach, depth), Image.Transform.AFFINE, matrix)
        soft = cast.filter(ImageFilter.BoxBlur(max(1, height / 60)))
        strength = SHADOWS[self.light.mood]
        fading = np.linspace(strength, strength * 0.35, depth)[:, None]
        opacity = (np.asarray(soft) * fading).astype(np.uint8)
        shadow = Image.new("RGBA", soft.size, (16, 18, 40, 0))
        shadow.putalpha(Image.fromarray(opacity))
        return shadow, (corner[0] - reach, corner[1] + height - 2)


def _sketched(thing: Thing, rng: Generator) -> Sketch:
    sketch = Sketch()
    thing.kind.draw(sketch, rng)
    return sketch


def _reflection(image: Image.Image, corner: tuple[int, int]):
    width, height = image.size
    depth = max(2, round(height * 0.55))
    flipped = image.transpose(Image.Transpose.FLIP_TOP_BOTTOM).resize((width, depth))
    fading = np.linspace(0.5, 0.05, depth)[:, None]
    ripple = 0.75 + 0.25 * np.sin(np.arange(depth) * 1.7)[:, None]
    opacity = (np.asarray(flipped.getchannel("A")) * fading * ripple).astype(np.uint8)
    flipped.putalpha(Image.fromarray(opacity))
    return flipped, (corner[0], corner[1] + height - 1)


def _overlap(first, second) -> float:
    across = min(first[2], second[2]) - max(first[0], second[0])
    down = min(first[3], second[3]) - max(first[1], second[1])
    return max(0.0, across) * max(0.0, down)
