"""Trees, a unit high."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from tagsight.demo.scenes.colours import Colour, darker, lighter, mix, one_of, varied
from tagsight.demo.scenes.objects.kind import Kind
from tagsight.demo.scenes.sketch import bow, ribbon

if TYPE_CHECKING:
    from numpy.random import Generator

    from tagsight.demo.scenes.sketch import Sketch

BARKS: tuple[Colour, ...] = ((104, 78, 56), (86, 66, 54), (122, 98, 76), (74, 62, 58))
LEAVES: tuple[Colour, ...] = (
    (78, 128, 62),
    (104, 146, 66),
    (58, 108, 72),
    (132, 150, 60),
    (198, 128, 48),
    (186, 84, 46),
    (222, 172, 66),
)
NEEDLES: tuple[Colour, ...] = ((40, 88, 66), (54, 104, 72), (62, 98, 58), (66, 108, 104))
BIRCH: Colour = (226, 222, 212)
SNOW: Colour = (238, 242, 248)


def _broadleaf(sketch: Sketch, rng: Generator) -> None:
    """A round or wide crown of many tufts on a trunk that forks."""
    bark = varied(rng, one_of(rng, BARKS))
    width, fork = rng.uniform(0.05, 0.085), rng.uniform(0.26, 0.38)
    trunk = [(-width, 0), (width, 0), (width * 0.6, 0.6), (-width * 0.6, 0.6)]
    sketch.area(trunk, bark)
    for side in (-1, 1):
        sketch.line([(0, fork), (side * 0.16, fork + 0.2)], width * 0.7, bark)
    reach = rng.uniform(0.28, 0.42)
    _crown(sketch, rng, (0, 0.68), (reach, 0.31))


def _birch(sketch: Sketch, rng: Generator) -> None:
    """A slender white trunk with dark marks under a light, tall crown."""
    lean = rng.uniform(-0.06, 0.06)
    spine = bow((0, 0), (0, 0.4), (lean, 0.9))
    sketch.area(ribbon(spine, [0.06, 0.045, 0.015]), varied(rng, BIRCH))
    for height in rng.uniform(0.05, 0.6, 9):
        x = lean * height + rng.uniform(-0.02, 0.008)
        sketch.line([(x, height), (x + 0.018, height)], 0.009, (62, 58, 58))
    _crown(sketch, rng, (lean * 0.8, 0.68), (rng.uniform(0.17, 0.24), 0.3))


def _poplar(sketch: Sketch, rng: Generator) -> None:
    """A tall narrow crown that begins near the ground."""
    sketch.box((-0.025, 0), (0.05, 0.3), varied(rng, one_of(rng, BARKS)))
    _crown(sketch, rng, (0, 0.54), (rng.uniform(0.1, 0.16), 0.45))


def _conifer(sketch: Sketch, rng: Generator) -> None:
    """Ragged tiers that become smaller upwards, sometimes with snow on them."""
    needle = varied(rng, one_of(rng, NEEDLES), 16)
    sketch.box((-0.03, 0), (0.06, 0.2), varied(rng, one_of(rng, BARKS)))
    tiers, half = int(rng.integers(4, 8)), rng.uniform(0.2, 0.33)
    snowy = rng.random() < 0.25
    for tier in range(tiers):
        low = 0.1 + 0.74 * tier / tiers
        high = min(1, low + 1.25 / tiers)
        width = half * (1 - 0.8 * tier / tiers)
        _tier(sketch, rng, (low, high, width), darker(needle, 0.3))
        lit = SNOW if snowy else lighter(needle, 0.12)
        _tier(sketch, rng, (low + 0.05 * (high - low), high, width * 0.72), lit, shift=-0.14)


def _palm(sketch: Sketch, rng: Generator) -> None:
    """A bent trunk with rings under fronds that droop."""
    bark, leaf = varied(rng, (136, 110, 82)), varied(rng, (86, 134, 66), 20)
    lean = rng.uniform(-0.3, 0.3)
    spine = bow((0, 0), (0, 0.45), (lean, 0.74))
    sketch.area(ribbon(spine, [0.085, 0.05, 0.04]), bark)
    for x, y in spine[1:-1]:
        sketch.line([(x - 0.024, y), (x + 0.024, y - 0.008)], 0.009, darker(bark, 0.35))
    angles = np.linspace(-25, 205, int(rng.integers(8, 12))) + rng.uniform(-9, 9)
    for angle in rng.permutation(angles):
        _frond(sketch, rng, (lean, 0.74), math.radians(angle), leaf)
    for x in (-0.03, 0.02):
        sketch.oval((lean + x, 0.71), (0.026, 0.03), (92, 66, 44))


def _bare(sketch: Sketch, rng: Generator) -> None:
    """Forking branches, with the last leaves or without."""
    bark = varied(rng, one_of(rng, BARKS))
    leaf = varied(rng, one_of(rng, LEAVES[4:])) if rng.random() < 0.5 else None
    _branch(sketch, rng, (0, 0), (90, 0.3, 0.075), bark, leaf)


def _crown(
    sketch: Sketch, rng: Generator, centre: tuple[float, float], radii: tuple[float, float]
) -> None:
    leaf = varied(rng, one_of(rng, LEAVES), 18)
    dark, light = darker(leaf, 0.5), lighter(leaf, 0.3)
    count = 110
    around = rng.uniform(0, 2 * math.pi, count)
    away = np.sqrt(rng.random(count)) * rng.uniform(0.8, 1.0)
    x, y = np.cos(around) * away, np.sin(around) * away
    brightness = 0.5 + 0.36 * y - 0.24 * x + rng.normal(0, 0.1, count)
    tuft = max(0.055, 0.34 * min(radii))
    for i in np.argsort(brightness):
        share = float(np.clip(brightness[i], 0, 1))
        size = tuft * (1.1 - 0.6 * share) * rng.uniform(0.8, 1.2)
        at = np.array([centre[0] + x[i] * radii[0] * 0.85, centre[1] + y[i] * radii[1] * 0.85])
        sketch.area(at + _ragged(rng) * size, mix(dark, light, share))


def _ragged(rng: Generator) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    angles = np.linspace(0, 2 * math.pi, 11, endpoint=False) + rng.uniform(0, 1)
    reach = rng.uniform(0.65, 1.1, 11)
    return np.stack([np.cos(angles) * reach, np.sin(angles) * reach], 1)


def _tier(
    sketch: Sketch,
    rng: Generator,
    tier: tuple[float, float, float],
    colour: Colour,
    shift: float = 0,
) -> None:
    low, high, half = tier
    teeth = 9
    x = np.linspace(-half, half, teeth) + shift * half
    drop = np.where(np.arange(teeth) % 2, 0.22, 0) * (high - low)
    sag = (np.abs(np.linspace(-1, 1, teeth)) ** 2) * -0.1 * (high - low)
    y = low + drop + sag + rng.uniform(-0.02, 0.02, teeth)
    sketch.area([(0, high), *zip(x[::-1], y[::-1], strict=True)], colour)


def _frond(
    sketch: Sketch, rng: Generator, top: tuple[float, float], angle: float, leaf: Colour
) -> None:
    length = rng.uniform(0.3, 0.4)
    x, y = math.cos(angle) * length, math.sin(angle) * length
    end = (top[0] + x * 1.1, top[1] + y * 0.55 - 0.13)
    spine = bow(top, (top[0] + x * 0.6, top[1] + y * 0.8 + 0.09), end)
    shade = varied(rng, darker(leaf, 0.15 if y > 0 else 0.35), 10)
    for i in range(2, len(spine)):
        reach = 0.085 * math.sin(math.pi * (i + 1) / (len(spine) + 1.5)) + 0.02
        for side in (-1, 1):
            tip = spine[i] + np.array([side * reach * 0.55 + x * 0.12, -reach])
            sketch.area([tuple(spine[i - 1]), tuple(spine[i]), tuple(tip)], shade)
    sketch.line(spine, 0.012, lighter(leaf, 0.15))


def _branch(
    sketch: Sketch,
    rng: Generator,
    start: tuple[float, float],
    branch: tuple[float, float, float],
    bark: Colour,
    leaf: Colour | None,
) -> None:
    angle, length, width = branch
    x = start[0] + math.cos(math.radians(angle)) * length
    y = start[1] + math.sin(math.radians(angle)) * length
    sketch.line([start, (x, y)], width, bark)
    if length < 0.06:
        if leaf:
            sketch.oval((x, y), (0.03, 0.024), varied(rng, leaf, 25))
        return
    for side in (-1, 1):
        spread = side * rng.uniform(12, 34)
        smaller = length * rng.uniform(0.66, 0.82)
        _branch(sketch, rng, (x, y), (angle + spread, smaller, width * 0.66), bark, leaf)


TREES: tuple[Kind, ...] = (
    Kind(_broadleaf, "land", (1.6, 3.6), 3),
    Kind(_birch, "land", (2.0, 3.6), 3),
    Kind(_poplar, "land", (2.2, 4.2)),
    Kind(_conifer, "land", (1.6, 4.0), 2),
    Kind(_palm, "land", (1.8, 3.4), 4, ("sand", "grass", "earth", "paving")),
    Kind(_bare, "land", (1.6, 3.2), 4),
)
