import math

import pytest
import torch
import torch.nn.functional as F

from tagsight.metrics.localization import (
    box_coverage,
    consistency_error,
    energy_in_boxes,
    mean_by_label,
    pointing_chance,
    pointing_hits,
)


def random_boxes(generator: torch.Generator, pairs: int = 6, most: int = 4) -> torch.Tensor:
    corners = torch.rand(pairs, most, 2, 2, generator=generator, dtype=torch.float64)
    return torch.cat([corners.amin(2), corners.amax(2)], dim=-1)


def flipped(boxes: torch.Tensor) -> torch.Tensor:
    left, top, right, bottom = boxes.unbind(-1)
    return torch.stack([1 - right, top, 1 - left, bottom], dim=-1)


# Highest in the second row, third column of 2 x 4 cells: the point (0.625, 0.75).
HAND_MADE = torch.tensor([[[0.0, 1.0, 2.0, 1.0], [0.0, 3.0, 5.0, -9.0]]])


@pytest.mark.parametrize(
    ("box", "tolerance", "hit"),
    [
        ([0.6, 0.7, 0.7, 0.8], 0.0, 1.0),
        ([0.625, 0.75, 1.0, 1.0], 0.0, 1.0),
        ([0.0, 0.0, 0.6, 1.0], 0.0, 0.0),
        ([0.0, 0.0, 0.6, 1.0], 0.03, 1.0),
        ([0.0, 0.0, 1.0, 0.7], 0.0, 0.0),
        ([0.0, 0.0, 1.0, 0.7], 0.06, 1.0),
        # Without area: padding, however near and however tolerant.
        ([0.625, 0.75, 0.625, 0.75], 0.5, 0.0),
    ],
)
def test_pointing_at_a_hand_made_map(box, tolerance, hit):
    boxes = torch.tensor([[box]], dtype=torch.float64)
    assert pointing_hits(HAND_MADE, boxes, tolerance=tolerance).item() == hit


def test_any_box_of_several_can_be_hit_but_not_the_gap_between_them():
    pair = torch.tensor([[[0.0, 0.0, 0.5, 1.0], [0.6, 0.7, 0.7, 0.8]]])
    # One holds the point's column, the other its row: the point is in neither.
    crossed = torch.tensor([[[0.6, 0.0, 0.7, 0.5], [0.0, 0.7, 0.5, 0.8]]])
    assert pointing_hits(HAND_MADE, pair).item() == 1
    assert pointing_hits(HAND_MADE, crossed).item() == 0


def test_a_flat_map_hits_as_often_as_chance():
    box = torch.tensor([[[0.25, 0.0, 0.75, 0.5]]])
    flat = torch.zeros(1, 8, 8)
    assert pointing_hits(flat, box).item() == pointing_chance(box).item() == 0.25


def test_the_highest_cell_is_where_the_bilinear_enlargement_is_highest(generator):
    maps = torch.randn(20, 7, 7, generator=generator)
    # At 7 * 31 pixels each cell has a pixel at its centre; border cells stay flat to the edge.
    large = F.interpolate(maps[None], size=217, mode="bilinear", align_corners=False)[0]
    row, column = torch.unravel_index(large.flatten(1).argmax(1), (217, 217))
    point = torch.stack([column, row, column + 1, row + 1], dim=-1) / 217
    within = torch.cat([point[:, :2] - 0.5 / 7, point[:, 2:] + 0.5 / 7], dim=-1).clamp(0, 1)
    assert pointing_hits(maps, within[:, None]).tolist() == [1.0] * 20


def test_coverage_of_cells_by_hand():
    # Columns of a 1 x 2 grid end at 0.5 and 1: the box fills half the height of all of the first
    # and of half the second.
    box = torch.tensor([[[0.0, 0.25, 0.75, 0.75]]])
    assert box_coverage(box, (1, 2)).tolist() == [[[0.5, 0.25]]]


@pytest.mark.parametrize("unit", [1.0, 1e-6])
def test_energy_by_hand(unit):
    # Positive parts 1, 3, 4 and 0. The box holds all of the 1 and half of the 3; -5 counts nothing.
    maps = unit * torch.tensor([[[1.0, 3.0], [4.0, -5.0]]])
    box = torch.tensor([[[0.0, 0.0, 0.75, 0.5]]])
    assert energy_in_boxes(maps, box).item() == pytest.approx((1 + 3 / 2) / 8)


def test_means_within_and_over_labels():
    means = mean_by_label(torch.tensor([1.0, 0.0, 1.0, 0.5]), torch.tensor([0, 0, 0, 2]), 3)
    assert means.pairs.tolist() == [3, 0, 1]
    assert means.per_label.nan_to_num(-1).tolist() == pytest.approx([2 / 3, -1, 0.5])
    assert means.mean == pytest.approx((2 / 3 + 0.5) / 2)
    assert means.overall == 2.5 / 4


def test_maps_of_one_cell_have_no_consistency_error_unless_they_agree():
    maps = torch.tensor([3.0, 3.0, 0.0]).view(3, 1, 1, 1)
    others = torch.tensor([3.0, 5.0, 1.0]).view(3, 1, 1, 1)
    error = consistency_error(maps, others)
    assert error[0] == 0
    assert error[1:].isnan().all()


def test_consistency_error_by_hand():
    # The maps 0, 2 and 4, 8 of two labels have variances 1 and 4, which is 5/2 in the mean; a
    # difference of 1 in two of four places has mean square 1/2.
    maps = torch.tensor([[[[0.0, 2.0]], [[4.0, 8.0]]]])
    others = maps + torch.tensor([[[[1.0, 0.0]], [[0.0, -1.0]]]])
    assert consistency_error(maps, others).item() == pytest.approx(0.5 / 2.5)


def test_unrelated_maps_have_an_error_of_about_two(generator):
    maps, others = torch.randn(2, 4, 10, 20, 20, generator=generator)
    torch.testing.assert_close(
        consistency_error(maps, others), torch.full((4,), 2.0).double(), atol=0.15, rtol=0.0
    )


def test_consistency_error_depends_neither_on_the_unit_of_the_maps_nor_on_other_photos(generator):
    maps, others = torch.randn(2, 4, 3, 5, 5, generator=generator)
    scales = torch.tensor([1.0, 10.0, 100.0, 0.1]).view(4, 1, 1, 1)
    error = consistency_error(maps, others)
    torch.testing.assert_close(consistency_error(maps * scales, others * scales), error)


@pytest.mark.parametrize(
    ("boxes", "tolerance", "chance"),
    [
        # Two boxes of area 0.25 that share a sixteenth.
        ([[0.0, 0.0, 0.5, 0.5], [0.25, 0.25, 0.75, 0.75]], 0.0, 2 * 0.25 - 1 / 16),
        ([[-0.5, 0.5, 0.5, 1.01]], 0.0, 0.25),
        ([[0.0, 0.0, 0.2, 0.2]], 0.1, 0.3 * 0.3),
        ([[-1.0, -1.0, 2.0, 2.0]], 0.0, 1.0),  # as far out as a box may stick
    ],
)
def test_chance_is_the_area_of_the_union_within_the_photo(boxes, tolerance, chance):
    found = pointing_chance(torch.tensor([boxes], dtype=torch.double), tolerance=tolerance)
    assert found.item() == pytest.approx(chance)


@pytest.mark.parametrize("grid", [(1, 1), (3, 3), (7, 6)])
def test_the_mean_coverage_is_the_share_of_random_points_in_the_boxes(grid, generator):
    boxes = random_boxes(generator)
    coverage = box_coverage(boxes, grid)
    assert ((coverage >= 0) & (coverage <= 1 + 1e-12)).all()
    points = torch.rand(20_000, 1, 1, 2, generator=generator)
    inside = ((boxes[..., :2] < points) & (points < boxes[..., 2:])).all(-1).any(-1)
    share = inside.double().mean(0)
    torch.testing.assert_close(coverage.mean((1, 2)), share, atol=0.015, rtol=0.0)
    energy = energy_in_boxes(torch.full((6, 7, 7), 0.3), boxes)
    torch.testing.assert_close(energy, coverage.mean((1, 2)))


@pytest.mark.parametrize("measure", [pointing_hits, energy_in_boxes])
def test_mirroring_padding_and_the_unit_of_maps_change_no_measure(measure, generator):
    boxes = random_boxes(generator)
    maps = torch.randint(-3, 4, (6, 5, 4), generator=generator).double()
    found = measure(maps, boxes)
    torch.testing.assert_close(measure(maps.flip(-1), flipped(boxes)), found)
    torch.testing.assert_close(measure(maps, F.pad(boxes, (0, 0, 0, 3))), found)
    torch.testing.assert_close(measure(100 * maps, boxes), found)


@pytest.mark.parametrize("measure", [pointing_hits, energy_in_boxes])
def test_what_lies_beyond_the_photo_has_no_part(measure, generator):
    """Maps in a frame of strong evidence are measured as they are without it."""
    boxes = random_boxes(generator)
    maps = torch.randint(-3, 4, (6, 5, 4), generator=generator).double()
    framed, start, sides = F.pad(maps, (2, 2, 1, 4), value=9.0), [2, 1] * 2, [8, 10] * 2
    photo = torch.tensor([[4, 5] * 2, start, sides]).double()
    moved = (boxes * photo[0] + photo[1]) / photo[2]
    within = ((torch.tensor([0, 0, 4, 5]) + photo[1]) / photo[2]).expand(6, 4)
    torch.testing.assert_close(measure(framed, moved, within=within), measure(maps, boxes))
    torch.testing.assert_close(pointing_chance(moved, within=within), pointing_chance(boxes))


def test_the_maximum_is_taken_over_cells_that_are_mostly_photo_or_as_much_as_any():
    maps, right = torch.tensor([[[1.0, 5.0]]] * 3), torch.tensor([[[0.5, 0.0, 1.0, 1.0]]] * 3)
    # The photo has two fifths of both cells, then all of both, then the first and a bit more.
    within = torch.tensor([[0.3, 0, 0.7, 1], [0, 0, 1, 1], [0, 0, 0.6, 1]])
    assert pointing_hits(maps, right, within=within).tolist() == [1, 1, 0]


def test_maps_without_a_maximum_share_the_hit_and_have_no_energy():
    left_half = torch.tensor([[[0.0, 0.0, 0.5, 1.0]]])
    assert pointing_hits(torch.tensor([[[1.0, 0.0, 1.0, 1.0]]]), left_half).item() == 1 / 3
    assert energy_in_boxes(-torch.ones(1, 2, 2), left_half).item() == 0
    nothing = mean_by_label(torch.zeros(0), torch.zeros(0, dtype=torch.long), 2)
    assert math.isnan(nothing.mean)
    assert math.isnan(nothing.overall)


def test_equal_maps_are_consistent_and_biases_do_not_count(generator):
    maps, others = torch.randn(2, 4, 3, 5, 5, generator=generator, dtype=torch.double)
    assert consistency_error(maps, maps.clone()).tolist() == [0.0] * 4
    assert consistency_error(torch.ones(1, 2, 2, 2), torch.ones(1, 2, 2, 2)).item() == 0
    bias = torch.tensor([-9.0, 0.0, 5.0])[:, None, None]
    error = consistency_error(maps.requires_grad_(), others)
    assert not error.requires_grad
    torch.testing.assert_close(consistency_error(maps + bias, others + bias), error)


MAPS, BOXES = torch.zeros(1, 2, 2), torch.tensor([[[0.0, 0.0, 1.0, 1.0]]])


@pytest.mark.parametrize(
    ("measure", "maps", "boxes", "message"),
    [
        (pointing_hits, MAPS.expand(2, 2, 2), BOXES, r"expected maps \(P, h, w\) and boxes"),
        (energy_in_boxes, MAPS[None], BOXES, r"expected maps \(P, h, w\) and boxes"),
        (energy_in_boxes, MAPS, BOXES[0], r"expected maps \(P, h, w\) and boxes"),
        (pointing_hits, MAPS, 10 * BOXES, r"fractions of the photo's width and height, got \[0"),
        (energy_in_boxes, MAPS, BOXES - 2, "fractions of the photo's width and height"),
        (energy_in_boxes, MAPS, BOXES.flip(-1), "fractions of the photo's width and height"),
        (energy_in_boxes, MAPS, BOXES * math.nan, "fractions of the photo's width and height"),
        (pointing_hits, MAPS, torch.cat([BOXES, 2.5 * BOXES], 1), r"got \[0.0, 0.0, 2.5, 2.5\]"),
        (consistency_error, MAPS[None], MAPS[None, :, :1], r"grid, got shapes \(1, 1, 2, 2\) and"),
    ],
)
def test_bad_maps_and_boxes_are_refused(measure, maps, boxes, message):
    with pytest.raises(ValueError, match=message):
        measure(maps, boxes)


def test_variance_counts_from_where_single_precision_tells_values_apart():
    # Relative to their size of 1000 the maps vary by 1e-4, and by 1e-7.
    unit = torch.tensor([-1.0, 1.0]).double().view(1, 1, 1, 2)
    maps = 1000 + 0.1 * unit
    assert consistency_error(maps, maps + 0.1).item() == pytest.approx(1, rel=1e-6)
    flat = 1000 + 1e-4 * unit
    assert consistency_error(flat, flat + 1e-4).item() == 0
    assert consistency_error(flat, flat + 0.1).isnan().item()
