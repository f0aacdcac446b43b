"""Draw text from outside in pictures: any alphabet, any length, only printable characters."""

from __future__ import annotations

import functools
from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING
from unicodedata import east_asian_width

from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

_FONTS = ("DejaVuSans.ttf", "NotoSans-Regular.ttf", "Arial.ttf", "Arial Unicode.ttf")
"""Fonts of the system for text that is not ASCII, which the built-in font has no glyphs for."""


def font(size: int, text: str = "") -> Font:
    """Return a font for a text, ``size`` pixels high.

    Example:
        >>> font(24, "dog").getlength("dog") > font(12, "dog").getlength("dog")
        True
    """
    return _font(size, plain=text.isascii())


def drawable(text: str, most: int) -> str:
    r"""Turn text into a line that can be drawn, of at most ``most`` letters.

    Unprintable characters, such as those that change the direction of text, become spaces. Wide
    letters, such as Chinese ones, count twice.

    Example:
        >>> drawable("dog\u202egod", 28), drawable("a" * 40, 8), drawable("\u200b", 8)
        ('dog god', 'aaaaa...', '?')
    """
    shown = "".join(letter if letter.isprintable() else " " for letter in text[: most + 1])
    ends = list(accumulate(2 if east_asian_width(letter) in "WF" else 1 for letter in shown))
    if ends and ends[-1] > most:
        shown = shown[: bisect_right(ends, most - 3)] + "..."
    return shown.strip() or "?"


def write_line(
    sheet: Image.Image,
    corner: tuple[int, int],
    text: str,
    size: int,
    colour: tuple[int, int, int],
    width: int,
) -> None:
    """Write a line, cut if it is wider than ``width`` pixels.

    Example:
        >>> sheet = Image.new("RGB", (60, 20), "white")
        >>> write_line(sheet, (2, 2), "a long name of a label", 12, (0, 0, 0), 40)
        >>> ink = sheet.convert("L").point(lambda level: 255 * (level < 128)).getbbox()
        >>> ink[2] <= 2 + 40
        True
    """
    shown = shortened(text, size, width)
    ImageDraw.Draw(sheet).text(corner, shown, fill=colour, font=font(size, shown))


def shortened(text: str, size: int, width: float) -> str:
    """Cut a line that would be wider than ``width`` pixels in letters of a size.

    Example:
        >>> shortened("dog", 14, 200), shortened("a dog that runs", 14, 60)
        ('dog', 'a dog...')
    """
    text = drawable(text, 200)
    letters = font(size, text)
    shown = text
    while letters.getlength(shown) > width and len(text) > 1:
        text = text[:-1]
        shown = text.rstrip() + "..."
    return shown


@functools.cache
def _font(size: int, *, plain: bool) -> Font:
    for name in () if plain else _FONTS:
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            continue
    return ImageFont.load_default(size)
