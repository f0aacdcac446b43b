import pytest
import torch
import torchvision
from tiny import TINY, drawn, label_space, tiny_system
from torch.testing import assert_close

from tagsight.systems.catalogue import SYSTEMS


def test_with_average_pooling_it_is_torchvisions_resnet():
    """The same weights give the same logits; torchvision's have the names of timm's."""
    reference = torchvision.models.resnet18(weights=None, num_classes=5).eval()
    backbone = TINY.model_copy(update={"name": "resnet18"})
    config = SYSTEMS["resnet"].Config(backbone=backbone)
    system = SYSTEMS["resnet"](config, label_space()).eval()
    weights = reference.state_dict()
    classifier = {key: weights.pop(f"fc.{key}") for key in ("weight", "bias")}
    system.backbone.network.load_state_dict(weights)
    system.classifier.load_state_dict(classifier)
    images = torch.rand(2, 3, 64, 64)
    normalised = (images - system.backbone.mean) / system.backbone.std
    with torch.no_grad():
        assert_close(system(images).logits, reference(normalised), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("reduction", "factor"), [("sum", 5), ("mean", 1)])
def test_the_label_loss_is_torchs_binary_cross_entropy_summed_over_labels(reduction, factor):
    system = tiny_system("resnet", label_reduction=reduction)
    images, targets = drawn(4)
    logits = system(images).logits
    expected = torch.nn.functional.binary_cross_entropy_with_logits(logits, targets.float())
    assert_close(system.losses(images, targets), {"labels": factor * expected})


def test_the_bias_stands_in_every_cell_of_a_map():
    system = tiny_system("resnet").eval()
    images = drawn(2)[0]
    before = system(images).maps
    with torch.no_grad():
        system.classifier.bias += torch.arange(5.0)
    assert_close(system(images).maps - before, torch.arange(5.0)[:, None, None].expand_as(before))
