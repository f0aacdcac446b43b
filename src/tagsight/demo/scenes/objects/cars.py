"""Cars, a unit high."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tagsight.demo.scenes.colours import Colour, darker, lighter, one_of, varied
from tagsight.demo.scenes.objects.kind import Kind
from tagsight.demo.scenes.sketch import PointsLike, ring, rounded

if TYPE_CHECKING:
    from numpy.random import Generator

    from tagsight.demo.scenes.sketch import Sketch

PAINTS: tuple[Colour, ...] = (
    (186, 44, 42),
    (44, 84, 148),
    (228, 226, 220),
    (54, 56, 64),
    (158, 164, 172),
    (226, 178, 52),
    (62, 120, 92),
    (108, 170, 188),
    (214, 112, 52),
    (128, 58, 84),
)
GLASS: Colour = (92, 112, 128)
RUBBER: Colour = (36, 36, 42)
HEADLIGHT: Colour = (255, 240, 190)
TAILLIGHT: Colour = (255, 60, 44)


def _sedan(sketch: Sketch, rng: Generator) -> None:
    """Three volumes: bonnet, cabin and boot."""
    cabin = [(-0.86, 0.58), (-0.5, 0.98), (0.3, 0.98), (0.76, 0.58)]
    body = [(-1.32, 0.2), (-1.34, 0.6), (-0.8, 0.68), (0.72, 0.66), (1.34, 0.56), (1.36, 0.2)]
    _side_view(sketch, rng, cabin, body, (-0.82, 0.84))


def _hatchback(sketch: Sketch, rng: Generator) -> None:
    """Short, with a steep back."""
    cabin = [(-0.98, 0.58), (-0.84, 1.0), (0.14, 1.0), (0.6, 0.6)]
    body = [(-1.04, 0.2), (-1.08, 0.64), (-0.6, 0.7), (0.6, 0.66), (1.06, 0.54), (1.08, 0.2)]
    _side_view(sketch, rng, cabin, body, (-0.66, 0.68))


def _beetle(sketch: Sketch, rng: Generator) -> None:
    """Round all over."""
    cabin = rounded([(-0.95, 0.45), (-0.85, 0.95), (-0.2, 1.1), (0.5, 1.0), (0.72, 0.5)])
    body = [(-1.2, 0.16), (-1.3, 0.6), (-0.75, 0.75), (0.75, 0.74), (1.3, 0.56), (1.2, 0.16)]
    _side_view(sketch, rng, cabin, rounded(body), (-0.72, 0.74))


def _van(sketch: Sketch, rng: Generator) -> None:
    """One high box with a short front, sometimes in two colours."""
    paint = varied(rng, one_of(rng, PAINTS))
    upper = varied(rng, (232, 226, 212)) if rng.random() < 0.5 else paint
    sketch.area([(-1.18, 0.45), (-1.16, 1.0), (0.78, 1.0), (1.06, 0.52)], upper)
    sketch.area([(-1.2, 0.16), (-1.2, 0.52), (1.1, 0.52), (1.18, 0.4), (1.18, 0.16)], paint)
    for left, right in ((-1.04, -0.56), (-0.48, 0.02), (0.1, 0.52)):
        sketch.box((left, 0.58), (right - left, 0.3), varied(rng, GLASS))
    sketch.area([(0.6, 0.58), (0.98, 0.58), (0.78, 0.88), (0.6, 0.88)], lighter(GLASS, 0.2))
    sketch.line([(-1.2, 0.52), (1.1, 0.52)], 0.03, lighter(paint, 0.4))
    _fittings(sketch, rng, paint, (-1.2, 1.18), (-0.72, 0.74))


def _pickup(sketch: Sketch, rng: Generator) -> None:
    """A cabin in front of an open bed that carries something."""
    paint = varied(rng, one_of(rng, PAINTS))
    if rng.random() < 0.5:
        load = varied(rng, (150, 112, 70))
        for x in (-1.2, -0.82, -0.44):
            sketch.box((x, 0.6), (0.34, 0.24), varied(rng, load))
    cabin = [(-0.12, 0.55), (-0.06, 1.0), (0.4, 1.0), (0.72, 0.6)]
    sketch.area(cabin, darker(paint, 0.08))
    sketch.area([(0.0, 0.62), (0.02, 0.92), (0.36, 0.92), (0.6, 0.62)], varied(rng, GLASS))
    body = [(-1.36, 0.22), (-1.36, 0.66), (0.7, 0.66), (1.26, 0.6), (1.32, 0.22)]
    sketch.area(body, paint)
    sketch.line([(-0.12, 0.3), (-0.12, 0.66)], 0.018, darker(paint, 0.35))
    _fittings(sketch, rng, paint, (-1.36, 1.32), (-0.86, 0.82))


def _front_view(sketch: Sketch, rng: Generator) -> None:
    """A car that comes towards us."""
    paint = varied(rng, one_of(rng, PAINTS))
    for x in (-0.5, 0.5):
        sketch.box((x - 0.1, 0), (0.2, 0.3), RUBBER)
    sketch.soft([(-0.56, 0.5), (-0.42, 1.06), (0.42, 1.06), (0.56, 0.5)], darker(paint, 0.1))
    sketch.area([(-0.44, 0.6), (-0.33, 0.93), (0.33, 0.93), (0.44, 0.6)], varied(rng, GLASS))
    sketch.area([(-0.44, 0.6), (-0.33, 0.93), (-0.05, 0.93), (-0.2, 0.6)], lighter(GLASS, 0.25))
    body = [(-0.68, 0.1), (-0.7, 0.55), (-0.5, 0.7), (0.5, 0.7), (0.7, 0.55), (0.68, 0.1)]
    sketch.area(rounded(body, 2), paint)
    sketch.line([(-0.45, 0.62), (0.45, 0.62)], 0.02, lighter(paint, 0.4))
    sketch.box((-0.3, 0.3), (0.6, 0.14), RUBBER)
    sketch.box((-0.62, 0.14), (1.24, 0.07), darker(paint, 0.4))
    sketch.box((-0.14, 0.15), (0.28, 0.08), (236, 234, 226))
    for x in (-0.48, 0.48):
        sketch.oval((x, 0.42), (0.11, 0.09), (236, 236, 226), lamp=HEADLIGHT)


def _side_view(
    sketch: Sketch,
    rng: Generator,
    cabin: PointsLike,
    body: PointsLike,
    axles: tuple[float, float],
) -> None:
    paint = varied(rng, one_of(rng, PAINTS))
    sketch.area(rounded(cabin, 2), darker(paint, 0.06))
    glass = rounded(_shrunk(cabin), 1)
    sketch.area(glass, varied(rng, GLASS))
    glint = glass[glass[:, 0] < glass[:, 0].mean()]
    sketch.area(glint, lighter(GLASS, 0.22))
    sketch.area(rounded(body, 2), paint)
    corners = body if isinstance(body, list) else list(map(tuple, body))
    left, right = min(x for x, _ in corners), max(x for x, _ in corners)
    sketch.line([(-0.1, 0.26), (-0.1, 0.62), (-0.1, 0.94)], 0.035, darker(paint, 0.06))
    sketch.line([(-0.1, 0.26), (-0.1, 0.64)], 0.016, darker(paint, 0.35))
    sketch.line([(left + 0.12, 0.56), (right - 0.2, 0.52)], 0.025, lighter(paint, 0.4))
    sketch.line([(0.0, 0.5), (0.12, 0.5)], 0.03, darker(paint, 0.4))
    _fittings(sketch, rng, paint, (left, right), axles)


def _shrunk(cabin: PointsLike) -> list[tuple[float, float]]:
    # The glass is the cabin without its edge; its lower side meets the body.
    corners = [(float(x), float(y)) for x, y in cabin]
    middle = sum(x for x, _ in corners) / len(corners)
    return [(middle + (x - middle) * 0.86, 0.62 + (y - 0.58) * 0.72) for x, y in corners]


def _fittings(
    sketch: Sketch,
    rng: Generator,
    paint: Colour,
    ends: tuple[float, float],
    axles: tuple[float, float],
) -> None:
    left, right = ends
    sketch.box((left + 0.05, 0.16), (right - left - 0.1, 0.09), darker(paint, 0.45))
    sketch.oval((right - 0.1, 0.45), (0.08, 0.07), (238, 236, 222), lamp=HEADLIGHT)
    sketch.box((left + 0.01, 0.42), (0.08, 0.14), (176, 40, 36), lamp=TAILLIGHT)
    rim = varied(rng, (186, 188, 192))
    for x in axles:
        sketch.area(ring((x, 0.22), (0.29, 0.29), start=0, stop=180), darker(paint, 0.5))
        sketch.oval((x, 0.215), (0.215, 0.215), RUBBER)
        sketch.oval((x, 0.215), (0.125, 0.125), rim)
        sketch.oval((x, 0.215), (0.05, 0.05), darker(rim, 0.4))


CARS: tuple[Kind, ...] = (
    Kind(_sedan, "land", (0.62, 0.85)),
    Kind(_hatchback, "land", (0.66, 0.9)),
    Kind(_beetle, "land", (0.62, 0.85)),
    Kind(_van, "land", (0.8, 1.1)),
    Kind(_pickup, "land", (0.7, 0.9)),
    Kind(_front_view, "land", (0.66, 0.95)),
)
