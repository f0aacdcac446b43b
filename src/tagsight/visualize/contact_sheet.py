"""Draw heatmaps with captions, one by one or side by side on one scale."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from tagsight.inference.heatmaps import Panel, colour_bar, name_labels, overlay, strongest
from tagsight.inference.lettering import font, write_line

if TYPE_CHECKING:
    from collections.abc import Sequence


SIDES = (480, 1600)
"""Range of the longest side of a single heatmap, in pixels; photos within keep their size."""

_PAPER, _INK, _FAINT, _LINE = (255, 255, 255), (38, 42, 48), (112, 118, 127), (222, 225, 230)
_SCORE = (66, 84, 110)
_MARGIN, _GAP, _CAPTION, _NUMBERS, _BAR = 20, 20, 56, 25, 48
_TITLE_SIZE, _NAME_SIZE, _TEXT_SIZE = 24, 20, 14
_NARROWEST = 230
"""Width that a caption needs, in pixels."""
_CELL_AREA, _LONGEST_CELL_SIDE = 340 * 255, 640
_ASPECT = 1.6
"""Desired aspect ratio of a contact sheet."""


class Section(NamedTuple):
    """Labels that share a scale.

    Attributes:
        title: Kind of maps.
        unit: Caption of the scale.
        panels: Labels, at least one.
    """

    title: str
    unit: str
    panels: Sequence[Panel]

    @property
    def top(self) -> float:
        """Strongest evidence of the section: the end of its scale.

        Example:
            >>> weak, strong = (np.full((2, 2), value, np.float32) for value in (0.5, 3.0))
            >>> panels = [Panel("dog", 0.9, 0.5, True, strong), Panel("sky", 0.6, 0.5, True, weak)]
            >>> Section("", "evidence in logits", panels).top
            3.0
        """
        return strongest(np.stack([panel.evidence for panel in self.panels]))


def heatmap(photo: Image.Image, panel: Panel, *, unit: str, top: float) -> Image.Image:
    """Draw the evidence for one label on the photo, with score, threshold and scale.

    Args:
        photo: RGB, upright; it is resized so that its longest side has 480 to 1,600 pixels.
        panel: The label.
        unit: Caption of the scale.
        top: End of the scale, shared by all labels shown for this photo.

    Example:
        >>> dog = Panel("dog", 0.94, 0.41, found=True, evidence=np.ones((7, 7), np.float32))
        >>> heatmap(Image.new("RGB", (640, 480)), dog, unit="evidence in logits", top=1.0).size
        (680, 624)
    """
    longest = max(photo.size)
    scale = min(max(longest, SIDES[0]), SIDES[1]) / longest
    photo = photo.resize(_scaled(photo.size, scale), Image.Resampling.LANCZOS)
    width = max(photo.width, _NARROWEST)
    height = _MARGIN + _CAPTION + photo.height + _BAR + _MARGIN
    sheet = Image.new("RGB", (width + 2 * _MARGIN, height), _PAPER)
    box = panel.frame.pixels(photo.size)
    picture = overlay(photo, panel.evidence, top, box=box, name=panel.name)
    _draw_panel(sheet, (_MARGIN, _MARGIN), width, picture, panel)
    _draw_scale(sheet, (_MARGIN, height - _MARGIN - _BAR), width, unit, top)
    return sheet


def contact_sheet(photo: Image.Image, title: str, sections: Sequence[Section]) -> Image.Image:
    """Draw the photo and the evidence for its labels side by side, with one scale per section.

    On the photo the labels found are named where the evidence for them is strongest.

    Args:
        photo: RGB, upright.
        title: Title of the sheet.
        sections: Sections with the same labels in the same order, for example the maps of a
            system and Grad-CAM.

    Example:
        >>> dog = Panel("dog", 0.94, 0.41, found=True, evidence=np.ones((7, 7), np.float32))
        >>> section = Section("maps", "evidence in logits", [dog])
        >>> contact_sheet(Image.new("RGB", (640, 480)), "photo.jpg", [section]).size
        (740, 467)
    """
    small = photo.resize(_cell_size(photo.size), Image.Resampling.LANCZOS)
    number = 1 + max(len(section.panels) for section in sections)
    plan = _plan(small.size, number)
    head = _MARGIN + 2 * _TITLE_SIZE
    heading = 2 * _NAME_SIZE if len(sections) > 1 else 0
    block = heading + plan.height + _BAR + _GAP
    sheet = Image.new("RGB", (plan.width + 2 * _MARGIN, head + len(sections) * block), _PAPER)
    write_line(sheet, (_MARGIN, _MARGIN), title, _TITLE_SIZE, _INK, plan.width)
    for i, section in enumerate(sections):
        top = head + i * block
        if heading:
            write_line(sheet, (_MARGIN, top), section.title, _NAME_SIZE, _SCORE, plan.width)
        _draw_section(sheet, top + heading, plan, small, photo.size, section)
    return sheet


class _Plan(NamedTuple):
    """Layout of the panels of a section, with sizes in pixels."""

    cell: tuple[int, int]
    columns: int
    rows: int

    @property
    def width(self) -> int:
        return self.columns * (self.cell[0] + _GAP) - _GAP

    @property
    def height(self) -> int:
        return self.rows * (self.cell[1] + _GAP)

    @property
    def misshape(self) -> float:
        return abs(math.log(self.width / self.height / _ASPECT))


def _plan(photo: tuple[int, int], number: int) -> _Plan:
    cell = max(photo[0], _NARROWEST), photo[1] + _CAPTION
    plans = (_Plan(cell, n, math.ceil(number / n)) for n in range(1, number + 1))
    return min(plans, key=lambda plan: plan.misshape)


def _draw_section(
    sheet: Image.Image,
    top: int,
    plan: _Plan,
    photo: Image.Image,
    photo_size: tuple[int, int],
    section: Section,
) -> None:
    width, strong = plan.cell[0], section.top
    write_line(sheet, (_MARGIN, top), "photo", _NAME_SIZE, _FAINT, width)
    size = "{} x {} pixels".format(*photo_size)
    write_line(sheet, (_MARGIN, top + _NUMBERS), size, _TEXT_SIZE, _FAINT, width)
    named = name_labels(photo, section.panels)
    sheet.paste(named, (_MARGIN + (width - photo.width) // 2, top + _CAPTION))
    for i, panel in enumerate(section.panels, start=1):
        row, column = divmod(i, plan.columns)
        corner = _MARGIN + column * (width + _GAP), top + row * (plan.cell[1] + _GAP)
        picture = overlay(photo, panel.evidence, strong, box=panel.frame.pixels(photo.size))
        _draw_panel(sheet, corner, width, picture, panel)
    _draw_scale(sheet, (_MARGIN, top + plan.height), plan.width, section.unit, strong)


def _scaled(size: tuple[int, int], scale: float) -> tuple[int, int]:
    width, height = (max(1, round(side * scale)) for side in size)
    return width, height


def _cell_size(size: tuple[int, int]) -> tuple[int, int]:
    """Size of a photo on the sheet: the same area for all shapes but very long ones."""
    scale = math.sqrt(_CELL_AREA / (size[0] * size[1]))
    return _scaled(size, min(scale, _LONGEST_CELL_SIDE / max(size)))


def _draw_panel(
    sheet: Image.Image, corner: tuple[int, int], width: int, picture: Image.Image, panel: Panel
) -> None:
    left, top = corner
    write_line(sheet, corner, panel.name, _NAME_SIZE, _INK if panel.found else _FAINT, width)
    verdict = "threshold" if panel.found else "below the threshold"
    numbers = f"score {panel.score:.2f}, {verdict} {panel.threshold:.2f}"
    write_line(sheet, (left, top + _NUMBERS), numbers, _TEXT_SIZE, _FAINT, width)
    _draw_score(sheet, (left, top + 45), width, panel)
    sheet.paste(picture, (left + (width - picture.width) // 2, top + _CAPTION))


def _draw_score(sheet: Image.Image, corner: tuple[int, int], width: int, panel: Panel) -> None:
    """Draw a bar whose length is the score, with a mark at the threshold."""
    pen, (left, top) = ImageDraw.Draw(sheet), corner
    colour = _SCORE if panel.found else _FAINT
    pen.rectangle((left, top, left + width - 1, top + 4), fill=_LINE)
    if round(panel.score * width):
        pen.rectangle((left, top, left + round(panel.score * width) - 1, top + 4), fill=colour)
    mark = left + min(round(panel.threshold * width), width - 2)
    pen.rectangle((mark, top - 3, mark + 1, top + 7), fill=_INK)


def _draw_scale(
    sheet: Image.Image, corner: tuple[int, int], width: int, unit: str, top: float
) -> None:
    pen, (left, upper) = ImageDraw.Draw(sheet), corner
    length = min(300, width - 130)
    sheet.paste(colour_bar((length, 12)), (left, upper + 12))
    digits, ticks = font(_TEXT_SIZE), {0.0: "la", 0.5: "ma", 1.0: "ra"}
    for share, anchor in ticks.items() if top > 0 else ():
        x = left + share * (length - 1)
        pen.line((x, upper + 12, x, upper + 27), fill=_FAINT)
        pen.text((x, upper + 28), f"{share * top:.3g}", fill=_FAINT, font=digits, anchor=anchor)
    text = unit if top > 0 else "no evidence"
    place = left + length + 12, upper + 10
    write_line(sheet, place, text, _TEXT_SIZE, _FAINT, width - length - 12)
