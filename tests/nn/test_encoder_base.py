from __future__ import annotations

import pytest
import torch
from tiny import drawn, tiny_system

from tagsight.config import BackboneConfig
from tagsight.systems.catalogue import SYSTEMS

TRANSFORMER = BackboneConfig(name="test_vit", weights="none", frozen_stages=1)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in SYSTEMS if not SYSTEMS[name].remembers])
def test_every_system_learns_on_a_vision_transformer(name: str):
    torch.manual_seed(0)
    system = tiny_system(name, backbone=TRANSFORMER).train()
    _, targets = drawn(4)
    images = torch.rand(4, 3, 96, 96, generator=torch.Generator().manual_seed(2))
    sum(system.losses(images, targets).values()).backward()
    learned = [p for p in system.backbone.network.parameters() if p.grad is not None]
    assert learned
    assert all(p.grad.isfinite().all() for p in learned)
    recognition = system.eval()(images)
    assert recognition.maps.shape[-2:] == (6, 6)
    if system.maps_add_up:
        assert torch.allclose(recognition.maps.mean((-2, -1)), recognition.logits, atol=1e-4)
