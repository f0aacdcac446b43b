from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch

from tagsight.config import RandAugmentConfig
from tagsight.loading.augmentation import Augmentation, MultiScaleCrop

SIDE = 14
STRONG = RandAugmentConfig(operations=4, probability=1.0)

KINDS: dict[str, dict[str, Any]] = {
    "area": {"crop": 0.3},
    "multi_scale": {"crop": "multi_scale"},
    "cutout": {"cutout": 0.5},
    "rand_augment": {"rand_augment": STRONG},
    "all": {"crop": "multi_scale", "flip": True, "cutout": 0.5, "rand_augment": STRONG},
}
every_kind = pytest.mark.parametrize("kind", KINDS)


def augmentation(side: int = SIDE, seed: int = 3, **changes: Any) -> Augmentation:
    return Augmentation(**{"side": side, "crop": 1.0, "flip": False, "seed": seed} | changes)


def place_photo(width: int = SIDE, height: int = SIDE):
    """A photo whose first two channels tell column and row of each pixel, out of 256."""
    columns = torch.linspace(0, 255, width).round().expand(height, width)
    rows = torch.linspace(0, 255, height).round()[:, None].expand(height, width)
    return torch.stack([columns, rows, torch.full_like(rows, 128)]).to(torch.uint8)


def source(augmentation: Augmentation, aspect: float = 4 / 3):
    side = augmentation.source_side
    if augmentation.takes_squares:
        return place_photo(side, side)
    return place_photo(round(side * aspect), side)


def shown(augmentation: Augmentation, photo, row: int) -> tuple[float, float, float, float]:
    """Left, top, width and height of what is shown, read off the place photo, in its pixels."""
    columns, rows, _ = augmentation(photo, epoch=0, row=row).double()
    height, width = photo.shape[-2:]
    across, down = columns.mean(0) / 255 * width, rows.mean(1) / 255 * height
    step = (across[-3] - across[2]) / (len(across) - 5), (down[-3] - down[2]) / (len(down) - 5)
    size = [value.item() * len(across) for value in step]
    centre = across.mean().item(), down.mean().item()
    return centre[0] - size[0] / 2, centre[1] - size[1] / 2, *size


def test_without_anything_random_nothing_is_changed():
    plain = augmentation(side=16)
    assert plain.only_flips
    assert (plain.source_side, plain.takes_squares) == (16, True)
    photo = place_photo(16, 16)
    assert torch.equal(plain(photo, epoch=0, row=5), photo)


@every_kind
def test_the_same_seed_epoch_and_row_give_the_same_photo(kind):
    change = augmentation(**KINDS[kind])
    photo = source(change)
    first = change(photo, epoch=2, row=5)
    assert (first.shape, first.dtype) == ((3, SIDE, SIDE), torch.uint8)
    assert torch.equal(augmentation(**KINDS[kind])(photo, epoch=2, row=5), first)
    others = [{"epoch": epoch, "row": row} for epoch in (2, 3) for row in range(6, 12)]
    assert any(not torch.equal(change(photo, **other), first) for other in others)
    reseeded = augmentation(seed=4, **KINDS[kind])
    assert any(
        not torch.equal(reseeded(photo, **other), change(photo, **other)) for other in others
    )


@every_kind
def test_neither_the_process_nor_its_threads_nor_the_photo_are_touched(kind):
    """A transform that draws from elsewhere would make a run depend on its threads."""
    change = augmentation(**KINDS[kind])
    photo = source(change)
    untouched, before = photo.clone(), torch.get_rng_state()
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda row: change(photo, epoch=0, row=row), range(20)))
    assert torch.equal(torch.get_rng_state(), before)
    for row in range(20):
        torch.manual_seed(row)
        assert torch.equal(change(photo, epoch=0, row=row), made[row])
    assert torch.equal(photo, untouched)


def test_half_of_the_photos_are_mirrored_by_the_first_number_of_their_row():
    change = augmentation(side=4, flip=True, seed=0)
    photo = place_photo(4, 4)
    flipped = [np.random.default_rng((0, 0, row)).random() < 0.5 for row in range(200)]
    for row, flip in enumerate(flipped):
        expected = photo.flip(-1) if flip else photo
        assert torch.equal(change(photo, epoch=0, row=row), expected)
    assert 70 < sum(flipped) < 130


@pytest.mark.parametrize(("crop", "aspect"), [(0.25, 4 / 3), (0.25, 0.5), (0.7, 3.0), (0.7, 1.0)])
def test_a_crop_by_area_keeps_area_and_aspect_of_the_photo_itself(crop, aspect):
    """RandomResizedCrop: of a photo that is too long for the area it takes the middle, at 4:3."""
    change = augmentation(side=70, crop=crop)
    photo = source(change, aspect)
    height, width = photo.shape[-2:]
    boxes = [shown(change, photo, row) for row in range(60)]
    for left, top, wide, tall in boxes:
        assert -3 <= left <= left + wide <= width + 3
        assert -3 <= top <= top + tall <= height + 3
        assert 3 / 4 * 0.97 < wide / tall < 4 / 3 * 1.03
        too_long = crop > 1 / max(aspect, 1 / aspect) * 3 / 4
        assert wide * tall / (width * height) > crop * 0.95 or too_long


def test_crops_of_ml_gcn_have_the_sizes_and_the_places_of_its_released_code():
    """Enumerated for a photo of 640 x 480: 19 sizes at 13 places."""
    lengths = [480, 420, 360, 316, 240]
    expected = set()
    for i, tall in enumerate(lengths):
        for j, wide in enumerate(lengths):
            down, across = (480 - tall) // 4, (640 - wide) // 4
            if abs(i - j) <= 2:
                places = [(2, 2), (0, 0), (0, 4), (4, 0), (4, 4), (2, 0), (2, 4), (4, 2), (0, 2)]
                places += [(1, 1), (1, 3), (3, 1), (3, 3)]
                expected |= {(y * down, x * across, tall, wide) for y, x in places}
    crop = MultiScaleCrop(448)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        drawn = {crop.rectangle(480, 640) for _ in range(6000)}
    assert drawn == expected
    areas = {tall * wide / (480 * 640) for *_, tall, wide in expected}
    assert (round(min(areas), 2), max(areas)) == (0.19, 0.75)


@pytest.mark.parametrize(
    ("crop", "aspect"), [("multi_scale", 0.75), ("multi_scale", 1.5), (0.05, 1.0), (0.25, 0.3)]
)
def test_no_crop_of_a_photo_that_is_large_enough_is_enlarged(crop, aspect):
    change = augmentation(side=40, crop=crop)
    side = change.source_side
    width, height = (round(side * aspect), side) if aspect > 1 else (side, round(side / aspect))
    photo = place_photo(width, height)
    for row in range(40):
        _, _, wide, tall = shown(change, photo, row)
        assert min(wide, tall) > 40 * 0.95


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (200, 5)])
def test_a_photo_smaller_than_a_crop_is_enlarged(size):
    for crop in ("multi_scale", 0.5):
        made = augmentation(crop=crop)(place_photo(*size), epoch=0, row=0)
        assert made.shape == (3, SIDE, SIDE)


def test_cutout_covers_a_square_of_one_colour_that_the_edges_may_cut_off():
    change = augmentation(side=40, cutout=0.5)
    photo = place_photo(40, 40)
    areas, colours = [], set()
    for row in range(200):
        made = change(photo, epoch=0, row=row)
        differs = (made != photo).any(0)
        rows, columns = differs.any(1).nonzero().flatten(), differs.any(0).nonzero().flatten()
        top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
        square = made[:, top:bottom, left:right]
        assert (square == square[:, :1, :1]).all()
        assert bottom - top <= 20
        assert right - left <= 20
        areas.append(((bottom - top) * (right - left)).item())
        colours.add(tuple(square[:, 0, 0].tolist()))
    assert max(areas) == 400
    assert min(areas) < 200
    assert np.mean(areas) == pytest.approx(400 * (7 / 8) ** 2, rel=0.1)
    assert len(colours) > 190


def test_rand_augment_does_as_many_operations_as_often_and_as_strongly_as_it_is_told():
    def mean(change, **config) -> float:
        made = augmentation(side=24, rand_augment=RandAugmentConfig(**config))
        return np.mean([change(made(photo, epoch=0, row=row), photo) for row in range(150)])

    def differs(made, photo) -> bool:
        return not torch.equal(made, photo)

    def distance(made, photo) -> float:
        return (made.float() - photo.float()).abs().mean().item()

    photo = torch.randint(0, 256, (3, 24, 24), dtype=torch.uint8)
    share = mean(differs, operations=1, probability=1.0)
    # One operation in fourteen is none, and noise has the full range of levels already.
    assert 0.75 < share < 0.95
    assert mean(differs, operations=1) == pytest.approx(share / 2, abs=0.1)
    assert mean(differs, operations=2) == pytest.approx(1 - (1 - share / 2) ** 2, abs=0.1)
    photo = place_photo(24, 24)
    levels = [mean(distance, operations=1, probability=1.0, magnitude=m) for m in (1, 5, 9)]
    assert levels == sorted(levels)
