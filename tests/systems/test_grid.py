"""Attention and smoothing, which systems with linear classifiers on a grid have in common."""

import pytest
import torch
from pydantic import ValidationError
from tiny import drawn, tiny_system
from torch.nn.functional import pad
from torch.testing import assert_close

from tagsight.systems.catalogue import SYSTEMS

SYSTEMS_WITH_CELLS = ["resnet", "ml-gcn", "a-gcn", "vac", "gcam", "warp"]


@pytest.mark.parametrize("smoothing", [1, 3])
@pytest.mark.parametrize("name", SYSTEMS_WITH_CELLS)
def test_residual_attention_adds_the_best_cell_to_the_logit_and_maps_add_up_as_before(
    name, smoothing
):
    """The bias has no part in the best cell, so that it counts once."""
    system = tiny_system(name, map_smoothing=smoothing).double().eval()
    images = drawn(2)[0].double()
    with torch.no_grad():
        before = system(images)
        bias = system.classifiers()[1]
        system.config = system.config.model_copy(update={"residual_attention": 0.5})
        after = system(images)
    best = before.maps.amax((-2, -1)) - (0 if bias is None else bias)
    assert_close(after.logits, before.logits + 0.5 * best)
    assert_close((after.maps - before.maps).mean((-2, -1)), 0.5 * best)


@pytest.mark.parametrize("name", [*SYSTEMS_WITH_CELLS, "csra"])
def test_smoothing_averages_maps_with_their_neighbours_and_keeps_logits_without_attention(name):
    attention = "attention" if name == "csra" else "residual_attention"
    system = tiny_system(name, **{attention: 0.0}).double().eval()
    images = drawn(2)[0].double()
    with torch.no_grad():
        before = system(images)
        system.config = system.config.model_copy(update={"map_smoothing": 3})
        after = system(images)
    assert_close(after.logits, before.logits)
    around = pad(before.maps, (1, 1, 1, 1), value=torch.nan).unfold(2, 3, 1).unfold(3, 3, 1)
    around = around.where(~around.isnan(), before.maps[..., None, None])
    assert_close(after.maps, around.mean((-2, -1)))


@pytest.mark.parametrize("smoothing", [1, 3])
@pytest.mark.parametrize("name", [*SYSTEMS_WITH_CELLS, "csra"])
def test_with_attention_and_smoothing_padding_is_as_if_it_were_not_there(name, smoothing):
    attention = "attention" if name == "csra" else "residual_attention"
    settings = {attention: 0.5, "pooling": "average", "map_smoothing": smoothing}
    system = tiny_system(name, **settings).double().eval()
    wide = drawn(2)[0].double()[..., 8:24, :]
    square = torch.zeros(2, 4, 32, 32, dtype=torch.double)
    square[:, :3, 8:24], square[:, 3, 8:24] = wide, 1
    with torch.no_grad():
        alone, seen = system(wide), system(square)
    assert_close(seen.logits, alone.logits)
    assert_close(seen.maps[..., 1:3, :], alone.maps)
    assert_close(seen.maps.mean((-2, -1)), seen.logits)


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("name", ["vac", "gcam"])
def test_the_label_loss_of_all_views_is_that_of_the_logits_in_use(name, padded):
    """A view is a whole photo here."""
    settings = {"residual_attention": 0.5, "pooling": "average", "map_smoothing": 3}
    consistency = {"transforms": ("flip",), "weight": 0.5}
    system = tiny_system(name, **settings, consistency=consistency).eval()
    images, targets = drawn(4)
    if padded:
        opacity = torch.ones(4, 1, 32, 32)
        opacity[..., :16] = 0
        images = torch.cat([images * opacity, opacity], 1)
    views = [system(images), system(images.flip(-1))]
    expected = sum(system.label_loss(seen.logits, targets) for seen in views) / len(views)
    assert_close(system.losses(images, targets)["labels"], 0.5 * expected)


@pytest.mark.parametrize("side", [0, 2, 4])
def test_a_square_without_a_middle_is_refused(side):
    with pytest.raises(ValidationError, match="map_smoothing"):
        SYSTEMS["gcam"].Config(map_smoothing=side)


def test_a_fusion_that_is_not_linear_refuses_it():
    with pytest.raises(ValidationError, match="residual_attention: expected 0 for F-GCN"):
        SYSTEMS["f-gcn"].Config(residual_attention=0.5)
