import numpy as np
import pytest

from tagsight.data.photos.resizing import Frame
from tagsight.inference.evidence_boxes import evidence_boxes
from tagsight.inference.evidence_parts import GRID, MOST_PARTS


def blobs(*places: tuple[int, int, float]) -> np.ndarray:
    evidence = np.full((GRID, GRID), -1.0, np.float32)
    for row, column, value in places:
        evidence[row : row + 6, column : column + 8] = value
    return evidence


def test_each_strong_part_has_its_rectangle_the_strongest_first():
    found = evidence_boxes(blobs((10, 4, 2.0), (40, 30, 3.0), (2, 48, 1.0)))
    assert [tuple(box) for box in found] == [
        pytest.approx((30 / GRID, 40 / GRID, 8 / GRID, 6 / GRID)),
        pytest.approx((4 / GRID, 10 / GRID, 8 / GRID, 6 / GRID)),
    ]


def test_parts_that_wind_are_one_and_those_that_touch_at_corners_are_two():
    winding = np.zeros((GRID, GRID), np.float32)
    for row in range(0, GRID, 2):
        winding[row] = 1
        winding[min(row + 1, GRID - 1), 0 if row % 4 else -1] = 1
    assert [tuple(box) for box in evidence_boxes(winding)] == [pytest.approx((0, 0, 1, 1))]
    assert len(evidence_boxes(blobs((0, 0, 1.0), (6, 8, 1.0)))) == 2


def test_evidence_against_a_label_has_no_rectangle_and_many_parts_are_cut():
    assert evidence_boxes(np.full((7, 7), -0.5, np.float32)) == []
    many = blobs(*((row, column, 1.0) for row in range(0, 50, 8) for column in range(0, 48, 12)))
    assert len(evidence_boxes(many)) == MOST_PARTS


def test_rectangles_lie_on_the_photo_where_the_map_has_padding():
    (box,) = evidence_boxes(np.ones((4, 4), np.float32), Frame(0.0, -0.5, 1.0, 1.5))
    assert tuple(box) == (0, 0, 1, 1)
    padding = np.array([[3], [0], [0], [0]], np.float32)
    assert evidence_boxes(padding, Frame(0.0, -2.0, 1.0, 2.0)) == []
