"""Things without a label, a unit high, or about the origin if they fly."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from tagsight.demo.scenes.colours import Colour, darker, hsv, lighter, mix, one_of, varied
from tagsight.demo.scenes.objects.kind import Kind
from tagsight.demo.scenes.sketch import bow, ring, rounded

if TYPE_CHECKING:
    from numpy.random import Generator

    from tagsight.demo.scenes.sketch import Sketch

WOOD: Colour = (134, 104, 76)
METAL: Colour = (74, 78, 86)
GREEN: Colour = (84, 124, 66)
LAMP: Colour = (255, 222, 150)


def _rock(sketch: Sketch, rng: Generator) -> None:
    """A boulder with facets."""
    stone = varied(rng, one_of(rng, ((142, 138, 134), (122, 112, 106), (166, 150, 130))), 14)
    angles = np.linspace(0, math.pi, 7)
    reach = rng.uniform(0.75, 1.1, 7)
    outline = np.stack([np.cos(angles) * reach * rng.uniform(0.7, 1.2), np.sin(angles) * reach], 1)
    sketch.area(outline, darker(stone, 0.3))
    sketch.area(outline[2:] * [0.92, 0.96], stone)
    sketch.area(outline[3:6] * 0.9, lighter(stone, 0.2))


def _shrub(sketch: Sketch, rng: Generator) -> None:
    """A low bush."""
    leaf = varied(rng, GREEN, 24)
    for _ in range(60):
        x, y = rng.normal(0, 0.42), abs(rng.normal(0.3, 0.26))
        share = min(1.0, 0.25 + 0.6 * y)
        colour = varied(rng, mix(darker(leaf, 0.5), lighter(leaf, 0.2), share), 8)
        sketch.oval((x, min(y, 0.85)), (0.15, 0.1), colour, turn=rng.uniform(0, 90))


def _grass(sketch: Sketch, rng: Generator) -> None:
    """A tuft of blades."""
    green = varied(rng, one_of(rng, (GREEN, (150, 150, 84), (110, 140, 80))), 14)
    for _ in range(16):
        foot, tip, height = rng.normal(0, 0.16), rng.normal(0, 0.5), rng.uniform(0.5, 1.0)
        middle, half = (2 * foot + tip) / 3, 0.6 * height
        blade = [(foot - 0.035, 0), (middle - 0.03, half), (tip, height), (middle + 0.03, half)]
        sketch.area([*blade, (foot + 0.035, 0)], varied(rng, green, 20))


def _fence(sketch: Sketch, rng: Generator) -> None:
    """A row of pales or rails."""
    wood = varied(rng, one_of(rng, (WOOD, (232, 228, 218), (112, 92, 78))))
    half = rng.uniform(1.6, 3.2)
    for height in (0.32, 0.7):
        sketch.box((-half, height), (2 * half, 0.1), darker(wood, 0.12))
    step = one_of(rng, (0.24, 0.8))
    for x in np.arange(-half, half, step):
        top = 0.94 + rng.uniform(-0.03, 0.03)
        pale = [(x, 0), (x + 0.14, 0), (x + 0.14, top), (x + 0.07, top + 0.06), (x, top)]
        sketch.area(pale, varied(rng, wood, 8))


def _street_lamp(sketch: Sketch, rng: Generator) -> None:
    """A lamp on a post, straight or bent."""
    metal = varied(rng, METAL)
    sketch.box((-0.05, 0), (0.1, 0.08), metal)
    if rng.random() < 0.5:
        sketch.line([(0, 0), (0, 0.84)], 0.028, metal)
        lantern = [(-0.045, 0.82), (0.045, 0.82), (0.07, 0.95), (-0.07, 0.95)]
        sketch.area(lantern, (222, 218, 200), lamp=LAMP)
        sketch.area([(-0.085, 0.95), (0.085, 0.95), (0, 1.0)], metal)
    else:
        sketch.line(bow((0, 0), (0, 1.1), (0.24, 0.97)), 0.026, metal)
        sketch.oval((0.25, 0.955), (0.06, 0.03), (222, 218, 200), lamp=LAMP)


def _sign(sketch: Sketch, rng: Generator) -> None:
    """A round, square or pointed sign on a post."""
    sketch.line([(0, 0), (0, 0.9)], 0.04, varied(rng, METAL))
    colour = hsv(rng.random(), rng.uniform(0.5, 0.8), rng.uniform(0.6, 0.9))
    kind = int(rng.integers(3))
    if kind == 0:
        sketch.oval((0, 0.8), (0.19, 0.19), colour)
        sketch.oval((0, 0.8), (0.14, 0.14), (238, 234, 226))
    elif kind == 1:
        sketch.area([(-0.2, 0.7), (0.2, 0.7), (0.32, 0.8), (0.2, 0.92), (-0.2, 0.92)], colour)
    else:
        sketch.area([(-0.22, 0.64), (0.22, 0.64), (0, 1.0)], colour)
        sketch.area([(-0.13, 0.69), (0.13, 0.69), (0, 0.91)], (238, 234, 226))


def _hay_bale(sketch: Sketch, rng: Generator) -> None:
    """A round bale."""
    straw = varied(rng, (206, 172, 94))
    sketch.area(rounded([(-0.75, 0), (-0.75, 1), (0.5, 1), (0.5, 0)], 2), darker(straw, 0.18))
    sketch.oval((0.34, 0.5), (0.44, 0.5), straw)
    for size in (0.34, 0.22, 0.1):
        sketch.line(ring((0.34, 0.5), (size * 0.9, size)), 0.03, darker(straw, 0.16))


def _cactus(sketch: Sketch, rng: Generator) -> None:
    """A column with arms."""
    green = varied(rng, (82, 130, 88))
    for side, low in ((-1, rng.uniform(0.3, 0.45)), (1, rng.uniform(0.35, 0.55))):
        arm = [(0, low), (side * 0.24, low), (side * 0.24, low + 0.28)]
        sketch.line(arm, 0.11, darker(green, 0.12 if side < 0 else 0.25))
    sketch.line([(0, 0), (0, 0.92)], 0.17, green)
    for x in (-0.04, 0.03):
        sketch.line([(x, 0.02), (x, 0.92)], 0.012, darker(green, 0.3))


def _tent(sketch: Sketch, rng: Generator) -> None:
    """A ridge tent with an open front."""
    cloth = hsv(rng.random(), rng.uniform(0.35, 0.65), rng.uniform(0.6, 0.85))
    sketch.area([(0.1, 1.0), (1.25, 0.86), (1.7, 0.08), (0.7, 0.0)], darker(cloth, 0.2))
    sketch.area([(-0.6, 0), (0.7, 0), (0.1, 1.0)], cloth)
    sketch.area([(-0.15, 0), (0.36, 0), (0.1, 0.76)], darker(cloth, 0.7), lamp=LAMP)


def _windmill(sketch: Sketch, rng: Generator) -> None:
    """A tapered tower with four sails."""
    tower = varied(rng, one_of(rng, ((226, 218, 204), (160, 110, 84), (120, 120, 116))))
    sketch.area([(-0.2, 0), (0.2, 0), (0.12, 0.62), (-0.12, 0.62)], tower)
    sketch.area(ring((0, 0.62), (0.135, 0.12), start=0, stop=180), darker(tower, 0.5))
    first = rng.uniform(0, 90)
    for number in range(4):
        angle = math.radians(first + 90 * number)
        along = np.array([math.cos(angle), math.sin(angle)])
        across = np.array([-along[1], along[0]])
        hub = np.array([0, 0.64])
        inner, outer = hub + along * 0.08, hub + along * 0.36
        sail = np.stack([inner, outer, outer + across * 0.08, inner + across * 0.06])
        sketch.area(sail, (232, 224, 206))
        sketch.line(np.stack([hub, outer]), 0.018, darker(WOOD, 0.3))


def _lighthouse(sketch: Sketch, rng: Generator) -> None:
    """A striped tower with a lantern."""
    stripe = varied(rng, one_of(rng, ((196, 56, 50), (48, 80, 130), (52, 52, 58))))
    for band in range(5):
        low, high = 0.15 * band, 0.15 * (band + 1)
        wide, narrow = 0.15 - 0.07 * low, 0.15 - 0.07 * high
        colour = stripe if band % 2 else (238, 234, 226)
        sketch.area([(-wide, low), (wide, low), (narrow, high), (-narrow, high)], colour)
    sketch.box((-0.13, 0.75), (0.26, 0.035), METAL)
    sketch.box((-0.07, 0.78), (0.14, 0.11), (212, 220, 222), lamp=LAMP)
    sketch.area([(-0.1, 0.89), (0.1, 0.89), (0, 1.0)], stripe)


def _mushroom(sketch: Sketch, rng: Generator) -> None:
    """A cap with spots on a pale stem."""
    cap = varied(rng, one_of(rng, ((190, 56, 46), (156, 108, 70), (214, 178, 128))))
    sketch.area([(-0.13, 0), (0.13, 0), (0.1, 0.6), (-0.1, 0.6)], (232, 224, 206))
    sketch.area(ring((0, 0.52), (0.44, 0.46), start=0, stop=180), cap)
    for x, y in ((-0.22, 0.64), (0.04, 0.82), (0.24, 0.62)):
        sketch.oval((x, y), (0.065, 0.05), (240, 234, 222))


def _parasol(sketch: Sketch, rng: Generator) -> None:
    """A striped beach umbrella."""
    colour = hsv(rng.random(), rng.uniform(0.5, 0.8), 0.85)
    sketch.line([(0, 0), (0.06, 0.8)], 0.03, (224, 216, 200))
    for part in range(6):
        left, right = 180 - 30 * part, 150 - 30 * part
        arc = ring((0.05, 0.62), (0.62, 0.36), start=left, stop=right)
        wedge = np.concatenate([arc, [[0.05, 0.62]]])
        sketch.area(wedge, colour if part % 2 else (240, 234, 222))


def _snowman(sketch: Sketch, rng: Generator) -> None:
    """Three balls and a hat."""
    white = varied(rng, (236, 240, 246), 6)
    for y, size in ((0.24, 0.26), (0.56, 0.19), (0.8, 0.13)):
        sketch.oval((0, y), (size, size * 0.95), darker(white, 0.14))
        sketch.oval((-0.02, y + 0.02), (size * 0.88, size * 0.84), white)
    sketch.area([(0, 0.81), (0.2, 0.78), (0, 0.77)], (232, 126, 48))
    sketch.box((-0.14, 0.89), (0.28, 0.025), METAL)
    sketch.box((-0.09, 0.9), (0.18, 0.12), METAL)


def _buoy(sketch: Sketch, rng: Generator) -> None:
    """A floating mark."""
    colour = varied(rng, one_of(rng, ((204, 60, 48), (238, 196, 62), (60, 130, 86))))
    sketch.area([(-0.34, 0), (0.34, 0), (0.16, 0.62), (-0.16, 0.62)], colour)
    sketch.area([(-0.27, 0.2), (0.27, 0.2), (0.22, 0.38), (-0.22, 0.38)], (238, 234, 226))
    sketch.line([(0, 0.6), (0, 0.9)], 0.05, METAL)
    sketch.oval((0, 0.92), (0.1, 0.09), colour, lamp=(255, 90, 70))


def _hot_air_balloon(sketch: Sketch, rng: Generator) -> None:
    """A coloured balloon with its basket."""
    first, second = (hsv(rng.random(), rng.uniform(0.5, 0.75), 0.88) for _ in range(2))
    for number in range(5):
        half = 0.36 * (1 - number / 5)
        gores = rounded(
            [
                (-half, 0.05),
                (-half, 0.5),
                (half, 0.5),
                (half, 0.05),
                (half / 3, -0.3),
                (-half / 3, -0.3),
            ]
        )
        sketch.area(gores, first if number % 2 else second)
    for x in (-0.06, 0.06):
        sketch.line([(x * 1.4, -0.22), (x, -0.42)], 0.008, METAL)
    sketch.box((-0.07, -0.5), (0.14, 0.1), WOOD)


def _kite(sketch: Sketch, rng: Generator) -> None:
    """A diamond with a tail."""
    first, second = (hsv(rng.random(), rng.uniform(0.55, 0.8), 0.88) for _ in range(2))
    sketch.area([(0, 0.5), (0.3, 0.12), (0, -0.4)], first)
    sketch.area([(0, 0.5), (-0.3, 0.12), (0, -0.4)], second)
    sketch.line(bow((0, -0.4), (0.3, -0.6), (0.05, -0.95)), 0.018, darker(first, 0.2))
    for y in (-0.6, -0.78):
        sketch.area(
            [(0.07, y + 0.05), (0.25, y - 0.05), (0.25, y + 0.05), (0.07, y - 0.05)], second
        )


def _plane(sketch: Sketch, rng: Generator) -> None:
    """An aeroplane from the side."""
    body = varied(rng, (228, 230, 234), 8)
    tail = hsv(rng.random(), 0.65, 0.75)
    sketch.area([(-0.46, 0.02), (-0.52, 0.22), (-0.42, 0.22), (-0.28, 0.05)], tail)
    sketch.area([(0.05, 0.03), (-0.16, 0.2), (-0.09, 0.2), (0.15, 0.05)], darker(body, 0.25))
    sketch.area(
        rounded([(-0.5, 0.06), (0.36, 0.08), (0.52, 0.0), (0.36, -0.07), (-0.36, -0.05)], 2), body
    )
    for x in np.arange(-0.28, 0.32, 0.085):
        sketch.box((float(x), 0.02), (0.035, 0.025), METAL, lamp=LAMP)
    sketch.area([(0.1, -0.02), (-0.14, -0.24), (-0.06, -0.24), (0.22, -0.03)], darker(body, 0.12))


CLUTTER: tuple[Kind, ...] = (
    Kind(_rock, "land", (0.12, 0.5)),
    Kind(_rock, "land", (0.12, 0.5)),
    Kind(_shrub, "land", (0.3, 0.7)),
    Kind(_shrub, "land", (0.3, 0.7)),
    Kind(_fence, "land", (0.36, 0.55)),
    Kind(_street_lamp, "land", (1.6, 2.4)),
    Kind(_sign, "land", (0.9, 1.4)),
    Kind(_hay_bale, "land", (0.5, 0.8), 0, ("meadow", "grass")),
    Kind(_cactus, "land", (0.7, 1.3), 0, ("sand", "earth")),
    Kind(_tent, "land", (0.7, 1.1)),
    Kind(_windmill, "land", (1.6, 2.8)),
    Kind(_lighthouse, "land", (1.6, 3.0)),
    Kind(_mushroom, "land", (0.14, 0.3), 6, ("grass", "meadow", "heath")),
    Kind(_parasol, "land", (0.9, 1.3), 10, ("sand", "grass", "paving")),
    Kind(_snowman, "land", (0.6, 1.0), 0, ("snow",)),
    Kind(_buoy, "sea", (0.4, 0.7), 12),
    Kind(_buoy, "sea", (0.4, 0.7), 12),
    Kind(_rock, "sea", (0.3, 0.8)),
    Kind(_hot_air_balloon, "air", (0.1, 0.34), 4),
    Kind(_kite, "air", (0.1, 0.22), 40),
    Kind(_plane, "air", (0.14, 0.34), 12),
)
GRASS = Kind(_grass, "land", (0.12, 0.3), 0, ("grass", "meadow", "heath"))
