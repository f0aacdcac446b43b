"""Queues of what to judge next."""

import numpy as np
import pytest

from tagsight.tagging.labelling.queues import QUEUES, Pool, like_region, order

PHOTOS, LABELS = 600, 4
JUDGED_ALREADY = {"all", "probably-wrong"}


@pytest.fixture(scope="module")
def pool() -> Pool:
    random = np.random.default_rng(0)
    targets = random.integers(0, 2, (PHOTOS, LABELS)).astype(np.int8)
    targets[random.random(targets.shape) < 0.8] = -1
    scores = random.random((PHOTOS, LABELS))
    scores[:5] = np.nan  # not encoded yet
    slots = np.where(np.arange(PHOTOS) < 5, -1, random.permutation(PHOTOS))
    held_out = np.where(targets >= 0, random.random(targets.shape), np.nan)
    embeddings = random.normal(size=(PHOTOS, 32)).astype(np.float16)
    twins, likeness = random.integers(0, 300, PHOTOS), random.random(PHOTOS)
    likeness[:5] = np.nan
    return Pool(targets, embeddings, slots, scores, held_out, twins, likeness)


@pytest.mark.parametrize("queue", QUEUES, ids=lambda queue: queue.name)
@pytest.mark.parametrize("label", [None, 2])
def test_a_queue_has_each_photo_once_and_none_that_is_judged(pool, queue, label):
    if queue.needs_label and label is None:
        pytest.skip("a queue of one label")
    rows = order(queue.name, pool, label)
    assert rows.dtype == np.int64
    assert len(set(rows.tolist())) == len(rows) > 0
    assert set(rows.tolist()) <= set(range(PHOTOS))
    judged = pool.targets[rows] >= 0
    if queue.name not in JUDGED_ALREADY:
        of = judged.all(1) if label is None else judged[:, label]
        assert not of.any()


@pytest.mark.parametrize("queue", ["looks-like-name", "probably-yes", "not-sure", "rare", "unlike"])
def test_a_queue_has_all_photos_that_are_encoded_and_not_judged(pool, queue):
    judged = pool.targets[:, 2] >= 0 if queue != "unlike" else (pool.targets >= 0).any(1)
    wanted = set((~judged & (pool.slots >= 0)).nonzero()[0].tolist())
    assert set(order(queue, pool, 2).tolist()) == wanted


@pytest.mark.parametrize("queue", [queue.name for queue in QUEUES])
def test_nothing_to_show_is_an_empty_queue(queue):
    nothing = Pool(np.empty((0, 1), np.int8), np.empty((0, 4), np.float32))
    assert len(order(queue, nothing, 0)) == 0


def test_probably_yes_begins_with_the_highest_score(pool):
    rows = order("probably-yes", pool, 1)
    assert (np.diff(pool.scores[rows, 1]) <= 0).all()


def test_looks_like_name_begins_with_the_photo_most_like_it_and_needs_what_compares_them(pool):
    rows = order("looks-like-name", pool, 1)
    assert (np.diff(pool.likeness[rows]) <= 0).all()
    assert len(order("looks-like-name", pool._replace(likeness=None), 1)) == 0


def test_unlike_takes_one_of_each_kind_before_a_second_of_any():
    kinds = np.arange(40) % 8
    embeddings = 10 * np.eye(8, 32, dtype=np.float32)[kinds]
    embeddings += 0.1 * np.random.default_rng(0).normal(size=embeddings.shape)
    targets = np.full((40, 1), -1, np.int8)
    targets[0] = 1
    first = order("unlike", Pool(targets, embeddings))[:7]
    assert sorted(kinds[first]) == [1, 2, 3, 4, 5, 6, 7]


def test_not_sure_begins_with_doubts_of_several_kinds():
    kinds = np.arange(400) % 2
    embeddings = 10 * np.eye(2, 8, dtype=np.float32)[kinds]
    scores = np.where(np.arange(400) < 40, 0.5, 0.01)[:, None]
    rows = order("not-sure", Pool(np.full((400, 1), -1, np.int8), embeddings, scores=scores))
    assert (scores[rows[:2], 0] == 0.5).all()
    assert set(kinds[rows[:2]]) == {0, 1}


def test_rare_prefers_the_label_with_fewer_examples():
    targets = np.array([*[[1, 0]] * 9, [0, 1], [-1, -1], [-1, -1]], np.int8)
    scores = np.array([*[[0, 0]] * 10, [0.9, 0.1], [0.1, 0.9]], float)
    pool = Pool(targets, np.eye(12, dtype=np.float32), scores=scores)
    assert order("rare", pool).tolist() == [11, 10]


def test_probably_wrong_lists_judgements_that_held_out_scores_contradict():
    targets = np.array([[1], [0], [1], [-1]], np.int8)
    held_out = np.array([[0.1], [0.99], [0.9], [np.nan]])
    pool = Pool(targets, np.eye(4, dtype=np.float32), scores=held_out, held_out=held_out)
    assert order("probably-wrong", pool).tolist() == [1, 0]


def test_near_twins_follow_what_is_judged_group_by_group():
    targets = np.array([[1], [-1], [-1], [0], [-1], [-1]], np.int8)
    twins = np.array([7, 3, 7, 3, 5, 7])
    pool = Pool(targets, np.eye(6, dtype=np.float32), twins=twins)
    assert order("near-twins", pool).tolist() == [1, 2, 5]


def test_expected_lists_photos_whose_labels_usually_come_with_the_label():
    frisbee_with_dog = [[1, 1]] * 9 + [[0, 0]] * 30
    targets = np.array([*frisbee_with_dog, [-1, 0], [-1, 1], [-1, -1]], np.int8)
    pool = Pool(targets, np.eye(len(targets), dtype=np.float32))
    assert order("expected", pool, 0).tolist() == [40]


def test_the_most_alike_cell_of_a_photo_decides():
    cells = np.random.default_rng(0).integers(-100, 100, (50, 49, 64)).astype(np.int8)
    region = cells[17, 30].astype(np.float32)
    rows = np.arange(50)[::-1].copy()
    rows[0] = -1
    listed = like_region(cells, region, rows=rows)
    assert rows[listed[0]] == 17
    assert sorted(listed) == list(range(1, 50))


@pytest.mark.parametrize(
    ("queue", "label", "words"),
    [("best", None, "expected a queue of"), ("probably-yes", None, "expected a label")],
)
def test_a_queue_that_cannot_be_made_is_an_error(pool, queue, label, words):
    with pytest.raises(ValueError, match=words):
        order(queue, pool, label)
