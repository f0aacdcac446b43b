from dataclasses import replace

import numpy as np
import pytest
import torch
from channels import channels_recognizer
from tiny import COLOURS, drawn, saved_photos

from tagsight.data.annotations import Annotations
from tagsight.experiments.nearest_photos import (
    CELL,
    Found,
    draw_queries,
    find_nearest,
    nearest_sheet,
    precision,
    shared_labels,
)

COUNT = 14


@pytest.fixture
def rows(tmp_path) -> Annotations:
    images, targets = drawn(COUNT)
    paths = saved_photos(tmp_path, images)
    return Annotations(tuple(COLOURS), tuple(paths), targets, ("test",) * COUNT, "csv-columns")


def test_the_nearest_are_those_of_an_exhaustive_search(rows):
    recognizer = channels_recognizer()
    embeddings = np.stack(list(recognizer.embed(rows.paths)))
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    for found in find_nearest(recognizer, rows.paths, [3, 0, 7], count=4):
        cosines = unit @ unit[found.query]
        cosines[found.query] = -2
        expected = np.argsort(-cosines, kind="stable")[:4]
        assert found.neighbours == tuple(expected.tolist())
        np.testing.assert_allclose(found.cosines, cosines[expected], atol=1e-5)


def test_no_photo_finds_itself_but_its_copy_and_at_most_all_others(rows):
    twice = replace(rows, paths=(*rows.paths[:-1], rows.paths[2]), root=None)
    (found,) = find_nearest(channels_recognizer(), twice.paths, [2], count=1)
    assert found.neighbours == (COUNT - 1,)
    assert found.cosines == pytest.approx((1.0,))
    (found,) = find_nearest(channels_recognizer(), rows.paths[:3], [1], count=5)
    assert sorted(found.neighbours) == [0, 2]


def test_queries_have_several_labels_and_the_seed_decides(rows):
    chosen = draw_queries(rows, seed=1, count=3)
    assert chosen == draw_queries(rows, seed=1, count=3)
    assert all((rows.targets[row] == 1).sum() >= 2 for row in chosen)
    assert len(set(draw_queries(rows, seed=1, count=COUNT))) == COUNT


def test_shared_labels_and_their_share(rows):
    targets = torch.tensor([[1, 1, 0, 0, 0], [1, 0, 0, 0, 0], [0, 0, 1, 0, 0]])
    some = replace(rows, paths=rows.paths[:3], targets=targets, splits=("test",) * 3, root=None)
    found = Found(0, (1, 2), (0.9, 0.8))
    assert shared_labels(some, found) == [["red"], []]
    assert precision(some, [found]) == 0.5


def test_a_sheet_has_a_line_for_each_query_and_shared_labels_in_green(rows):
    found = find_nearest(channels_recognizer(), rows.paths, draw_queries(rows, 0, 2), count=3)
    sheet = nearest_sheet(rows, found)
    assert sheet.width > 4 * CELL
    assert sheet.height > 2 * CELL
    green = np.asarray(sheet)[..., :3].reshape(-1, 3)
    has_shared = any(shared for one in found for shared in shared_labels(rows, one))
    assert has_shared == bool((green == (18, 110, 60)).all(1).any())
