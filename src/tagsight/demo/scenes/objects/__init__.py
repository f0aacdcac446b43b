"""The ways to draw each label, and the objects without a label."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

from numpy.random import Generator

from tagsight.demo.scenes.objects import (
    birds,
    boats,
    cars,
    clutter,
    flowers,
    houses,
    people,
    sky,
    trees,
)
from tagsight.demo.scenes.sketch import Sketch


class Kind(NamedTuple):
    """One way to draw a label.

    Attributes:
        draw: Adds its shapes to a sketch.
        place: Where it is: far up (``heaven``), in the ``air``, on ``land``, or on the ``sea``.
        sizes: Smallest and largest length of the sketch's unit: as a share of the photo's shorter
            side if it is not on the ground, otherwise in heights of a person who stands beside it.
        turn: Largest angle by which it is turned, degrees.
        surfaces: The grounds it belongs to, or none if it belongs to all.
    """

    draw: Callable[[Sketch, Generator], None]
    place: Literal["heaven", "air", "land", "sea"]
    sizes: tuple[float, float]
    turn: float = 0
    surfaces: tuple[str, ...] = ()


KINDS: dict[str, tuple[Kind, ...]] = {
    "sun": (
        Kind(sky.plain_sun, "heaven", (0.09, 0.24)),
        Kind(sky.rayed_sun, "heaven", (0.16, 0.36), 20),
        Kind(sky.beaming_sun, "heaven", (0.16, 0.36), 20),
        Kind(sky.banded_sun, "heaven", (0.16, 0.42)),
    ),
    "moon": (
        Kind(sky.full_moon, "heaven", (0.1, 0.32), 180),
        Kind(sky.crescent, "heaven", (0.12, 0.32), 10),
        Kind(sky.half_moon, "heaven", (0.1, 0.28), 10),
    ),
    "star": (
        Kind(sky.sparkle, "heaven", (0.07, 0.15), 12),
        Kind(sky.pointed_star, "heaven", (0.065, 0.13), 30),
        Kind(sky.burst, "heaven", (0.07, 0.14), 10),
        Kind(sky.shooting_star, "heaven", (0.08, 0.16)),
    ),
    "boat": (
        Kind(boats.sailing_boat, "sea", (1.4, 3.0)),
        Kind(boats.sailing_boat, "sea", (1.4, 3.0)),
        Kind(boats.rowing_boat, "sea", (0.5, 0.8)),
        Kind(boats.motor_boat, "sea", (0.8, 1.5)),
        Kind(boats.fishing_boat, "sea", (1.2, 2.2)),
        Kind(boats.steamer, "sea", (1.0, 1.8)),
    ),
    "house": (
        Kind(houses.cottage, "land", (1.7, 2.6)),
        Kind(houses.long_house, "land", (1.5, 2.2)),
        Kind(houses.corner_house, "land", (1.6, 2.5)),
        Kind(houses.town_house, "land", (2.6, 3.8)),
        Kind(houses.barn, "land", (1.6, 2.6)),
        Kind(houses.modern_house, "land", (1.5, 2.2)),
    ),
    "tree": (
        Kind(trees.broadleaf, "land", (1.6, 3.6), 3),
        Kind(trees.birch, "land", (2.0, 3.6), 3),
        Kind(trees.poplar, "land", (2.2, 4.2)),
        Kind(trees.conifer, "land", (1.6, 4.0), 2),
        Kind(trees.palm, "land", (1.8, 3.4), 4, ("sand", "grass", "earth", "paving")),
        Kind(trees.bare, "land", (1.6, 3.2), 4),
    ),
    "car": (
        Kind(cars.sedan, "land", (0.62, 0.85)),
        Kind(cars.hatchback, "land", (0.66, 0.9)),
        Kind(cars.beetle, "land", (0.62, 0.85)),
        Kind(cars.van, "land", (0.8, 1.1)),
        Kind(cars.pickup, "land", (0.7, 0.9)),
        Kind(cars.front_view, "land", (0.66, 0.95)),
    ),
    "person": (
        Kind(people.standing, "land", (0.75, 1.1)),
        Kind(people.walking, "land", (0.75, 1.1)),
        Kind(people.running, "land", (0.75, 1.05)),
        Kind(people.in_a_dress, "land", (0.75, 1.05)),
        Kind(people.cheering, "land", (0.75, 1.05)),
        Kind(people.with_an_umbrella, "land", (0.9, 1.15)),
    ),
    "bird": (
        Kind(birds.gull, "air", (0.1, 0.34), 18),
        Kind(birds.flapping, "air", (0.1, 0.34), 18),
        Kind(birds.swallow, "air", (0.1, 0.3), 60),
        Kind(birds.songbird, "land", (0.28, 0.5), 6),
        Kind(birds.heron, "land", (0.5, 0.9)),
        Kind(birds.duck, "sea", (0.28, 0.5)),
    ),
    "flower": (
        Kind(flowers.daisy, "land", (0.26, 0.6), 10),
        Kind(flowers.sunflower, "land", (0.4, 0.9), 6),
        Kind(flowers.tulip, "land", (0.26, 0.56), 8),
        Kind(flowers.poppy, "land", (0.26, 0.56), 10),
        Kind(flowers.bellflowers, "land", (0.32, 0.7), 6),
        Kind(flowers.bush_rose, "land", (0.36, 0.7)),
    ),
}
"""Clouds and the sea, which have no outline to draw, are made elsewhere."""

CLUTTER: tuple[Kind, ...] = (
    Kind(clutter.rock, "land", (0.12, 0.5)),
    Kind(clutter.rock, "land", (0.12, 0.5)),
    Kind(clutter.shrub, "land", (0.3, 0.7)),
    Kind(clutter.shrub, "land", (0.3, 0.7)),
    Kind(clutter.fence, "land", (0.36, 0.55)),
    Kind(clutter.street_lamp, "land", (1.6, 2.4)),
    Kind(clutter.sign, "land", (0.9, 1.4)),
    Kind(clutter.hay_bale, "land", (0.5, 0.8), 0, ("meadow", "grass")),
    Kind(clutter.cactus, "land", (0.7, 1.3), 0, ("sand", "earth")),
    Kind(clutter.tent, "land", (0.7, 1.1)),
    Kind(clutter.windmill, "land", (1.6, 2.8)),
    Kind(clutter.lighthouse, "land", (1.6, 3.0)),
    Kind(clutter.mushroom, "land", (0.14, 0.3), 6, ("grass", "meadow", "heath")),
    Kind(clutter.parasol, "land", (0.9, 1.3), 10, ("sand", "grass", "paving")),
    Kind(clutter.snowman, "land", (0.6, 1.0), 0, ("snow",)),
    Kind(clutter.buoy, "sea", (0.4, 0.7), 12),
    Kind(clutter.buoy, "sea", (0.4, 0.7), 12),
    Kind(clutter.rock, "sea", (0.3, 0.8)),
    Kind(clutter.hot_air_balloon, "air", (0.1, 0.34), 4),
    Kind(clutter.kite, "air", (0.1, 0.22), 40),
    Kind(clutter.plane, "air", (0.14, 0.34), 12),
)
GRASS = Kind(clutter.grass, "land", (0.12, 0.3), 0, ("grass", "meadow", "heath"))
