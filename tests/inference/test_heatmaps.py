import io

import numpy as np
import pytest
from channels import channels_recognizer, corner
from PIL import Image

from tagsight.inference.colour_scale import OPACITY, colour_table, opacity_table
from tagsight.inference.heatmaps import (
    FINEST,
    Panel,
    colour_bar,
    evidence_layer,
    name_labels,
    overlay,
    peak,
)
from tagsight.inference.interpolation import upsample
from tagsight.inference.marks import Mark, draw_marks

NOT_SQUARE = [(128, 64), (64, 128), (96, 96)]
EVIDENCE = np.array([[0.0, 1.0], [-2.0, 4.0]], dtype=np.float32)


def luminance(colours: np.ndarray) -> np.ndarray:
    linear = (colours / 255.0) ** 2.2
    return linear @ [0.2126, 0.7152, 0.0722]


def strength(layer: Image.Image) -> np.ndarray:
    return np.asarray(layer.convert("RGBA"))[..., 3] / 255


@pytest.mark.parametrize("size", NOT_SQUARE)
@pytest.mark.parametrize("resize", ["warp", "fit", "crop"])
def test_evidence_is_drawn_where_it_was_seen_for_photos_of_any_shape(size, resize):
    photo = Image.new("RGB", size)
    middle = size[0] // 2, size[1] // 2
    photo.paste((255, 0, 0), (middle[0] - 12, middle[1] - 12, middle[0] + 4, middle[1] + 4))
    result = channels_recognizer(resize=resize)(photo)
    (panel,) = result.panels(["red"])
    layer = strength(evidence_layer(panel.evidence, 30.0, size, panel.frame.pixels(size)))
    red = np.asarray(photo)[..., 0] > 0
    assert layer[red].mean() > 5 * layer[~red].mean()
    x, y = peak(panel.evidence, size, panel.frame.pixels(size))
    assert red[int(y), int(x)]


def test_what_was_cropped_off_shows_no_evidence():
    photo = Image.new("RGB", (128, 64), (255, 0, 0))
    (panel,) = channels_recognizer(resize="crop")(photo).panels(["red"])
    layer = strength(
        evidence_layer(panel.evidence, 30.0, photo.size, panel.frame.pixels((128, 64)))
    )
    assert layer[:, 32:96].min() > 0.5
    assert layer[:, :32].max() == layer[:, 96:].max() == 0


@pytest.mark.parametrize("size", [(64, 48), (48, 64), (33, 64)])
def test_evidence_of_a_fitted_photo_reaches_its_edges_and_peaks_inside(size):
    (panel,) = channels_recognizer(resize="fit")(Image.new("RGB", size, "red")).panels(["red"])
    layer = strength(evidence_layer(panel.evidence, 30.0, size, panel.frame.pixels(size)))
    assert layer.min() > 0.5
    row, column = np.unravel_index(panel.evidence.argmax(), panel.evidence.shape)
    rows, columns = panel.frame.cells(*panel.evidence.shape)
    assert rows.start <= row < rows.stop
    assert columns.start <= column < columns.stop


def test_colours_grow_lighter_and_more_opaque_with_evidence_in_even_steps():
    lightness = np.cbrt(luminance(colour_table().astype(float)))
    steps = np.diff(lightness[::16])
    assert (steps > 0).all()
    assert steps.max() < 3 * steps.min()
    assert len(np.unique(colour_table(), axis=0)) == 256
    assert (np.diff(opacity_table().astype(int)) >= 0).all()
    assert opacity_table()[[0, 255]].tolist() == [0, round(255 * OPACITY)]


@pytest.mark.parametrize(("value", "top"), [(0, 5.0), (-9, 5.0), (-9, 0.0)])
def test_without_evidence_the_photo_stays_as_it_is(value, top):
    photo = corner("green", (30, 20))
    assert overlay(photo, np.full((4, 4), value, np.float32), top) == photo


def test_the_strongest_evidence_gets_the_last_colour_and_less_gets_less():
    photo = Image.new("RGB", (200, 200), (0, 0, 0))
    evidence = np.full((4, 4), 8, np.float32)
    at_top, at_half = (np.asarray(overlay(photo, evidence, top))[150, 150] for top in (8, 16))
    for pixel, step in ((at_top, 255), (at_half, 128)):
        expected = colour_table()[step] * (opacity_table()[step] / 255)
        np.testing.assert_allclose(pixel, expected, atol=1)
    assert luminance(at_top) > luminance(at_half)


def test_an_overlay_is_the_photo_under_the_layer_and_the_mark():
    photo = corner("red", (120, 90))
    layer = evidence_layer(EVIDENCE, 4.0, photo.size).convert("RGBA")
    covered = Image.alpha_composite(photo.convert("RGBA"), layer).convert("RGB")
    expected = draw_marks(covered, [Mark((90.0, 67.5), "dog")])
    drawn = np.asarray(overlay(photo, EVIDENCE, 4.0, name="dog")).astype(int)
    np.testing.assert_allclose(drawn, np.asarray(expected), atol=1)


def test_a_layer_is_clear_where_there_is_no_evidence_also_as_a_file():
    drawn = evidence_layer(EVIDENCE, 4.0, (40, 20))
    pixels = np.asarray(drawn.convert("RGBA"))
    assert pixels.shape == (20, 40, 4)
    assert pixels[0, 0, 3] == pixels[-1, 0, 3] == 0
    assert pixels[-1, -1, 3] == round(255 * OPACITY)
    np.testing.assert_array_equal(pixels[-1, -1, :3], colour_table()[255])
    nothing = evidence_layer(np.zeros((2, 2), np.float32), 0.0, (8, 8)).convert("RGBA")
    assert not np.asarray(nothing)[..., 3].any()
    file = io.BytesIO()
    drawn.save(file, "PNG")
    with Image.open(file) as again:
        np.testing.assert_array_equal(np.asarray(again.convert("RGBA")), pixels)


def test_the_layer_of_a_large_photo_is_the_enlargement_of_a_smaller_one():
    size = FINEST + 800, 300
    for box in (None, (200.0, -50.0, 1700.0, 350.0)):
        drawn = evidence_layer(EVIDENCE, 4.0, size, box)
        exact = 255 * np.clip(upsample(EVIDENCE, size, box) / 4, 0, 1)
        far = np.abs(np.arange(size[0])[:, None] - [200, 1700]).min(1) > 3 if box else slice(None)
        np.testing.assert_allclose(np.asarray(drawn)[:, far], exact[:, far], atol=3)


def test_the_peak_is_where_the_layer_is_most_opaque():
    for box in (None, (-20.0, 10.0, 90.0, 70.0)):
        x, y = peak(EVIDENCE, (100, 80), box)
        pixels = np.asarray(evidence_layer(EVIDENCE, 4.0, (100, 80), box))
        assert pixels[int(y), int(x)] == pixels.max() == 255
    assert peak(-np.abs(EVIDENCE), (100, 80)) is None
    # The highest cell of a padded photo may lie beyond the photo.
    assert peak(EVIDENCE, (100, 20), (0, -40, 100, 60)) == (75.0, 20.0)


def test_only_labels_that_are_found_and_have_evidence_are_named():
    photo = Image.new("RGB", (320, 240))
    dog = Panel("dog", 0.9, 0.5, found=True, evidence=EVIDENCE)
    unnamed = [dog._replace(found=False), dog._replace(evidence=-np.abs(EVIDENCE))]
    assert name_labels(photo, unnamed) == photo
    assert name_labels(photo, [*unnamed, dog]) == draw_marks(photo, [Mark((240.0, 180.0), "dog")])


def test_the_bar_has_the_colours_of_an_overlay_on_grey():
    bar = np.asarray(colour_bar((256, 1)))[0].astype(int)
    grey = Image.new("RGB", (256, 40), (128, 128, 128))
    ramp = np.linspace(0, 7, 256, dtype=np.float32)[None]
    drawn = np.asarray(overlay(grey, ramp, 7.0))[0].astype(int)
    np.testing.assert_allclose(bar[:200], drawn[:200], atol=2)
