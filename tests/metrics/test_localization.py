from __future__ import annotations

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
def test_pointing_at_a_hand_made_map(box: list[float], tolerance: float, hit: float) -> None:
    boxes = torch.tensor([[box]], dtype=torch.float64)
    assert pointing_hits(HAND_MADE, boxes, tolerance=tolerance).item() == hit


def test_any_box_of_several_can_be_hit_but_not_the_gap_between_them() -> None:
    pair = torch.tensor([[[0.0, 0.0, 0.5, 1.0], [0.6, 0.7, 0.7, 0.8]]])
    # One holds the point's column, the other its row: the point is in neither.
    crossed = torch.tensor([[[0.6, 0.0, 0.7, 0.5], [0.0, 0.7, 0.5, 0.8]]])
    assert pointing_hits(HAND_MADE, pair).item() == 1
    assert pointing_hits(HAND_MADE, crossed).item() == 0


def test_cells_that_are_equally_high_share_the_hit() -> None:
    left_half = torch.tensor([[[0.0, 0.0, 0.5, 1.0]]])
    assert pointing_hits(torch.tensor([[[1.0, 0.0, 1.0, 1.0]]]), left_half).item() == 1 / 3


def test_a_flat_map_hits_as_often_as_chance() -> None:
    box = torch.tensor([[[0.25, 0.0, 0.75, 0.5]]])
    flat = torch.zeros(1, 8, 8)
    assert pointing_hits(flat, box).item() == pointing_chance(box).item() == 0.25


def test_the_highest_cell_is_where_the_bilinear_enlargement_is_highest(
    generator: torch.Generator,
) -> None:
    maps = torch.randn(20, 7, 7, generator=generator)
    # At 7 * 31 pixels each cell has a pixel at its centre; border cells stay flat to the edge.
    large = F.interpolate(maps[None], size=217, mode="bilinear", align_corners=False)[0]
    row, column = torch.unravel_index(large.flatten(1).argmax(1), (217, 217))
    point = torch.stack([column, row, column + 1, row + 1], dim=-1) / 217
    within = torch.cat([point[:, :2] - 0.5 / 7, point[:, 2:] + 0.5 / 7], dim=-1).clamp(0, 1)
    assert pointing_hits(maps, within[:, None]).tolist() == [1.0] * 20


def test_mirroring_map_and_boxes_changes_no_measure(generator: torch.Generator) -> None:
    boxes = random_boxes(generator)
    maps = torch.randint(-3, 4, (6, 5, 4), generator=generator)
    for measure in (pointing_hits, energy_in_boxes):
        there = measure(maps, boxes)
        torch.testing.assert_close(measure(maps.flip(-1), flipped(boxes)), there)


def test_chance_counts_overlapping_boxes_once() -> None:
    # Two boxes of area 0.25 that share a sixteenth.
    overlapping = torch.tensor([[[0.0, 0.0, 0.5, 0.5], [0.25, 0.25, 0.75, 0.75]]])
    assert pointing_chance(overlapping).item() == 2 * 0.25 - 1 / 16


def test_chance_grows_with_the_tolerance_up_to_the_edge_of_the_photo() -> None:
    corner = torch.tensor([[[0.0, 0.0, 0.2, 0.2]]], dtype=torch.float64)
    assert pointing_chance(corner, tolerance=0.1).item() == pytest.approx(0.3 * 0.3)


def test_chance_is_the_share_of_random_points_in_the_boxes(generator: torch.Generator) -> None:
    boxes = random_boxes(generator)
    points = torch.rand(20_000, 1, 1, 2, generator=generator)
    inside = ((boxes[..., :2] < points) & (points < boxes[..., 2:])).all(-1).any(-1)
    torch.testing.assert_close(
        pointing_chance(boxes), inside.double().mean(0), atol=0.015, rtol=0.0
    )


def test_coverage_of_cells_by_hand() -> None:
    # Columns of a 1 x 2 grid end at 0.5 and 1: the box fills half the height of all of the first
    # and of half the second.
    box = torch.tensor([[[0.0, 0.25, 0.75, 0.75]]])
    assert box_coverage(box, (1, 2)).tolist() == [[[0.5, 0.25]]]


@pytest.mark.parametrize("grid", [(1, 1), (3, 3), (7, 6)])
def test_coverage_of_any_grid_adds_up_to_the_area(
    grid: tuple[int, int], generator: torch.Generator
) -> None:
    boxes = random_boxes(generator)
    coverage = box_coverage(boxes, grid)
    assert ((coverage >= 0) & (coverage <= 1 + 1e-12)).all()
    torch.testing.assert_close(coverage.mean((1, 2)), pointing_chance(boxes))


def test_padding_changes_no_measure(generator: torch.Generator) -> None:
    maps, boxes = torch.randn(6, 3, 3, generator=generator), random_boxes(generator)
    padded = F.pad(boxes, (0, 0, 0, 3))
    assert torch.equal(pointing_hits(maps, padded), pointing_hits(maps, boxes))
    torch.testing.assert_close(energy_in_boxes(maps, padded), energy_in_boxes(maps, boxes))


def test_what_sticks_out_of_the_photo_is_cut_off() -> None:
    box = torch.tensor([[[-0.5, 0.5, 0.5, 1.01]]])
    assert pointing_chance(box).item() == 0.25


def test_a_uniform_map_has_the_area_of_the_boxes_as_energy(generator: torch.Generator) -> None:
    boxes = random_boxes(generator)
    energy = energy_in_boxes(torch.full((6, 7, 7), 0.3), boxes)
    torch.testing.assert_close(energy, pointing_chance(boxes))


def test_energy_by_hand() -> None:
    # Positive parts 1, 3, 4 and 0. The box holds all of the 1 and half of the 3; -5 counts nothing.
    maps = torch.tensor([[[1.0, 3.0], [4.0, -5.0]]])
    box = torch.tensor([[[0.0, 0.0, 0.75, 0.5]]])
    assert energy_in_boxes(maps, box).item() == (1 + 3 / 2) / 8


def test_energy_does_not_depend_on_the_unit_of_the_maps(generator: torch.Generator) -> None:
    maps, boxes = torch.randn(6, 3, 3, generator=generator), random_boxes(generator)
    torch.testing.assert_close(energy_in_boxes(maps * 100, boxes), energy_in_boxes(maps, boxes))


def test_a_map_without_positive_evidence_has_no_energy_in_boxes() -> None:
    whole = torch.tensor([[[0.0, 0.0, 1.0, 1.0]]])
    assert energy_in_boxes(-torch.ones(1, 2, 2), whole).item() == 0


def test_means_within_and_over_labels() -> None:
    means = mean_by_label(torch.tensor([1.0, 0.0, 1.0, 0.5]), torch.tensor([0, 0, 0, 2]), 3)
    assert means.pairs.tolist() == [3, 0, 1]
    assert means.per_label.nan_to_num(-1).tolist() == pytest.approx([2 / 3, -1, 0.5])
    assert means.mean == pytest.approx((2 / 3 + 0.5) / 2)
    assert means.overall == 2.5 / 4


def test_without_pairs_there_is_no_mean() -> None:
    means = mean_by_label(torch.zeros(0), torch.zeros(0, dtype=torch.long), 2)
    assert math.isnan(means.mean)
    assert math.isnan(means.overall)


def test_equal_maps_are_consistent(generator: torch.Generator) -> None:
    maps = torch.randn(3, 2, 4, 4, generator=generator)
    assert consistency_error(maps, maps.clone()).tolist() == [0.0, 0.0, 0.0]
    assert consistency_error(torch.ones(1, 2, 2, 2), torch.ones(1, 2, 2, 2)).item() == 0


def test_maps_of_one_cell_have_no_consistency_error_unless_they_agree() -> None:
    maps = torch.tensor([3.0, 3.0, 0.0]).view(3, 1, 1, 1)
    others = torch.tensor([3.0, 5.0, 1.0]).view(3, 1, 1, 1)
    error = consistency_error(maps, others)
    assert error[0] == 0
    assert error[1:].isnan().all()


def test_consistency_error_by_hand() -> None:
    # The maps 0, 2 and 4, 8 of two labels have variances 1 and 4, which is 5/2 in the mean; a
    # difference of 1 in two of four places has mean square 1/2.
    maps = torch.tensor([[[[0.0, 2.0]], [[4.0, 8.0]]]])
    others = maps + torch.tensor([[[[1.0, 0.0]], [[0.0, -1.0]]]])
    assert consistency_error(maps, others).item() == pytest.approx(0.5 / 2.5)


def test_a_bias_of_each_label_changes_no_consistency_error(generator: torch.Generator) -> None:
    maps, others = torch.randn(2, 4, 3, 5, 5, generator=generator, dtype=torch.float64)
    bias = torch.tensor([-9.0, 0.0, 5.0])[:, None, None]
    error = consistency_error(maps, others)
    torch.testing.assert_close(consistency_error(maps + bias, others + bias), error)


def test_unrelated_maps_have_an_error_of_about_two(generator: torch.Generator) -> None:
    maps, others = torch.randn(2, 4, 10, 20, 20, generator=generator)
    torch.testing.assert_close(
        consistency_error(maps, others), torch.full((4,), 2.0).double(), atol=0.15, rtol=0.0
    )


def test_consistency_error_depends_neither_on_the_unit_of_the_maps_nor_on_other_photos(
    generator: torch.Generator,
) -> None:
    maps, others = torch.randn(2, 4, 3, 5, 5, generator=generator)
    scales = torch.tensor([1.0, 10.0, 100.0, 0.1]).view(4, 1, 1, 1)
    error = consistency_error(maps, others)
    torch.testing.assert_close(consistency_error(maps * scales, others * scales), error)


def test_consistency_error_has_no_gradient() -> None:
    maps = torch.randn(1, 2, 3, 3, requires_grad=True)
    assert not consistency_error(maps, maps.flip(-1)).requires_grad


@pytest.mark.parametrize("measure", [pointing_hits, energy_in_boxes])
@pytest.mark.parametrize(
    ("maps", "boxes"), [((2, 3, 3), (1, 1, 4)), ((2, 1, 3, 3), (2, 1, 4)), ((2, 3, 3), (2, 4))]
)
def test_maps_and_boxes_of_other_pairs_are_refused(measure, maps, boxes) -> None:
    with pytest.raises(ValueError, match=r"expected maps \(P, h, w\) and boxes \(P, n, 4\)"):
        measure(torch.zeros(maps), torch.zeros(boxes))


@pytest.mark.parametrize(
    "box",
    [
        [10.0, 20.0, 30.0, 40.0],
        [-30.0, 0.0, 0.5, 1.0],
        [0.5, 0.0, 0.4, 1.0],
        [0.0, 0.0, math.nan, 1.0],
    ],
)
@pytest.mark.parametrize("measure", [pointing_hits, energy_in_boxes])
def test_boxes_that_are_not_fractions_are_refused(measure, box: list[float]) -> None:
    with pytest.raises(ValueError, match=r"fractions of the photo's width and height, got \["):
        measure(torch.zeros(1, 2, 2), torch.tensor([[box]]))


def test_maps_of_two_grids_have_no_consistency() -> None:
    with pytest.raises(ValueError, match=r"one grid, got shapes \(1, 2, 7, 7\) and \(1, 2, 6, 6\)"):
        consistency_error(torch.zeros(1, 2, 7, 7), torch.zeros(1, 2, 6, 6))
