from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from tagsight.inference.heatmaps import OPACITY, Panel, colour_table
from tagsight.visualize.contact_sheet import Section, contact_sheet, heatmap

GREY = Image.new("RGB", (320, 240), (128, 128, 128))


def panel(name: str = "dog", value: float = 4.0, *, found: bool = True) -> Panel:
    return Panel(name, 0.94, 0.41, found, np.full((7, 7), value, np.float32))


def sheet(photo: Image.Image, *panels: Panel) -> Image.Image:
    return contact_sheet(photo, "photo.jpg", [Section("maps", "evidence in logits", panels)])


def colours_of(picture: Image.Image) -> set[tuple[int, ...]]:
    return {colour for _, colour in picture.getcolors(picture.width * picture.height)}


def coloured(share: float, grey: float = 118.0) -> tuple[int, ...]:
    colour = colour_table()[round(255 * share)].astype(float)
    opacity = OPACITY * np.sqrt(share)
    return tuple(np.round(grey + opacity * (colour - grey)).astype(int).tolist())


def area(picture: Image.Image, share: float) -> int:
    """How many pixels have the colour of a share of the scale, in panels of 340 x 255."""
    return (np.asarray(picture) == coloured(share)).all(-1).sum() / (340 * 255)


def test_the_labels_of_a_section_share_one_scale():
    # 0.8 * 128 + 16 = 118 is the paled photo.
    assert coloured(1) in colours_of(heatmap(GREY, panel(value=8), unit="", top=8))
    shared = sheet(GREY, panel("dog", 8), panel("cat", 4))
    assert [area(shared, share) for share in (1, 0.5)] == pytest.approx([1, 1], rel=0.01)
    against = colours_of(sheet(GREY, panel("dog", -3), panel("cat", -1)))
    assert (118, 118, 118) in against
    parts = (("maps", "logits", 8), ("Grad-CAM", "no unit", 0.01))
    sections = [Section(name, unit, [panel(value=value)]) for name, unit, value in parts]
    assert area(contact_sheet(GREY, "photo.jpg", sections), 1) == pytest.approx(2, rel=0.01)


@pytest.mark.parametrize(("size", "number"), [((1, 1), 1), ((4000, 100), 3), ((90, 3000), 24)])
def test_a_sheet_of_photos_of_any_shape_is_of_sensible_size(size, number):
    photo = Image.new("RGB", size, (128, 128, 128))
    width, height = sheet(photo, *(panel(f"label {i}") for i in range(number))).size
    assert 270 <= width <= 4000
    assert 200 <= height <= 4000


SHAPES = {(40, 30): (480, 360), (2000, 1000): (1600, 800), (3000, 1): (1600, 1)}


@pytest.mark.parametrize(("size", "expected"), SHAPES.items(), ids=str)
def test_a_heatmap_keeps_the_shape_of_the_photo(size, expected):
    photo = Image.new("RGB", size, (128, 128, 128))
    pixels = np.asarray(heatmap(photo, panel(value=8), unit="", top=8))
    rows, columns = np.nonzero((pixels == coloured(1)).all(-1))
    # The scale below shows the colour too, in its last columns and twelve rows.
    top, left = rows.min(), columns.min()
    height = expected[1] if expected[1] > 1 else 1
    assert (pixels[top : top + height, left : left + expected[0]] == coloured(1)).all()
    assert not (pixels[top + height, left : left + expected[0]] == coloured(1)).any()
    assert columns.max() - left + 1 == expected[0]


def test_score_and_threshold_stand_in_the_picture_to_scale():
    width = 480
    picture = heatmap(GREY, panel(), unit="", top=8)
    pixels = np.asarray(picture)
    bar = pixels[20 + 45 + 2, 20 : 20 + width]
    assert (bar[: round(0.41 * width)] == (66, 84, 110)).all()
    assert (bar[round(0.41 * width)] == (38, 42, 48)).all()
    assert (bar[round(0.94 * width) :] == (222, 225, 230)).all()
    not_found = heatmap(GREY, panel(found=False), unit="", top=8)
    assert (66, 84, 110) in colours_of(picture) - colours_of(not_found)
