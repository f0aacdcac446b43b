import math

import pytest
import torch

from tagsight.metrics import bootstrap as module
from tagsight.metrics.bootstrap import (
    Interval,
    average_precision_intervals,
    bootstrap,
    bootstrap_map,
    overall_f1_draws,
)
from tagsight.metrics.classification import (
    Conventions,
    average_precision,
    mean_over_labels,
    precision_recall,
)


def ranking(photos: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    targets = torch.randint(-1, 2, (photos, 4), generator=generator)
    return targets + torch.randn(photos, 4, generator=generator), targets


@pytest.mark.parametrize("counts_at_once", [1, 200])
def test_the_fast_interval_of_map_equals_naive_resampling(counts_at_once, generator, monkeypatch):
    monkeypatch.setattr(module, "_COUNTS_AT_ONCE", counts_at_once)
    logits, targets = ranking(50, generator)

    def naive(photos: torch.Tensor) -> float:
        return mean_over_labels(average_precision(logits[photos], targets[photos]))[0]

    fast = bootstrap_map(logits, targets, seed=7, resamples=40)
    assert tuple(fast) == pytest.approx(tuple(bootstrap(naive, 50, seed=7, resamples=40)))


@pytest.mark.parametrize("never_predicted", ["zero", "one", "wrong"])
@pytest.mark.parametrize("unknown", ["left_out", "absent"])
def test_the_fast_draws_of_of1_equal_naive_resampling(never_predicted, unknown, generator):
    logits, targets = ranking(12, generator)
    predicted = logits > 1

    def naive(photos: torch.Tensor) -> float:
        return precision_recall(
            predicted[photos], targets[photos], never_predicted=never_predicted, unknown=unknown
        ).overall.f1

    conventions = Conventions(never_predicted, unknown)
    draws = overall_f1_draws(predicted, targets, conventions, seed=7, resamples=40)
    given = torch.Generator().manual_seed(7)
    expected = [naive(torch.randint(12, (12,), generator=given)) for _ in range(40)]
    torch.testing.assert_close(draws, torch.tensor(expected).double(), equal_nan=True)


def test_of1_is_1_of_right_decisions_and_0_of_none():
    targets = torch.eye(4).long()

    def drawn(predicted: torch.Tensor) -> set[float]:
        return set(overall_f1_draws(predicted, targets, seed=0, resamples=40).tolist())

    right = targets == 1
    assert drawn(right) == {1}
    assert drawn(~right & False) == {0}
    # A decision of one photo, drawn n times among 4: precision 1 and recall n / 4.
    one = right & (torch.arange(4) == 0)
    assert drawn(one) >= {0, 2 * 1 / (1 + 4)}
    assert drawn(one) <= {0, *(2 * n / (n + 4) for n in range(1, 5))}


def test_a_label_predicted_for_one_of_many_photos_is_predicted():
    predicted, targets = torch.zeros(2, 6000, 2).long()
    predicted[:1000, 0] = targets[:1000, 0] = 1
    predicted[5000:, 1] = targets[5000:, 1] = 1
    wrong = Conventions(never_predicted="wrong")
    draws = overall_f1_draws(predicted == 1, targets, wrong, seed=0, resamples=3)
    assert draws.tolist() == [1, 1, 1]


def test_a_label_s_interval_is_wider_the_surer_it_is(generator):
    targets = torch.randint(0, 2, (60, 1), generator=generator)
    logits = torch.randn(60, 1, generator=generator)
    (low, high), (lower, higher) = (
        average_precision_intervals(logits, targets, seed=0, resamples=200, level=level)
        for level in (0.5, 0.9)
    )
    assert lower < low < high < higher
    assert low.dtype == high.dtype == torch.float64


def test_intervals_of_a_mean_cover_it_as_often_as_they_promise(generator):
    covered = 0
    for sample in torch.randn(100, 60, generator=generator, dtype=torch.float64):
        low, high = bootstrap(
            lambda photos, sample=sample: sample[photos].mean().item(),
            60,
            seed=int(torch.randint(2**31, (), generator=generator)),
            resamples=100,
            level=0.8,
        )
        covered += low <= 0 <= high
    # 80 expected; the standard deviation is 4, and a bootstrap of 60 falls a little short.
    assert 68 <= covered <= 90


def test_the_interval_holds_the_estimate_where_resampling_only_ever_raises_it():
    """Photos of which each is the only one of its label: any that is drawn ranks better alone."""
    targets = torch.eye(12, dtype=torch.long)
    logits = torch.rand(12, 12, generator=torch.Generator().manual_seed(1))
    estimate, _ = mean_over_labels(average_precision(logits, targets))
    low, high = bootstrap_map(logits, targets, seed=0, resamples=300)
    assert low <= estimate <= high
    assert bootstrap(lambda drawn: float(len(drawn.unique()) < 12), 12, seed=0) == (-1.0, 0.0)


def test_resamples_without_a_value_are_left_out():
    def present_only(photos: torch.Tensor) -> float:
        return 1.0 if (photos == 0).any() else math.nan

    assert bootstrap(present_only, 5, seed=0, resamples=30) == (1.0, 1.0)
    assert bootstrap(present_only, 1, seed=0, resamples=1) == (1.0, 1.0)


def test_a_split_without_present_labels_has_no_interval():
    low, high = bootstrap_map(torch.zeros(3, 2), torch.zeros(3, 2), seed=0, resamples=3)
    assert math.isnan(low)
    assert math.isnan(high)


def test_what_resampling_adds_is_taken_off_the_estimate():
    # A resample of many photos misses 1 / e of them, 0.368: the share of different photos is 1
    # in the sample and falls by that much in a resample, so that the interval begins at 1.
    def different(photos: torch.Tensor) -> float:
        return len(photos.unique()) / 200

    low, high = bootstrap(different, 200, seed=0, resamples=300)
    assert low == 1
    assert 1.4 < high < 1.44


@pytest.mark.parametrize(
    ("column", "has_interval"),
    [
        ([1, 0, 1, 0, 0, 1], True),
        ([0, 0, 1, 0, 0, 0], False),  # a single photo has it
        ([1, 1, 1, 0, 1, 1], False),  # a single one does not
        ([1, 1, 1, 0, 0, 0], False),  # few photos, ranked without a mistake in each resample
        ([1] * 20 + [0] * 20, True),
    ],
)
def test_a_label_has_an_interval_only_where_other_photos_could_change_its_figure(
    column, has_interval
):
    targets = torch.tensor(column)[:, None]
    logits = -torch.arange(1.0 * len(targets))[:, None]
    low, high = average_precision_intervals(logits, targets, seed=0, resamples=100)
    assert low.isnan().tolist() == high.isnan().tolist() == [not has_interval]


@pytest.mark.parametrize(
    ("present", "bound"), [([0, 2, 4], "high"), ([9], "low")], ids=["high", "low"]
)
def test_an_interval_of_map_stays_within_0_and_1(present, bound):
    targets = torch.zeros(10, 1)
    targets[present] = 1
    logits = -torch.arange(10.0)[:, None]
    interval = bootstrap_map(logits, targets, seed=0, resamples=300, level=0.99)
    assert 0 <= interval.low < interval.high <= 1
    assert getattr(interval, bound) == (1 if bound == "high" else 0)


@pytest.mark.parametrize(
    ("size", "resamples", "level"), [(0, 10, 0.95), (5, 0, 0.95), (5, 10, 0.0), (5, 10, 1.0)]
)
def test_nothing_to_resample_is_refused(size, resamples, level):
    match = rf"expected at least one photo.* got size={size}, resamples={resamples}, level={level}"
    with pytest.raises(ValueError, match=match):
        bootstrap(lambda _: 0.0, size, seed=0, resamples=resamples, level=level)


def test_seed_level_and_number_of_photos_decide_the_interval(generator):
    logits, targets = ranking(400, generator)

    def interval(photos: int, level: float = 0.95, seed: int = 0) -> Interval:
        return bootstrap_map(
            logits[:photos], targets[:photos], seed=seed, resamples=100, level=level
        )

    low, high = interval(400)
    assert (low, high) == interval(400) != interval(400, seed=1)
    narrow, wide = interval(400, level=0.5), interval(100)
    assert narrow.high - narrow.low < high - low < wide.high - wide.low


def test_there_are_1000_resamples_and_the_level_is_95_percent():
    logits, targets = torch.arange(4.0)[:, None], torch.tensor([[0], [1], [0], [1]])
    assert module.map_draws(logits, targets, seed=0).shape == (1000,)
    said = {"seed": 0, "resamples": 1000, "level": 0.95}
    assert bootstrap_map(logits, targets, seed=0) == bootstrap_map(logits, targets, **said)
    drawn: list[torch.Tensor] = []

    def mean(photos: torch.Tensor) -> float:
        drawn.append(photos)
        return photos.double().mean().item()

    interval = bootstrap(mean, 30, seed=0)
    assert len(drawn) == 1001
    assert interval == bootstrap(mean, 30, **said)
    # Of 0 to 40 the quantiles of 2.5 % and 97.5 % are 1 and 39, mirrored at the estimate.
    assert module.basic_interval(15.0, torch.arange(41.0).double()) == pytest.approx((-9, 29))
