import torch
from torch import Tensor
from torch.testing import assert_close
from torchvision.ops import box_area

from tagsight.nn.regions import box_coverage, box_means, lattice_boxes


def random_boxes(count: int) -> Tensor:
    corners = torch.rand(count, 2, 2, generator=torch.Generator().manual_seed(count)).double()
    return corners.sort(1).values.flatten(1)


def test_a_lattice_of_four_parts_has_a_hundred_boxes_and_each_once():
    boxes = lattice_boxes(4)
    assert boxes.shape == (100, 4)
    assert len({tuple(box) for box in boxes.tolist()}) == 100
    assert (boxes[:, 2:] > boxes[:, :2]).all()
    assert boxes.mul(4).frac().eq(0).all()


def test_a_lattice_of_one_part_is_the_whole_photo():
    assert lattice_boxes(1).tolist() == [[0, 0, 1, 1]]


def test_a_lattice_is_the_same_mirrored_or_turned():
    boxes = lattice_boxes(3)
    left, top, right, bottom = boxes.unbind(1)
    known = {tuple(box) for box in boxes.tolist()}
    for moved in ((1 - right, top, 1 - left, bottom), (top, 1 - right, bottom, 1 - left)):
        rounded = torch.stack(moved, 1).mul(3).round().div(3)
        assert {tuple(box) for box in rounded.tolist()} == known


def test_what_boxes_cover_of_cells_by_hand():
    # Of a grid of 2 rows and 4 columns: the box cuts its second column in the middle.
    box = torch.tensor([0.375, 0.0, 0.75, 0.75])
    assert box_coverage(box, (2, 4)).tolist() == [[0, 0.5, 1, 0], [0, 0.25, 0.5, 0]]


def test_coverage_averages_to_the_area():
    boxes = random_boxes(20)
    assert_close(box_coverage(boxes, (3, 5)).mean((1, 2)), box_area(boxes))


def test_means_over_boxes_against_a_photo_of_many_points():
    features = torch.rand(2, 3, 3, 7, generator=torch.Generator().manual_seed(1)).double()
    boxes = lattice_boxes(4).double()
    # As many points as make every cut fall between two of them.
    points = features.repeat_interleave(4, 2).repeat_interleave(4, 3)
    height, width = points.shape[-2:]
    means = box_means(features, boxes)
    assert means.shape == (2, 100, 3)
    for r, (left, top, right, bottom) in enumerate(boxes.tolist()):
        rows = slice(round(top * height), round(bottom * height))
        columns = slice(round(left * width), round(right * width))
        assert_close(means[:, r], points[:, :, rows, columns].mean((2, 3)))
