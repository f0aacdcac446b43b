from __future__ import annotations

import numpy as np
import pytest

from tagsight.search.structure import reach


def test_how_like_the_nearest_are_does_not_depend_on_the_parts_they_come_in():
    vectors = np.random.default_rng(0).standard_normal((50, 4)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    expected = np.sort(vectors[:3] @ vectors.T, axis=1)[:, -5]
    for size in (2, 50):
        parts = (vectors[start : start + size] for start in range(0, 50, size))
        assert reach(vectors[:3], parts, 5) == pytest.approx(expected)
