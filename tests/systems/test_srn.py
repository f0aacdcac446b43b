import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tiny import drawn, exact_photos, tiny_system
from torch.testing import assert_close

from tagsight.config import BackboneConfig
from tagsight.nn.class_activation import class_maps
from tagsight.systems.gradcam import grad_cam
from tagsight.systems.srn import Attended, Regularisation, SRNConfig

STAGES = {
    "main": {"backbone", "classifier"},
    "attention": {"attend", "confidence"},
    "regularisation": {"regularise"},
    "together": {"backbone", "classifier", "attend", "confidence", "regularise"},
}


def array(parameter):
    return parameter.detach().numpy()


def rectified(numbers):
    return np.maximum(numbers, 0)


def shared(maps):
    """Softmax over the cells of each label's map."""
    shares = np.exp(maps - maps.max((-2, -1), keepdims=True))
    return shares / shares.sum((-2, -1), keepdims=True)


def test_logits_and_maps_are_a_transcription_in_numpy():
    system = tiny_system("srn").double().eval()
    images, _ = exact_photos(3)
    features = system.backbone(images).detach()
    x = features.numpy()
    first, third = system.attend[0], system.attend[4]
    hidden = np.einsum("bchw,dc->bdhw", x, array(first.weight)[..., 0, 0])
    hidden = rectified(hidden + array(first.bias)[:, None, None])
    hidden = rectified(system.attend[2](torch.from_numpy(hidden)).detach().numpy())
    attention = shared(np.einsum("bchw,lc->blhw", hidden, array(third.weight)[..., 0, 0]))
    confidence = np.einsum("bchw,lc->blhw", x, array(system.confidence.weight)[..., 0, 0])
    confidence += array(system.confidence.bias)[:, None, None]

    net = system.regularise
    weighted = attention / (1 + np.exp(-confidence)) * 16
    u = np.einsum("blhw,ld->bdhw", weighted, array(net.mixing))
    u = rectified(u + array(net.mixing_bias)[:, None, None])
    u = np.einsum("bchw,dc->bdhw", u, array(net.second.weight)[..., 0, 0])
    u = rectified(u + array(net.second.bias)[:, None, None])
    convolved = F.conv2d(torch.from_numpy(u), net.full_size.flatten(0, 1)[:, None], groups=32)
    u = rectified(convolved.detach().flatten(1).numpy() + array(net.full_size_bias))
    regularised = u @ array(net.classifier.weight).T + array(net.classifier.bias)
    main = x.mean((-2, -1)) @ array(system.classifier.weight).T + array(system.classifier.bias)

    answer = system(images)
    assert_close(answer.logits, torch.from_numpy(main / 2 + regularised / 2))
    assert_close(answer.maps, torch.from_numpy(16 * attention * confidence))
    assert_close(answer.embedding, features.mean((-2, -1)))


def test_attention_of_another_grid_is_resized_and_keeps_its_scale():
    net = Regularisation(SRNConfig(channels=8, grid=4), labels=3)
    even = [Attended(torch.full((1, 3, n, n), 1 / n**2), torch.zeros(1, 3, n, n)) for n in (4, 6)]
    assert_close(net(even[0]), net(even[1]))


@pytest.mark.parametrize("stage", STAGES)
def test_each_stage_has_a_loss_of_its_own_and_what_rests_gets_no_gradient(stage):
    system, progress = tiny_system("srn").eval(), list(STAGES).index(stage) / 4
    images, targets = drawn(4)
    middle, last = system.backbone.grids(images)
    attended = system._attended(middle)
    assert_close(attended.maps.mean((-2, -1)), attended.logits)
    by_hand = {
        "main": {"labels": system.classifier(last.mean((-2, -1)))},
        "attention": {"labels": attended.logits},
        "regularisation": {"labels": system.regularise(attended)},
        "together": {"labels": system(images).logits, "attention": attended.logits},
    }
    expected = {k: system.label_loss(logits, targets) for k, logits in by_hand[stage].items()}
    terms = system.losses(images, targets, progress)
    assert_close(terms, expected)
    sum(terms.values()).backward()
    got = {name.split(".")[0] for name, p in system.named_parameters() if p.grad is not None}
    assert got == STAGES[stage]


def test_a_quarter_of_the_training_is_for_each_stage_unless_some_are_left_out():
    found = [tiny_system("srn").stage(progress) for progress in (0, 0.24, 0.25, 0.5, 0.75, 1)]
    assert found == ["main", "main", "attention", "regularisation", "together", "together"]
    short = tiny_system("srn", attention_from=0, regularisation_from=0, together_from=0)
    assert short.stage(0.0) == "together"
    with pytest.raises(ValueError, match=r"fractions in ascending order, got \(0\.5, 0\.4, 0\.9\)"):
        SRNConfig(attention_from=0.5, regularisation_from=0.4, together_from=0.9)


def test_maps_have_cells_half_as_wide_as_the_last_grid():
    backbone = BackboneConfig(name="test_resnet", weights="none", frozen_stages=2)
    system = tiny_system("srn", backbone=backbone).eval()
    answer = system(torch.rand(2, 3, 64, 96))
    assert answer.maps.shape == (2, 5, 4, 6)
    assert answer.embedding.shape == (2, 96)


def test_grad_cam_explains_the_share_of_the_main_network():
    system = tiny_system("srn", alpha=0.3).eval()
    images, _ = drawn(3)
    with torch.no_grad():
        maps = class_maps(system.backbone(images), system.classifier.weight)
    assert_close(grad_cam(system, images, range(5)), F.relu(0.3 * maps) / 16)
