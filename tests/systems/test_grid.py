"""Residual attention, which systems with linear classifiers on a grid have in common."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError
from tiny import drawn, tiny_system
from torch.testing import assert_close

from tagsight.systems.catalogue import SYSTEMS

SYSTEMS_WITH_CELLS = ["resnet", "ml-gcn", "a-gcn", "vac", "gcam", "warp"]


@pytest.mark.parametrize("name", SYSTEMS_WITH_CELLS)
def test_residual_attention_adds_the_best_cell_to_the_logit_and_maps_add_up_as_before(name):
    """The bias has no part in the best cell, so that it counts once."""
    system = tiny_system(name).double().eval()
    images = drawn(2)[0].double()
    with torch.no_grad():
        before = system(images)
        bias = system.classifiers()[1]
        system.config = system.config.model_copy(update={"residual_attention": 0.5})
        after = system(images)
    best = before.maps.amax((-2, -1)) - (0 if bias is None else bias)
    assert_close(after.logits, before.logits + 0.5 * best)
    assert_close((after.maps - before.maps).mean((-2, -1)), 0.5 * best)


@pytest.mark.parametrize("name", SYSTEMS_WITH_CELLS)
def test_with_residual_attention_padding_is_as_if_it_were_not_there(name):
    settings = {"residual_attention": 0.5, "pooling": "average"}
    system = tiny_system(name, **settings).double().eval()
    wide = drawn(2)[0].double()[..., 8:24, :]
    square = torch.zeros(2, 4, 32, 32, dtype=torch.double)
    square[:, :3, 8:24], square[:, 3, 8:24] = wide, 1
    with torch.no_grad():
        alone, seen = system(wide), system(square)
    assert_close(seen.logits, alone.logits)
    assert_close(seen.maps[..., 1:3, :], alone.maps)
    assert_close(seen.maps.mean((-2, -1)), seen.logits)


@pytest.mark.parametrize("name", ["vac", "gcam"])
def test_the_label_loss_of_all_views_has_residual_attention(name):
    """A view is a whole photo here, so that its label loss is that of the logits in use."""
    settings = {"residual_attention": 0.5, "pooling": "average"}
    consistency = {"transforms": ("flip",), "weight": 0.5}
    system = tiny_system(name, **settings, consistency=consistency).eval()
    images, targets = drawn(4)
    views = [system(images), system(images.flip(-1))]
    expected = sum(system.label_loss(seen.logits, targets) for seen in views) / len(views)
    assert_close(system.losses(images, targets)["labels"], 0.5 * expected)


def test_a_fusion_that_is_not_linear_refuses_it():
    with pytest.raises(ValidationError, match="residual_attention: expected 0 for F-GCN"):
        SYSTEMS["f-gcn"].Config(residual_attention=0.5)
