from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny import drawn, tiny_system
from torch.testing import assert_close

from tagsight.systems.base import System
from tagsight.systems.catalogue import SYSTEMS

FUSIONS = [
    {"width": 12},
    {"width": 12, "sums": 3, "bias": True},
    {"width": 12, "signed_root": True},
    {"width": 12, "sums": 4, "unit_length": True},
    {"width": 12, "sums": 6, "signed_root": True, "unit_length": True, "bias": True},
]
every_fusion = pytest.mark.parametrize("fusion", FUSIONS, ids=str)


def f_gcn(**settings: object) -> System:
    graph = {"hidden": 32, "epsilon": 0.3, "bias": True}
    system = tiny_system("f-gcn", **{"graph": graph, "fusion": {"width": 12}} | settings).double()
    if system.sum_weights is not None:
        generator = torch.Generator().manual_seed(3)
        drawn_weights = torch.rand(system.sum_weights.shape, generator=generator)
        system.sum_weights.data = drawn_weights.double()
    return system.eval()


def projected(layer: torch.nn.Linear, vector: np.ndarray) -> np.ndarray:
    shift = 0 if layer.bias is None else layer.bias.detach().numpy()
    return layer.weight.detach().numpy() @ vector + shift


def fused_by_loops(system: System, vector: np.ndarray) -> list[float]:
    """MFB of one feature vector with each label in turn."""
    fusion = system.config.fusion
    of_photo = projected(system.of_photo, vector)
    logits = []
    for label, classifier in enumerate(system.label_graph().detach().numpy()):
        products = of_photo * projected(system.of_label, classifier)
        size = fusion.width // fusion.sums
        sums = [products[s * size : (s + 1) * size].sum() for s in range(fusion.sums)]
        if fusion.signed_root:
            sums = [np.sign(value) * abs(value) ** 0.5 for value in sums]
        if fusion.unit_length:
            sums = list(np.array(sums) / np.linalg.norm(sums))
        if system.sum_weights is not None:
            sums = list(np.array(sums) * system.sum_weights[label].detach().numpy())
        logits.append(sum(sums) + system.bias[label].item())
    return logits


@every_fusion
def test_logits_and_maps_are_a_transcription_with_loops(fusion: dict):
    system = f_gcn(fusion=fusion, pooling="average")
    images = drawn(2)[0].double()
    features = system.backbone(images).detach().numpy()
    logits, maps, _ = system(images)
    expected = [fused_by_loops(system, vector) for vector in features.mean((2, 3))]
    assert_close(logits, torch.tensor(expected, dtype=torch.double), rtol=1e-5, atol=1e-5)
    linear = not {"signed_root", "unit_length"} & set(fusion)
    assert system.maps_add_up == linear == torch.allclose(maps.mean((-2, -1)), logits)
    cell = fused_by_loops(system, features[1, :, 2, 3])
    assert_close(maps[1, :, 2, 3], torch.tensor(cell, dtype=torch.double), rtol=1e-5, atol=1e-5)


def test_one_sum_is_the_product_with_w_i_transposed_w_c_m():
    system = f_gcn()
    expected = system.label_graph() @ system.of_label.weight.T @ system.of_photo.weight
    assert_close(system.classifiers()[0], expected)


@pytest.mark.parametrize("fusion", [FUSIONS[0], FUSIONS[-1]], ids=str)
def test_losses_see_the_logits_of_the_whole_with_next_to_no_dropout(fusion: dict):
    images, targets = drawn(4)
    losses = [
        f_gcn(fusion=fusion, dropout=dropout).losses(images.double(), targets)["labels"]
        for dropout in (0.0, 1e-9)
        if torch.manual_seed(1)
    ]
    assert_close(losses[0], losses[1])


def test_dropout_leaves_out_products_in_the_losses_and_nowhere_else():
    system = f_gcn(dropout=0.5)
    images, targets = drawn(4)
    images = images.double()
    assert torch.equal(system(images).logits, system(images).logits)
    first, second = (system.losses(images, targets)["labels"] for _ in range(2))
    assert first != second


def test_projections_may_stay_random_as_in_that_code():
    system = tiny_system("f-gcn", fusion={"width": 12, "freeze_projections": True})
    trained = {id(p) for group in system.parameter_groups(1e-3, 0.1) for p in group["params"]}
    assert not trained & {id(system.of_photo.weight), id(system.of_label.weight)}


def test_a_root_has_a_finite_slope_where_a_sum_is_0():
    system = f_gcn(fusion={"width": 12, "signed_root": True})
    torch.nn.init.zeros_(system.of_photo.weight)
    sum(
        system.losses(*(t.double() if t.is_floating_point() else t for t in drawn(2))).values()
    ).backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in system.parameters())


@pytest.mark.parametrize(
    ("fusion", "message"),
    [
        ({"width": 12, "sums": 5}, "fusion.sums: expected a divisor of fusion.width 12, got 5"),
        ({"unit_length": True}, "fusion.sums: expected more than 1 with fusion.unit_length"),
    ],
)
def test_sums_that_make_no_sense_are_refused(fusion: dict, message: str):
    with pytest.raises(ValueError, match=message):
        SYSTEMS["f-gcn"].Config.model_validate({"fusion": fusion})
