"""Houses, a unit high to the ridge."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tagsight.demo.scenes.colours import Colour, darker, lighter, one_of, varied
from tagsight.demo.scenes.objects.kind import Kind

if TYPE_CHECKING:
    from numpy.random import Generator

    from tagsight.demo.scenes.sketch import Sketch

WALLS: tuple[Colour, ...] = (
    (236, 226, 206),
    (214, 178, 134),
    (198, 120, 92),
    (172, 74, 62),
    (226, 206, 142),
    (150, 170, 178),
    (232, 232, 228),
    (196, 156, 160),
    (128, 142, 118),
)
ROOFS: tuple[Colour, ...] = (
    (152, 70, 54),
    (108, 64, 56),
    (84, 86, 96),
    (66, 70, 84),
    (168, 96, 62),
)
DOORS: tuple[Colour, ...] = ((110, 70, 48), (62, 92, 98), (142, 52, 48), (58, 66, 82))
GLASS: Colour = (92, 118, 138)
LAMP: Colour = (255, 206, 112)
FRAME: Colour = (240, 236, 226)


def _cottage(sketch: Sketch, rng: Generator) -> None:
    """A gable seen from the front."""
    wall, roof = varied(rng, one_of(rng, WALLS)), varied(rng, one_of(rng, ROOFS))
    half, eaves = rng.uniform(0.36, 0.5), rng.uniform(0.48, 0.58)
    _chimney(sketch, (half * rng.uniform(0.35, 0.6), 0.68), wall)
    sketch.area([(-half, 0), (half, 0), (half, eaves), (0, 0.95), (-half, eaves)], wall)
    sketch.box((-half, 0), (2 * half, 0.06), darker(wall, 0.3))
    over = half + 0.07
    for side in (-1, 1):
        lower = eaves - 0.06
        edge = [(0, 1.0), (side * over, lower), (side * over, lower - 0.07), (0, 0.9)]
        sketch.area(edge, roof if side < 0 else darker(roof, 0.2))
    _door(sketch, rng, (-0.08, 0), (0.16, 0.3))
    for side in (-1, 1):
        _window(sketch, rng, (side * half * 0.62 - 0.075, 0.18), (0.15, 0.16))
    _window(sketch, rng, (-0.075, 0.53), (0.15, 0.16))


def _long_house(sketch: Sketch, rng: Generator) -> None:
    """A house seen from its long side, the roof facing us."""
    wall, roof = varied(rng, one_of(rng, WALLS)), varied(rng, one_of(rng, ROOFS))
    half, eaves = rng.uniform(0.7, 0.95), rng.uniform(0.5, 0.6)
    _chimney(sketch, (-half * rng.uniform(0.3, 0.6), 0.8), wall)
    sketch.box((-half, 0), (2 * half, eaves), wall)
    sketch.box((-half, 0), (2 * half, 0.05), darker(wall, 0.3))
    over, ridge = half + 0.08, half - rng.uniform(0.04, 0.22)
    sketch.area([(-over, eaves - 0.03), (over, eaves - 0.03), (ridge, 0.97), (-ridge, 0.97)], roof)
    for row in range(1, 5):
        y = eaves - 0.03 + (1.0 - eaves) * row / 5
        x = over + (ridge - over) * row / 5
        sketch.line([(-x, y), (x, y)], 0.012, darker(roof, 0.22))
    sketch.box((-over, eaves - 0.06), (2 * over, 0.035), darker(roof, 0.45))
    door = int(rng.integers(4))
    for place in range(4):
        x = -half + 2 * half * (place + 0.5) / 4
        if place == door:
            _door(sketch, rng, (x - 0.09, 0), (0.18, 0.37))
        else:
            _window(sketch, rng, (x - 0.1, 0.17), (0.2, 0.2))


def _corner_house(sketch: Sketch, rng: Generator) -> None:
    """A gable and a side in one view."""
    wall, roof = varied(rng, one_of(rng, WALLS)), varied(rng, one_of(rng, ROOFS))
    eaves, length = rng.uniform(0.46, 0.56), rng.uniform(0.55, 0.8)
    side = darker(wall, 0.22)
    sketch.area([(0, 0), (length, 0.04), (length, eaves - 0.03), (0, eaves)], side)
    front = [(-0.62, 0.02), (0, 0), (0, eaves), (-0.31, 0.93), (-0.62, eaves - 0.02)]
    sketch.area(front, wall)
    _chimney(sketch, (length * 0.55, 0.78), side)
    roof_side = [(-0.33, 1.0), (0.05, eaves - 0.07), (length + 0.07, eaves - 0.08)]
    sketch.area([*roof_side, (length - 0.3, 0.96)], roof)
    edge = [(-0.33, 1.0), (-0.69, eaves - 0.1), (-0.69, eaves - 0.03), (-0.33, 1.0)]
    sketch.line(edge, 0.035, darker(roof, 0.35))
    sketch.line([(-0.33, 0.985), (0.05, eaves - 0.07)], 0.035, darker(roof, 0.25))
    _door(sketch, rng, (-0.4, 0.01), (0.18, 0.32))
    _window(sketch, rng, (-0.38, 0.5), (0.14, 0.15))
    for share in (0.2, 0.58):
        _window(sketch, rng, (length * share, 0.18), (length * 0.2, 0.17))


def _town_house(sketch: Sketch, rng: Generator) -> None:
    """A narrow front of several floors, its top stepped, flat or pointed."""
    wall, trim = varied(rng, one_of(rng, WALLS)), varied(rng, (228, 222, 210))
    half, top = rng.uniform(0.2, 0.29), 0.82
    sketch.box((-half, 0), (2 * half, top), wall)
    kind = int(rng.integers(3))
    if kind == 0:
        for step in range(3):
            width = half * (1 - 0.28 * step)
            sketch.box((-width, top + 0.06 * step), (2 * width, 0.062), wall)
    elif kind == 1:
        sketch.box((-half - 0.03, top), (2 * half + 0.06, 0.05), trim)
    else:
        roof = varied(rng, one_of(rng, ROOFS))
        sketch.area([(-half - 0.03, top), (half + 0.03, top), (0, 1.0)], roof)
    floors, columns = 3, int(rng.integers(2, 4))
    for floor in range(1, floors + 1):
        y = 0.08 + (top - 0.06) * floor / (floors + 1)
        for column in range(columns):
            x = -half + 2 * half * (column + 0.5) / columns
            _window(sketch, rng, (x - 0.05, y), (0.1, 0.12))
    sketch.box((-half, 0.2), (2 * half, 0.02), trim)
    _door(sketch, rng, (-0.06, 0), (0.12, 0.17))


def _barn(sketch: Sketch, rng: Generator) -> None:
    """A broken gable roof over boards and a crossed door."""
    wall = varied(rng, one_of(rng, ((158, 58, 48), (126, 96, 74), (168, 148, 124))))
    roof = varied(rng, one_of(rng, ROOFS[2:4]))
    half = rng.uniform(0.48, 0.62)
    outline = [(-half, 0), (half, 0), (half, 0.5), (half * 0.68, 0.8), (0, 0.96)]
    sketch.area([*outline, (-half * 0.68, 0.8), (-half, 0.5)], wall)
    for board in range(1, 10):
        x = -half + 2 * half * board / 10
        sketch.line([(x, 0), (x, 0.54)], 0.008, darker(wall, 0.2))
    over = half + 0.05
    edge = [(-over, 0.46), (-half * 0.7, 0.82), (0, 0.98), (half * 0.7, 0.82), (over, 0.46)]
    sketch.line(edge, 0.06, roof)
    sketch.box((-0.2, 0), (0.4, 0.4), lighter(wall, 0.25))
    for line in ([(-0.2, 0), (0.2, 0.4)], [(-0.2, 0.4), (0.2, 0)], [(0, 0), (0, 0.4)]):
        sketch.line(line, 0.025, FRAME)
    _window(sketch, rng, (-0.08, 0.58), (0.16, 0.16))


def _modern_house(sketch: Sketch, rng: Generator) -> None:
    """Two white or grey blocks with wide windows under flat roofs."""
    wall = varied(rng, one_of(rng, ((228, 226, 222), (176, 178, 180), (206, 190, 168))))
    wood = varied(rng, (146, 104, 70))
    width = rng.uniform(1.3, 1.7)
    left = -width / 2
    sketch.box((left + 0.1, 0), (width - 0.1, 0.5), darker(wall, 0.12))
    sketch.box((left, 0.5), (width * 0.62, 0.45), wall)
    sketch.box((left - 0.05, 0.93), (width * 0.62 + 0.1, 0.06), darker(wall, 0.5))
    sketch.box((left + width * 0.6, 0.48), (width * 0.43, 0.06), darker(wall, 0.5))
    _window(sketch, rng, (left + 0.08, 0.58), (width * 0.36, 0.28))
    sketch.box((left + width * 0.47, 0.5), (width * 0.12, 0.43), wood)
    _window(sketch, rng, (left + width * 0.55, 0.08), (width * 0.38, 0.34))
    _door(sketch, rng, (left + 0.2, 0), (0.2, 0.38))


def _window(
    sketch: Sketch, rng: Generator, corner: tuple[float, float], size: tuple[float, float]
) -> None:
    (x, y), (width, height) = corner, size
    edge = 0.016
    sketch.box((x - edge, y - edge), (width + 2 * edge, height + 2 * edge), FRAME)
    lamp = varied(rng, LAMP) if rng.random() < 0.7 else None
    sketch.box(corner, size, varied(rng, GLASS, 20), lamp=lamp)
    glint = [(x, y + height), (x + width * 0.55, y + height), (x, y + height * 0.3)]
    sketch.area(glint, lighter(GLASS, 0.25), lamp=lamp)
    sketch.line([(x + width / 2, y), (x + width / 2, y + height)], 0.012, FRAME)
    sketch.line([(x, y + height / 2), (x + width, y + height / 2)], 0.012, FRAME)


def _door(
    sketch: Sketch, rng: Generator, corner: tuple[float, float], size: tuple[float, float]
) -> None:
    (x, y), (width, height) = corner, size
    door = varied(rng, one_of(rng, DOORS))
    sketch.box((x - 0.015, y), (width + 0.03, height + 0.02), FRAME)
    sketch.box(corner, size, door)
    sketch.box((x + 0.02, y + height * 0.5), (width - 0.04, height * 0.4), lighter(door, 0.12))
    sketch.oval((x + width * 0.82, y + height * 0.45), (0.012, 0.012), (222, 196, 120))


def _chimney(sketch: Sketch, at: tuple[float, float], wall: Colour) -> None:
    x, y = at
    brick = darker(wall, 0.3)
    sketch.box((x - 0.05, y - 0.1), (0.1, 0.3), brick)
    sketch.box((x - 0.065, y + 0.18), (0.13, 0.035), darker(brick, 0.3))


HOUSES: tuple[Kind, ...] = (
    Kind(_cottage, "land", (1.7, 2.6)),
    Kind(_long_house, "land", (1.5, 2.2)),
    Kind(_corner_house, "land", (1.6, 2.5)),
    Kind(_town_house, "land", (2.6, 3.8)),
    Kind(_barn, "land", (1.6, 2.6)),
    Kind(_modern_house, "land", (1.5, 2.2)),
)
