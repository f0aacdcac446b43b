import numpy as np
import pytest
import torch
from PIL import ExifTags, Image
from torch.testing import assert_close

from tagsight.data.photos.reading import MARGIN, open_photo, whole_size
from tagsight.loading.preprocessing import read_square
from tagsight.loading.transforms import squared


def save_smooth_photo(path, width: int, height: int, **options):
    """A photo of soft shades: red grows to the right, green downwards."""
    columns = np.linspace(0, 255, width)[None].repeat(height, 0)
    rows = np.linspace(0, 255, height)[:, None].repeat(width, 1)
    pixels = np.stack([columns, rows, 128 + 50 * np.sin(columns / 10)], -1).astype(np.uint8)
    Image.fromarray(pixels).save(path, quality=95, **options)
    return path


@pytest.mark.parametrize("side", [32, 64])
@pytest.mark.parametrize("name", ["photo.jpg", "photo.png"])
def test_a_photo_decoded_at_a_reduced_size_looks_as_the_whole_one(tmp_path, name, side):
    path = save_smooth_photo(tmp_path / name, 1203, 801)
    whole, reduced = squared(open_photo(path), side).float(), read_square(path, side).float()
    assert (whole - reduced).abs().max() <= 6
    assert_close(reduced.mean(), whole.mean(), rtol=0, atol=1)


def test_a_photo_is_never_decoded_below_the_margin(tmp_path):
    path = save_smooth_photo(tmp_path / "photo.jpg", 640, 400)
    for side in (16, 31, 50, 100, 101, 201):
        least = min(open_photo(path, least_side=MARGIN * side).size)
        assert least >= min(400, MARGIN * side)
    assert open_photo(path, least_side=100).size == (160, 100)


def test_a_photo_near_the_size_of_the_target_is_taken_whole(tmp_path):
    path = save_smooth_photo(tmp_path / "photo.jpg", 120, 90)
    assert torch.equal(read_square(path, 64), squared(open_photo(path), 64))


def test_a_reduced_photo_remembers_its_whole_size_upright(tmp_path):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    path = save_smooth_photo(tmp_path / "photo.jpg", 640, 401, exif=exif)
    for least in (None, 32):
        photo = open_photo(path, least_side=least)
        assert whole_size(photo) == (401, 640)
    assert photo.size == (51, 80)
    assert whole_size(open_photo(photo)) == photo.size
