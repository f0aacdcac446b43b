"""Boats, a unit high from the water line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tagsight.demo.scenes.colours import Colour, darker, lighter, one_of, varied
from tagsight.demo.scenes.objects.kind import Kind
from tagsight.demo.scenes.sketch import bow, rounded

if TYPE_CHECKING:
    from numpy.random import Generator

    from tagsight.demo.scenes.sketch import Sketch

HULLS: tuple[Colour, ...] = (
    (238, 236, 230),
    (176, 48, 44),
    (42, 70, 116),
    (58, 110, 112),
    (132, 92, 60),
    (48, 50, 60),
    (222, 170, 70),
)
SAILS: tuple[Colour, ...] = (
    (244, 240, 228),
    (232, 220, 190),
    (206, 72, 58),
    (232, 158, 66),
    (92, 130, 168),
)
WOOD: Colour = (128, 92, 62)
GLASS: Colour = (70, 94, 116)
LAMP: Colour = (255, 214, 130)


def _sailing_boat(sketch: Sketch, rng: Generator) -> None:
    """A hull with a mast, a main sail and often a jib."""
    hull, sail = varied(rng, one_of(rng, HULLS)), varied(rng, one_of(rng, SAILS), 8)
    sketch.line([(0.03, 0.1), (0.03, 1.0)], 0.022, darker(WOOD, 0.2))
    reach = rng.uniform(0.32, 0.44)
    leech = bow((0.0, 0.97), (-reach * 0.45, 0.62), (-reach, 0.25))
    sketch.area([*map(tuple, leech), (0.0, 0.25)], sail)
    sketch.line([(-reach, 0.24), (0.03, 0.24)], 0.02, WOOD)
    for height in (0.42, 0.6, 0.78):
        sketch.line([(-reach * (1 - height) * 1.22, height), (0, height)], 0.006, darker(sail, 0.2))
    if rng.random() < 0.75:
        jib = bow((0.06, 0.92), (0.14, 0.5), (0.42, 0.2))
        sketch.area([*map(tuple, jib), (0.08, 0.26)], darker(varied(rng, sail, 8), 0.1))
    if rng.random() < 0.5:
        flag = varied(rng, one_of(rng, HULLS[1:4]))
        sketch.area([(0.03, 1.0), (-0.1, 0.97), (0.03, 0.94)], flag)
    _hull(sketch, rng, hull, (-0.42, 0.48, 0.19))


def _rowing_boat(sketch: Sketch, rng: Generator) -> None:
    """An open boat with benches and oars; the unit is generous, for it is low."""
    wood = varied(rng, one_of(rng, (WOOD, (156, 70, 52), (70, 112, 128), (206, 190, 150))))
    rim = rounded([(-1.0, 0.62), (0, 0.38), (1.0, 0.66), (0.5, 0.56), (-0.5, 0.54)], 2)
    sketch.area(rim, darker(wood, 0.5))
    hull = [(-1.06, 0.66), (-0.5, 0.44), (0.4, 0.44), (1.1, 0.7), (0.74, 0.02), (-0.76, 0.0)]
    sketch.area(rounded(hull, 2), wood)
    for depth, share in ((0.3, 0.18), (0.16, 0.34)):
        plank = bow((-0.9, depth + 0.14), (0, depth - 0.06), (0.92, depth + 0.16))
        sketch.line(plank, 0.03, darker(wood, share))
    edge = bow((-1.0, 0.58), (0, 0.34), (1.03, 0.62))
    sketch.line(edge, 0.05, lighter(wood, 0.35))
    for x in (-0.3, 0.3):
        tip = (x - 0.62, 0.04)
        sketch.line([(x + 0.12, 0.72), tip], 0.035, lighter(WOOD, 0.3))
        sketch.oval(tip, (0.13, 0.05), lighter(WOOD, 0.2), turn=45)


def _motor_boat(sketch: Sketch, rng: Generator) -> None:
    """A raked white or coloured hull with a cabin, windows and an aerial."""
    hull, top = varied(rng, one_of(rng, HULLS)), varied(rng, (236, 234, 230), 8)
    sketch.line([(-0.1, 0.8), (-0.2, 1.0)], 0.02, (90, 92, 98))
    sketch.area([(-0.5, 0.66), (-0.42, 0.82), (0.1, 0.82), (0.24, 0.66)], top)
    sketch.area([(-0.75, 0.4), (-0.66, 0.68), (0.3, 0.68), (0.62, 0.4)], darker(top, 0.06))
    for left in (-0.56, -0.28, 0.0):
        sketch.box((left, 0.49), (0.22, 0.13), varied(rng, GLASS), lamp=LAMP)
    sketch.area([(0.27, 0.5), (0.5, 0.46), (0.3, 0.63)], varied(rng, GLASS))
    points = [(-1.0, 0.46), (-0.2, 0.4), (1.15, 0.5), (0.72, 0.0), (-0.94, 0.0)]
    sketch.area(points, hull)
    sketch.area([(-0.98, 0.3), (0.98, 0.34), (0.9, 0.26), (-0.97, 0.22)], lighter(hull, 0.5))
    sketch.area([(-0.95, 0.08), (0.8, 0.08), (0.72, 0), (-0.94, 0)], darker(hull, 0.5))
    sketch.line([(0.55, 0.46), (0.6, 0.6), (1.05, 0.62), (1.1, 0.5)], 0.014, (190, 192, 196))


def _fishing_boat(sketch: Sketch, rng: Generator) -> None:
    """A wheelhouse, a mast with a boom and rigging, and a high bow."""
    hull, cabin = varied(rng, one_of(rng, HULLS[1:])), varied(rng, (230, 224, 208))
    sketch.line([(0.12, 0.3), (0.12, 1.0)], 0.03, WOOD)
    sketch.line([(0.12, 0.44), (-0.6, 0.86)], 0.022, WOOD)
    for end in ((-0.62, 0.34), (0.72, 0.44), (-0.6, 0.86)):
        sketch.line([(0.12, 0.98), end], 0.008, (70, 70, 74))
    sketch.box((-0.36, 0.3), (0.36, 0.36), cabin)
    sketch.box((-0.4, 0.65), (0.46, 0.045), varied(rng, one_of(rng, HULLS[1:4])))
    for x in (-0.31, -0.14):
        sketch.box((x, 0.47), (0.12, 0.13), GLASS, lamp=LAMP)
    sketch.box((0.26, 0.3), (0.2, 0.1), varied(rng, (206, 130, 60)))
    _hull(sketch, rng, hull, (-0.7, 0.86, 0.36))


def _steamer(sketch: Sketch, rng: Generator) -> None:
    """A long hull with rows of windows and one or two funnels."""
    hull, deck = varied(rng, one_of(rng, HULLS[1:])), varied(rng, (236, 232, 222), 8)
    funnel = varied(rng, one_of(rng, ((196, 60, 46), (226, 150, 56), (60, 64, 76))))
    for x in (-0.3, 0.12)[: int(rng.integers(1, 3))]:
        sketch.area([(x - 0.1, 0.6), (x - 0.13, 1.0), (x + 0.06, 1.0), (x + 0.1, 0.6)], funnel)
        sketch.area([(x - 0.13, 1), (x + 0.06, 1), (x + 0.07, 0.9), (x - 0.122, 0.9)], (40, 40, 46))
    sketch.box((-0.7, 0.56), (1.2, 0.14), deck)
    sketch.box((-0.95, 0.36), (1.65, 0.22), darker(deck, 0.07))
    for x in range(8):
        sketch.box((-0.86 + 0.19 * x, 0.42), (0.1, 0.09), GLASS, lamp=LAMP)
    for x in range(6):
        sketch.box((-0.62 + 0.18 * x, 0.6), (0.09, 0.06), GLASS, lamp=LAMP)
    sketch.line([(0.7, 0.4), (0.7, 0.85)], 0.02, (110, 104, 100))
    sketch.area([(-1.25, 0.4), (1.42, 0.46), (1.16, 0.0), (-1.12, 0.0)], hull)
    sketch.area([(-1.16, 0.09), (1.2, 0.09), (1.16, 0), (-1.12, 0)], (140, 44, 40))
    sketch.line([(-1.22, 0.34), (1.34, 0.38)], 0.03, lighter(hull, 0.6))


def _hull(sketch: Sketch, rng: Generator, hull: Colour, size: tuple[float, float, float]) -> None:
    left, right, height = size
    points = [(left, height * 0.9), (right, height * 1.12), (right * 0.74, 0), (left * 0.86, 0)]
    sketch.area(points, hull)
    stripe = varied(rng, one_of(rng, HULLS))
    low, high = height * 0.62, height * 0.78
    sketch.area(
        [(left * 0.97, high), (right * 0.96, high * 1.1), (right * 0.93, low), (left * 0.95, low)],
        stripe,
    )
    foot = height * 0.2
    sketch.area(
        [(left * 0.89, foot), (right * 0.8, foot), (right * 0.74, 0), (left * 0.86, 0)],
        darker(hull, 0.5),
    )


BOATS: tuple[Kind, ...] = (
    Kind(_sailing_boat, "sea", (1.4, 3.0)),
    Kind(_sailing_boat, "sea", (1.4, 3.0)),
    Kind(_rowing_boat, "sea", (0.5, 0.8)),
    Kind(_motor_boat, "sea", (0.8, 1.5)),
    Kind(_fishing_boat, "sea", (1.2, 2.2)),
    Kind(_steamer, "sea", (1.0, 1.8)),
)
