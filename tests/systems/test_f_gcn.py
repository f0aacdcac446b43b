import numpy as np
import pytest
import torch
from tiny import exact_photos, rates, tiny_system
from torch.testing import assert_close

from tagsight.systems.catalogue import SYSTEMS

FUSIONS = [
    {"width": 12},
    {"width": 12, "sums": 3, "bias": True},
    {"width": 12, "signed_root": True},
    {"width": 12, "sums": 4, "unit_length": True},
    {"width": 12, "sums": 6, "signed_root": True, "unit_length": True, "bias": True},
]


def f_gcn(**settings):
    graph = {"hidden": 32, "epsilon": 0.3, "bias": True}
    system = tiny_system("f-gcn", **{"graph": graph, "fusion": {"width": 12}} | settings).double()
    if system.sum_weights is not None:
        system.sum_weights.data.uniform_(generator=torch.Generator().manual_seed(3))
    return system.eval()


def projected(layer, vector):
    shift = 0 if layer.bias is None else layer.bias.detach().numpy()
    return layer.weight.detach().numpy() @ vector + shift


def fused_by_loops(system, vector):
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


@pytest.mark.parametrize("fusion", FUSIONS, ids=str)
def test_logits_and_maps_are_a_transcription_with_loops(fusion):
    system = f_gcn(fusion=fusion, pooling="average")
    images, _ = exact_photos(2)
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
def test_losses_see_the_logits_of_the_whole_with_next_to_no_dropout(fusion):
    losses = []
    for dropout in (0.0, 1e-9):
        torch.manual_seed(1)
        losses.append(f_gcn(fusion=fusion, dropout=dropout).losses(*exact_photos(4))["labels"])
    assert_close(*losses)


def test_projections_may_stay_random_as_in_that_code():
    system = tiny_system("f-gcn", fusion={"width": 12, "freeze_projections": True})
    assert not rates(system, system.of_photo.weight, system.of_label.weight)


def test_a_root_has_a_finite_slope_where_a_sum_is_0():
    system = f_gcn(fusion={"width": 12, "signed_root": True})
    torch.nn.init.zeros_(system.of_photo.weight)
    system.losses(*exact_photos(2))["labels"].backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in system.parameters())


@pytest.mark.parametrize(
    ("fusion", "message"),
    [
        ({"width": 12, "sums": 5}, "fusion.sums: expected a divisor of fusion.width 12, got 5"),
        ({"unit_length": True}, "fusion.sums: expected more than 1 with fusion.unit_length"),
    ],
)
def test_sums_that_make_no_sense_are_refused(fusion, message):
    with pytest.raises(ValueError, match=message):
        SYSTEMS["f-gcn"].Config.model_validate({"fusion": fusion})
