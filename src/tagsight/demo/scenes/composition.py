"""Placement of objects: one layer for each, from back to front."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from tagsight.demo.scenes.cast import Thing, choose_things, lie_of_the_land
from tagsight.demo.scenes.clouds import draw_cloud
from tagsight.demo.scenes.light import lit
from tagsight.demo.scenes.shades import Shade, reflection, shadow
from tagsight.demo.scenes.sketch import Sketch
from tagsight.demo.scenes.terrain import Shine, draw_hills, draw_land, draw_sea, draw_sky

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.random import Generator
    from PIL import Image

    from tagsight.demo.scenes.colours import Colour
    from tagsight.demo.scenes.light import Light
    from tagsight.demo.scenes.sketch import Picture

Point: TypeAlias = tuple[float, float]
Box: TypeAlias = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels."""

SMALLEST, LARGEST = 0.085, 0.62
"""Limits of an object's longer side, as shares of the photo's shorter side."""

SMALLEST_PERSON, LARGEST_PERSON = 0.42, 1.4
"""Height of a person as a share of how far below the horizon the feet are."""

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
"""Range of an object's foot between the far (0) and the near (1) end of its ground."""

CLOUDS = (1, 4)
"""Fewest and most clouds, if there are any."""

HALOS: dict[str, Colour] = {
    "sunny": (255, 246, 214),
    "dusk": (255, 206, 138),
    "night": (150, 160, 196),
}
ATTEMPTS = 8
"""Number of places to try for an object; the one with the least overlap is taken."""


class Layer(NamedTuple):
    """Something that hides what is behind it.

    Attributes:
        image: RGBA, as it is seen.
        corner: Its left and top in the photo, pixels.
        label: What it counts as.
        shade: Its shadow or reflection, which hides nothing.
        glow: RGBA of the parts that shine, of the size of the image.
        is_ground: Whether it can never be left out.
    """

    image: Image.Image
    corner: tuple[int, int]
    label: str | None = None
    shade: Shade | None = None
    glow: Image.Image | None = None
    is_ground: bool = False


class Composer:
    """Makes the layers of one scene.

    Args:
        rng: Decides everything that the labels leave open.
        labels: What is to be in the photo.
        light: The light of the scene.
        size: ``(width, height)`` of the photo in pixels.

    Example:
        >>> from tagsight.demo.scenes.light import draw_light
        >>> rng, labels = np.random.default_rng(0), frozenset({"sea", "boat"})
        >>> light = draw_light(rng, "day", labels)
        >>> sky, layers = Composer(rng, labels, light, (160, 120)).compose()
        >>> sky.size, {layer.label for layer in layers} == {"sea", "boat", None}
        ((160, 120), True)
    """

    def __init__(
        self, rng: Generator, labels: frozenset[str], light: Light, size: tuple[int, int]
    ) -> None:
        self.rng, self.labels, self.light, self.size = rng, labels, light, size
        self.side = min(size)
        self.ground = lie_of_the_land(rng, labels, size)
        self.things = choose_things(rng, labels, self.ground)
        self.person = SMALLEST_PERSON * (LARGEST_PERSON / SMALLEST_PERSON) ** rng.random()
        self.taken: list[Box] = []

    def compose(self) -> tuple[Image.Image, list[Layer]]:
        """Compose the sky, RGB, and the layers in front of it, from back to front."""
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
        for thing in self.things:
            if thing.kind.place != "heaven":
                continue
            low = 1.02 if thing.label == "sun" and self.light.dark else 0.7
            layer, middle = self._hung(thing, low)
            layers.append(layer._replace(glow=layer.image))
            if halo and thing.label != "star":
                shine = Shine(middle, halo, self.side * self.rng.uniform(0.6, 1.4))
        return layers[::-1], shine

    def _clouds(self) -> Iterator[Layer]:
        if "cloud" not in self.labels:
            return
        for _ in range(int(self.rng.integers(*CLOUDS, endpoint=True))):
            width = round(self.size[0] * self.rng.uniform(0.26, 0.62))
            image = draw_cloud(self.rng, width, self.light)
            left = round(self.rng.uniform(-0.1, 0.95) * self.size[0] - 0.4 * width)
            top = round(self.rng.uniform(0.02, 0.72) * self.ground.horizon - 0.3 * image.height)
            yield Layer(image, (left, top), "cloud")

    def _flying(self, thing: Thing) -> Layer:
        layer, _ = self._hung(thing, 0.95)
        return layer._replace(
            image=lit(self.rng, layer.image, self.light, self.rng.uniform(0, 0.6))
        )

    def _hung(self, thing: Thing, low: float) -> tuple[Layer, Point]:
        sketch = _sketched(thing, self.rng)
        unit = self._bounded(sketch, self.rng.uniform(*thing.kind.sizes) * self.side)
        picture = sketch.picture(unit, mirrored=self._maybe(), turn=self._turn(thing))

        def anywhere() -> Point:
            x = self.rng.uniform(0.03, 0.97) * self.size[0]
            return x, self.rng.uniform(0.1, low) * self.ground.horizon

        middle = self._freest(picture, anywhere)
        return Layer(picture.image, _corner(picture, middle), thing.label), middle

    def _standing(self, place: str) -> list[Layer]:
        placed = [self._placed(thing) for thing in self.things if thing.kind.place == place]
        return [layer for _, layer in sorted(placed, key=lambda entry: entry[0])]

    def _placed(self, thing: Thing) -> tuple[float, Layer]:
        sketch = _sketched(thing, self.rng)
        foot = self._foot(thing)
        below = foot - self.ground.horizon
        unit = self._bounded(sketch, self.rng.uniform(*thing.kind.sizes) * self.person * below)
        mirrored, turn = self._maybe(), self._turn(thing)
        picture = sketch.picture(unit, mirrored=mirrored, turn=turn)
        at = self._freest(picture, lambda: (self.rng.uniform(0.02, 0.98) * self.size[0], foot))
        distance = max(0.0, 1 - below / (self.size[1] - self.ground.horizon))
        image = lit(self.rng, picture.image, self.light, distance)
        glow = None
        if self.light.dark and sketch.has_lamps:
            glow = sketch.picture(unit, mirrored=mirrored, turn=turn, lit=True).image
            image.alpha_composite(glow)
        corner = _corner(picture, at)
        is_afloat = thing.kind.place == "sea"
        shade = reflection(image, corner) if is_afloat else shadow(image, corner, self.light)
        return foot, Layer(image, corner, thing.label, shade, glow)

    def _foot(self, thing: Thing) -> float:
        if thing.kind.place == "sea":
            far, near = self.ground.horizon + 2, min(self.ground.shore - 4, self.size[1])
        else:
            far, near = self.ground.shore + 3, self.size[1]
        foot = far + self.rng.uniform(*DEPTHS[thing.label]) * (near - far)
        if self.ground.road is None or thing.kind.place == "sea":
            return foot
        upper, lower = self.ground.road
        if thing.label == "car":
            return upper + self.rng.uniform(0.35, 0.95) * (lower - upper)
        walks = thing.label in {"person", "bird"}
        if not walks and upper - 2 < foot < lower + 3:
            return max(far, upper - self.rng.uniform(2, 8))
        return foot

    def _freest(self, picture: Picture, anywhere: Callable[[], Point]) -> Point:
        width, height = picture.image.size
        places = [anywhere() for _ in range(ATTEMPTS)]
        corners = [(x - picture.origin[0], y - picture.origin[1]) for x, y in places]
        boxes = [(left, top, left + width, top + height) for left, top in corners]
        frame = 0, 0, *self.size
        lost = [
            sum(_overlap(box, other) for other in self.taken) - _overlap(box, frame)
            for box in boxes
        ]
        best = int(np.argmin(lost))
        self.taken.append(boxes[best])
        return places[best]

    def _bounded(self, sketch: Sketch, unit: float) -> float:
        side = self.side / sketch.extent
        return min(max(unit, SMALLEST * side), LARGEST * side)

    def _turn(self, thing: Thing) -> float:
        return self.rng.uniform(-1, 1) * thing.kind.turn

    def _maybe(self) -> bool:
        return self.rng.random() < 0.5


def _sketched(thing: Thing, rng: Generator) -> Sketch:
    sketch = Sketch()
    thing.kind.draw(sketch, rng)
    return sketch


def _corner(picture: Picture, at: Point) -> tuple[int, int]:
    return round(at[0] - picture.origin[0]), round(at[1] - picture.origin[1])


def _overlap(first: Box, second: Box) -> float:
    across = min(first[2], second[2]) - max(first[0], second[0])
    down = min(first[3], second[3]) - max(first[1], second[1])
    return max(0.0, across) * max(0.0, down)
