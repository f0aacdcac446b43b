from __future__ import annotations

import threading

import pytest
import torch
import torch.nn.functional as F
from channels import GAIN, Channels
from tiny import drawn, label_space, tiny_system
from torch import Tensor, nn
from torch.testing import assert_close

from tagsight.nn.class_activation import class_maps
from tagsight.systems.base import Recognition, System
from tagsight.systems.catalogue import SYSTEMS
from tagsight.systems.gradcam import grad_cam
from tagsight.systems.grid import GridSystem

ALL = range(len(label_space()))


def without_bias(system: System, images: Tensor) -> Tensor:
    with torch.no_grad():
        return class_maps(system.backbone(images), system.classifiers()[0])


def state_of(system: System) -> dict[str, object]:
    return {
        "modes": [module.training for module in system.modules()],
        "hooks": [
            len(module._forward_hooks) + len(module._forward_pre_hooks)
            for module in system.modules()
        ],
        "trained": [parameter.requires_grad for parameter in system.parameters()],
        "gradients": [parameter.grad for parameter in system.parameters()],
        "weights": [tensor.clone() for tensor in system.state_dict().values()],
    }


@pytest.mark.parametrize("name", [n for n, kind in SYSTEMS.items() if issubclass(kind, GridSystem)])
def test_for_pooled_linear_classifiers_it_is_the_rectified_class_activation_map(name: str):
    system = tiny_system(name, pooling="average").eval()
    images, _ = drawn(3)
    maps = grad_cam(system, images, ALL)
    expected = F.relu(without_bias(system, images)) / (4 * 4)
    assert_close(maps, expected)
    assert expected.max() > 0


def test_a_channel_is_weighed_by_its_mean_gradient():
    # Every logit is the mean of 40 times its own channel: a gradient of 40 / 64 in every cell.
    images = torch.rand(2, 3, 32, 32)
    system = Channels().eval()
    features = system.backbone(images)
    assert_close(grad_cam(system, images, [2, 0]), GAIN / 64 * features[:, [2, 0]])


def test_photos_do_not_influence_one_another():
    system = tiny_system("gcam").eval()
    images, _ = drawn(4)
    together = grad_cam(system, images, [1, 3])
    assert_close(together[2:3], grad_cam(system, images[2:3], [1, 3]))


@pytest.mark.parametrize("training", [True, False])
def test_it_leaves_no_trace(training: bool):
    system = tiny_system("gcam")
    system.train(training)
    system.backbone.eval()
    system.backbone.network.requires_grad_(requires_grad=False)
    before = state_of(system)
    maps = grad_cam(system, drawn(2)[0], ALL)
    assert not maps.requires_grad
    assert torch.is_grad_enabled()
    assert_close(state_of(system), before)


@pytest.mark.parametrize(
    ("images", "labels"),
    [(torch.rand(2, 3, 32, 32), [99]), (torch.rand(2, 4, 32, 32), [0])],
    ids=["in the head", "in the backbone"],
)
def test_it_leaves_no_trace_after_an_error(images: Tensor, labels: list[int]):
    system = tiny_system("gcam").train()
    before = state_of(system)
    with torch.no_grad():
        with pytest.raises((IndexError, RuntimeError)):
            grad_cam(system, images, labels)
        assert not torch.is_grad_enabled()
    assert_close(state_of(system), before)


class CellsWithWeights(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cells = nn.Conv2d(3, 3, 4, stride=4)
        self.graphs: list[bool] = []

    def forward(self, images: Tensor) -> Tensor:
        features = self.cells(images)
        self.graphs.append(features.requires_grad)
        return features


class Counted(torch.autograd.Function):
    @staticmethod
    def forward(ctx, logits, counts):
        ctx.counts = counts
        return logits.clone()

    @staticmethod
    def backward(ctx, gradient):
        ctx.counts.append(1)
        return gradient, None


class CountingChannels(Channels):
    def __init__(self) -> None:
        super().__init__()
        self.backbone = CellsWithWeights()
        self.backwards: list[int] = []

    def forward(self, images: Tensor) -> Recognition:
        recognition = super().forward(images)
        return recognition._replace(logits=Counted.apply(recognition.logits, self.backwards))


def test_it_takes_one_backward_a_label_and_no_graph_of_the_backbone():
    system = CountingChannels()
    grad_cam(system, torch.rand(4, 3, 32, 32), [0, 2])
    assert len(system.backwards) == 2
    assert system.backbone.graphs == [False]


def test_it_works_where_gradients_are_switched_off():
    system = Channels().eval()
    images = torch.rand(1, 3, 32, 32)
    expected = grad_cam(system, images, [0])
    with torch.inference_mode():
        assert_close(grad_cam(system, images * 1, [0]), expected)


class ChannelsInCompany(Channels):
    """Is used by another thread while it is explained."""

    def __init__(self) -> None:
        super().__init__()
        self.elsewhere: list[Tensor] = []
        self.gradients_elsewhere = False

    def forward(self, images: Tensor) -> Recognition:
        def work() -> None:
            with torch.inference_mode():
                self.elsewhere.append(super(ChannelsInCompany, self).forward(images).logits)
            super(ChannelsInCompany, self).forward(images)
            self.gradients_elsewhere = torch.is_grad_enabled()

        if not self.elsewhere:
            thread = threading.Thread(target=work)
            thread.start()
            thread.join()
        return super().forward(images)


def test_other_threads_may_use_the_system_meanwhile():
    system = ChannelsInCompany().eval()
    images = torch.rand(2, 3, 32, 32)
    maps = grad_cam(system, images, [0])
    assert_close(maps, grad_cam(Channels().eval(), images, [0]))
    assert_close(system.elsewhere[0].clone(), Channels()(images).logits)
    assert system.gradients_elsewhere


def test_no_labels_give_no_maps():
    assert grad_cam(Channels(), torch.rand(2, 3, 32, 32), []).shape == (2, 0, 8, 8)


def test_a_backbone_without_a_grid_is_refused():
    system = Channels()
    system.backbone = nn.Flatten()
    with pytest.raises(ValueError, match=r"expected features \(B, D, h, w\) of the backbone"):
        grad_cam(system, torch.rand(2, 3, 32, 32), [0])


class TwiceChannels(Channels):
    def forward(self, images: Tensor) -> Recognition:
        super().forward(images)
        return super().forward(images)


def test_a_system_that_uses_its_backbone_twice_is_refused():
    with pytest.raises(ValueError, match="uses its backbone once"):
        grad_cam(TwiceChannels(), torch.rand(2, 3, 32, 32), [0])
