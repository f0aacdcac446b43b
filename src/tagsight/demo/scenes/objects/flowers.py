"""Flowers, a unit high with their stem."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tagsight.demo.scenes.colours import Colour, darker, lighter, mix, one_of, varied
from tagsight.demo.scenes.objects.kind import Kind
from tagsight.demo.scenes.sketch import bow, ribbon, rounded

if TYPE_CHECKING:
    from numpy.random import Generator

    from tagsight.demo.scenes.sketch import Sketch

PETALS: tuple[Colour, ...] = (
    (246, 242, 236),
    (238, 120, 150),
    (214, 60, 60),
    (250, 206, 70),
    (150, 96, 190),
    (242, 146, 62),
    (92, 120, 206),
)
LEAF: Colour = (84, 136, 64)
YOLK: Colour = (244, 190, 48)


def _daisy(sketch: Sketch, rng: Generator) -> None:
    """Narrow petals around a yellow middle."""
    top = _stem(sketch, rng, 0.72)
    petal = varied(rng, one_of(rng, PETALS))
    _petals(sketch, rng, top, (int(rng.integers(9, 14)), 0.27, 0.075), petal)
    sketch.oval(top, (0.1, 0.09), varied(rng, YOLK))
    sketch.oval((top[0] - 0.02, top[1] + 0.02), (0.05, 0.045), lighter(YOLK, 0.3))


def _sunflower(sketch: Sketch, rng: Generator) -> None:
    """Two rings of yellow petals around a large brown middle."""
    top = _stem(sketch, rng, 0.74, width=0.055)
    petal, seeds = varied(rng, (248, 192, 48)), varied(rng, (98, 62, 40))
    _petals(sketch, rng, top, (15, 0.27, 0.06), darker(petal, 0.18))
    _petals(sketch, rng, top, (13, 0.24, 0.055), petal)
    sketch.oval(top, (0.135, 0.13), seeds)
    sketch.oval((top[0] - 0.015, top[1] + 0.02), (0.085, 0.08), lighter(seeds, 0.14))


def _tulip(sketch: Sketch, rng: Generator) -> None:
    """A cup of three pointed petals above long leaves."""
    x, y = _stem(sketch, rng, 0.62, leaves=False)
    for side in (-1, 1):
        leaf = ribbon(bow((0, 0.02), (side * 0.12, 0.3), (side * 0.2, 0.55)), [0.05, 0.1, 0.01])
        sketch.area(leaf, varied(rng, LEAF))
    petal = varied(rng, one_of(rng, PETALS[1:]))
    for side in (-1, 1):
        outer = [
            (x, y - 0.02),
            (x + side * 0.2, y + 0.08),
            (x + side * 0.18, y + 0.4),
            (x, y + 0.2),
        ]
        sketch.area(rounded(outer, 2), darker(petal, 0.16))
    inner = [(x - 0.15, y + 0.04), (x, y - 0.04), (x + 0.15, y + 0.04), (x, y + 0.46)]
    sketch.area(rounded(inner, 2), lighter(petal, 0.12))


def _poppy(sketch: Sketch, rng: Generator) -> None:
    """Four broad, crinkled petals with a dark eye."""
    x, y = _stem(sketch, rng, 0.74, width=0.028)
    petal = varied(
        rng, one_of(rng, ((214, 52, 44), (232, 110, 60), (226, 128, 156), (246, 240, 230)))
    )
    turn = rng.uniform(0, 90)
    for angle, share in ((0, 0.22), (180, 0.22), (90, 0), (270, 0.08)):
        radians = math.radians(angle + turn)
        at = (x + math.cos(radians) * 0.12, y + math.sin(radians) * 0.1)
        sketch.oval(at, (0.15, 0.17), darker(petal, share), turn=angle + turn)
    sketch.oval((x, y), (0.055, 0.05), (46, 36, 44))


def _bellflowers(sketch: Sketch, rng: Generator) -> None:
    """A spike of small bells or blossoms: lavender, lupin, foxglove."""
    petal = varied(rng, one_of(rng, PETALS[1:]))
    lean = rng.uniform(-0.1, 0.1)
    spine = bow((0, 0), (0, 0.5), (lean, 0.98))
    sketch.area(ribbon(spine, [0.04, 0.025]), LEAF)
    for side in (-1, 1):
        leaf = ribbon(bow((0, 0.02), (side * 0.1, 0.2), (side * 0.16, 0.36)), [0.03, 0.06, 0.005])
        sketch.area(leaf, varied(rng, LEAF))
    rows = 9
    for row in range(rows):
        y = 0.36 + 0.62 * row / rows
        size = 0.095 * (1 - 0.6 * row / rows)
        for place in (-1.0, 1.0, 0.0):
            colour = mix(darker(petal, 0.25), lighter(petal, 0.3), 0.5 + place * 0.2 + row * 0.03)
            at = (lean * y + place * size * 0.9, y + 0.02 * place)
            sketch.oval(at, (size * 0.72, size * 0.85), varied(rng, colour, 8))


def _bush_rose(sketch: Sketch, rng: Generator) -> None:
    """Several full blossoms among leaves."""
    petal = varied(rng, one_of(rng, PETALS))
    for _ in range(26):
        x, y = rng.uniform(-0.36, 0.36), rng.uniform(0.06, 0.72)
        colour = varied(rng, darker(LEAF, 0.35 * rng.random()), 14)
        sketch.oval((x, y), (0.12, 0.06), colour, turn=rng.uniform(0, 180))
    for x, y in ((-0.22, 0.4), (0.24, 0.48), (0.02, 0.76), (0.06, 0.24)):
        at = (x + rng.uniform(-0.05, 0.05), y)
        for size, share in ((0.17, 0.22), (0.12, 0.0), (0.065, 0.2)):
            sketch.oval(at, (size, size * 0.9), darker(petal, share))


def _petals(
    sketch: Sketch,
    rng: Generator,
    centre: tuple[float, float],
    shape: tuple[int, float, float],
    petal: Colour,
) -> None:
    count, length, width = shape
    first = rng.uniform(0, 360)
    for number in range(count):
        angle = first + 360 * number / count
        radians = math.radians(angle)
        at = (
            centre[0] + math.cos(radians) * length * 0.58,
            centre[1] + math.sin(radians) * length * 0.54,
        )
        colour = darker(petal, 0.12 * (1 - math.sin(radians)))
        sketch.oval(at, (length / 2, width), colour, turn=angle)


def _stem(
    sketch: Sketch, rng: Generator, height: float, *, width: float = 0.036, leaves: bool = True
) -> tuple[float, float]:
    green = varied(rng, LEAF)
    lean = rng.uniform(-0.1, 0.1)
    sketch.area(ribbon(bow((0, 0), (0, height / 2), (lean, height)), [width, width * 0.8]), green)
    if leaves:
        for side in (-1, 1):
            start = (0.0, height * rng.uniform(0.15, 0.4))
            tip = (side * rng.uniform(0.18, 0.28), start[1] + rng.uniform(0.1, 0.2))
            leaf = ribbon(bow(start, (side * 0.14, start[1] + 0.02), tip), [0.02, 0.1, 0.01])
            sketch.area(leaf, varied(rng, green))
    return lean, height


FLOWERS: tuple[Kind, ...] = (
    Kind(_daisy, "land", (0.26, 0.6), 10),
    Kind(_sunflower, "land", (0.4, 0.9), 6),
    Kind(_tulip, "land", (0.26, 0.56), 8),
    Kind(_poppy, "land", (0.26, 0.56), 10),
    Kind(_bellflowers, "land", (0.32, 0.7), 6),
    Kind(_bush_rose, "land", (0.36, 0.7)),
)
