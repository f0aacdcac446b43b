import numpy as np
import pytest

from tagsight.evaluation.operating_points import NEVER, operating_points


def drawn(seed: int = 0, size: int = 300) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    return random.random(size).round(2), random.integers(-1, 2, size).astype(np.int8)


@pytest.mark.parametrize("unknown", ["left_out", "absent"])
@pytest.mark.parametrize("threshold", [0.0, 0.004, 0.31, 0.999, 1.0])
def test_every_point_counts_the_decisions_at_its_threshold(threshold, unknown):
    scores, targets = drawn()
    points = operating_points(scores, targets, threshold, unknown=unknown)
    wrong = targets == 0 if unknown == "left_out" else targets < 1
    for cut, right, false in zip(points.thresholds, points.correct, points.wrong, strict=True):
        assert right == ((scores >= cut) & (targets == 1)).sum()
        assert false == ((scores >= cut) & wrong).sum()
    expected = NEVER if threshold == 1 else threshold
    assert points.thresholds[points.current] == expected
    assert (np.diff(points.thresholds) > 0).all()


def test_photos_that_change_first_are_listed_on_both_sides():
    scores, targets = drawn()
    points = operating_points(scores, targets, 0.5, nearest=10)
    rows, reached, known = points.nearest.T
    predicted = reached > points.current
    assert predicted.sum() == (~predicted).sum() == 10
    assert (predicted == (scores[rows] >= 0.5)).all()
    assert (known == targets[rows]).all()
    assert (known >= 0).all()
    order = np.sort(scores[(targets >= 0) & (scores >= 0.5)])
    assert set(scores[rows[predicted]]) == set(order[:10])


def test_a_label_without_photos_or_scores_has_points():
    nothing = np.zeros(4), np.array([0, 0, -1, 0], np.int8)
    points = operating_points(*nothing, threshold=0.5)
    assert (points.positives, points.correct.tolist(), points.wrong.tolist()) == (0, [0], [0])
    some = operating_points(np.array([0.2, 0.6, 0.3, 0.1]), nothing[1], threshold=0.5)
    assert some.wrong[some.current] == 1
