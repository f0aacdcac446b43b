"""Targets that are probably wrong."""

import sys

import numpy as np
import pytest

from tagsight.errors import DataError
from tagsight.evaluation.label_errors import find_label_errors, flipped

PHOTOS = 400


@pytest.fixture
def told():
    """Scores of three labels, the third of which is present exactly if the first is."""
    random = np.random.default_rng(0)
    targets = random.integers(0, 2, (PHOTOS, 3)).astype(np.int8)
    targets[:, 2] = targets[:, 0]
    logits = (2.0 * targets - 1) * 2 + random.normal(size=targets.shape)
    logits[:, 2] = 0.3 * random.normal(size=PHOTOS)  # of the third the model knows nothing
    return 1 / (1 + np.exp(-logits)), targets


def test_flipped_targets_are_listed_first(told):
    scores, targets = told
    wrong, changed = flipped(targets, 0.05, seed=0)
    errors = find_label_errors(scores, wrong)
    first = [changed[error.row, error.label] for error in errors[: int(changed.sum())]]
    assert np.mean(first) > 0.8
    assert all(errors[i].wrong >= errors[i + 1].wrong for i in range(len(errors) - 1))
    assert all(error.given == wrong[error.row, error.label] for error in errors)


def test_other_labels_contradict_what_the_model_does_not_know(told):
    scores, targets = told
    targets[7, 2] = 1 - targets[7, 2]
    errors = {(error.row, error.label): error for error in find_label_errors(scores, targets)}
    assert "labels" in errors[7, 2].reasons


def test_near_twins_with_the_opposite_target_contradict_it(told):
    scores, targets = told
    twins = np.arange(PHOTOS)
    twins[[3, 4, 5]] = 3
    targets[[3, 4, 5], 1] = [1, 1, 0]
    scores[[3, 4, 5], 1] = 0.6
    errors = {
        (error.row, error.label): error for error in find_label_errors(scores, targets, twins=twins)
    }
    assert "twins" in errors[5, 1].reasons
    assert (3, 1) not in errors


def test_unknown_targets_and_scores_have_no_part(told):
    scores, targets = told
    targets[:50, 1] = -1
    scores[50:60, 1] = np.nan
    errors = find_label_errors(scores, targets)
    assert errors
    assert not any(error.label == 1 and error.row < 60 for error in errors)
    changed = scores.copy()
    changed[:50, 1] = 0.99
    assert find_label_errors(changed, targets) == errors


def test_labels_without_examples_of_both_kinds_are_not_looked_at(told):
    scores, targets = told
    targets[:, 1] = 0
    assert not any(error.label == 1 for error in find_label_errors(scores, targets))


def test_without_the_extra_it_is_named(told, monkeypatch):
    monkeypatch.setitem(sys.modules, "cleanlab.filter", None)
    with pytest.raises(DataError, match=r"tagsight\[errors\]"):
        find_label_errors(*told)


def test_shapes_that_disagree_are_an_error(told):
    scores, targets = told
    with pytest.raises(ValueError, match="of one shape"):
        find_label_errors(scores[1:], targets)
