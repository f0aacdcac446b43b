"""Sun, moon and stars, a unit wide about the origin; they shine by themselves."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from tagsight.demo.scenes.colours import Colour, darker, lighter, one_of, varied
from tagsight.demo.scenes.objects.kind import Kind
from tagsight.demo.scenes.sketch import ring

if TYPE_CHECKING:
    from numpy.random import Generator

    from tagsight.demo.scenes.sketch import Points, Sketch

SUNS: tuple[Colour, ...] = ((255, 246, 214), (255, 226, 130), (255, 196, 84), (252, 150, 76))
MOONS: tuple[Colour, ...] = ((240, 238, 224), (226, 228, 236), (248, 226, 176), (240, 190, 130))
STARS: tuple[Colour, ...] = ((255, 252, 236), (224, 234, 255), (255, 232, 180))


def _plain_sun(sketch: Sketch, rng: Generator) -> None:
    """A disc with a paler middle."""
    colour = varied(rng, one_of(rng, SUNS[1:]), 8)
    for size, share in ((0.5, 0.0), (0.41, 0.3), (0.3, 0.6)):
        sketch.oval((0, 0), (size, size), lighter(colour, share))


def _rayed_sun(sketch: Sketch, rng: Generator) -> None:
    """A disc within a ring of pointed rays."""
    colour = varied(rng, one_of(rng, SUNS[1:]), 8)
    count = int(rng.integers(9, 15))
    sketch.area(_spikes(2 * count, (0.5, 0.36), rng.uniform(0, 1)), colour)
    sketch.oval((0, 0), (0.35, 0.35), lighter(colour, 0.35))
    sketch.oval((0, 0), (0.27, 0.27), lighter(colour, 0.6))


def _beaming_sun(sketch: Sketch, rng: Generator) -> None:
    """A disc with separate beams, long and short in turn."""
    colour = varied(rng, one_of(rng, SUNS[1:]), 8)
    count = 2 * int(rng.integers(5, 8))
    for number in range(count):
        angle = 2 * math.pi * number / count + rng.uniform(0, 0.1)
        reach = 0.5 if number % 2 else 0.42
        ends = [(math.cos(angle) * r, math.sin(angle) * r) for r in (0.345, reach)]
        sketch.line(ends, 0.04, colour)
    sketch.oval((0, 0), (0.29, 0.29), colour)
    sketch.oval((0.02, 0.02), (0.22, 0.22), lighter(colour, 0.4))


def _banded_sun(sketch: Sketch, rng: Generator) -> None:
    """A large low disc that becomes redder downwards."""
    colour = varied(rng, one_of(rng, SUNS[1:]), 8)
    bands = 6
    for band in range(bands):
        top = math.degrees(math.asin(1 - 1.9 * band / bands))
        cap = ring((0, 0), (0.5, 0.5), start=180 - top, stop=360 + top)
        red = (236, 96, 72)
        share = band / bands * 0.7
        mixed = tuple(round(a + (b - a) * share) for a, b in zip(colour, red, strict=True))
        sketch.area(cap, (mixed[0], mixed[1], mixed[2]))


def _full_moon(sketch: Sketch, rng: Generator) -> None:
    """A disc with grey plains and craters."""
    colour = varied(rng, one_of(rng, MOONS), 8)
    sketch.oval((0, 0), (0.5, 0.5), darker(colour, 0.1))
    sketch.oval((0.015, 0.015), (0.47, 0.47), colour)
    for _ in range(int(rng.integers(5, 9))):
        angle, away = rng.uniform(0, 2 * math.pi), rng.uniform(0.05, 0.34)
        at = (math.cos(angle) * away, math.sin(angle) * away)
        size = rng.uniform(0.035, 0.11)
        sketch.oval(at, (size * 1.15, size), darker(colour, rng.uniform(0.1, 0.22)))


def _crescent(sketch: Sketch, rng: Generator) -> None:
    """A sickle, thin or thick."""
    _phase(sketch, rng, rng.uniform(0.1, 0.36))


def _half_moon(sketch: Sketch, rng: Generator) -> None:
    """About half of a disc, its edge bent a little either way."""
    _phase(sketch, rng, rng.uniform(-0.2, 0.06))


def _sparkle(sketch: Sketch, rng: Generator) -> None:
    """Four long rays."""
    colour = one_of(rng, STARS)
    sketch.area(_spikes(8, (0.5, 0.09), 0.25), colour)
    sketch.oval((0, 0), (0.13, 0.13), (255, 255, 255))


def _pointed_star(sketch: Sketch, rng: Generator) -> None:
    """Five points, as on flags."""
    sketch.area(_spikes(10, (0.5, 0.21), 0.25), varied(rng, one_of(rng, STARS)))


def _burst(sketch: Sketch, rng: Generator) -> None:
    """Eight rays, four of them shorter."""
    colour = one_of(rng, STARS)
    sketch.area(_spikes(8, (0.36, 0.1), 0.125), colour)
    sketch.area(_spikes(8, (0.5, 0.1), 0.25), colour)
    sketch.oval((0, 0), (0.16, 0.16), (255, 255, 255))


def _shooting_star(sketch: Sketch, rng: Generator) -> None:
    """Five points and a tail."""
    colour = one_of(rng, STARS)
    angle = rng.uniform(15, 50)
    for shift, share in ((-0.1, 0.45), (0.1, 0.45), (0, 0.2)):
        far = math.radians(angle + shift * 60)
        start = (-math.sin(far) * shift, math.cos(far) * shift)
        reach = 1.3 if shift == 0 else 0.9
        end = (start[0] - math.cos(far) * reach, start[1] + math.sin(far) * reach)
        corners = [(start[0] + 0.05, start[1] + 0.06), end, (start[0] - 0.05, start[1] - 0.06)]
        sketch.area(corners, darker(colour, share))
    sketch.area(_spikes(10, (0.36, 0.15), 0.25), colour)


def _phase(sketch: Sketch, rng: Generator, bend: float) -> None:
    colour = varied(rng, one_of(rng, MOONS), 8)
    turn = rng.uniform(-40, 40)
    outer = ring((0, 0), (0.5, 0.5), turn=turn, start=-90, stop=90)
    inner = ring((0, 0), (bend, 0.5), turn=turn, start=90, stop=-90)
    sketch.area(np.concatenate([outer, inner]), colour)
    if bend < 0.1:
        for angle, away in ((0.5, 0.26), (-0.5, 0.3), (0, 0.36)):
            at = math.radians(turn) + angle
            spot = (math.cos(at) * away, math.sin(at) * away)
            sketch.oval(spot, (0.06, 0.05), darker(colour, 0.16))


def _spikes(corners: int, radii: tuple[float, float], turn: float) -> Points:
    angles = 2 * math.pi * (np.arange(corners) / corners + turn)
    reach = np.where(np.arange(corners) % 2, radii[1], radii[0])
    return np.stack([np.cos(angles) * reach, np.sin(angles) * reach], 1)


SUN: tuple[Kind, ...] = (
    Kind(_plain_sun, "heaven", (0.09, 0.24)),
    Kind(_rayed_sun, "heaven", (0.16, 0.36), 20),
    Kind(_beaming_sun, "heaven", (0.16, 0.36), 20),
    Kind(_banded_sun, "heaven", (0.16, 0.42)),
)

MOON: tuple[Kind, ...] = (
    Kind(_full_moon, "heaven", (0.1, 0.32), 180),
    Kind(_crescent, "heaven", (0.12, 0.32), 10),
    Kind(_half_moon, "heaven", (0.1, 0.28), 10),
)

STAR: tuple[Kind, ...] = (
    Kind(_sparkle, "heaven", (0.07, 0.15), 12),
    Kind(_pointed_star, "heaven", (0.065, 0.13), 30),
    Kind(_burst, "heaven", (0.07, 0.14), 10),
    Kind(_shooting_star, "heaven", (0.08, 0.16)),
)
