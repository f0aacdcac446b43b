"""Draw heatmaps with captions and scales, one by one or side by side."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from PIL import Image, ImageDraw

from tagsight.inference.heatmaps import Panel, colour_bar, name_labels, overlay, scale_top
from tagsight.inference.lettering import font, write_line

if TYPE_CHECKING:
    from collections.abc import Sequence


SIDES = (480, 1600)
"""Range of the longest side of a single heatmap, in pixels; photos within keep their size."""

_PAPER, _INK, _FAINT, _LINE = (255, 255, 255), (38, 42, 48), (112, 118, 127), (222, 225, 230)
_SCORE = (66, 84, 110)
_MARGIN, _GAP, _CAPTION, _NUMBERS, _SCALE = 20, 20, 56, 25, 28
_TITLE_SIZE, _NAME_SIZE, _TEXT_SIZE = 24, 20, 14
_NARROWEST = 230
"""Width that a caption needs, in pixels."""
_CELL_AREA, _LONGEST_CELL_SIDE = 340 * 255, 640
_ASPECT = 1.6
"""Desired aspect ratio of a contact sheet."""


class Section(NamedTuple):
    """Labels of a photo whose maps have one unit.

    Attributes:
        title: Kind of maps.
        unit: Caption of the scales.
        panels: Labels, at least one.
    """

    title: str
    unit: str
    panels: Sequence[Panel]

    @property
    def tops(self) -> list[float]:
        """Ends of the scales of the panels (`scale_top`).

        Example:
            >>> import numpy as np
            >>> weak, strong = (np.full((2, 2), value, np.float32) for value in (1.5, 3.0))
            >>> panels = [Panel("dog", 0.9, 0.5, True, strong), Panel("sky", 0.6, 0.5, True, weak)]
            >>> Section("", "evidence in logits", panels).tops
            [3.0, 1.5]
        """
        maps = [panel.evidence for panel in self.panels]
        return [scale_top(evidence, maps) for evidence in maps]


def heatmap(photo: Image.Image, panel: Panel, *, unit: str, top: float) -> Image.Image:
    """Draw the evidence for one label on the photo, with score, threshold and scale.

    Args:
        photo: RGB, upright; it is resized so that its longest side has 480 to 1,600 pixels.
        panel: The label.
        unit: Caption of the scale.
        top: End of the scale (`scale_top`).

    Example:
        >>> import numpy as np
        >>> dog = Panel("dog", 0.94, 0.41, found=True, evidence=np.ones((7, 7), np.float32))
        >>> heatmap(Image.new("RGB", (640, 480)), dog, unit="evidence in logits", top=1.0).size
        (680, 604)
    """
    longest = max(photo.size)
    scale = min(max(longest, SIDES[0]), SIDES[1]) / longest
    photo = photo.resize(_scaled(photo.size, scale), Image.Resampling.LANCZOS)
    width = max(photo.width, _NARROWEST)
    height = _MARGIN + _CAPTION + photo.height + _SCALE + _MARGIN
    sheet = Image.new("RGB", (width + 2 * _MARGIN, height), _PAPER)
    box = panel.frame.pixels(photo.size)
    picture = overlay(photo, panel.evidence, top, box=box, name=panel.name)
    _draw_panel(sheet, (_MARGIN, _MARGIN), width, picture, panel)
    _draw_scale(sheet, (_MARGIN, height - _MARGIN - _SCALE), width, unit, top)
    return sheet


def contact_sheet(photo: Image.Image, title: str, sections: Sequence[Section]) -> Image.Image:
    """Draw the photo and the evidence for its labels side by side, each with its scale.

    On the photo the labels found are named where the evidence for them is strongest.

    Args:
        photo: RGB, upright.
        title: Title of the sheet.
        sections: Sections with the same labels in the same order, for example the maps of a
            system and Grad-CAM.

    Example:
        >>> import numpy as np
        >>> dog = Panel("dog", 0.94, 0.41, found=True, evidence=np.ones((7, 7), np.float32))
        >>> section = Section("maps", "evidence in logits", [dog])
        >>> contact_sheet(Image.new("RGB", (640, 480)), "photo.jpg", [section]).size
        (740, 447)
    """
    small = photo.resize(_cell_size(photo.size), Image.Resampling.LANCZOS)
    number = 1 + max(len(section.panels) for section in sections)
    plan = _plan(small.size, number)
    head = _MARGIN + 2 * _TITLE_SIZE
    heading = 2 * _NAME_SIZE if len(sections) > 1 else 0
    block = heading + plan.height + _GAP
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
    cell = max(photo[0], _NARROWEST), photo[1] + _CAPTION + _SCALE
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
    width, below = plan.cell[0], _CAPTION + photo.height
    write_line(sheet, (_MARGIN, top), "photo", _NAME_SIZE, _FAINT, width)
    size = "{} x {} pixels".format(*photo_size)
    write_line(sheet, (_MARGIN, top + _NUMBERS), size, _TEXT_SIZE, _FAINT, width)
    named = name_labels(photo, section.panels)
    sheet.paste(named, (_MARGIN + (width - photo.width) // 2, top + _CAPTION))
    note = "each label has a scale of its own" if len(section.panels) > 1 else ""
    write_line(sheet, (_MARGIN, top + below + 8), note, _TEXT_SIZE, _FAINT, width)
    for i, (panel, strong) in enumerate(zip(section.panels, section.tops, strict=True), start=1):
        row, column = divmod(i, plan.columns)
        corner = _MARGIN + column * (width + _GAP), top + row * (plan.cell[1] + _GAP)
        picture = overlay(photo, panel.evidence, strong, box=panel.frame.pixels(photo.size))
        _draw_panel(sheet, corner, width, picture, panel)
        _draw_scale(sheet, (corner[0], corner[1] + below), width, section.unit, strong)


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
    """Draw a line with the colours from 0 to the end of the scale, and what that is."""
    left, upper = corner
    if top <= 0:
        write_line(sheet, (left, upper + 8), "no evidence", _TEXT_SIZE, _FAINT, width)
        return
    end = f"{top:.3g} {unit}"
    room = width - 2 * 16 - round(font(_TEXT_SIZE, end).getlength(end))
    length = min(200, max(40, room))
    write_line(sheet, (left, upper + 8), "0", _TEXT_SIZE, _FAINT, width)
    sheet.paste(colour_bar((length, 12)), (left + 16, upper + 10))
    place = left + length + 24
    write_line(sheet, (place, upper + 8), end, _TEXT_SIZE, _FAINT, left + width - place)
