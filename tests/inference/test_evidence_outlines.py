import numpy as np
import pytest

from tagsight.data.photos.resizing import Frame
from tagsight.inference.evidence_outlines import Outline, evidence_outlines, outline_mask
from tagsight.inference.evidence_parts import GRID, strong_parts

FINER = 10


def cells(*places: tuple[int, int, int, int]) -> np.ndarray:
    """Make a map of `GRID` cells: 2 in rectangles (top, bottom, left, right), -2 elsewhere."""
    evidence = np.full((GRID, GRID), -2.0, np.float32)
    for top, bottom, left, right in places:
        evidence[top:bottom, left:right] = 2
    return evidence


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    return float((one & other).sum() / (one | other).sum())


@pytest.mark.parametrize("seed", range(20))
def test_filled_outlines_cover_the_parts_that_they_are_made_of(seed):
    random = np.random.default_rng(seed)
    evidence = random.normal(size=(14, 14)).astype(np.float32)
    parts = strong_parts(evidence).masks
    found = evidence_outlines(evidence)
    assert len(found) == len(parts)
    filled = outline_mask(found, (FINER * GRID, FINER * GRID)) > 0
    finer = np.repeat(np.repeat(np.logical_or.reduce(parts), FINER, 0), FINER, 1)
    assert overlap(filled, finer) > 0.8


def test_an_outline_runs_where_the_evidence_falls_below_the_level():
    (outline,) = evidence_outlines(cells((10, 20, 30, 44)))
    # From 2 in the last cell to -2 in the next, a fifth of 2 is reached at 0.4 of the way.
    left, top = (30.5 - 0.4) / GRID, (10.5 - 0.4) / GRID
    assert outline.outer.min(0) == pytest.approx([left, top], abs=1e-6)
    assert outline.outer.max(0) == pytest.approx([(43.5 + 0.4) / GRID, (19.5 + 0.4) / GRID])
    assert 4 <= len(outline.outer) <= 8
    assert outline.holes == []


def test_holes_are_left_out_of_the_mask():
    ring = cells((10, 40, 10, 40))
    ring[20:30, 20:30] = -2
    (outline,) = evidence_outlines(ring)
    assert len(outline.holes) == 1
    mask = outline_mask([outline], (GRID, GRID))
    assert mask[25, 25] == 0
    assert mask[15, 25] == 255
    assert overlap(mask > 0, ring > 0) > 0.9


def test_parts_that_touch_at_corners_are_apart_and_one_that_touches_itself_is_whole():
    assert len(evidence_outlines(cells((0, 6, 0, 8), (6, 12, 8, 16)))) == 2
    hook = cells((10, 12, 10, 20), (12, 20, 18, 20), (18, 20, 12, 18), (12, 18, 12, 13))
    hook[12, 12] = hook[11, 10] = -2
    (outline,) = evidence_outlines(hook)
    assert overlap(outline_mask([outline], (GRID, GRID)) > 0, hook > 0) > 0.7


def test_outlines_lie_on_the_photo_where_the_map_has_padding():
    (outline,) = evidence_outlines(np.ones((4, 4), np.float32), Frame(0.0, -0.5, 1.0, 1.5))
    assert sorted(outline.outer.tolist()) == [[0, 0], [0, 1], [1, 0], [1, 1]]
    padding = np.array([[3], [0], [0], [0]], np.float32)
    assert evidence_outlines(padding, Frame(0.0, -2.0, 1.0, 2.0)) == []


def test_evidence_against_a_label_has_no_outline_and_an_empty_mask():
    assert evidence_outlines(np.full((7, 7), -0.5, np.float32)) == []
    assert not outline_mask([], (8, 4)).any()


def test_a_mask_fills_as_many_pixels_as_the_outline_has_of_the_photo():
    outer = np.array([[0.25, 0.5], [0.75, 0.5], [0.75, 1.0], [0.25, 1.0]])
    mask = outline_mask([Outline(outer, [])], (8, 4))
    assert (mask > 0).tolist() == [[False] * 8] * 2 + [[False] * 2 + [True] * 4 + [False] * 2] * 2
