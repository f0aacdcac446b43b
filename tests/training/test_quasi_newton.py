"""L-BFGS."""

import torch

from tagsight.training.quasi_newton import minimised


def test_the_minimum_of_a_logistic_loss_has_no_gradient():
    random = torch.Generator().manual_seed(0)
    inputs = torch.randn(80, 6, generator=random).double()
    present = (inputs[:, 0] + torch.randn(80, generator=random) > 0).double()
    asked = 0

    def loss(point: torch.Tensor) -> tuple[float, torch.Tensor]:
        nonlocal asked
        asked += 1
        logits = inputs @ point
        value = torch.nn.functional.softplus(logits) - present * logits
        gradient = inputs.T @ (logits.sigmoid() - present) + point
        return (value.sum() + point.square().sum() / 2).item(), gradient

    best = minimised(loss, torch.zeros(6).double(), steps=100, tolerance=1e-14)
    assert loss(best)[1].norm() < 1e-4
    assert asked < 40


def test_a_step_that_is_too_long_is_shortened():
    def steep(point: torch.Tensor) -> tuple[float, torch.Tensor]:
        return 50 * point.square().sum().item(), 100 * point

    assert minimised(steep, torch.ones(2), steps=20, tolerance=1e-9).abs().max() < 1e-3
