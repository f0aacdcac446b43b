import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

from tagsight.checkpoint.decision import Decision, sigmoid
from tagsight.errors import DataError
from tagsight.labels.one_of import OneOf


def test_by_default_logits_from_0_on_are_predicted_and_odds_of_3_are_three_quarters():
    decision = Decision.default(3)
    scores = decision.scores(np.array([-0.01, 0.0, math.log(3)], np.float32))
    assert decision.predicted(scores).tolist() == [False, True, True]
    assert scores.dtype == np.float64
    assert scores[2] == pytest.approx(0.75, rel=1e-6)


def test_each_label_has_its_own_threshold_and_1_means_never():
    decision = Decision(np.array([0.2, 0.9, 1.0]))
    scores = [[0.5, 0.5, 1.0], [0.1, 0.95, 1.0]]
    assert decision.predicted(scores).tolist() == [[True, False, False], [False, True, False]]


def test_of_a_group_the_most_probable_label_is_predicted_if_it_reaches_its_threshold():
    decision = Decision(np.array([0.5, 0.5, 0.1, 0.5]), one_of=(OneOf((0, 2)),))
    scores = [[0.8, 0.9, 0.7, 0.9], [0.4, 0.1, 0.3, 0.6], [0.3, 0.1, 0.4, 0.6], [0.6, 0, 0.6, 0]]
    said = [[1, 1, 0, 1], [0, 0, 0, 1], [0, 0, 1, 1], [1, 0, 0, 0]]
    leading = [[0.8, 0.9, 0, 0.9], [0.4, 0.1, 0, 0.6], [0, 0.1, 0.4, 0.6], [0.6, 0, 0, 0]]
    assert decision.predicted(scores).astype(int).tolist() == said
    assert decision.exclusive(scores).tolist() == leading


def test_groups_are_read_back_and_begin_without_a_threshold_where_one_label_must_hold():
    names, groups = ["day", "dog", "night", "sky"], (OneOf((0, 2), complete=True), OneOf((1, 3)))
    decision = Decision.default(4, groups)
    assert decision.thresholds.tolist() == [0, 0.5, 0, 0.5]
    again = Decision.from_dict(decision.as_dict(names), names).at("more").extended(1)
    assert again.one_of == groups
    with pytest.raises(DataError, match="groups of different labels"):
        Decision(np.array([0.5, 0.5]), one_of=(OneOf((0, 0)),))
    for group in (["day"], {"labels": ["moon"], "complete": True}, {"labels": ["day"]}):
        with pytest.raises(DataError, match="'one_of' to be groups"):
            Decision.from_dict(decision.as_dict(names) | {"one_of": [group]}, names)


def test_a_temperature_flattens_scores_and_keeps_their_ranking():
    logits = np.random.default_rng(0).normal(0, 4, (80, 4))
    sharp, flat = Decision.default(4), Decision(np.full(4, 0.5), temperature=3.0)
    assert_allclose(flat.scores(logits), 1 / (1 + np.exp(-logits / 3)))
    order = sharp.scores(logits).argsort(0)
    assert (np.diff(np.take_along_axis(flat.scores(logits), order, 0), axis=0) >= 0).all()


def test_scores_stay_apart_however_small_they_are():
    assert_allclose(sigmoid(np.array([-700.0, -40.0])), np.exp([-700.0, -40.0]))
    assert sigmoid(np.array([-1e9, 1e9])).tolist() == [0, 1]


def test_strictness_changes_the_odds_and_never_what_is_never_predicted():
    decision = Decision(np.array([0.5, 0.2, 0.9, 1.0]))
    assert_allclose(decision.at("balanced").thresholds, decision.thresholds)
    assert decision.at("sure").thresholds[0] == pytest.approx(0.75)
    assert decision.at("more").thresholds[0] == pytest.approx(0.25)
    for strictness, factor in (("more", 1 / 3), ("sure", 3)):
        thresholds = decision.at(strictness).thresholds[:3]
        before = decision.thresholds[:3]
        assert_allclose(thresholds / (1 - thresholds), factor * before / (1 - before))
    assert decision.at("more").thresholds[3] == 1


def test_thresholds_of_a_strictness_are_computed_once_and_not_for_each_photo():
    decision = Decision.default(2)
    assert decision.at("sure") is decision.at("sure")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], r"expected a decision with 'temperature' and 'thresholds', got \[\]"),
        ({"temperature": 1.0}, "expected a decision with 'temperature' and 'thresholds'"),
        ({"temperature": 1.0, "thresholds": [0.5]}, "expected a decision with 'temperature'"),
        ({"temperature": 1.0, "thresholds": {}}, r"each label, \['cat'\] differ"),
        ({"temperature": 1.0, "thresholds": {"dog": 0.5}}, r"\['cat', 'dog'\] differ"),
        ({"temperature": 1, "thresholds": {"a": 0.5, 1: 0.5}}, r"each label, \['a', 'cat', 1\] di"),
        ({"temperature": 1.0, "thresholds": {"cat": "0.5"}}, "that are numbers, got '0.5'"),
        ({"temperature": True, "thresholds": {"cat": 0.5}}, "that are numbers, got True"),
        ({"temperature": 1.0, "thresholds": {"cat": 10**400}}, "that are numbers, got 1000"),
        ({"temperature": 1.0, "thresholds": {"cat": 1.5}}, r"thresholds in \[0, 1\], got 1.5"),
        ({"temperature": 1, "thresholds": {"cat": math.nan}}, r"thresholds in \[0, 1\], got nan"),
        ({"temperature": 0, "thresholds": {"cat": 1}}, "temperature above 0, got 0.0"),
        ({"temperature": math.inf, "thresholds": {"cat": 1}}, "that are numbers, got inf"),
        ({"temperature": math.nan, "thresholds": {"cat": 1}}, "temperature above 0, got nan"),
    ],
)
def test_a_damaged_decision_is_refused(data, message):
    with pytest.raises(DataError, match=message):
        Decision.from_dict(data, ["cat"])


def test_thresholds_of_another_shape_are_refused():
    with pytest.raises(DataError, match=r"expected one threshold per label, got shape \(2, 2\)"):
        Decision(np.full((2, 2), 0.5))


def test_a_decision_holds_a_copy_of_its_thresholds_that_nobody_can_change():
    thresholds = np.array([0.25, 0.5], np.float32)
    decision = Decision(thresholds)
    thresholds[:] = 1
    assert decision.thresholds.tolist() == [0.25, 0.5]
    assert decision.thresholds.dtype == np.float64
    with pytest.raises(ValueError, match="read-only"):
        decision.thresholds[0] = 0.75


@pytest.mark.parametrize(("usable", "median"), [([0.2, 0.4], 0.3), ([], 0.5)])
def test_further_labels_have_the_median_threshold_of_those_that_may_be_predicted(usable, median):
    decision = Decision(np.array([*usable, 1.0]), 2.0).extended(2)
    assert decision.thresholds.tolist() == pytest.approx([*usable, 1.0, median, median])
    assert decision.temperature == 2


def test_a_decision_is_read_back_by_names_in_any_order():
    written = Decision(np.array([0.25, 1.0]), 1.7).as_dict(["cat", "dog"])
    assert written == {"temperature": 1.7, "thresholds": {"cat": 0.25, "dog": 1.0}}
    read = Decision.from_dict(written, ["dog", "cat"])
    assert (read.thresholds.tolist(), read.temperature) == ([1.0, 0.25], 1.7)
