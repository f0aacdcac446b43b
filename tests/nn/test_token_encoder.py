"""The contract of an encoder, over families of timm with random weights."""

from typing import Any

import pytest
import timm
import torch
from encoder_families import FAMILIES, SMALL, SPLIT
from torch import Tensor, nn
from torch.testing import assert_close

from tagsight.config import BackboneConfig
from tagsight.errors import DataError
from tagsight.nn.backbones import build_backbone
from tagsight.nn.encoder_base import Backbone
from tagsight.nn.encoder_weights import timm_model
from tagsight.nn.token_encoder import with_rows, without_rows
from tagsight.nn.views import ORIGINAL, FrozenFeatures

UNLIKE = ("small_cait", "small_xcit")
"""Families whose class token joins after the blocks, so that timm's own outputs have no grid."""


def config(name: str, frozen: int = 0) -> BackboneConfig:
    return BackboneConfig(
        name=name,
        weights="none",
        frozen_stages=frozen,
        freeze_depthwise=False,
        freeze_batch_norm=False,
    )


def seeded(name: str, frozen: int = 0) -> Backbone:
    """The same weights for every number of frozen stages."""
    torch.manual_seed(0)
    return build_backbone(config(name, frozen)).eval()


def images_for(backbone: Backbone, count: int = 2) -> Tensor:
    """Photos of three by four cells, or of the encoder's only size."""
    cells = (3, 4) if backbone.only_side is None else (backbone.only_side // backbone.stride,) * 2
    generator = torch.Generator().manual_seed(1)
    return torch.rand(count, 3, *(backbone.stride * side for side in cells), generator=generator)


def timm_grid(network: Any, normalised: Tensor, stride: int) -> Tensor:
    """The grid as timm's own outputs give it, arranged by hand."""
    features = network.forward_features(normalised)
    height, width = (side // stride for side in normalised.shape[-2:])
    if features.ndim == 4:
        last = features.shape[-1] == network.num_features and features.shape[1] == height
        return features.permute(0, 3, 1, 2) if last else features
    tokens = getattr(network, "fc_norm", nn.Identity())(features)
    count = getattr(network, "num_prefix_tokens", 0)
    cells = tokens[:, count:].reshape(-1, height, width, tokens.shape[-1])
    if count and getattr(network, "cls_token", None) is not None:
        cells = cells + tokens[:, None, None, 0]
    return cells.permute(0, 3, 1, 2)


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_has_the_grid_of_timm_split_or_not_and_trains_in_bfloat16_too(name):
    whole, split = seeded(name), SPLIT.get(name, 1)
    images = images_for(whole)
    with torch.no_grad():
        grid = whole(images)
        if not name.startswith(UNLIKE):
            torch.manual_seed(0)
            normalised = (images - whole.mean) / whole.std
            expected = timm_grid(timm_model(name).eval(), normalised, whole.stride)
            assert_close(grid, expected, rtol=1e-3, atol=1e-4)
        if split:
            parts = seeded(name, split)
            frozen = parts.to_frozen(images)
            kept = frozen.movedim(1, -1).contiguous().movedim(-1, 1)  # as the cache stores them
            assert not any(p.requires_grad for p in parts.frozen.parameters())
            assert_close(parts(FrozenFeatures({ORIGINAL: kept})), grid, rtol=1e-4, atol=1e-5)
            assert_close(parts.grids(images), whole.grids(images), rtol=1e-4, atol=1e-5)
        with torch.autocast("cpu", torch.bfloat16):
            assert whole(images).isfinite().all()
    assert grid.shape[1] == whole.channels
    whole.train()(images).square().mean().backward()
    without = [key for key, p in whole.named_parameters() if p.grad is None]
    assert all("head" in key for key in without)  # some of timm's grids end before their head
    assert all(p.grad.isfinite().all() for p in whole.parameters() if p.grad is not None)


@pytest.mark.parametrize("name", [SMALL["vit_small_patch14_reg4_dinov2"], "test_vit3"])
def test_a_class_token_adds_the_same_to_every_cell(name):
    backbone = seeded(name)
    images = images_for(backbone)
    with torch.no_grad():
        network = backbone.network
        (found,) = network.forward_intermediates(
            (images - backbone.mean) / backbone.std,
            indices=1,
            norm=True,
            intermediates_only=True,
        )
        added = backbone(images) - found
    assert_close(added, added[:, :, :1, :1].expand_as(added), rtol=1e-4, atol=1e-5)
    assert bool(added.abs().max() > 1e-3) == (network.cls_token is not None)


def test_registers_and_class_tokens_travel_above_the_grid():
    prefix, grid = torch.rand(2, 5, 6), torch.rand(2, 6, 3, 4)
    features = with_rows(prefix, grid)
    assert features.shape == (2, 6, 5, 4)
    assert_close(without_rows(features, 5), (prefix, grid), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("name", "mean"),
    [
        ("vit_base_patch16_clip_224.openai", 0.48145466),
        ("vit_base_patch16_siglip_224.webli", 0.5),
        ("vit_small_patch14_dinov2.lvd142m", 0.485),
    ],
)
def test_normalisation_follows_the_pretrained_weights(name, mean):
    assert timm.models.get_pretrained_cfg(name).mean[0] == pytest.approx(mean)
    assert timm.create_model("test_vit").pretrained_cfg["mean"] == (0.5, 0.5, 0.5)
    assert_close(seeded("test_vit").mean.flatten(), torch.full((3,), 0.5))


def test_an_encoder_of_one_size_refuses_others():
    backbone = seeded("test_coatnet")
    with pytest.raises(
        DataError, match=r"160 x 160 pixels, the only size .* 'test_coatnet' .* 96 x 64"
    ):
        backbone(torch.rand(1, 3, 64, 96))
