import threading

import pytest
import torch
import torch.nn.functional as F
from channels import GAIN, Channels
from tiny import drawn, label_space, tiny_system
from torch import nn
from torch.testing import assert_close

from tagsight.nn.class_activation import class_maps
from tagsight.systems.catalogue import SYSTEMS
from tagsight.systems.gradcam import grad_cam
from tagsight.systems.grid import GridSystem

ALL = range(len(label_space()))


def state_of(system):
    modules, parameters = list(system.modules()), list(system.parameters())
    return {
        "modes": [module.training for module in modules],
        "hooks": [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in modules],
        "trained": [parameter.requires_grad for parameter in parameters],
        "gradients": [parameter.grad for parameter in parameters],
        "weights": [tensor.clone() for tensor in system.state_dict().values()],
    }


@pytest.mark.parametrize("name", [n for n, kind in SYSTEMS.items() if issubclass(kind, GridSystem)])
def test_for_pooled_linear_classifiers_it_is_the_rectified_class_activation_map(name):
    system = tiny_system(name, pooling="average").eval()
    images, _ = drawn(3)
    with torch.no_grad():
        expected = F.relu(class_maps(system.backbone(images), system.classifiers()[0])) / (4 * 4)
    assert_close(grad_cam(system, images, ALL), expected)
    assert expected.max() > 0


def test_a_channel_is_weighed_by_its_mean_gradient_even_where_gradients_are_off():
    # Every logit is the mean of 40 times its own channel: a gradient of 40 / 64 in every cell.
    images, system = torch.rand(2, 3, 32, 32), Channels().eval()
    expected = GAIN / 64 * system.backbone(images)[:, [2, 0]]
    assert_close(grad_cam(system, images, [2, 0]), expected)
    with torch.inference_mode():
        assert_close(grad_cam(system, images * 1, [2, 0]), expected)
    assert grad_cam(system, images, []).shape == (2, 0, 8, 8)


@pytest.mark.parametrize("training", [True, False])
def test_it_leaves_no_trace(training):
    system = tiny_system("gcam").train(training)
    system.backbone.eval()
    system.backbone.network.requires_grad_(requires_grad=False)
    before = state_of(system)
    assert not grad_cam(system, drawn(2)[0], ALL).requires_grad
    assert torch.is_grad_enabled()
    assert_close(state_of(system), before)


@pytest.mark.parametrize(("channels", "label"), [(3, 99), (2, 0)], ids=["in the head", "before"])
def test_it_leaves_no_trace_after_an_error(channels, label):
    system = tiny_system("gcam").train()
    before = state_of(system)
    with torch.no_grad():
        with pytest.raises((IndexError, RuntimeError)):
            grad_cam(system, torch.rand(2, channels, 32, 32), [label])
        assert not torch.is_grad_enabled()
    assert_close(state_of(system), before)


class CountingChannels(Channels):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Conv2d(3, 3, 4, stride=4)
        self.graphs, self.backwards = [], []
        self.backbone.register_forward_hook(lambda *call: self.graphs.append(call[2].requires_grad))

    def forward(self, images):
        recognition = super().forward(images)
        recognition.logits.register_hook(self.backwards.append)
        return recognition


def test_it_takes_one_backward_a_label_and_no_graph_of_the_backbone():
    system = CountingChannels()
    grad_cam(system, torch.rand(4, 3, 32, 32), [0, 2])
    assert len(system.backwards) == 2
    assert system.graphs == [False]


class ChannelsInCompany(Channels):
    """Is used by another thread while it is explained."""

    elsewhere = ()

    def forward(self, images):
        def work():
            with torch.inference_mode():
                logits = Channels.forward(self, images).logits
            Channels.forward(self, images)
            self.elsewhere = (logits, torch.is_grad_enabled())

        if not self.elsewhere:
            thread = threading.Thread(target=work)
            thread.start()
            thread.join()
        return super().forward(images)


def test_other_threads_may_use_the_system_meanwhile():
    system, images = ChannelsInCompany().eval(), torch.rand(2, 3, 32, 32)
    assert_close(grad_cam(system, images, [0]), grad_cam(Channels().eval(), images, [0]))
    logits, gradients = system.elsewhere
    assert_close(logits.clone(), Channels()(images).logits)
    assert gradients


class TwiceChannels(Channels):
    def forward(self, images):
        super().forward(images)
        return super().forward(images)


def test_a_backbone_without_a_grid_or_used_twice_is_refused():
    flat = Channels()
    flat.backbone = nn.Flatten()
    with pytest.raises(ValueError, match=r"expected features \(B, D, h, w\) of the backbone"):
        grad_cam(flat, torch.rand(2, 3, 32, 32), [0])
    with pytest.raises(ValueError, match="uses its backbone once"):
        grad_cam(TwiceChannels(), torch.rand(2, 3, 32, 32), [0])
