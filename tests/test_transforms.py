from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch.testing import assert_close

from tagsight.transforms import Augmentation, as_float, warp


def painted(width: int, height: int) -> Image.Image:
    """Left half red, right half blue; the top row white."""
    pixels = np.zeros((height, width, 3), dtype=np.uint8)
    pixels[:, : width // 2, 0] = 255
    pixels[:, width // 2 :, 2] = 255
    pixels[0] = 255
    return Image.fromarray(pixels)


def place_photo(side: int) -> torch.Tensor:
    """A photo whose first two channels tell column and row of each pixel."""
    place = torch.arange(side, dtype=torch.uint8)
    columns, rows = place.expand(side, side), place[:, None].expand(side, side)
    return torch.stack([columns, rows, torch.zeros_like(rows)])


@pytest.mark.parametrize("size", [(40, 20), (20, 40), (1, 1), (7, 300)])
def test_any_photo_becomes_a_square(size: tuple[int, int]):
    warped = warp(painted(*size), 16)
    assert warped.shape == (3, 16, 16)
    assert warped.dtype == torch.uint8
    assert warped.movedim(0, -1).is_contiguous()


def test_a_photo_of_the_right_size_is_taken_as_it_is():
    photo = painted(16, 16)
    assert torch.equal(warp(photo, 16), torch.from_numpy(np.array(photo)).permute(2, 0, 1))


def test_left_stays_left_and_the_first_channel_is_red():
    red, green, blue = warp(painted(64, 32), 8)[:, 4, [0, 1, 2, 5, 6, 7]]
    assert red.tolist() == [255] * 3 + [0] * 3
    assert blue.tolist() == [0] * 3 + [255] * 3
    assert not green.any()


def test_fine_detail_is_averaged_not_skipped():
    stripes = np.zeros((128, 128, 3), dtype=np.uint8)
    stripes[:, ::2] = 255
    inside = warp(Image.fromarray(stripes), 16)[..., 2:-2].float()
    assert_close(inside, torch.full_like(inside, 127.5), rtol=0, atol=2)


def test_pixels_become_numbers_from_0_to_1():
    images = as_float(torch.tensor([0, 51, 255], dtype=torch.uint8))
    assert_close(images, torch.tensor([0, 0.2, 1]))


def test_without_crop_and_flip_nothing_is_changed():
    augmentation = Augmentation(side=16, crop=1, flip=False, seed=3)
    assert augmentation.source_side == 16
    photo = place_photo(16)
    assert torch.equal(augmentation(photo, epoch=0, row=5), photo)


def test_the_same_seed_epoch_and_row_give_the_same_crop():
    augmentation = Augmentation(side=14, crop=0.3, flip=True, seed=3)
    photo = place_photo(augmentation.source_side)
    first = augmentation(photo, epoch=2, row=5)
    assert torch.equal(augmentation(photo, epoch=2, row=5), first)
    for other in ({"epoch": 3, "row": 5}, {"epoch": 2, "row": 6}):
        assert not torch.equal(augmentation(photo, **other), first)
    reseeded = Augmentation(side=14, crop=0.3, flip=True, seed=4)
    assert not torch.equal(reseeded(photo, epoch=2, row=5), first)


def test_half_of_the_photos_are_mirrored():
    augmentation = Augmentation(side=4, crop=1, flip=True, seed=0)
    photo = place_photo(4)
    mirrored = [
        torch.equal(augmentation(photo, epoch=0, row=row), photo.flip(-1)) for row in range(200)
    ]
    assert all(
        mirrored[row] or torch.equal(augmentation(photo, epoch=0, row=row), photo)
        for row in range(200)
    )
    assert 70 < sum(mirrored) < 130


def test_a_photo_itself_is_never_changed():
    augmentation = Augmentation(side=14, crop=0.3, flip=True, seed=3)
    photo = place_photo(18)
    before = photo.clone()
    for row in range(5):
        augmentation(photo, epoch=0, row=row)
    assert torch.equal(photo, before)


@given(
    crop=st.floats(0.01, 1, exclude_max=True),
    seed=st.integers(0, 2**32),
    row=st.integers(0, 10**6),
)
def test_a_crop_lies_in_the_photo_and_keeps_the_promised_area(crop: float, seed: int, row: int):
    augmentation = Augmentation(side=14, crop=crop, flip=False, seed=seed)
    side = augmentation.source_side
    left, top, right, bottom = augmentation._crop(np.random.default_rng((seed, 0, row)))
    assert 0 <= left < right <= side
    assert 0 <= top < bottom <= side
    area = (right - left) * (bottom - top) / side**2
    assert crop - 1e-9 <= area <= 1 + 1e-9


def test_crops_reach_every_place_and_size():
    augmentation = Augmentation(side=14, crop=0.25, flip=False, seed=0)
    chance = np.random.default_rng(0)
    boxes = np.array([augmentation._crop(chance) for _ in range(500)]) / augmentation.source_side
    left, top, right, bottom = boxes.T
    area, aspect = (right - left) * (bottom - top), (right - left) / (bottom - top)
    assert max(left.min(), top.min()) < 0.05
    assert min(right.max(), bottom.max()) > 0.95
    assert area.min() < 0.3
    assert area.max() > 0.95
    assert 0.7 < aspect.min() < 0.8
    assert 1.25 < aspect.max() < 1.4
    assert np.median(aspect) == pytest.approx(1, abs=0.05)


def test_a_crop_shows_the_place_it_was_taken_from():
    augmentation = Augmentation(side=70, crop=0.3, flip=False, seed=1)
    photo = place_photo(augmentation.source_side)
    left, top, right, bottom = augmentation._crop(np.random.default_rng((1, 0, 0)))
    columns, rows, _ = augmentation(photo, epoch=0, row=0).float()
    assert columns.mean().item() == pytest.approx((left + right - 1) / 2, abs=0.6)
    assert rows.mean().item() == pytest.approx((top + bottom - 1) / 2, abs=0.6)
    assert columns[0, 0] < columns[0, -1]
    assert rows[0, 0] < rows[-1, 0]
