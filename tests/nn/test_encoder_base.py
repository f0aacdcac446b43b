import pytest
import torch
from tiny import drawn, tiny_system

from tagsight.config import BackboneConfig

TRANSFORMER = BackboneConfig(name="test_vit", weights="none", frozen_stages=1)
CONVOLUTIONAL = TRANSFORMER.model_copy(update={"name": "test_resnet"})
ENCODERS = {
    "transformer": TRANSFORMER,
    "middle": CONVOLUTIONAL.model_copy(update={"grid": "middle"}),
    "fused": CONVOLUTIONAL.model_copy(update={"grid": "fused"}),
    "dilated": CONVOLUTIONAL.model_copy(update={"output_stride": 16}),
}
"""Encoders with cells of 16 pixels."""


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("name", ["gcam", "srn", "query2label"])
def test_systems_learn_on_every_kind_of_grid(name, encoder):
    """With views; with the middle grid besides the last one; with places of cells."""
    torch.manual_seed(0)
    system = tiny_system(name, backbone=ENCODERS[encoder]).train()
    _, targets = drawn(2)
    images = torch.rand(2, 3, 96, 96, generator=torch.Generator().manual_seed(2))
    sum(system.losses(images, targets).values()).backward()
    learned = [p for p in system.backbone.network.parameters() if p.grad is not None]
    assert learned
    assert all(p.grad.isfinite().all() for p in learned)
    recognition = system.eval()(images)
    finer = name == "srn" and encoder == "dilated"  # its maps have the middle grid, half the stride
    assert recognition.maps.shape[-2:] == ((12, 12) if finer else (6, 6))
    if system.maps_add_up:
        assert torch.allclose(recognition.maps.mean((-2, -1)), recognition.logits, atol=1e-4)
