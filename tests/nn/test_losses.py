import itertools
import math
from functools import partial

import pytest
import torch
import torch.nn.functional as F
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
WEIGHTS = torch.linspace(0.5, 2, 10, dtype=torch.double).view(2, 5)


def asymmetric(positive: float, negative: float, margin: float, *, detach: bool = False):
    return AsymmetricConfig(
        gamma_positive=positive, gamma_negative=negative, margin=margin, detach_weight=detach
    )


LABEL_LOSSES = {
    "sum": label_loss,
    "mean": partial(label_loss, reduction="mean", weights=WEIGHTS, smoothing=0.1),
    "asymmetric": partial(label_loss, asymmetric=asymmetric(1, 4, 0)),
    "root": partial(label_loss, asymmetric=asymmetric(0.5, 0.5, 0.05)),
    "detached": partial(label_loss, asymmetric=asymmetric(1, 4, 0, detach=True)),
}
LOSSES = LABEL_LOSSES | {name: partial(ranking_loss, ranking=name) for name in RANKINGS}
every_loss = pytest.mark.parametrize("name", LOSSES)


def value_and_slope(name: str, logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    logits = logits.detach().clone().requires_grad_()
    loss = LOSSES[name](logits, targets)
    return loss.detach(), torch.autograd.grad(loss, logits)[0]


@pytest.fixture
def logits(generator) -> Tensor:
    return 3 * torch.randn(4, 5, generator=generator, dtype=torch.double)


@pytest.fixture
def targets(generator) -> Tensor:
    return torch.randint(-1, 2, (4, 5), generator=generator)


@every_loss
def test_unknown_targets_do_not_contribute(name, logits, targets):
    loss, slope = value_and_slope(name, logits, targets)
    elsewhere = torch.where(targets == -1, logits + 100, logits)
    assert_close(value_and_slope(name, elsewhere, targets), (loss, slope))
    assert not slope[targets == -1].any()
    if name in LABEL_LOSSES:
        assert slope[targets >= 0].all()


@every_loss
def test_photos_without_known_targets_cost_nothing(name, logits):
    loss, slope = value_and_slope(name, logits, torch.full((4, 5), -1))
    assert loss == 0
    assert not slope.any()


@every_loss
@pytest.mark.parametrize("target", [1, 0])
def test_extreme_logits_have_finite_losses_and_gradients(name, target):
    extremes = torch.tensor([0, 90, -90, 1e4, -1e4, 1e37, -1e37])[:, None].expand(7, 5).clone()
    if name == "mean":
        extremes = extremes.double()
    targets = torch.tensor([target, 0, -1, target, target]).expand(7, 5)
    for found in value_and_slope(name, extremes, targets):
        assert found.isfinite().all()


@pytest.mark.parametrize("ranking", RANKINGS)
@pytest.mark.parametrize("target", [1, 0])
def test_rankings_of_photos_with_one_kind_of_target_cost_nothing(ranking, target, logits):
    loss, slope = value_and_slope(ranking, (1e30 * logits).float(), torch.full((4, 5), target))
    assert slope.isfinite().all()
    if (ranking, target) != ("softmax", 1):
        assert loss == 0


@pytest.mark.parametrize("ranking", RANKINGS)
def test_rankings_ignore_an_offset_of_all_logits_of_a_photo(ranking, logits, targets):
    moved = value_and_slope(ranking, logits + torch.arange(4)[:, None], targets)
    assert_close(moved, value_and_slope(ranking, logits, targets))


@pytest.mark.parametrize("name", ["sum", "asymmetric", "exact", "softmax"])
def test_losses_of_half_precision_logits_are_computed_in_float32(name, logits, targets):
    halved = logits.bfloat16()
    assert LOSSES[name](halved, targets).dtype == torch.float32
    assert_close(LOSSES[name](halved, targets), LOSSES[name](halved.float(), targets))


def test_label_loss_by_hand():
    logits = torch.tensor([[2.0, -1.0, 7.0], [0.0, 3.0, 1.0]], dtype=torch.double)
    targets = torch.tensor([[1, 0, -1], [0, 1, 1]])
    # Photo 1: present at 2, absent at -1, the third unknown. Photo 2: absent at 0, present at 3, 1.
    first, second = (
        sum(math.log1p(math.exp(-logit)) for logit in row) for row in ((2, 1), (0, 3, 1))
    )
    assert label_loss(logits, targets).item() == pytest.approx((first + second) / 2)
    mean = label_loss(logits, targets, reduction="mean").item()
    assert mean == pytest.approx((first / 2 + second / 3) / 2)
    one = label_loss(logits[:, :1], targets[:, :1], reduction="mean").item()
    assert one == pytest.approx((math.log1p(math.exp(-2)) + math.log(2)) / 2)


def test_the_mean_over_labels_is_the_function_in_the_papers_footnote(logits):
    targets = (logits > 0.5).long()
    expected = F.multilabel_soft_margin_loss(logits, targets.double())
    assert_close(label_loss(logits, targets, reduction="mean"), expected)


def test_weights_multiply_absent_and_present_labels():
    weights = torch.tensor([[2.0, 3.0], [5.0, 7.0]])  # of absent, of present labels
    loss = label_loss(torch.zeros(1, 2), torch.tensor([[0, 1]]), weights=weights)
    assert loss.item() == pytest.approx(math.log(2) * (2 + 7))


@pytest.mark.parametrize(("present", "score"), [(0, 0.1), (1, 0.9)])
def test_smoothing_moves_the_optimal_score_off_certainty(present, score):
    optimum = torch.tensor([[score]], dtype=torch.double).logit().requires_grad_()
    label_loss(optimum, torch.tensor([[present]]), smoothing=0.1).backward()
    assert optimum.grad.item() == pytest.approx(0, abs=1e-9)


def test_vac_weights_present_labels_more_the_rarer_they_are():
    weights = vac_label_weights(torch.tensor([0.0, 0.25, 1.0]))
    absent, present = [1, math.exp(0.25), math.e], [math.e, math.exp(0.75), 1]
    assert_close(weights, torch.tensor([absent, present]))


@pytest.mark.parametrize(
    "config", [AsymmetricConfig(), asymmetric(1, 4, 0.2), asymmetric(2.5, 0.5, 0, detach=True)]
)
def test_the_asymmetric_loss_follows_equations_4_to_7(logits, targets, config):
    expected = torch.zeros_like(logits)
    for place, logit in enumerate(logits.flatten().tolist()):
        score = 1 / (1 + math.exp(-logit))
        shifted = max(score - config.margin, 0)
        if targets.flatten()[place] == 1:
            loss = -((1 - score) ** config.gamma_positive) * math.log(score)
        else:
            loss = -(shifted**config.gamma_negative) * math.log(1 - shifted)
        expected.view(-1)[place] = loss
    assert_close(asymmetric_cross_entropy(logits, targets, config), expected)
    known = (expected * (targets >= 0)).sum(1).mean()
    assert_close(label_loss(logits, targets, asymmetric=config), known)


@pytest.mark.parametrize("detach", [False, True])
def test_the_asymmetric_gradient_passes_through_the_weight_unless_detached(logits, targets, detach):
    config = asymmetric(1, 4, 0.05, detach=detach)
    logits.requires_grad_()
    score = logits.sigmoid()
    other = (1 - score + config.margin).clamp(max=1)
    present = targets == 1
    weight = torch.where(present, 1 - score, (1 - other) ** config.gamma_negative)
    weight = weight.detach() if detach else weight
    expected = -weight * torch.where(present, score, other).log()
    loss = asymmetric_cross_entropy(logits, targets, config)
    assert_close(*(torch.autograd.grad(one.sum(), logits)[0] for one in (loss, expected)))


def test_without_powers_and_margin_the_asymmetric_loss_is_cross_entropy(logits, targets):
    how = {"reduction": "mean", "weights": WEIGHTS}
    plain = label_loss(logits, targets, asymmetric=asymmetric(0, 0, 0), **how)
    assert_close(plain, label_loss(logits, targets, **how))


@pytest.mark.parametrize(
    ("present", "logit", "config", "cost", "slope"),
    [
        (1, -30.0, asymmetric(0, 2, 0), 30, -1),  # a confident mistake keeps its gradient
        (0, 30.0, asymmetric(0, 2, 0), 30, 1),
        (0, -3.0, asymmetric(0, 0, 0.05), 0, 0),  # below the margin nothing is to be learned
        (0, -30.0, asymmetric(0, 0, 0.05), 0, 0),
    ],
)
def test_the_asymmetric_loss_at_its_ends(present, logit, config, cost, slope):
    logits = torch.tensor([[logit]], requires_grad=True)
    loss = label_loss(logits, torch.tensor([[present]]), asymmetric=config)
    loss.backward()
    assert loss.item() == pytest.approx(cost)
    assert logits.grad.item() == pytest.approx(slope)


def violations_of(logits: list[float], targets: list[int], label: int) -> list[float]:
    margins = [1 - logits[label] + f for f, y in zip(logits, targets, strict=True) if y == 0]
    return [margin for margin in margins if margin > 0]


def harmonic(rank: int) -> float:
    return sum(1 / i for i in range(1, rank + 1))


@pytest.mark.parametrize(
    ("ranking", "violators", "reduction"),
    [
        ("exact", "sum", "sum"),
        ("exact", "sum", "mean"),
        ("exact", "mean", "sum"),
        ("hinge", "sum", "sum"),
        ("hinge", "sum", "mean"),
    ],
)
def test_the_ranking_loss_is_a_transcription_of_its_paper(
    logits, targets, ranking, violators, reduction
):
    photos = []
    for row, known in zip(logits.tolist(), targets.tolist(), strict=True):
        terms = []
        for label in (i for i, y in enumerate(known) if y == 1):
            found = violations_of(row, known, label)
            weight = harmonic(len(found)) if ranking == "exact" else 1
            terms.append(weight * sum(found) / (max(len(found), 1) if violators == "mean" else 1))
        photos.append(sum(terms) / (max(len(terms), 1) if reduction == "mean" else 1))
    loss = ranking_loss(logits, targets, ranking, violators=violators, reduction=reduction)
    assert loss.item() == pytest.approx(sum(photos) / len(photos))


def test_exact_ranks_have_no_gradient(logits, targets):
    _, gradient = value_and_slope("exact", logits, targets)
    expected = torch.zeros_like(gradient)
    for photo, (row, known) in enumerate(zip(logits.tolist(), targets.tolist(), strict=True)):
        for j in (i for i, y in enumerate(known) if y == 1):
            weight = harmonic(len(violations_of(row, known, j))) / len(logits)
            for k in (i for i, y in enumerate(known) if y == 0 and 1 - row[j] + row[i] > 0):
                expected[photo, j] -= weight
                expected[photo, k] += weight
    assert_close(gradient, expected)


@pytest.mark.parametrize("trials", [None, 2])
def test_sampled_warp_averages_to_all_orders_of_the_absent_labels(trials):
    logits = torch.tensor([[2.0, 3.0, 1.5, 0.5, 0.0, 9.0]], dtype=torch.double)
    targets = torch.tensor([[1, 0, 0, 0, 0, -1]])
    costs = []
    for order in itertools.permutations(logits[0, 1:5].tolist()):
        s, violation = next((s, f - 1) for s, f in enumerate(order, 1) if f > 1)
        costs.append(0 if trials and s > trials else harmonic(4 // s) * violation)
    many = 40_000
    loss = ranking_loss(logits.expand(many, 6), targets.expand(many, 6), "sampled", trials=trials)
    assert loss.item() == pytest.approx(sum(costs) / len(costs), rel=0.02)


def test_one_sample_moves_one_pair(generator):
    known = [1, 0, 0, 0, 0, -1]
    logits = torch.randn(50, 6, generator=generator, dtype=torch.double)
    _, gradient = value_and_slope("sampled", logits, torch.tensor([known]).expand(50, 6))
    for row, slope in zip(logits.tolist(), gradient.tolist(), strict=True):
        moved = [i for i, g in enumerate(slope) if g]
        assert len(moved) == (2 if violations_of(row, known, 0) else 0)
        if moved:
            assert moved[0] == 0
            assert slope[0] == -slope[moved[1]]
            assert 1 - row[0] + row[moved[1]] > 0


@pytest.mark.parametrize("ranking", ["exact", "sampled", "hinge"])
def test_a_photo_ranked_by_the_margin_costs_nothing(ranking):
    logits = torch.tensor([[3.0, 2.5, 1.5, 0.0, 7.0]])
    loss, slope = value_and_slope(ranking, logits, torch.tensor([[1, 1, 0, 0, -1]]))
    assert loss == 0
    assert not slope.any()


def test_the_softmax_is_cross_entropy_against_equal_shares(logits):
    targets = torch.tensor([[1, 0, 1, 0, 0], [0, 0, 0, 1, 0], [1, 1, 1, 0, 0], [0, 1, 0, 0, 0]])
    shares = targets.double() / targets.sum(1, keepdim=True)
    assert_close(ranking_loss(logits, targets, "softmax"), F.cross_entropy(logits, shares))


@pytest.fixture
def maps(generator) -> Tensor:
    return torch.randn(2, 2, 3, 4, 5, generator=generator, dtype=torch.double)


def test_map_consistency_by_hand():
    # One photo and one label; the maps differ by 3 and 4 in two of four cells.
    maps = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]], dtype=torch.double)
    others = torch.tensor([[[[1.0, 5.0], [3.0, 0.0]]]], dtype=torch.double)
    # Squares 9 and 16 over 4 cells; their norm is 5. The eight values 1 2 3 4 1 5 3 0 have mean
    # 19/8 and sum of squares 65, hence variance (65 - 19 * 19 / 8) / 7.
    variance = (65 - 19 * 19 / 8) / 7
    expected = {"squared": 25 / 4, "norm": 5 / 4, "relative": 25 / 4 / variance}
    measured = {error: map_consistency(maps, others, error).item() for error in expected}
    assert measured == pytest.approx(expected)


def test_the_norm_is_equation_12(maps):
    norms = [math.hypot(*row.tolist()) for row in (maps[0] - maps[1]).flatten(0, 1).flatten(1)]
    expected = sum(norms) / (3 * 4 * 5) / 2  # over L h w, and the mean over photos
    assert map_consistency(*maps, "norm").item() == pytest.approx(expected)


@pytest.mark.parametrize(("error", "power"), [("squared", 2), ("norm", 1), ("relative", 0)])
def test_a_distance_is_symmetric_ignores_biases_and_scales_with_the_unit(maps, error, power):
    distance = map_consistency(*maps, error)
    assert_close(map_consistency(*maps.flip(0), error), distance)
    bias = torch.tensor([1.0, -20.0, 300.0], dtype=torch.double)[:, None, None]
    assert_close(map_consistency(*(maps + bias), error), distance)
    assert_close(map_consistency(*(10 * maps), error), distance * 10**power)


@pytest.mark.parametrize("error", ["squared", "norm", "relative"])
def test_only_a_relative_error_is_not_lowered_by_flattening_all_maps(maps, error):
    maps.requires_grad_()
    map_consistency(*maps, error).backward()
    towards_flat = (maps.grad * maps.detach()).sum()
    assert maps.grad.any()
    if error == "relative":
        assert_close(towards_flat, torch.zeros_like(towards_flat))
    else:
        assert towards_flat > 0


@pytest.mark.parametrize("error", ["squared", "norm", "relative"])
@pytest.mark.parametrize("flat", [False, True])
def test_equal_maps_have_no_distance_and_no_gradient(maps, error, flat):
    one = (maps[0] * (not flat)).requires_grad_()
    distance = map_consistency(one, one.detach().clone(), error)
    distance.backward()
    assert distance == 0
    assert not one.grad.any()


def test_the_mean_over_one_label_is_its_own_loss():
    logits = torch.tensor([[2.0, -1.0, 5.0]], dtype=torch.double)
    targets = torch.tensor([[1, -1, -1]])
    loss = label_loss(logits, targets, reduction="mean")
    assert loss.item() == pytest.approx(math.log1p(math.exp(-2)))
    # The absent label at 1.5 is half a unit too near to the present one at 2.
    targets, logits = torch.tensor([[1, 0]]), torch.tensor([[2.0, 1.5]])
    assert ranking_loss(logits, targets, reduction="mean").item() == pytest.approx(0.5)


def test_a_relative_error_knows_maps_of_a_hundredth(maps):
    once, small = (map_consistency(k * maps[0], k * maps[1], "relative") for k in (1, 0.01))
    assert_close(small, once)
