from __future__ import annotations

import math

import pytest
import torch

from tagsight.metrics.calibration import expected_calibration_error, reliability


def test_calibration_error_by_hand() -> None:
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


def test_scores_that_mean_what_they_say_have_almost_no_error(generator: torch.Generator) -> None:
    scores = torch.rand(20_000, 2, generator=generator)
    targets = (torch.rand(20_000, 2, generator=generator) < scores).long()
    assert expected_calibration_error(scores, targets) < 0.01
    assert expected_calibration_error(scores, 1 - targets) == pytest.approx(0.5, abs=0.01)


def test_sure_and_wrong_is_the_largest_error() -> None:
    assert expected_calibration_error(torch.tensor([[1.0, 0.0]]), torch.tensor([[0, 1]])) == 1.0


@pytest.mark.parametrize("anything", [0.0, 0.5, 7.0, math.nan])
def test_scores_of_unknown_targets_change_nothing(
    anything: float, generator: torch.Generator
) -> None:
    scores = torch.rand(50, 3, generator=generator)
    targets = torch.randint(-1, 2, (50, 3), generator=generator)
    altered = scores.masked_fill(targets < 0, anything)
    expected = expected_calibration_error(scores, targets)
    assert expected_calibration_error(altered, targets) == expected


def test_empty_bins_have_no_mean_and_no_part_in_the_error() -> None:
    scores, targets = torch.tensor([[0.05], [0.95]]), torch.tensor([[0], [1]])
    table = reliability(scores, targets, bins=10)
    assert table.pairs.tolist() == [1] + [0] * 8 + [1]
    assert table.score[1:9].isnan().all()
    assert expected_calibration_error(scores, targets, bins=10) == pytest.approx(0.05)


def test_without_known_targets_there_is_no_error() -> None:
    assert math.isnan(expected_calibration_error(torch.rand(2, 2), torch.full((2, 2), -1)))


@pytest.mark.parametrize("logit", [-0.1, 1.1, math.nan])
def test_logits_in_place_of_scores_are_refused(logit: float) -> None:
    with pytest.raises(ValueError, match="take the sigmoid of logits first"):
        reliability(torch.tensor([[logit]]), torch.tensor([[1]]))


@pytest.mark.parametrize(("shape", "bins"), [((3, 1), 15), ((3, 2), 0)])
def test_shapes_that_disagree_and_no_bins_are_refused(shape: tuple[int, int], bins: int) -> None:
    with pytest.raises(ValueError, match=rf"at least one bin, got .* and bins={bins}"):
        reliability(torch.zeros(3, 2), torch.zeros(shape), bins)
