import copy

import pytest
import timm
import torch
from torch import nn
from torch.nn.utils import parametrize
from torch.testing import assert_close

from tagsight.config import BackboneConfig
from tagsight.nn.backbones import build_backbone
from tagsight.nn.folding import PAIRS, fold_norms, multiply_out


def network(name: str = "test_efficientnet") -> nn.Module:
    """An encoder whose batch norms have seen something, in double precision."""
    made = timm.create_model(name, num_classes=0).double()
    for module in made.modules():
        if isinstance(module, nn.BatchNorm2d):
            for values in (module.weight.data, module.bias.data, module.running_mean):
                values.normal_()
            module.running_var.uniform_(0.5, 2)
    return made.eval()


@pytest.mark.parametrize("name", ["test_efficientnet", "mobilenetv2_050"])
def test_a_folded_network_computes_what_it_did(name):
    plain = network(name)
    folded = copy.deepcopy(plain)
    fold_norms(folded)
    images = torch.rand(2, 3, 64, 64, dtype=torch.float64)
    assert_close(folded.forward_features(images), plain.forward_features(images))
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())


def test_the_weights_that_are_trained_and_their_gradients_are_the_same():
    plain = network()
    folded = copy.deepcopy(plain)
    fold_norms(folded)
    images = torch.rand(2, 3, 64, 64, dtype=torch.float64)
    for each in (plain, folded):
        each.forward_features(images).square().mean().backward()
    for name, module in plain.named_modules():
        if isinstance(module, nn.Conv2d) and module.bias is None:
            twin = folded.get_submodule(name).parametrizations.weight.original
            assert_close(twin, module.weight)
            assert_close(twin.grad, module.weight.grad)


def test_what_is_frozen_is_multiplied_out_and_stays_frozen():
    folded = network("tf_efficientnet_lite0")
    fold_norms(folded)
    images = torch.rand(2, 3, 64, 64, dtype=torch.float64)
    before = folded.forward_features(images)
    folded.blocks[0].requires_grad_(requires_grad=False)
    multiply_out(folded)
    assert_close(folded.forward_features(images), before, rtol=0, atol=0)
    frozen = {module for module in folded.blocks[0].modules() if isinstance(module, nn.Conv2d)}
    for module in folded.modules():
        if isinstance(module, nn.Conv2d) and module.bias is not None:
            learns = module not in frozen
            assert parametrize.is_parametrized(module) == learns
            assert module.weight.requires_grad == learns
            assert not module.bias.requires_grad


def test_norms_of_other_networks_stay_as_they_are():
    plain = network("test_resnet")
    folded = copy.deepcopy(plain)
    fold_norms(folded)
    assert_close(folded.state_dict(), plain.state_dict())


@pytest.mark.parametrize("frozen", [True, False])
def test_just_frozen_batch_norm_is_folded(frozen):
    backbone = build_backbone(BackboneConfig(freeze_batch_norm=frozen))
    norms = [module for module in backbone.modules() if isinstance(module, nn.BatchNorm2d)]
    assert bool(norms) != frozen
    # Nothing but the pointwise convolutions of the last stages learns: these alone are factored.
    factored = [m for m in backbone.modules() if parametrize.is_parametrized(m, "weight")]
    assert all(module.kernel_size == (1, 1) for module in factored)
    assert bool(factored) == frozen


def test_the_pairs_are_names_that_the_encoder_has():
    names = ("tf_efficientnet_lite0", "test_efficientnet")
    found = {type(m).__name__: m for name in names for m in network(name).modules()}
    for kind, pairs in PAIRS.items():
        for pair in pairs:
            assert all(hasattr(found[kind], name) for name in pair)
