import copy

import pytest
import torch
from encoder_families import SMALL
from timm.models.eva import EvaAttention
from torch import nn
from torch.nn.utils.parametrize import is_parametrized, remove_parametrizations
from torch.testing import assert_close

from tagsight.config import BackboneConfig, LowRankConfig
from tagsight.errors import DataError
from tagsight.nn.backbones import build_backbone
from tagsight.nn.encoder_base import Backbone
from tagsight.nn.low_rank import LowRank, add_low_rank


def adapted(name: str, rank: int, frozen: int = 1) -> Backbone:
    torch.manual_seed(0)
    lora = LowRankConfig(rank=rank, alpha=8)
    return build_backbone(
        BackboneConfig(name=name, weights="none", frozen_stages=frozen, lora=lora)
    ).eval()


def images_for(backbone: Backbone) -> torch.Tensor:
    side = 2 * backbone.stride
    return torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    "name", ["vit_small_patch14_dinov2", "eva02_tiny_patch14_224", "swin_tiny_patch4_window7_224"]
)
def test_low_rank_updates_begin_at_the_base_learn_alone_and_can_be_merged(name):
    base, backbone = adapted(SMALL[name], 0), adapted(SMALL[name], 2)
    images = images_for(base)
    with torch.no_grad():
        assert_close(backbone(images), base(images), rtol=0, atol=0)
    backbone(images).square().sum().backward()
    trained = {key for key, p in backbone.named_parameters() if p.requires_grad}
    assert trained == {key for key, p in backbone.named_parameters() if p.grad is not None}
    assert all(key.endswith((".up", ".down")) for key in trained)
    updates = [module for module in backbone.modules() if isinstance(module, LowRank)]
    blocks = len(backbone.layers())
    assert len(trained) == 2 * len(updates) == 2 * 2 * blocks

    with torch.no_grad():
        for update in updates:
            update.up.normal_()
        learned = backbone(images)
        assert not torch.allclose(learned, base(images), atol=1e-2)
        merged = copy.deepcopy(backbone)
        for layer in [*filter(is_parametrized, merged.modules())]:
            remove_parametrizations(layer, "weight", leave_parametrized=True)
        assert merged.state_dict().keys() == base.state_dict().keys()
        base.load_state_dict(merged.state_dict())
        assert_close(base(images), learned, rtol=1e-4, atol=1e-5)


def test_separate_queries_keys_and_values_are_updated_each():
    attention = EvaAttention(48, num_heads=3, qkv_fused=False, norm_layer=nn.LayerNorm)
    add_low_rank(attention, LowRankConfig(rank=2), "eva")
    updated = {
        name.partition(".")[0] for name, p in attention.named_parameters() if p.requires_grad
    }
    assert updated == {"q_proj", "k_proj", "v_proj", "proj"}


def test_an_encoder_without_attention_has_no_low_rank_updates():
    with pytest.raises(DataError, match=r"lora\.rank=0` for 'test_resnet', which has no attention"):
        adapted("test_resnet", 4)
