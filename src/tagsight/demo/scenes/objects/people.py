"""People, a unit high."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from tagsight.demo.scenes.colours import Colour, darker, lighter, one_of, varied
from tagsight.demo.scenes.objects.kind import Kind
from tagsight.demo.scenes.sketch import ring

if TYPE_CHECKING:
    from numpy.random import Generator

    from tagsight.demo.scenes.sketch import Sketch

SKIN: tuple[Colour, ...] = (
    (246, 212, 184),
    (228, 184, 148),
    (198, 146, 106),
    (150, 102, 72),
    (104, 70, 52),
)
HAIR: tuple[Colour, ...] = (
    (44, 34, 30),
    (92, 60, 38),
    (168, 118, 62),
    (186, 182, 178),
    (122, 52, 34),
)
CLOTHES: tuple[Colour, ...] = (
    (200, 62, 54),
    (58, 96, 156),
    (236, 232, 222),
    (232, 178, 66),
    (74, 130, 98),
    (52, 54, 66),
    (150, 88, 140),
    (226, 130, 110),
    (120, 162, 186),
)
TROUSERS: tuple[Colour, ...] = (
    (54, 66, 98),
    (62, 58, 58),
    (124, 104, 80),
    (86, 94, 84),
    (170, 160, 142),
)
HIP, SHOULDER = 0.47, 0.79


class Pose(NamedTuple):
    """Angles of upper and lower limbs from straight down, degrees; forwards is to the right."""

    legs: tuple[tuple[float, float], tuple[float, float]]
    arms: tuple[tuple[float, float], tuple[float, float]]


STANDING = Pose(((-5, -4), (5, 4)), ((-12, -6), (12, 8)))
WALKING = Pose(((-20, -32), (24, 8)), ((24, 44), (-26, -10)))
RUNNING = Pose(((-24, -80), (50, -6)), ((46, 120), (-48, 30)))
WAVING = Pose(((-6, -4), (7, 3)), ((-14, -8), (142, 168)))
CHEERING = Pose(((-12, -6), (12, 6)), ((-148, -170), (146, 168)))
POINTING = Pose(((-5, -2), (9, 4)), ((-10, -8), (84, 92)))


def _standing(sketch: Sketch, rng: Generator) -> None:
    """Someone who stands, points or waves."""
    _person(sketch, rng, one_of(rng, (STANDING, POINTING, WAVING)), dress=False)


def _walking(sketch: Sketch, rng: Generator) -> None:
    """Someone who walks, seen from the side."""
    _person(sketch, rng, WALKING, dress=rng.random() < 0.3)


def _running(sketch: Sketch, rng: Generator) -> None:
    """Someone who runs."""
    _person(sketch, rng, RUNNING, dress=False)


def _in_a_dress(sketch: Sketch, rng: Generator) -> None:
    """Someone in a dress or a long coat."""
    _person(sketch, rng, one_of(rng, (STANDING, WAVING, CHEERING)), dress=True)


def _cheering(sketch: Sketch, rng: Generator) -> None:
    """Someone with both arms up."""
    _person(sketch, rng, CHEERING, dress=False)


def _with_an_umbrella(sketch: Sketch, rng: Generator) -> None:
    """Someone under an umbrella."""
    canopy = varied(rng, one_of(rng, CLOTHES))
    pose = one_of(rng, (STANDING, WALKING))._replace(arms=((-12, -6), (38, 150)))
    _person(sketch, rng, pose, dress=rng.random() < 0.4, tall=0.84)
    sketch.line([(0.16, 0.5), (0.1, 0.95)], 0.014, (70, 66, 64))
    for part, share in ((1.0, 0.0), (0.6, 0.12), (0.22, 0.24)):
        arch = ring((0.08, 0.86), (0.36 * part, 0.22), start=0, stop=180)
        sketch.area(arch, darker(canopy, share))


def _person(sketch: Sketch, rng: Generator, pose: Pose, *, dress: bool, tall: float = 1) -> None:
    body = _Body(sketch, rng, tall)
    shirt, trousers = varied(rng, one_of(rng, CLOTHES)), varied(rng, one_of(rng, TROUSERS))
    body.limb((-0.02, SHOULDER), pose.arms[0], 0.165, darker(shirt, 0.25))
    legs = body.skin if dress and rng.random() < 0.5 else trousers
    body.leg(pose.legs[0], darker(legs, 0.22))
    body.leg(pose.legs[1], legs)
    body.torso(shirt, dress=dress)
    body.head()
    body.limb((0.03, SHOULDER), pose.arms[1], 0.165, lighter(shirt, 0.06))


class _Body:
    def __init__(self, sketch: Sketch, rng: Generator, tall: float) -> None:
        self.sketch, self.rng, self.tall = sketch, rng, tall
        self.skin = varied(rng, one_of(rng, SKIN), 8)
        self.stout = rng.uniform(0.85, 1.25)

    def _at(self, x: float, y: float) -> tuple[float, float]:
        return x * self.tall * self.stout, y * self.tall

    def limb(
        self, start: tuple[float, float], angles: tuple[float, float], length: float, sleeve: Colour
    ) -> None:
        elbow = _along(start, angles[0], length)
        hand = _along(elbow, angles[1], length * 0.92)
        wrist = self.skin if self.rng.random() < 0.4 else sleeve
        self.sketch.line([self._at(*elbow), self._at(*hand)], 0.042, wrist)
        self.sketch.line([self._at(*start), self._at(*elbow)], 0.058 * self.stout, sleeve)
        self.sketch.oval(self._at(*hand), (0.027, 0.027), self.skin)

    def leg(self, angles: tuple[float, float], colour: Colour) -> None:
        start = (0.035 if angles[0] > 0 else -0.03, HIP)
        knee = _along(start, angles[0], 0.225)
        foot = _along(knee, angles[1], 0.215)
        line = [self._at(*start), self._at(*knee), self._at(*foot)]
        self.sketch.line(line, 0.07 * self.stout, colour)
        x, y = self._at(*foot)
        self.sketch.oval((x + 0.022, y + 0.0), (0.055, 0.026), (48, 42, 42))

    def torso(self, shirt: Colour, *, dress: bool) -> None:
        upper = [(-0.085, SHOULDER + 0.01), (0.085, SHOULDER + 0.01), (0.1, 0.74)]
        if dress:
            hem = self.rng.uniform(0.17, 0.32)
            flare = self.rng.uniform(0.12, 0.2)
            lower = [(0.062, 0.56), (flare, hem), (-flare, hem), (-0.062, 0.56), (-0.1, 0.74)]
        else:
            lower = [(0.075, 0.45), (-0.075, 0.45), (-0.1, 0.74)]
        points = [self._at(x, y) for x, y in upper + lower]
        self.sketch.area(points, shirt)
        shade = [points[0], self._at(-0.02, SHOULDER), self._at(-0.03, 0.5), *points[-2:]]
        self.sketch.area(shade, darker(shirt, 0.12))
        if self.rng.random() < 0.4:
            self.sketch.line([self._at(-0.068, 0.56), self._at(0.068, 0.56)], 0.02, (70, 54, 46))
        self.sketch.line([self._at(0, 0.78), self._at(0, 0.84)], 0.05, darker(self.skin, 0.15))

    def head(self) -> None:
        hair = varied(self.rng, one_of(self.rng, HAIR))
        x, y = 0.0, self.tall * 0.905
        style = int(self.rng.integers(5))
        if style == 0:
            self.sketch.oval((x - 0.02, y - 0.05), (0.08, 0.115), hair)
        if style == 1:
            self.sketch.oval((x - 0.07, y + 0.05), (0.04, 0.04), hair)
        self.sketch.oval((x, y), (0.068, 0.08), self.skin)
        self.sketch.area(ring((x - 0.005, y + 0.012), (0.075, 0.08), start=-10, stop=190), hair)
        face = ring((x + 0.018, y - 0.014), (0.052, 0.06))
        self.sketch.area(face, self.skin)
        if style >= 3:
            hat = varied(self.rng, one_of(self.rng, CLOTHES))
            self.sketch.area(ring((x, y + 0.03), (0.076, 0.085), start=0, stop=180), hat)
            brim = 0.13 if style == 3 else 0.085
            self.sketch.oval((x + (0.0 if style == 3 else 0.04), y + 0.033), (brim, 0.016), hat)


def _along(start: tuple[float, float], angle: float, length: float) -> tuple[float, float]:
    radians = math.radians(angle)
    return start[0] + math.sin(radians) * length, start[1] - math.cos(radians) * length


PEOPLE: tuple[Kind, ...] = (
    Kind(_standing, "land", (0.75, 1.1)),
    Kind(_walking, "land", (0.75, 1.1)),
    Kind(_running, "land", (0.75, 1.05)),
    Kind(_in_a_dress, "land", (0.75, 1.05)),
    Kind(_cheering, "land", (0.75, 1.05)),
    Kind(_with_an_umbrella, "land", (0.9, 1.15)),
)
