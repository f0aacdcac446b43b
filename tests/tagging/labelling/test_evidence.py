from types import SimpleNamespace

import numpy as np

from tagsight.data.photos.resizing import frame_of
from tagsight.tagging.labelling.evidence import draw_evidence
from tagsight.tagging.labelling.learner import Learned
from tagsight.training.heads import fit_heads


def test_the_peak_is_where_neighbours_agree_and_not_in_a_single_cell():
    cells = np.random.default_rng(0).normal(size=(49, 2)).astype(np.float32)
    fitted = fit_heads(cells, (cells[:, :1] > 0).astype(np.int8))
    learned = Learned(1, 1, fitted, (1,), np.ones((1, 1)), np.ones((1, 1)), 0.1)
    encoder = SimpleNamespace(frame=lambda size: frame_of(size, 224, "warp"))
    grid = np.zeros((7, 7, 2), np.float32)
    grid[1, 1], grid[3:6, 3:6] = (9, 0), (3, 0)
    x, y = draw_evidence(grid, (700, 700), learned, 0, encoder).peak
    assert (round(x, 1), round(y, 1)) == (0.6, 0.6)
