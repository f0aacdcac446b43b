import pytest
import torch

from tagsight.metrics.bootstrap import bootstrap_map, map_draws
from tagsight.metrics.classification import average_precision, mean_over_labels
from tagsight.metrics.significance import (
    LABELS_TO_COMPARE,
    Estimate,
    difference_standard_error,
    holm,
    map_standard_error,
    mean_estimate,
    paired_difference,
)

PHOTOS, LABELS = 120, 4


@pytest.fixture
def targets(generator) -> torch.Tensor:
    return torch.randint(-1, 2, (PHOTOS, LABELS), generator=generator)


def estimate(logits: torch.Tensor, targets: torch.Tensor, seed: int = 0) -> Estimate:
    value, _ = mean_over_labels(average_precision(logits, targets))
    return Estimate(value, map_draws(logits, targets, seed=seed, resamples=200))


def ranking(targets: torch.Tensor, noise: float, generator: torch.Generator) -> torch.Tensor:
    return targets + noise * torch.randn(PHOTOS, LABELS, generator=generator)


@pytest.mark.parametrize("noise", [0.5, 1, 3])
def test_the_standard_error_of_an_map_is_near_that_of_the_bootstrap(targets, generator, noise):
    logits = ranking(targets, noise, generator)
    ap, positives = average_precision(logits, targets), (targets == 1).sum(0)
    expected = estimate(logits, targets).draws.std().item()
    assert map_standard_error(ap, positives) == pytest.approx(expected, rel=0.5)


def test_a_perfect_map_of_few_photos_is_not_certain():
    ap = torch.ones(2)
    few, many = (map_standard_error(ap, torch.tensor([count, count])) for count in (3, 3000))
    assert few > 0.1
    assert 0 < many < 0.001


def test_of_many_labels_a_difference_that_all_share_is_certain_and_that_of_one_is_not():
    first = torch.linspace(0.4, 0.8, LABELS_TO_COMPARE)
    positives = torch.full((LABELS_TO_COMPARE,), 100)
    shared, single = first - 0.01, first.clone()
    single[0] -= 0.01 * LABELS_TO_COMPARE  # the same difference of the mean
    assert difference_standard_error(first, shared, positives) < 0.001
    assert difference_standard_error(first, single, positives) == pytest.approx(0.01)
    few = slice(LABELS_TO_COMPARE - 1)
    expected = map_standard_error(first[few], positives[few])
    assert difference_standard_error(first[few], shared[few], positives[few]) == expected


def test_the_interval_of_an_estimate_is_that_of_the_bootstrap(targets, generator):
    logits = ranking(targets, 1, generator)
    expected = bootstrap_map(logits, targets, seed=0, resamples=200)
    assert estimate(logits, targets).interval == pytest.approx(expected)


def test_a_system_does_not_differ_from_itself(targets, generator):
    same = estimate(ranking(targets, 1, generator), targets)
    assert paired_difference(same, same) == (0, (0, 0), 1)


def test_a_clearly_better_system_has_a_small_p_that_is_never_zero(targets, generator):
    good, poor = (estimate(ranking(targets, noise, generator), targets) for noise in (0.3, 3))
    difference = paired_difference(good, poor)
    assert difference.p == pytest.approx(1 / 201)
    assert 0 < difference.interval.low < difference.value < difference.interval.high


def test_the_other_way_round_everything_is_mirrored(targets, generator):
    first, second = (estimate(ranking(targets, noise, generator), targets) for noise in (1, 1.2))
    there, back = paired_difference(first, second), paired_difference(second, first)
    assert back.value == -there.value
    assert back.p == there.p
    assert back.interval == pytest.approx((-there.interval.high, -there.interval.low))


def test_what_is_hard_for_both_falls_out_of_the_difference(targets, generator):
    """Two systems that err alike differ more certainly than their own intervals would say."""
    shared = ranking(targets, 1.5, generator)
    first = estimate(shared, targets)
    second = estimate(shared + 0.05 * torch.randn(shared.shape, generator=generator), targets)
    low, high = paired_difference(first, second).interval
    assert high - low < (first.interval.high - first.interval.low) / 4


def test_p_counts_the_differences_that_chance_makes_as_large():
    # Errors around the difference of 2 are 0, 1, 2 and 3 in size: two of four reach it.
    first = Estimate(2.0, torch.tensor([2.0, 3.0, 0.0, 5.0]).double())
    second = Estimate(0.0, torch.zeros(4).double())
    assert paired_difference(first, second).p == (1 + 2) / (1 + 4)


def test_resamples_without_a_value_have_no_part():
    first = Estimate(1.0, torch.tensor([1.0, torch.nan, 1.0]).double())
    second = Estimate(0.0, torch.tensor([0.0, torch.nan, 0.0]).double())
    assert paired_difference(first, second) == (1, (1, 1), 1 / 3)


def test_seeds_are_averaged_resample_by_resample():
    one, other = Estimate(1.0, torch.tensor([1.0, 3.0])), Estimate(2.0, torch.tensor([3.0, 5.0]))
    for estimates, value, draws in (([one, other], 1.5, [2, 4]), ([one], 1, [1, 3])):
        mean = mean_estimate(estimates)
        assert (mean.value, mean.draws.tolist()) == (value, draws)


def test_nothing_to_compare_is_refused():
    with pytest.raises(ValueError, match="expected at least one estimate"):
        mean_estimate([])
    with pytest.raises(ValueError, match="the same resamples, got 2 and 3 of them"):
        paired_difference(Estimate(0.0, torch.zeros(2)), Estimate(0.0, torch.zeros(3)))


def test_the_same_photos_are_drawn_whatever_the_logits(targets, generator):
    other = ranking(targets, 1, generator)
    draws = map_draws(other, targets, seed=3, resamples=20)
    assert torch.equal(draws, map_draws(5 * other, targets, seed=3, resamples=20))


def test_holm_raises_p_values_by_hand():
    # 4 * 0.01, then 3 * 0.03 = 0.09, then 2 * 0.04 = 0.08 which may not fall below, then 0.9.
    assert holm([0.9, 0.01, 0.04, 0.03]) == pytest.approx([0.9, 0.04, 0.09, 0.09])
    assert holm([0.6, 0.7]) == [1, 1]
    assert holm([]) == []
