"""Flat drawings in free units, made of coloured shapes and drawn at any size."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tagsight.demo.scenes.colours import Colour

Points: TypeAlias = NDArray[np.float64]
"""``(n, 2)`` float, x to the right and y upwards."""

PointsLike: TypeAlias = "Points | Sequence[tuple[float, float]]"

SUPERSAMPLING = 4
STEPS = np.linspace(0, 1, 33)
CURVE = np.linspace(0, 1, 12)[:, None]


class Shape(NamedTuple):
    """An area, or a line if it has a width; a lamp has another colour in the dark."""

    points: Points
    colour: Colour
    width: float
    lamp: Colour | None


class Picture(NamedTuple):
    """A drawing in pixels.

    Attributes:
        image: RGBA.
        origin: Where the drawing's origin is, in pixels from the image's left and top.
    """

    image: Image.Image
    origin: tuple[float, float]


class Sketch:
    """Shapes in the order in which they are drawn, the origin where the thing stands.

    Example:
        >>> tree = Sketch()
        >>> tree.box((-0.1, 0), (0.2, 1), (90, 60, 40))
        >>> tree.oval((0, 1.4), (0.6, 0.6), (60, 120, 50))
        >>> picture = tree.picture(unit=20)
        >>> tree.extent, picture.image.getpixel((round(picture.origin[0]), 4))
        (2.0, (60, 120, 50, 255))
    """

    def __init__(self) -> None:
        self.shapes: list[Shape] = []

    def area(self, points: PointsLike, colour: Colour, *, lamp: Colour | None = None) -> None:
        """Fill a polygon."""
        self.shapes.append(Shape(np.asarray(points, float), colour, 0, lamp))

    def soft(self, points: PointsLike, colour: Colour, *, lamp: Colour | None = None) -> None:
        """Fill a polygon with its corners rounded off."""
        self.area(rounded(points), colour, lamp=lamp)

    def oval(
        self,
        centre: tuple[float, float],
        radii: tuple[float, float],
        colour: Colour,
        *,
        turn: float = 0,
        lamp: Colour | None = None,
    ) -> None:
        """Fill an ellipse, turned counter-clockwise by degrees."""
        self.area(ring(centre, radii, turn=turn), colour, lamp=lamp)

    def box(
        self,
        corner: tuple[float, float],
        size: tuple[float, float],
        colour: Colour,
        *,
        lamp: Colour | None = None,
    ) -> None:
        """Fill an upright rectangle, given its lower left corner."""
        (x, y), (width, height) = corner, size
        points = [(x, y), (x + width, y), (x + width, y + height), (x, y + height)]
        self.area(points, colour, lamp=lamp)

    def line(self, points: PointsLike, width: float, colour: Colour) -> None:
        """Draw a line with round ends."""
        self.shapes.append(Shape(np.asarray(points, float), colour, width, None))

    def picture(
        self, unit: float, *, mirrored: bool = False, turn: float = 0, lit: bool = False
    ) -> Picture:
        """Draw it.

        Args:
            unit: Pixels of a unit.
            mirrored: Whether left and right are exchanged.
            turn: Degrees, counter-clockwise about the origin.
            lit: Whether to draw the lamps only, in the colours they have in the dark.
        """
        scale = np.array([-unit if mirrored else unit, -unit]) * SUPERSAMPLING
        angle = math.radians(-turn)
        rotation = np.array(
            [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
        )
        matrix = np.diag(scale) @ rotation
        points = np.concatenate([shape.points for shape in self.shapes]) @ matrix.T
        margin = max(shape.width for shape in self.shapes) * unit / 2 + 1
        first = np.floor(points.min(0) / SUPERSAMPLING - margin)
        size = np.ceil(points.max(0) / SUPERSAMPLING + margin) - first
        width, height = (int(side) for side in size)
        image = Image.new("RGBA", (width * SUPERSAMPLING, height * SUPERSAMPLING))
        draw = ImageDraw.Draw(image)
        points -= first * SUPERSAMPLING
        start = 0
        for shape in self.shapes:
            end = start + len(shape.points)
            _draw(draw, points[start:end], shape, unit * SUPERSAMPLING, lit=lit)
            start = end
        return Picture(image.reduce(SUPERSAMPLING), (-float(first[0]), -float(first[1])))

    @property
    def extent(self) -> float:
        """The longer side, in units."""
        points = np.concatenate([shape.points for shape in self.shapes])
        return float(np.ptp(points, axis=0).max())

    @property
    def has_lamps(self) -> bool:
        """Whether anything shines in the dark."""
        return any(shape.lamp for shape in self.shapes)


def ring(
    centre: tuple[float, float],
    radii: tuple[float, float],
    *,
    turn: float = 0,
    start: float = 0,
    stop: float = 360,
) -> Points:
    """Points on an ellipse or on its part between two angles in degrees, counter-clockwise.

    Example:
        >>> ring((0, 0), (2, 1), start=0, stop=90)[[0, -1]].round(6).tolist()
        [[2.0, 0.0], [0.0, 1.0]]
    """
    angles = np.radians(start + (stop - start) * STEPS)
    x, y = np.cos(angles) * radii[0], np.sin(angles) * radii[1]
    c, s = math.cos(math.radians(turn)), math.sin(math.radians(turn))
    return np.stack([centre[0] + x * c - y * s, centre[1] + x * s + y * c], 1)


def rounded(points: PointsLike, times: int = 3) -> Points:
    """Cut the corners of a closed polygon until it is a smooth curve.

    Chaikin, An algorithm for high-speed curve generation, 1974.

    Example:
        >>> square = [(0, 0), (1, 0), (1, 1), (0, 1)]
        >>> rounded(square, times=1)[:3].tolist()
        [[0.25, 0.0], [0.75, 0.0], [1.0, 0.25]]
    """
    corners = np.asarray(points, float)
    for _ in range(times):
        following = np.roll(corners, -1, axis=0)
        cut = np.stack([0.75 * corners + 0.25 * following, 0.25 * corners + 0.75 * following], 1)
        corners = cut.reshape(-1, 2)
    return corners


def bow(start: tuple[float, float], pull: tuple[float, float], end: tuple[float, float]) -> Points:
    """Points on the curve from start to end that a third point pulls towards itself.

    Example:
        >>> curve = bow((0, 0), (1, 1), (2, 0))
        >>> curve[[0, -1]].tolist(), round(float(curve[:, 1].max()), 1)
        ([[0.0, 0.0], [2.0, 0.0]], 0.5)
    """
    t = CURVE
    a, b, c = np.asarray(start), np.asarray(pull), np.asarray(end)
    return (1 - t) ** 2 * a + 2 * t * (1 - t) * b + t**2 * c


def ribbon(spine: Points, widths: Sequence[float]) -> Points:
    """The outline of a band along a curve; widths are spread evenly from its start to its end.

    Example:
        >>> spine = np.array([[0.0, 0.0], [1.0, 0.0], [2.0, 0.0]])
        >>> ribbon(spine, [1, 0.5])[:3].round(3).tolist()  # its upper edge
        [[0.0, 0.5], [1.0, 0.375], [2.0, 0.25]]
    """
    along = np.empty_like(spine)
    along[1:-1] = spine[2:] - spine[:-2]
    along[0], along[-1] = spine[1] - spine[0], spine[-1] - spine[-2]
    share = np.arange(len(spine)) * ((len(widths) - 1) / (len(spine) - 1))
    half = np.interp(share, np.arange(len(widths)), widths) / 2
    across = along[:, ::-1] * [-1, 1]
    across *= (half / (np.hypot(along[:, 0], along[:, 1]) + 1e-9))[:, None]
    return np.concatenate([spine + across, (spine - across)[::-1]])


def _draw(
    draw: ImageDraw.ImageDraw, points: Points, shape: Shape, unit: float, *, lit: bool
) -> None:
    colour: tuple[int, ...] = shape.colour
    if lit:
        # What covers a lamp has to be drawn as well, as nothing.
        colour = shape.lamp or (0, 0, 0, 0)
    corners = [(x, y) for x, y in points.tolist()]
    if not shape.width:
        draw.polygon(corners, fill=colour)
        return
    width = shape.width * unit
    draw.line(corners, fill=colour, width=max(1, round(width)), joint="curve")
    for x, y in (corners[0], corners[-1]):
        draw.ellipse((x - width / 2, y - width / 2, x + width / 2, y + width / 2), fill=colour)
