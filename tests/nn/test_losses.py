from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from tagsight.config import AsymmetricConfig
from tagsight.nn.losses import (
    asymmetric_cross_entropy,
    label_loss,
    map_consistency,
    ranking_loss,
    vac_label_weights,
)

RANKINGS = ["exact", "sampled", "softmax", "hinge"]
ERRORS = ["squared", "norm", "relative"]
REDUCTIONS = ["sum", "mean"]


def log_sigmoid(logit: float) -> float:
    return -math.log1p(math.exp(-logit))


@pytest.fixture
def logits(generator: torch.Generator) -> Tensor:
    return 3 * torch.randn(4, 5, generator=generator, dtype=torch.double)


@pytest.fixture
def targets(generator: torch.Generator) -> Tensor:
    return torch.randint(-1, 2, (4, 5), generator=generator)


@pytest.fixture
def maps(generator: torch.Generator) -> Tensor:
    return torch.randn(2, 3, 4, 5, generator=generator, dtype=torch.double)


@pytest.fixture
def others(generator: torch.Generator) -> Tensor:
    return torch.randn(2, 3, 4, 5, generator=generator, dtype=torch.double)


def test_label_loss_by_hand():
    logits = torch.tensor([[2.0, -1.0, 7.0], [0.0, 3.0, 1.0]], dtype=torch.double)
    targets = torch.tensor([[1, 0, -1], [0, 1, 1]])
    # Photo 1: present at 2, absent at -1, the third unknown. Photo 2: absent at 0, present at 3, 1.
    first = -log_sigmoid(2) - log_sigmoid(1)
    second = -log_sigmoid(0) - log_sigmoid(3) - log_sigmoid(1)
    assert label_loss(logits, targets).item() == pytest.approx((first + second) / 2)
    mean = label_loss(logits, targets, reduction="mean").item()
    assert mean == pytest.approx((first / 2 + second / 3) / 2)


def test_the_mean_over_labels_is_the_function_that_the_papers_footnote_names(logits: Tensor):
    targets = (logits > 0.5).long()
    expected = torch.nn.functional.multilabel_soft_margin_loss(logits, targets.double())
    assert_close(label_loss(logits, targets, reduction="mean"), expected)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_unknown_targets_change_nothing(
    logits: Tensor, targets: Tensor, reduction: str, weighted: bool, smoothing: float
):
    weights = torch.rand(2, 5, dtype=torch.double) if weighted else None
    how = {"reduction": reduction, "weights": weights, "smoothing": smoothing}
    logits.requires_grad_()
    loss = label_loss(logits, targets, **how)
    loss.backward()
    elsewhere = torch.where(targets == -1, logits.detach() + 100, logits.detach())
    assert label_loss(elsewhere, targets, **how) == loss
    assert not logits.grad[targets == -1].any()
    assert logits.grad[targets >= 0].all()


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_a_photo_of_which_nothing_is_known_has_no_loss(logits: Tensor, reduction: str):
    logits.requires_grad_()
    loss = label_loss(logits, torch.full((4, 5), -1), reduction=reduction)
    loss.backward()
    assert loss == 0
    assert not logits.grad.any()


@pytest.mark.parametrize("logit", [1e4, -1e4, 3e38])
def test_label_loss_of_an_extreme_logit_is_finite(logit: float):
    logits = torch.tensor([[logit, logit]], requires_grad=True)
    loss = label_loss(logits, torch.tensor([[1, -1]]))
    loss.backward()
    assert loss.isfinite()
    assert logits.grad.isfinite().all()


def test_weights_of_one_change_nothing(logits: Tensor, targets: Tensor):
    ones = torch.ones(2, 5, dtype=torch.double)
    assert_close(label_loss(logits, targets, weights=ones), label_loss(logits, targets))


def test_weights_multiply_absent_and_present_labels():
    logits, targets = torch.zeros(1, 2), torch.tensor([[0, 1]])
    weights = torch.tensor([[2.0, 3.0], [5.0, 7.0]])  # of absent, of present labels
    expected = torch.tensor(math.log(2) * (2.0 + 7.0))
    assert_close(label_loss(logits, targets, weights=weights), expected)


@pytest.mark.parametrize("present", [0, 1])
def test_smoothing_asks_for_a_score_short_of_certainty(present: int):
    logit = torch.zeros(1, 1, dtype=torch.double, requires_grad=True)
    optimizer = torch.optim.LBFGS([logit], max_iter=50, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        loss = label_loss(logit, torch.tensor([[present]]), smoothing=0.1)
        loss.backward()
        return loss

    optimizer.step(loss)
    assert logit.sigmoid().item() == pytest.approx(0.9 if present else 0.1, abs=1e-4)


def test_vac_weighs_rare_labels_up_where_they_are_present():
    weights = vac_label_weights(torch.tensor([0.0, 0.25, 1.0]))
    absent, present = [1, math.exp(0.25), math.e], [math.e, math.exp(0.75), 1]
    assert_close(weights, torch.tensor([absent, present]))


def test_map_consistency_by_hand():
    # One photo and one label; the maps differ by 3 and 4 in two of four cells.
    maps = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]], dtype=torch.double)
    others = torch.tensor([[[[1.0, 5.0], [3.0, 0.0]]]], dtype=torch.double)
    # Squares 9 and 16 over 4 cells; their norm is 5. The eight values 1 2 3 4 1 5 3 0 have mean
    # 19/8 and sum of squares 65, hence variance (65 - 19 * 19 / 8) / 7.
    variance = (65 - 19 * 19 / 8) / 7
    expected = {"squared": 25 / 4, "norm": 5 / 4, "relative": 25 / 4 / variance}
    measured = {error: map_consistency(maps, others, error).item() for error in ERRORS}
    assert measured == pytest.approx(expected)


def test_the_norm_is_equation_12(maps: Tensor, others: Tensor):
    photos, labels, height, width = maps.shape
    total = 0.0
    for photo in range(photos):
        for label in range(labels):
            squares = 0.0
            for row in range(height):
                for column in range(width):
                    cell = (photo, label, row, column)
                    squares += (maps[cell] - others[cell]).item() ** 2
            total += math.sqrt(squares)
    expected = total / (labels * height * width) / photos
    assert map_consistency(maps, others, "norm").item() == pytest.approx(expected)


@pytest.mark.parametrize("error", ERRORS)
def test_equal_maps_have_no_distance_and_no_gradient(maps: Tensor, error: str):
    maps.requires_grad_()
    distance = map_consistency(maps, maps.detach().clone(), error)
    distance.backward()
    assert distance == 0
    assert not maps.grad.any()


@pytest.mark.parametrize("error", ERRORS)
def test_distance_is_the_same_both_ways(maps: Tensor, others: Tensor, error: str):
    assert_close(map_consistency(maps, others, error), map_consistency(others, maps, error))


@pytest.mark.parametrize(("error", "power"), [("squared", 2), ("norm", 1), ("relative", 0)])
def test_distance_grows_with_the_unit_of_the_maps_unless_relative(
    maps: Tensor, others: Tensor, error: str, power: int
):
    once, tenfold = (map_consistency(k * maps, k * others, error) for k in (1, 10))
    assert_close(tenfold, once * 10**power)


def test_flattening_all_maps_is_no_way_to_lower_a_relative_error(maps: Tensor, others: Tensor):
    both = torch.stack([maps, others]).requires_grad_()
    map_consistency(both[0], both[1], "relative").backward()
    towards_flat = (both.grad * both.detach()).sum()
    assert_close(towards_flat, torch.zeros_like(towards_flat))
    assert both.grad.any()


@pytest.mark.parametrize("error", ["squared", "norm"])
def test_flattening_all_maps_is_the_straight_way_to_lower_the_others(
    maps: Tensor, others: Tensor, error: str
):
    both = torch.stack([maps, others]).requires_grad_()
    map_consistency(both[0], both[1], error).backward()
    assert (both.grad * both.detach()).sum() > 0


@pytest.mark.parametrize("error", ERRORS)
def test_what_is_added_to_all_cells_of_a_label_changes_no_distance(
    maps: Tensor, others: Tensor, error: str
):
    bias = torch.tensor([1.0, -20.0, 300.0], dtype=torch.double)[:, None, None]
    expected = map_consistency(maps, others, error)
    assert_close(map_consistency(maps + bias, others + bias, error), expected)


def test_a_relative_error_of_flat_maps_is_finite():
    flat = torch.zeros(2, 3, 4, 4, requires_grad=True)
    map_consistency(flat, torch.zeros(2, 3, 4, 4), "relative").backward()
    assert flat.grad.isfinite().all()


def asymmetric_by_the_letter(logits: Tensor, targets: Tensor, config: AsymmetricConfig) -> Tensor:
    """Eqs. 4-7 of the paper, term by term; its shifted score is written out as in Eq. 5."""
    losses = torch.zeros_like(logits)
    for photo in range(len(logits)):
        for label in range(logits.shape[1]):
            score = 1 / (1 + math.exp(-logits[photo, label].item()))
            shifted = max(score - config.margin, 0)
            present = (1 - score) ** config.gamma_positive * math.log(score)
            absent = shifted**config.gamma_negative * math.log(1 - shifted)
            y = int(targets[photo, label] == 1)
            losses[photo, label] = -y * present - (1 - y) * absent
    return losses


@pytest.mark.parametrize(
    "config",
    [
        AsymmetricConfig(),
        AsymmetricConfig(gamma_positive=1, gamma_negative=4, margin=0.2),
        AsymmetricConfig(gamma_positive=2.5, gamma_negative=0.5, margin=0),
    ],
)
@pytest.mark.parametrize("detach", [False, True])
def test_the_asymmetric_loss_is_that_of_its_paper(
    logits: Tensor, targets: Tensor, config: AsymmetricConfig, detach: bool
):
    config = config.model_copy(update={"detach_weight": detach})
    expected = asymmetric_by_the_letter(logits, targets, config)
    assert_close(asymmetric_cross_entropy(logits, targets, config), expected)
    known = (expected * (targets >= 0)).sum(1).mean()
    assert_close(label_loss(logits, targets, asymmetric=config), known)


@pytest.mark.parametrize("detach", [False, True])
def test_the_gradient_is_that_of_the_loss_or_of_the_cross_entropy_in_it(
    logits: Tensor, targets: Tensor, detach: bool
):
    """Scores in the released way: weights first, and then the weighted logarithms."""
    config = AsymmetricConfig(gamma_positive=1, detach_weight=detach)
    logits.requires_grad_()
    score = logits.sigmoid()
    other = (1 - score + config.margin).clamp(max=1)
    present = targets == 1
    weight = torch.where(present, 1 - score, (1 - other) ** config.gamma_negative)
    weight = weight.detach() if detach else weight
    expected = -weight * torch.where(present, score, other).log()
    loss = asymmetric_cross_entropy(logits, targets, config)
    assert_close(*(torch.autograd.grad(one.sum(), logits)[0] for one in (loss, expected)))


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_without_powers_and_margin_it_is_binary_cross_entropy(
    logits: Tensor, targets: Tensor, reduction: str
):
    plain = AsymmetricConfig(gamma_positive=0, gamma_negative=0, margin=0)
    weights = torch.rand(2, 5, dtype=torch.double)
    how = {"reduction": reduction, "weights": weights}
    assert_close(
        label_loss(logits, targets, asymmetric=plain, **how), label_loss(logits, targets, **how)
    )


def test_an_absent_label_below_the_margin_costs_nothing():
    logits = torch.tensor([[-3.0, -30.0]], requires_grad=True)
    loss = label_loss(logits, torch.zeros(1, 2), asymmetric=AsymmetricConfig(gamma_negative=0))
    loss.backward()
    assert loss == 0
    assert not logits.grad.any()


@pytest.mark.parametrize("gamma", [0.0, 0.5, 4.0])
@pytest.mark.parametrize("margin", [0.0, 0.05])
@pytest.mark.parametrize("logit", [0.0, 90.0, -90.0, 1e4, -1e4, 1e37, -1e37])
def test_the_asymmetric_loss_of_an_extreme_logit_is_finite(
    gamma: float, margin: float, logit: float
):
    config = AsymmetricConfig(
        gamma_positive=gamma, gamma_negative=gamma, margin=margin, detach_weight=False
    )
    logits = torch.full((1, 3), logit, requires_grad=True)
    loss = label_loss(logits, torch.tensor([[1, 0, -1]]), asymmetric=config)
    loss.backward()
    assert loss.isfinite()
    assert logits.grad.isfinite().all()


@pytest.mark.parametrize(("present", "logit"), [(1, -30.0), (0, 30.0)])
def test_a_label_that_is_far_off_keeps_its_slope(present: int, logit: float):
    """The released code's logarithm stops at 1e-8 (Query2Label: 1e-5), and its slope with it."""
    logits = torch.tensor([[logit]], requires_grad=True)
    config = AsymmetricConfig(gamma_positive=0, gamma_negative=2, margin=0)
    loss = label_loss(logits, torch.tensor([[present]]), asymmetric=config)
    loss.backward()
    assert loss.item() == pytest.approx(30)
    assert logits.grad.abs().item() == pytest.approx(1)


@pytest.mark.parametrize("detach", [False, True])
def test_unknown_targets_have_no_part_in_the_asymmetric_loss(
    logits: Tensor, targets: Tensor, detach: bool
):
    config = AsymmetricConfig(gamma_positive=1, margin=0, detach_weight=detach)
    logits.requires_grad_()
    loss = label_loss(logits, targets, asymmetric=config)
    loss.backward()
    elsewhere = torch.where(targets == -1, logits.detach() + 100, logits.detach())
    assert label_loss(elsewhere, targets, asymmetric=config) == loss
    assert not logits.grad[targets == -1].any()
    assert logits.grad[targets >= 0].all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_losses_of_halved_logits_are_computed_in_full(
    logits: Tensor, targets: Tensor, dtype: torch.dtype
):
    halved = logits.to(dtype)
    for loss in (
        lambda values: label_loss(values, targets, asymmetric=AsymmetricConfig()),
        lambda values: ranking_loss(values, targets),
        lambda values: ranking_loss(values, targets, "softmax"),
    ):
        assert loss(halved).dtype == torch.float32
        assert_close(loss(halved), loss(halved.float()))


def violations_of(logits: list[float], targets: list[int], label: int) -> list[float]:
    """By how much each absent label violates the margin of a present one, if it does."""
    margins = [1 - logits[label] + f for f, y in zip(logits, targets, strict=True) if y == 0]
    return [margin for margin in margins if margin > 0]


def harmonic(rank: int) -> float:
    return sum(1 / i for i in range(1, rank + 1))


@pytest.mark.parametrize("ranking", ["exact", "hinge"])
@pytest.mark.parametrize("violators", REDUCTIONS)
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_the_ranking_loss_is_that_of_its_paper(
    logits: Tensor, targets: Tensor, ranking: str, violators: str, reduction: str
):
    photos = []
    for row, known in zip(logits.tolist(), targets.tolist(), strict=True):
        terms = []
        for label in (i for i, y in enumerate(known) if y == 1):
            found = violations_of(row, known, label)
            weight = harmonic(len(found)) if ranking == "exact" else 1
            averaged = ranking == "exact" and violators == "mean"
            terms.append(weight * sum(found) / (max(len(found), 1) if averaged else 1))
        photos.append(sum(terms) / (max(len(terms), 1) if reduction == "mean" else 1))
    loss = ranking_loss(logits, targets, ranking, violators=violators, reduction=reduction)
    assert loss.item() == pytest.approx(sum(photos) / len(photos))


def test_exact_ranks_have_no_gradient_and_each_pair_pulls_both_ways(
    logits: Tensor, targets: Tensor
):
    logits.requires_grad_()
    (gradient,) = torch.autograd.grad(ranking_loss(logits, targets), logits)
    expected = torch.zeros_like(gradient)
    for photo, (row, known) in enumerate(zip(logits.tolist(), targets.tolist(), strict=True)):
        for j in (i for i, y in enumerate(known) if y == 1):
            weight = harmonic(len(violations_of(row, known, j))) / len(logits)
            for k in (i for i, y in enumerate(known) if y == 0):
                if 1 - row[j] + row[k] > 0:
                    expected[photo, j] -= weight
                    expected[photo, k] += weight
    assert_close(gradient, expected)


def test_warp_by_hand():
    # Present at 2. Absent ones at 3, 1.5 and 0.5 violate its margin by 2, .5 and not at all, and
    # the one at 9 is not known.
    logits, targets = torch.tensor([[2.0, 3.0, 1.5, 0.5, 9.0]]), torch.tensor([[1, 0, 0, 0, -1]])
    assert ranking_loss(logits, targets, "hinge").item() == pytest.approx(2.5)
    assert ranking_loss(logits, targets).item() == pytest.approx(1.5 * 2.5)
    assert ranking_loss(logits, targets, violators="mean").item() == pytest.approx(1.5 * 1.25)
    scores = [math.exp(f) for f in (2.0, 3.0, 1.5, 0.5)]
    expected = -math.log(scores[0] / sum(scores))
    assert ranking_loss(logits, targets, "softmax").item() == pytest.approx(expected)


@pytest.mark.parametrize("trials", [None, 2])
def test_sampled_warp_is_what_drawing_until_the_first_violator_gives(trials: int | None):
    """All orders of the absent labels are as likely: their mean is what many samples give."""
    logits = torch.tensor([[2.0, 3.0, 1.5, 0.5, 0.0, 9.0]], dtype=torch.double)
    targets = torch.tensor([[1, 0, 0, 0, 0, -1]])
    orders = list(itertools.permutations(logits[0, 1:5].tolist()))
    costs = []
    for order in orders:
        tried = [(s, 1 - 2.0 + f) for s, f in enumerate(order, 1) if 1 - 2.0 + f > 0]
        s, violation = tried[0]
        costs.append(0 if trials and s > trials else harmonic(4 // s) * violation)
    many = 40_000
    loss = ranking_loss(logits.expand(many, 6), targets.expand(many, 6), "sampled", trials=trials)
    assert loss.item() == pytest.approx(sum(costs) / len(orders), rel=0.02)


def test_one_sample_pulls_one_pair(generator: torch.Generator):
    logits = torch.randn(50, 6, generator=generator, dtype=torch.double, requires_grad=True)
    targets = torch.tensor([[1, 0, 0, 0, 0, -1]]).expand(50, 6)
    (gradient,) = torch.autograd.grad(ranking_loss(logits, targets, "sampled"), logits)
    for row, pull in zip(logits.tolist(), gradient.tolist(), strict=True):
        pulled = [i for i, g in enumerate(pull) if g]
        assert len(pulled) == (2 if violations_of(row, [1, 0, 0, 0, 0, -1], 0) else 0)
        if pulled:
            present, violator = pulled
            assert present == 0
            assert pull[0] == -pull[violator]
            assert 1 - row[0] + row[violator] > 0


@pytest.mark.parametrize("ranking", ["exact", "sampled", "hinge"])
def test_a_photo_whose_labels_are_in_order_by_the_margin_costs_nothing(ranking: str):
    logits = torch.tensor([[3.0, 2.5, 1.5, 0.0, 7.0]], requires_grad=True)
    loss = ranking_loss(logits, torch.tensor([[1, 1, 0, 0, -1]]), ranking)
    loss.backward()
    assert loss == 0
    assert not logits.grad.any()


def test_the_softmax_is_torchs_cross_entropy_against_shares(logits: Tensor):
    targets = torch.tensor([[1, 0, 1, 0, 0], [0, 0, 0, 1, 0], [1, 1, 1, 0, 0], [0, 1, 0, 0, 0]])
    shares = targets.double() / targets.sum(1, keepdim=True)
    expected = torch.nn.functional.cross_entropy(logits, shares)
    assert_close(ranking_loss(logits, targets, "softmax"), expected)


@pytest.mark.parametrize("ranking", RANKINGS)
def test_unknown_targets_are_neither_present_nor_absent(
    logits: Tensor, targets: Tensor, ranking: str
):
    def loss(values: Tensor) -> Tensor:
        torch.manual_seed(0)
        return ranking_loss(values, targets, ranking)

    logits.requires_grad_()
    loss(logits).backward()
    assert not logits.grad[targets == -1].any()
    elsewhere = torch.where(targets == -1, logits.detach() + 100, logits.detach())
    assert_close(loss(elsewhere), loss(logits))


@pytest.mark.parametrize("ranking", RANKINGS)
@pytest.mark.parametrize("target", [1, 0, -1])
@pytest.mark.parametrize("extreme", [1.0, 1e30])
def test_photos_of_one_kind_of_label_cost_nothing_and_give_no_nan(
    logits: Tensor, ranking: str, target: int, extreme: float
):
    logits = (extreme * logits).float().requires_grad_()
    loss = ranking_loss(logits, torch.full((4, 5), target), ranking)
    loss.backward()
    assert logits.grad.isfinite().all()
    if ranking != "softmax" or target < 1:
        assert loss == 0


@pytest.mark.parametrize("ranking", RANKINGS)
def test_rankings_do_not_care_for_what_all_labels_of_a_photo_share(
    logits: Tensor, targets: Tensor, ranking: str
):
    torch.manual_seed(0)
    loss = ranking_loss(logits, targets, ranking)
    torch.manual_seed(0)
    assert_close(ranking_loss(logits + torch.arange(4)[:, None], targets, ranking), loss)
