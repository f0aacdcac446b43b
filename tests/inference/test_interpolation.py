import numpy as np
import pytest

from tagsight.inference.interpolation import upsample

RANDOM = np.random.default_rng(0)
GRIDS = [(7, 7), (12, 5), (1, 4), (1, 1)]


def grid(shape: tuple[int, int]) -> np.ndarray:
    return RANDOM.normal(0, 5, shape).astype(np.float32)


@pytest.mark.parametrize("shape", GRIDS, ids=str)
def test_cells_keep_their_values_and_none_between_is_above_or_below_those_around(shape):
    evidence, times = grid(shape), 9
    height, width = shape
    fine = upsample(evidence, (times * width, times * height))
    np.testing.assert_allclose(fine[4::times, 4::times], evidence, atol=1e-5)
    # Every 9 x 9 pixels begin and end at the centres of cells, or beyond the outermost ones.
    around = np.pad(evidence, 1, mode="edge")
    blocks = np.pad(fine, 5, mode="edge")[:, :]
    for row, column in np.ndindex(height + 1, width + 1):
        four = around[row : row + 2, column : column + 2]
        between = blocks[row * times : (row + 1) * times, column * times : (column + 1) * times]
        assert four.min() - 1e-4 <= between.min() <= between.max() <= four.max() + 1e-4


def test_mirrored_or_turned_maps_give_mirrored_or_turned_enlargements():
    evidence = grid((7, 5))
    fine = upsample(evidence, (90, 130))
    np.testing.assert_allclose(upsample(evidence[:, ::-1], (90, 130)), fine[:, ::-1], atol=1e-4)
    np.testing.assert_allclose(upsample(evidence.T, (130, 90)), fine.T, atol=1e-4)


def test_an_enlargement_has_no_creases():
    # The slope of one that is bilinear jumps at each cell by about the difference of two cells.
    fine = upsample(grid((1, 8)), (8000, 1))[0].astype(float)
    slopes = 1000 * np.diff(fine)
    assert np.abs(np.diff(slopes)).max() < 0.02 * np.abs(slopes).max()


def test_a_map_lies_in_its_box_and_nothing_is_known_outside():
    evidence = grid((6, 6))
    within = upsample(evidence, (100, 80), box=(20, 10, 80, 70))
    np.testing.assert_allclose(within[10:70, 20:80], upsample(evidence, (60, 60)), atol=1e-4)
    assert not within[:10].any()
    assert not within[:, 80:].any()
    # A box that is larger than the photo: the map of a padded photo.
    beyond = upsample(evidence, (100, 60), box=(0, -20, 100, 80))
    np.testing.assert_allclose(beyond, upsample(evidence, (100, 100))[20:80], atol=1e-4)
