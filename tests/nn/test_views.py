import pytest
import torch
from torch.testing import assert_close

from tagsight.nn.equivariance import transform_images
from tagsight.nn.views import (
    FLIP,
    ORIGINAL,
    FrozenFeatures,
    make_view,
    mirrored,
    stacked,
    with_mirrored,
)

SCALE, TURN = frozenset({"scale"}), frozenset({"quarter_turn"})
EVERY = [ORIGINAL, FLIP | SCALE, TURN, FLIP | SCALE | TURN]


@pytest.mark.parametrize("view", EVERY)
def test_a_view_of_a_mirrored_photo_is_another_view_of_the_photo(view):
    images = torch.rand(2, 3, 32, 48, dtype=torch.double)
    direct = make_view(images.flip(-1), view, scale=0.75, multiple=8)
    assert_close(direct, make_view(images, view ^ FLIP, scale=0.75, multiple=8))


def test_a_photo_is_scaled_then_mirrored_then_turned():
    images = torch.rand(2, 3, 32, 48)
    expected = images
    for transform in ("scale", "flip", "quarter_turn"):
        expected = transform_images(expected, transform, scale=0.75)
    assert torch.equal(make_view(images, FLIP | SCALE | TURN, scale=0.75), expected)
    assert torch.equal(make_view(images, ORIGINAL), images)


def test_mirroring_needs_the_views_of_both():
    assert set(with_mirrored([ORIGINAL, TURN])) == {ORIGINAL, FLIP, TURN, TURN | FLIP}
    assert len(with_mirrored([ORIGINAL, FLIP])) == 2


def test_mirroring_twice_gives_the_photo():
    pixels = torch.randint(256, (3, 4, 6), dtype=torch.uint8)
    assert torch.equal(mirrored(pixels), pixels.flip(-1))
    views = {view: torch.rand(2, 2, 5) for view in with_mirrored([ORIGINAL, SCALE])}
    features = FrozenFeatures(views)
    assert mirrored(features).views[SCALE] is views[SCALE | FLIP]
    assert mirrored(mirrored(features)) == features


def test_a_view_that_is_not_known_of_the_mirrored_photo_is_left_out():
    alone = FrozenFeatures({ORIGINAL: torch.rand(1, 1, 1), SCALE: torch.rand(1, 1, 1)})
    assert mirrored(alone).views == {}


def test_a_batch_of_pixels_and_one_of_features_are_in_order():
    photos = [torch.full((3, 4, 4), value, dtype=torch.uint8) for value in (1, 2)]
    assert torch.equal(stacked(list(photos)), torch.stack(photos))
    features = [
        FrozenFeatures({view: torch.rand(2, 3, 5) for view in (ORIGINAL, FLIP)}) for _ in range(4)
    ]
    batch = stacked(list(features))
    assert isinstance(batch, FrozenFeatures)
    for view in (ORIGINAL, FLIP):
        grid = batch.views[view]
        assert grid.shape == (4, 5, 2, 3)
        assert grid.is_contiguous(memory_format=torch.channels_last)
        assert torch.equal(grid[2].movedim(0, -1), features[2].views[view])
        assert torch.equal(batch.to(torch.device("cpu")).views[view], grid)
