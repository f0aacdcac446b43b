"""Birds: flying ones a unit from wing to wing about the origin, others a unit high."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tagsight.demo.scenes.colours import Colour, darker, lighter, one_of, varied
from tagsight.demo.scenes.objects.kind import Kind
from tagsight.demo.scenes.sketch import bow, ribbon, rounded

if TYPE_CHECKING:
    from numpy.random import Generator

    from tagsight.demo.scenes.sketch import Sketch

FEATHERS: tuple[Colour, ...] = (
    (236, 234, 230),
    (52, 50, 58),
    (122, 92, 70),
    (150, 152, 160),
    (66, 104, 158),
    (196, 84, 58),
    (222, 178, 72),
    (96, 128, 84),
)
BEAK: Colour = (232, 158, 50)
EYE: Colour = (24, 22, 26)


def _gull(sketch: Sketch, rng: Generator) -> None:
    """Gliding, seen from the front: two bent wings and a small body."""
    back = varied(rng, one_of(rng, FEATHERS[:4]))
    lift, droop = rng.uniform(0.1, 0.24), rng.uniform(0.0, 0.12)
    for side in (-1, 1):
        spine = bow((0, 0), (side * 0.24, lift * 2.1), (side * 0.5, lift - droop))
        sketch.area(ribbon(spine, [0.085, 0.075, 0.012]), back)
        sketch.area(ribbon(spine[-5:], [0.05, 0.01]), darker(back, 0.6))
    sketch.oval((0, -0.01), (0.055, 0.05), lighter(back, 0.35))
    sketch.oval((0, 0.025), (0.03, 0.03), lighter(back, 0.5))
    sketch.area([(-0.012, 0.02), (0.012, 0.02), (0, -0.012)], BEAK)


def _flapping(sketch: Sketch, rng: Generator) -> None:
    """Flying past, wings up or down."""
    back = varied(rng, one_of(rng, FEATHERS))
    up = rng.uniform(0.34, 0.52) * (1 if rng.random() < 0.65 else -0.8)
    far = [(0.1, 0.02), (-0.08, 0.02), (-0.02, up), (0.1, up * 1.06)]
    sketch.area(rounded(far, 2), darker(back, 0.45))
    sketch.area([(-0.22, 0.02), (-0.5, 0.08), (-0.46, -0.02), (-0.2, -0.05)], darker(back, 0.3))
    body = [(-0.34, 0.02), (0.05, 0.12), (0.42, 0.08), (0.4, -0.08), (0.0, -0.14)]
    sketch.area(rounded(body), back)
    sketch.area(
        rounded([(-0.2, -0.01), (0.3, 0.01), (0.34, -0.07), (0, -0.12)]), lighter(back, 0.35)
    )
    sketch.oval((0.37, 0.05), (0.085, 0.075), back)
    sketch.area([(0.43, 0.075), (0.54, 0.035), (0.43, 0.01)], BEAK)
    sketch.oval((0.395, 0.07), (0.014, 0.014), EYE)
    near = [(0.14, 0.05), (-0.14, 0.03), (-0.26, up * 0.72), (-0.2, up * 1.05), (-0.06, up * 0.86)]
    sketch.area(rounded(near, 1), lighter(back, 0.1))
    sketch.line([(-0.18, up * 0.8), (-0.06, 0.06)], 0.012, darker(back, 0.3))


def _swallow(sketch: Sketch, rng: Generator) -> None:
    """Swooping: long curved wings and a forked tail."""
    back = varied(rng, one_of(rng, ((48, 52, 78), (40, 40, 46), (70, 82, 104))))
    for side, length in ((-1, 0.52), (1, 0.48)):
        spine = bow((0.02, 0), (side * 0.2, 0.26), (side * length, 0.1 * side))
        sketch.area(ribbon(spine, [0.14, 0.09, 0.01]), darker(back, 0.25 if side > 0 else 0))
    sketch.area(rounded([(-0.06, -0.2), (-0.07, 0.06), (0, 0.2), (0.07, 0.06), (0.06, -0.2)]), back)
    sketch.oval((0, 0.1), (0.04, 0.05), (196, 92, 66))
    sketch.area([(-0.03, -0.15), (-0.13, -0.42), (0, -0.25), (0.13, -0.42), (0.03, -0.15)], back)


def _songbird(sketch: Sketch, rng: Generator) -> None:
    """Standing on thin legs, round breast, tail down."""
    back = varied(rng, one_of(rng, FEATHERS[1:]))
    breast = varied(rng, one_of(rng, ((226, 150, 92), (238, 228, 206), (228, 206, 106))))
    for x in (-0.02, 0.1):
        sketch.line([(x, 0.3), (x + 0.03, 0), (x + 0.12, 0.0)], 0.03, (96, 74, 58))
    sketch.area([(-0.28, 0.4), (-0.8, 0.16), (-0.74, 0.34), (-0.25, 0.58)], darker(back, 0.35))
    sketch.area(
        rounded([(-0.46, 0.34), (-0.2, 0.76), (0.34, 0.86), (0.44, 0.4), (0.0, 0.12)]), back
    )
    sketch.area(
        rounded([(-0.1, 0.24), (0.12, 0.5), (0.36, 0.74), (0.42, 0.4), (0.1, 0.14)]), breast
    )
    sketch.oval((0.24, 0.8), (0.2, 0.19), back)
    sketch.area([(0.4, 0.86), (0.6, 0.78), (0.4, 0.74)], BEAK)
    sketch.oval((0.31, 0.84), (0.03, 0.03), EYE)
    wing = [(-0.5, 0.34), (-0.16, 0.68), (0.14, 0.6), (0.02, 0.34)]
    sketch.area(rounded(wing, 2), darker(back, 0.22))


def _heron(sketch: Sketch, rng: Generator) -> None:
    """Long legs and a long neck: heron, stork or flamingo."""
    back = varied(rng, one_of(rng, ((236, 232, 226), (148, 158, 172), (240, 150, 150))))
    legs = varied(rng, (206, 110, 76))
    for x, bend in ((-0.04, -0.02), (0.05, 0.06)):
        sketch.line([(x, 0.45), (x + bend, 0.24), (x, 0.0)], 0.022, legs)
    sketch.area(rounded([(-0.4, 0.4), (-0.1, 0.62), (0.2, 0.58), (0.16, 0.4)]), back)
    sketch.area([(-0.2, 0.44), (-0.42, 0.34), (-0.1, 0.56)], darker(back, 0.5))
    neck = rounded(
        [
            (0.1, 0.5),
            (0.34, 0.6),
            (0.06, 0.78),
            (0.16, 0.97),
            (0.18, 0.94),
            (0.12, 0.8),
            (0.42, 0.6),
            (0.14, 0.42),
        ],
        2,
    )
    sketch.area(neck, back)
    sketch.oval((0.18, 0.94), (0.07, 0.052), back)
    sketch.area([(0.22, 0.96), (0.46, 0.9), (0.22, 0.91)], BEAK)
    sketch.oval((0.2, 0.955), (0.012, 0.012), EYE)


def _duck(sketch: Sketch, rng: Generator) -> None:
    """Swimming or sitting: a duck, a goose or a swan."""
    back = varied(rng, one_of(rng, ((236, 234, 230), (140, 112, 84), (108, 110, 118))))
    head = varied(rng, one_of(rng, (back, (44, 96, 72), (122, 76, 52))))
    hull = [(-0.85, 0.42), (-0.4, 0.3), (0.45, 0.44), (0.6, 0.1), (0.2, -0.02), (-0.55, 0.0)]
    sketch.area(rounded(hull, 2), back)
    long = rng.uniform(0.0, 0.25)
    sketch.area(ribbon(bow((0.34, 0.2), (0.62, 0.4), (0.4, 0.66 + long)), [0.26, 0.17, 0.15]), head)
    sketch.oval((0.45, 0.74 + long), (0.17, 0.13), head)
    sketch.area([(0.58, 0.79 + long), (0.82, 0.71 + long), (0.58, 0.67 + long)], BEAK)
    sketch.oval((0.5, 0.78 + long), (0.025, 0.025), EYE)
    wing = [(-0.75, 0.38), (-0.2, 0.4), (0.26, 0.26), (-0.1, 0.1), (-0.5, 0.16)]
    sketch.area(rounded(wing, 2), darker(back, 0.2))


BIRDS: tuple[Kind, ...] = (
    Kind(_gull, "air", (0.1, 0.34), 18),
    Kind(_flapping, "air", (0.1, 0.34), 18),
    Kind(_swallow, "air", (0.1, 0.3), 60),
    Kind(_songbird, "land", (0.28, 0.5), 6),
    Kind(_heron, "land", (0.5, 0.9)),
    Kind(_duck, "sea", (0.28, 0.5)),
)
