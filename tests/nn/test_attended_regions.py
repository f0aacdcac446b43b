import math
from itertools import product

import pytest
import torch
from torch.testing import assert_close

from tagsight.nn.attended_regions import boxes_of, region_maps, sampled


def bilinear(grid, x, y):
    """The value of a grid ``(D, h, w)`` at a point of the photo, which goes from -1 to 1."""
    height, width = grid.shape[1:]
    column, row = ((x + 1) * width - 1) / 2, ((y + 1) * height - 1) / 2
    total = torch.zeros_like(grid[:, 0, 0])
    for i in (math.floor(row), math.floor(row) + 1):
        for j in (math.floor(column), math.floor(column) + 1):
            weight = (1 - abs(row - i)) * (1 - abs(column - j))
            total += weight * grid[:, min(max(i, 0), height - 1), min(max(j, 0), width - 1)]
    return total


def test_a_region_is_sampled_point_by_point():
    features = torch.randn(2, 3, 4, 6, generator=torch.Generator().manual_seed(4)).double()
    transforms = torch.tensor([[0.5, 0.25, 0.3, -0.4], [1.3, -0.6, -0.5, 0.1]]).double()
    region = sampled(features, transforms, 4)
    for photo, (sx, sy, tx, ty) in enumerate(transforms.tolist()):
        for i, j in product(range(4), range(4)):
            x, y = sx * ((2 * j + 1) / 4 - 1) + tx, sy * ((2 * i + 1) / 4 - 1) + ty
            assert_close(region[photo, :, i, j], bilinear(features[photo], x, y))


@pytest.mark.parametrize(
    ("transform", "box"),
    [
        ([1.0, 1.0, 0.0, 0.0], [0, 0, 1, 1]),  # the whole photo
        ([0.5, 0.25, 0.5, -0.5], [0.5, 0.125, 1, 0.375]),  # to 1 across, -0.75 to -0.25 down
        ([0.5, 0.5, -0.75, 0.0], [0, 0.25, 0.375, 0.75]),  # cut off on the left
        ([-0.5, 0.5, 0.0, 0.0], [0.25, 0.25, 0.75, 0.75]),  # mirrored, in the same place
        ([0.5, 0.5, 2.0, 0.0], [1, 0.25, 1, 0.75]),  # outside
    ],
)
def test_boxes_of_transforms_by_hand(transform, box):
    assert boxes_of(torch.tensor([transform])).tolist() == [pytest.approx(box)]


def test_a_map_is_spread_over_the_regions_by_hand():
    # The left half says 3, the right quarter 2, the whole photo 1, which is the lowest. What the
    # others say more is 2 in two cells and 1 in one, on average 5/4.
    scores = torch.tensor([3.0, 2.0, 1.0]).view(1, 3, 1)
    boxes = torch.tensor([[0.0, 0, 0.5, 1], [0.75, 0, 1, 1], [0, 0, 1, 1]])[None]
    left, right = 1 + 2 * 2 / 1.25, 1 + 2 * 1 / 1.25
    expected = torch.tensor([left, left, 1, right]).view(1, 1, 1, 4)
    assert_close(region_maps(scores, boxes, (1, 4)), expected)


def test_a_region_outside_the_photo_counts_as_all_of_it():
    scores = torch.tensor([2.0, 0.0]).view(1, 2, 1)
    boxes = torch.tensor([[1.0, 0.2, 1, 0.7], [0, 0, 0.5, 0.5]])[None]
    assert_close(region_maps(scores, boxes, (2, 2)), torch.full((1, 1, 2, 2), 2.0))
