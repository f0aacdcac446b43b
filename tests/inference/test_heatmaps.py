from __future__ import annotations

import io

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from channels import corner
from PIL import Image

from tagsight.inference.heatmaps import (
    OPACITY,
    blend,
    colour_table,
    overlay,
    transparent_overlay,
    upsample,
)


def luminance(colours: np.ndarray) -> np.ndarray:
    linear = (colours / 255.0) ** 2.2
    return linear @ [0.2126, 0.7152, 0.0722]


def test_colours_grow_lighter_with_evidence_in_even_steps():
    lightness = np.cbrt(luminance(colour_table().astype(float)))
    steps = np.diff(lightness[::16])
    assert (steps > 0).all()
    assert steps.max() < 3 * steps.min()
    assert len(np.unique(colour_table(), axis=0)) == 256


@pytest.mark.parametrize("size", [(300, 40), (41, 500), (3, 3)])
def test_a_map_is_enlarged_bilinearly_between_the_centres_of_its_cells(size):
    evidence, (width, height) = torch.randn(1, 1, 7, 7), size
    # Antialiased where the photo is smaller than the grid.
    way = {"mode": "bilinear", "align_corners": False, "antialias": width < 7}
    expected = F.interpolate(evidence, (height, width), **way)[0, 0]
    got = upsample(evidence[0, 0].numpy(), size)
    assert got.shape == (height, width)
    np.testing.assert_allclose(got, expected.numpy(), atol=1e-4)


def test_evidence_of_zero_and_below_leaves_the_photo_pale():
    photo = corner("green", (30, 20))
    none = overlay(photo, np.zeros((4, 4), np.float32), 5.0)
    against = overlay(photo, np.full((4, 4), -9, np.float32), 5.0)
    assert none.tobytes() == against.tobytes()
    without_scale = overlay(photo, np.full((4, 4), -9, np.float32), 0.0)
    assert without_scale.tobytes() == none.tobytes()


def test_the_strongest_evidence_gets_the_last_colour_and_less_gets_less():
    photo = Image.new("RGB", (40, 40), (0, 0, 0))
    evidence = np.full((4, 4), 8, np.float32)
    at_top, at_half = (np.asarray(overlay(photo, evidence, top))[20, 20] for top in (8, 16))
    pale = np.full((1, 1, 3), 16, np.float32)
    np.testing.assert_allclose(at_top, blend(pale, np.ones((1, 1), np.float32))[0, 0], atol=1)
    np.testing.assert_allclose(at_half, blend(pale, np.full((1, 1), 0.5, np.float32))[0, 0], atol=1)
    assert luminance(at_top) > luminance(at_half)


def test_a_veil_is_the_overlay_without_the_photo():
    evidence = np.array([[0.0, 1.0], [-2.0, 4.0]], dtype=np.float32)
    drawn = transparent_overlay(evidence, 4.0, (40, 20))
    assert drawn.size == (40, 20)
    pixels = np.asarray(drawn.convert("RGBA"))
    assert pixels[0, 0, 3] == pixels[-1, 0, 3] == 0
    assert pixels[-1, -1, 3] == round(255 * OPACITY)
    np.testing.assert_array_equal(pixels[-1, -1, :3], colour_table()[255])
    nothing = transparent_overlay(np.zeros((2, 2), np.float32), 0.0, (8, 8)).convert("RGBA")
    assert not np.asarray(nothing)[..., 3].any()
    file = io.BytesIO()
    drawn.save(file, "PNG")
    with Image.open(file) as again:
        np.testing.assert_array_equal(np.asarray(again.convert("RGBA")), pixels)
