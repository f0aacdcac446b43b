import numpy as np

from tagsight.checkpoint.decision import Decision
from tagsight.evaluation.mistakes import Decisions, confusions, decisions_of, worst_mistakes
from tagsight.labels.one_of import OneOf


def decided(predicted: np.ndarray, targets: np.ndarray) -> Decisions:
    logits = np.where(predicted, 1.0, -1.0)
    return decisions_of(Decision.default(targets.shape[1]), logits, targets)


def test_the_worst_mistakes_are_of_several_labels():
    logits = np.array([[-5.0, -4.0], [-4.5, -1.0], [-3.0, 2.0]])
    made = decisions_of(Decision.default(2), logits, np.ones((3, 2)))
    found = worst_mistakes(made, ~made.right, most=3, per_label=2)
    assert [(one.photo, one.label) for one in found] == [(0, 0), (1, 0), (0, 1)]


def test_distances_are_from_the_own_threshold_even_if_it_is_never_reached():
    made = decisions_of(Decision(np.array([1.0, 0.1])), [[-4.0, -4.0]], [[1, 1]])
    found = worst_mistakes(made, ~made.right)
    assert [one.label for one in found] == [0, 1]
    assert np.isfinite([one.distance for one in found]).all()


def test_a_label_whose_rival_is_higher_is_missed_whatever_its_score():
    decision = Decision(np.array([0.5, 0.5]), one_of=(OneOf((0, 1)),))
    made = decisions_of(decision, [[3.0, 2.0]], [[1, 1]])
    assert made.right.tolist() == [[True, False]]
    assert worst_mistakes(made, ~made.right)[0].label == 1


def test_labels_are_confused_if_they_are_wrong_together_more_often_than_by_chance():
    targets = np.zeros((100, 3), np.int8)
    targets[:20, 0] = 1
    predicted = np.zeros((100, 3), bool)
    predicted[:10, 1] = True  # where label 0 is missed
    predicted[:, 2] = True  # everywhere
    (found,) = confusions(decided(predicted, targets))
    assert found[:4] == (0, 1, 10, 20)


def test_unknown_targets_are_neither_missed_nor_wrong():
    made = decided(np.ones((5, 2), bool), np.full((5, 2), -1))
    assert confusions(made) == []
    assert not made.right.any()
