"""Mark places on a photo, and write the names of labels beside them."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, NamedTuple

from PIL import Image, ImageDraw

from tagsight.inference.lettering import font, shortened

if TYPE_CHECKING:
    from collections.abc import Sequence

    Area = tuple[float, float, float, float]

LONGEST_NAME = 2 / 3
"""Width of a name, as a fraction of that of the photo, at which it is cut."""

_LIGHT, _DARK = (255, 255, 255, 255), (20, 22, 26, 200)
_FINE = 4
"""Rings are drawn so many times larger, for smooth edges."""


class Mark(NamedTuple):
    """A place on a photo.

    Attributes:
        place: x and y in pixels.
        name: What is written beside it; possibly nothing.
    """

    place: tuple[float, float]
    name: str = ""


def draw_marks(photo: Image.Image, marks: Sequence[Mark]) -> Image.Image:
    """Draw a ring at each place, and its name beside it where it covers no other name.

    A name longer than two thirds of the photo's width is cut. Names of one place stand below each
    other.

    Args:
        photo: RGB.
        marks: The places, the most important first.

    Returns:
        A copy with the marks.

    Example:
        >>> picture = draw_marks(Image.new("RGB", (320, 240)), [Mark((160.0, 120.0), "dog")])
        >>> picture.getpixel((160, 120)), picture.getpixel((160, 113))
        ((0, 0, 0), (255, 255, 255))
    """
    picture = photo.copy()
    radius = min(max(4, round(max(photo.size) / 55)), 16)
    ring = _ring(radius)
    for mark in marks:
        x, y = (round(value - ring.width / 2) for value in mark.place)
        picture.paste(ring, (x, y), ring)
    taken: list[Area] = []
    for mark in marks:
        if mark.name:
            _write_name(picture, mark, radius, taken)
    return picture


def _write_name(picture: Image.Image, mark: Mark, radius: int, taken: list[Area]) -> None:
    """Write a name at the first free place beside its mark, and note the area that it takes."""
    size = min(max(13, round(max(picture.size) / 32)), 28)
    padding = round(size / 4)
    shown = shortened(mark.name, size, LONGEST_NAME * picture.width - 2 * padding)
    letters = font(size, shown)
    width, height = round(letters.getlength(shown)) + 2 * padding, round(1.2 * size) + padding
    left, top = _free_place(picture.size, (width, height), mark.place, radius, taken)
    taken.append((left, top, left + width, top + height))
    tag = Image.new("RGBA", (width, height))
    pen = ImageDraw.Draw(tag)
    pen.rounded_rectangle((0, 0, width - 1, height - 1), radius=padding, fill=_DARK)
    pen.text((width / 2, height / 2), shown, fill=_LIGHT, font=letters, anchor="mm")
    picture.paste(tag, (left, top), tag)


def _free_place(
    photo: tuple[int, int],
    tag: tuple[int, int],
    place: tuple[float, float],
    radius: int,
    taken: Sequence[Area],
) -> tuple[int, int]:
    """Choose the upper left corner of a tag: right of its mark, left of it, or further down."""
    (width, height), gap = tag, radius + 4
    lefts = [place[0] + gap, place[0] - gap - width, place[0] - width / 2]
    step = height + 2
    tops = [place[1] - height / 2 + step * turn for turn in (0, 1, -1, 2, -2, 3, -3, 4, -4)]
    within = [
        (max(0, min(round(left), photo[0] - width)), max(0, min(round(top), photo[1] - height)))
        for top in tops
        for left in lefts
        # Beside its mark a tag may not be moved over it.
        if top != tops[0] or (left >= 0 and left + width <= photo[0] and left != lefts[2])
    ]
    free = (
        (left, top)
        for left, top in within
        if not any(
            left < right and first < left + width and top < bottom and upper < top + height
            for first, upper, right, bottom in taken
        )
    )
    return next(free, within[0])


@functools.cache
def _ring(radius: int) -> Image.Image:
    """Draw a light ring between dark ones, which shows on every photo."""
    side = 2 * radius + 8
    large = Image.new("RGBA", (side * _FINE, side * _FINE))
    pen, middle = ImageDraw.Draw(large), side * _FINE / 2
    for extra, colour, width in ((2.5, _DARK, 5), (1, _LIGHT, 2)):
        reach = (radius + extra) * _FINE
        pen.ellipse(
            (middle - reach, middle - reach, middle + reach, middle + reach),
            outline=colour,
            width=width * _FINE,
        )
    return large.reduce(_FINE)
