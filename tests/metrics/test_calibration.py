import math

import numpy as np
import pytest
import torch

from tagsight.metrics.calibration import ReliabilityTable, expected_calibration_error, reliability


def test_calibration_error_by_hand():
    # Two bins. Below 0.5: scores 0.1 and 0.3, mean 0.2, half of them present: distance 0.3.
    # From 0.5 on: scores 0.5, 0.9 and 1.0, mean 0.8, all present: distance 0.2.
    scores = torch.tensor([[0.1, 0.5], [0.3, 0.9], [0.7, 1.0]], dtype=torch.float64)
    targets = torch.tensor([[0, 1], [1, 1], [-1, 1]])
    table = reliability(scores, targets, bins=2)
    assert table.pairs.tolist() == [2, 3]
    assert table.score.tolist() == pytest.approx([0.2, 0.8])
    assert table.present.tolist() == pytest.approx([0.5, 1.0])
    error = expected_calibration_error(scores, targets, bins=2)
    assert error == pytest.approx((2 * 0.3 + 3 * 0.2) / 5)


def test_scores_that_mean_what_they_say_have_almost_no_error(generator):
    scores = torch.rand(20_000, 2, generator=generator)
    targets = (torch.rand(20_000, 2, generator=generator) < scores).long()
    assert expected_calibration_error(scores, targets) < 0.01
    assert expected_calibration_error(scores, 1 - targets) == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("anything", [0.5, 7.0, math.nan])
def test_scores_of_unknown_targets_change_nothing(anything, generator):
    scores = torch.rand(50, 3, generator=generator)
    targets = torch.randint(-1, 2, (50, 3), generator=generator)
    altered = scores.masked_fill(targets < 0, anything)
    expected = expected_calibration_error(scores, targets)
    assert expected_calibration_error(altered, targets) == expected
    assert math.isnan(expected_calibration_error(scores, torch.full((50, 3), -1)))


def test_empty_bins_have_no_mean_and_no_part_in_the_error():
    scores, targets = torch.tensor([[0.05], [0.95]]), torch.tensor([[0], [1]])
    table = reliability(scores, targets, bins=10)
    assert table.pairs.tolist() == [1] + [0] * 8 + [1]
    assert table.score[1:9].isnan().all()
    assert expected_calibration_error(scores, targets, bins=10) == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("score", "shape", "bins", "message"),
    [
        (-0.1, (3, 2), 15, "take the sigmoid of logits first"),
        (1.1, (3, 2), 15, "take the sigmoid of logits first"),
        (math.nan, (3, 2), 15, "take the sigmoid of logits first"),
        (0.0, (3, 1), 15, "at least one bin, got .* and bins=15"),
        (0.0, (3, 2), 0, "at least one bin, got .* and bins=0"),
    ],
)
def test_bad_scores_shapes_and_bins_are_refused(score, shape, bins, message):
    with pytest.raises(ValueError, match=message):
        reliability(torch.full((3, 2), score), torch.ones(shape), bins)


def test_there_are_15_bins_and_the_last_of_them_may_be_empty(generator):
    scores = torch.rand(200, 3, generator=generator)
    targets = torch.randint(2, (200, 3), generator=generator)
    assert reliability(scores / 2, targets).pairs.shape == (15,)
    error = expected_calibration_error(scores, targets)
    assert error == expected_calibration_error(scores, targets, bins=15)
    assert error != expected_calibration_error(scores, targets, bins=16)


def test_a_single_bin_holds_all_pairs():
    table = reliability(torch.tensor([[0.0, 1.0]]), torch.tensor([[1, 1]]), bins=1)
    assert (table.pairs.tolist(), table.score.tolist(), table.present.tolist()) == ([2], [0.5], [1])


def test_a_table_of_parts_is_that_of_all_pairs(generator):
    scores = torch.rand(5000, 3, generator=generator)
    targets = torch.randint(-1, 2, (5000, 3), generator=generator)
    table = ReliabilityTable(bins=10)
    for rows in (slice(100), slice(100, 100), slice(100, 5000)):
        part = ReliabilityTable(bins=10)
        part.add(scores[rows].numpy(), targets[rows].numpy())
        table.merge(part)
    known = targets >= 0
    index = (scores[known].double() * 10).long().numpy()
    pairs = np.bincount(index, minlength=10)
    assert table.reliability.pairs.tolist() == pairs.tolist()
    means = np.bincount(index, scores[known].numpy(), minlength=10) / pairs
    assert table.reliability.score.tolist() == pytest.approx(means.tolist())
    for found, expected in zip(table.reliability, reliability(scores, targets, 10), strict=True):
        torch.testing.assert_close(found, expected)
