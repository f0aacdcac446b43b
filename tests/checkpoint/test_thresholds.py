import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tagsight.checkpoint.decision import Decision
from tagsight.checkpoint.thresholds import HIGHEST_THRESHOLD, LOWEST_THRESHOLD, fit_decision
from tagsight.errors import DataError
from tagsight.labels.one_of import OneOf
from tagsight.metrics.classification import average_precision, precision_recall

NAMES = ("bird", "cat", "dog", "cow")
TRIED = torch.linspace(0.01, 0.99, 500).double()


def validation(generator: torch.Generator, photos: int = 80) -> tuple[torch.Tensor, torch.Tensor]:
    targets = torch.randint(-1, 2, (photos, 4), generator=generator)
    logits = 2 * targets.clamp(min=0) - 1 + 1.5 * torch.randn(photos, 4, generator=generator)
    return logits.double(), targets


def column(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)[:, None]


def scored(decision: Decision, logits: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(decision.scores(logits))


def predicted(decision: Decision, logits: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(decision.predicted(decision.scores(logits)))


def test_the_fitted_temperature_has_the_least_cross_entropy(generator):
    logits, targets = validation(generator)
    logits, known = logits * 4, targets >= 0
    fitted = fit_decision(logits, targets, names=NAMES).temperature

    def loss(temperature: float) -> float:
        scaled = logits[known] / temperature
        return F.binary_cross_entropy_with_logits(scaled, targets[known].double()).item()

    assert loss(fitted) < min(loss(fitted * 1.01), loss(fitted / 1.01), loss(1.0))


@pytest.mark.parametrize(
    ("logits", "targets", "temperature"),
    [
        # Without error, steeper is always better; always wrong, flatter is.
        (column(2, 1, -1), [1, 1, 0], 0.2),
        (column(2, 1, -1), [0, 0, 1], 10.0),
        (column(0, 0, 0), [1, 0, 0], 10.0),
    ],
)
def test_the_temperature_is_bounded(logits, targets, temperature):
    fitted = fit_decision(logits, torch.tensor(targets)[:, None], names=["cat"])
    assert fitted.temperature == pytest.approx(temperature)


def test_thresholds_have_the_best_f1_of_all_thresholds(generator):
    logits, targets = validation(generator)
    decision = fit_decision(logits, targets, names=NAMES)
    scores = scored(decision, logits)
    best = precision_recall(predicted(decision, logits), targets).per_label.f1
    tried = [precision_recall(scores >= t, targets).per_label.f1 for t in TRIED]
    assert (best >= torch.stack(tried).amax(0)).all()


def test_a_threshold_lies_midway_between_the_scores_it_separates():
    logits, targets = column(4, 3, 2.5, 2, 1, -1, -2, -3), column(1, 1, 1, 1, 1, 0, 0, 0)
    decision = fit_decision(logits, targets, names=["cat"])
    scores = scored(decision, logits)
    assert decision.thresholds.item() == pytest.approx((scores[4] + scores[5]).item() / 2)


@pytest.mark.parametrize(
    ("logits", "targets", "objective", "predictions"),
    [
        # A cut after the first two photos of the tie would have F1 = 1, but cannot be made: the
        # three clear photos have 6 / 8, all eleven 10 / 16.
        (column(*[2] * 3, *[0] * 8, -1), column(*[1] * 5, *[0] * 7), "f1", 3),
        # Of equally good thresholds the highest: F1 = 2 hits / (predictions + 6 present) is 6 / 9
        # for the first 3, 8 / 12 for the first 6 photos, and less with the fifth (10 / 17) or the
        # sixth present one (12 / 21).
        (column(*range(15, 0, -1)), column(1, 1, 1, 0, 0, 1, *[0] * 4, 1, 0, 0, 0, 1), "f1", 3),
        # The best photo of all is absent, and only every other one is present.
        (column(*range(20)), column(*[1, 0] * 10), "precision >= 0.9", 0),
        # A precision of fewer than five predictions is not believed; four of five are.
        (column(9, 8, 7, 6, 1, 0, 0, 0), column(1, 1, 1, 1, 0, 0, 0, 1), "precision>=0.9", 0),
        (column(9, 8, 7, 6, 1, 0, 0, 0), column(1, 1, 1, 1, 0, 0, 0, 1), "precision>=.8", 5),
        (column(*range(12)), column(*[0] * 6, *[1] * 6), "precision>=1", 6),
        # A label with few present photos as one with many: no two scores are taken for the same.
        (column(1 + 1e-9, 1, -3, -3), column(1, 0, 0, 0), "f1", 1),
        # Without a present photo, nothing of what was seen is predicted.
        (column(-2, -1, 1), column(0, 0, 0), "f1", 0),
    ],
)
def test_a_threshold_predicts_so_many(logits, targets, objective, predictions):
    decision = fit_decision(logits, targets, names=["cat"], objective=objective)
    assert predicted(decision, logits).sum() == predictions
    never = objective != "f1" and predictions == 0
    assert (decision.thresholds.item() == 1) == never


@pytest.mark.parametrize("one_of", [(), (OneOf((1, 2)),)])
@pytest.mark.parametrize("anything", [-50.0, 50.0, math.nan])
def test_logits_of_unknown_targets_change_nothing(anything, one_of, generator):
    logits, targets = validation(generator)
    altered = logits.masked_fill(targets < 0, anything)
    fitted, again = (
        fit_decision(each, targets, names=NAMES, one_of=one_of) for each in (logits, altered)
    )
    assert fitted.as_dict(NAMES) == again.as_dict(NAMES)


def test_labels_that_exclude_each_other_have_the_best_f1_of_what_is_predicted(generator):
    logits, targets = validation(generator, photos=200)
    targets[targets[:, 1] == 1, 2] = 0
    logits = logits.where(targets >= 0, 0)
    decision = fit_decision(logits, targets, names=NAMES, one_of=[OneOf((1, 2))])
    scores = torch.from_numpy(decision.exclusive(decision.scores(logits)))
    best = precision_recall(predicted(decision, logits), targets).per_label.f1
    tried = [precision_recall(scores >= t, targets).per_label.f1 for t in TRIED]
    assert (best >= torch.stack(tried).amax(0)).all()


def test_the_likeliest_of_labels_that_a_photo_always_has_one_of_is_predicted(generator):
    logits, targets = validation(generator)
    decision = fit_decision(logits, targets, names=NAMES, one_of=[OneOf((1, 2), complete=True)])
    assert (predicted(decision, logits)[:, 1:3].sum(1) == 1).all()
    assert (decision.thresholds == 0).tolist() == [False, True, True, False]


@pytest.mark.parametrize("objective", ["f1", "precision>=0.6"])
def test_tables_are_fitted_in_parts_as_at_once(objective, generator, monkeypatch):
    targets = torch.randint(-1, 2, (60, 3), generator=generator)
    targets[:, 2] = 0  # rare, so that all cells are ranked together
    logits = (targets + torch.randn(60, 3, generator=generator)).round(decimals=1)
    whole = fit_decision(logits, targets, names=["a", "b", "c"], objective=objective)
    monkeypatch.setattr("tagsight.checkpoint.thresholds.CELLS_AT_ONCE", 7)
    parts = fit_decision(logits, targets, names=["a", "b", "c"], objective=objective)
    assert parts.temperature == pytest.approx(whole.temperature, rel=1e-9)
    assert parts.thresholds == pytest.approx(whole.thresholds, rel=1e-9)


@pytest.mark.parametrize("objective", ["f1", "precision>=0.8"])
def test_permuting_labels_permutes_thresholds(objective, generator):
    logits, targets = validation(generator)
    order = torch.tensor([2, 0, 3, 1])
    fitted = fit_decision(logits, targets, names=NAMES, objective=objective)
    permuted = fit_decision(logits[:, order], targets[:, order], names=NAMES, objective=objective)
    np.testing.assert_allclose(permuted.thresholds, fitted.thresholds[order])


def test_a_rare_label_gets_the_threshold_of_all_labels_together(generator):
    logits, targets = validation(generator)
    targets[:, 1] = 0
    targets[:4, 1], targets[:, 3] = 1, -1
    decision = fit_decision(logits, targets, names=NAMES)
    shared = decision.thresholds[1]
    assert decision.thresholds[3] == shared
    assert shared not in decision.thresholds[[0, 2]]

    scores = scored(decision, logits)
    best = precision_recall(scores >= shared, targets).overall.f1
    assert best >= max(precision_recall(scores >= t, targets).overall.f1 for t in TRIED)


@pytest.mark.parametrize("least", [0.6, 0.75, 0.9])
def test_precision_is_reached_with_as_many_predictions_as_possible(least, generator):
    logits, targets = validation(generator, photos=200)
    decision = fit_decision(logits, targets, names=NAMES, objective=f"precision>={least}")
    scores, chosen = scored(decision, logits), predicted(decision, logits)
    quality = precision_recall(chosen, targets, never_predicted="one").per_label
    assert (quality.precision >= least).all()
    for threshold in TRIED:
        tried = precision_recall(scores >= threshold, targets).per_label
        allowed = (tried.precision >= least) & ((scores >= threshold).sum(0) >= 5)
        assert (quality.recall >= tried.recall.where(allowed, 0)).all()


@pytest.mark.parametrize(
    ("present", "absent", "predictions"),
    [
        # Scores of 0.0009 and 0.0003: below the lowest threshold, nothing is predicted. In both
        # cases the threshold has all scores on one side, and lies midway to the other end.
        (-7.0, -8.0, 0),
        # Scores of 0.9997 and 0.9991: above the highest, everything is.
        (8.0, 7.0, 25),
    ],
)
def test_no_threshold_is_fitted_to_extreme_scores(present, absent, predictions, generator):
    # Labels of honest scores keep the temperature at 1.
    logits = torch.randn(4000, 3, generator=generator)
    targets = (torch.rand(4000, 3, generator=generator) < logits.sigmoid()).long()
    logits[:, 0], targets[:, 0] = absent, -1
    logits[:20, 0], targets[:20, 0], targets[20:25, 0] = present, 1, 0
    decision = fit_decision(logits, targets, names=["cat", "dog", "cow"])
    assert decision.thresholds[0].item() == pytest.approx(0.5, abs=0.01)
    assert predicted(decision, logits)[:25, 0].sum() == predictions


@pytest.mark.parametrize("unit", [1e-3, 1.0, 500.0])
def test_scores_that_only_rank_fill_the_range_whatever_their_unit(unit, generator):
    logits, targets = validation(generator)
    logits = logits.where(targets >= 0, 1e6)
    known = targets >= 0
    decision = fit_decision(unit * logits, targets, names=NAMES, probabilities=False)
    scores = scored(decision, unit * logits)
    assert scores[known].min() > LOWEST_THRESHOLD
    assert scores[known].max() < HIGHEST_THRESHOLD
    assert (scores[known] - 0.5).abs().max() == pytest.approx(1 / (1 + math.exp(-4)) - 0.5)
    assert scores[known].unique().numel() == logits[known].unique().numel()
    assert torch.equal(average_precision(scores, targets), average_precision(logits, targets))
    once = fit_decision(logits, targets, names=NAMES, probabilities=False)
    assert torch.equal(predicted(decision, unit * logits), predicted(once, logits))


def test_scores_without_a_spread_have_a_temperature_all_the_same():
    decision = fit_decision(column(0, 0, 0), column(1, 0, 1), names=["cat"], probabilities=False)
    assert decision.temperature == 1


ONE, TWO = torch.zeros(2, 1), torch.zeros(2, 2)
DOG = torch.tensor([[0.0, 0.0], [0.0, math.inf]])


@pytest.mark.parametrize(
    ("logits", "targets", "objective", "error", "message"),
    [
        (ONE, ONE, "f2", DataError, r"'f1' or 'precision>=p' with p in \(0, 1\], got 'f2'"),
        (ONE, ONE, "precision>=0", DataError, "got 'precision>=0'"),
        (ONE, ONE, "precision>1.5", DataError, "got 'precision>1.5'"),
        (ONE, ONE - 1, "f1", DataError, "expected known targets to fit the decision to, got none"),
        (DOG, TWO + 1, "f1", ValueError, "finite logits, got others for the label 'dog'"),
        (DOG.nan_to_num(math.nan, math.nan), TWO, "f1", ValueError, "for the label 'dog'"),
        (TWO, ONE, "f1", ValueError, r"of all labels, shape \(N, 2\), got \(2, 2\)"),
    ],
)
def test_what_cannot_be_fitted_is_refused(logits, targets, objective, error, message):
    names = ["cat", "dog"][: logits.shape[1]]
    with pytest.raises(error, match=message):
        fit_decision(logits, targets, names=names, objective=objective)
