from __future__ import annotations

import numpy as np

from tagsight.search.structure import nearest


def test_the_nearest_are_the_same_in_however_many_parts_they_come():
    vectors = np.random.default_rng(0).standard_normal((50, 4)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    names = [str(row) for row in range(50)]
    order = np.argsort(-(vectors[:3] @ vectors.T), axis=1)[:, :5]
    expected = [{str(row) for row in rows} for rows in order]
    for size in (2, 50):
        parts = ((names[i : i + size], vectors[i : i + size]) for i in range(0, 50, size))
        assert nearest(vectors[:3], parts, 5) == expected
