import numpy as np
import pytest
from PIL import Image

from tagsight.inference.colour_scale import colour_table, opacity_table
from tagsight.inference.heatmaps import Panel
from tagsight.visualize.contact_sheet import Section, contact_sheet, heatmap

GREY = Image.new("RGB", (320, 240), (128, 128, 128))


def panel(name: str = "dog", value: float = 4.0, *, found: bool = True) -> Panel:
    return Panel(name, 0.94, 0.41, found, np.full((7, 7), value, np.float32))


def sheet(photo: Image.Image, *panels: Panel) -> Image.Image:
    return contact_sheet(photo, "photo.jpg", [Section("maps", "evidence in logits", panels)])


def colours_of(picture: Image.Image) -> set[tuple[int, ...]]:
    return {colour for _, colour in picture.getcolors(picture.width * picture.height)}


def coloured(picture: Image.Image, share: float) -> np.ndarray:
    """The pixels that have the colour of a share of the scale over grey."""
    step = round(255 * share)
    opacity = opacity_table()[step] / 255
    colour = 128 + opacity * (colour_table()[step].astype(float) - 128)
    return (np.abs(np.asarray(picture) - colour) <= 1.5).all(-1)


def area(picture: Image.Image, share: float) -> float:
    """How many panels of 340 x 255 have the colour of a share of the scale."""
    return coloured(picture, share).sum() / (340 * 255)


def test_each_label_has_a_scale_of_its_own_of_at_least_a_share_of_the_strongest():
    shown = sheet(GREY, panel("dog", 8), panel("cat", 4), panel("bird", 1))
    assert [area(shown, share) for share in (1, 0.5)] == pytest.approx([2, 1], rel=0.03)
    against = sheet(GREY, panel("dog", -3), panel("cat", -1))
    assert area(against, 0) == pytest.approx(3, rel=0.01)
    parts = (("maps", "logits", 8), ("Grad-CAM", "no unit", 0.01))
    sections = [Section(name, unit, [panel(value=value)]) for name, unit, value in parts]
    assert area(contact_sheet(GREY, "photo.jpg", sections), 1) == pytest.approx(2, rel=0.02)


def test_the_labels_found_are_named_on_the_photo():
    panels = [panel("dog", 8), panel("cat", 8, found=False)]
    named, found, missed = (
        sheet(GREY, *chosen) for chosen in (panels, panels[:1], [panels[0]._replace(found=False)])
    )
    photo = (20, 124, 360, 379)
    assert named.crop(photo) == found.crop(photo) != missed.crop(photo) == GREY.resize((340, 255))


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
    shown = coloured(heatmap(photo, panel(value=8), unit="", top=8), 1)
    rows, columns = np.nonzero(shown)
    # The bar below, of 300 pixels, has the colour too; mark and name stand at the upper left.
    last = shown[:, columns.max()]
    assert (np.ptp(columns) + 1, last.sum()) == expected
    assert rows.min() == np.flatnonzero(last)[0]


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
