from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from tagsight.losses import label_loss, map_consistency, vac_label_weights

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
