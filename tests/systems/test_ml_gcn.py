from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny import drawn, label_space, tiny_system
from torch import nn
from torch.testing import assert_close

from tagsight.config import TrainConfig
from tagsight.labels.space import LabelSpace
from tagsight.training.loop import build_optimizer

with_graph = pytest.mark.parametrize("name", ["ml-gcn", "gcam"])
GRAPH_WITH_BIAS = {"hidden": 32, "epsilon": 0.3, "bias": True, "lr_factor": 10.0}


@pytest.mark.parametrize(("pooling", "pool"), [("max", np.max), ("average", np.mean)])
def test_logits_are_a_transcription_in_numpy(pooling: str, pool: np.ufunc):
    """Y = W x with W = A f(A Z W1) W2, f a leaky ReLU of slope 0.2 (Eqs. 2-5 of the paper)."""
    system = tiny_system("ml-gcn", pooling=pooling).double().eval()
    images = drawn(3)[0].double()
    features = system.backbone(images).detach().numpy()
    graph = system.label_graph
    adjacency, vectors = graph.adjacency.numpy(), graph.vectors.numpy()
    first, second = (layer.weight.detach().numpy() for layer in (graph.first, graph.second))

    hidden = adjacency @ vectors @ first
    hidden = np.where(hidden > 0, hidden, 0.2 * hidden)
    classifiers = adjacency @ hidden @ second
    expected = pool(features, axis=(2, 3)) @ classifiers.T
    assert_close(system(images).logits, torch.from_numpy(expected))


def test_a_photo_moves_the_classifiers_of_labels_that_it_does_not_show():
    """Through the graph: "green" is wherever "red" is, and informs it."""
    system = tiny_system("ml-gcn")
    labels = label_space()
    assert system.label_graph.adjacency[1, 0] > 0
    assert labels.names[:2] == ("red", "green")
    before = system.label_graph()[1].detach().clone()
    images, targets = drawn(4)
    known = torch.where(torch.arange(5) == 0, targets, -1)
    optimizer = torch.optim.SGD(system.parameters(), lr=0.1)
    system.losses(images, known)["labels"].backward()
    optimizer.step()
    assert not torch.equal(system.label_graph()[1], before)


@with_graph
def test_the_graph_learns_at_its_own_rate(name: str):
    system = tiny_system(name, graph={"hidden": 32, "lr_factor": 10.0})
    rates = {
        id(parameter): group["lr"]
        for group in system.parameter_groups(1e-3, 0.1)
        for parameter in group["params"]
    }
    assert {rates[id(p)] for p in system.label_graph.parameters()} == {1e-2}
    assert {rates[id(p)] for p in system.backbone.parameters()} == {1e-4}


@with_graph
def test_a_bias_begins_as_the_log_odds_of_the_labels_frequency(name: str):
    labels = label_space()
    bias = tiny_system(name, labels, graph=GRAPH_WITH_BIAS).bias
    assert_close(bias.sigmoid().detach(), labels.frequency)


@with_graph
def test_the_bias_of_a_label_that_is_always_there_or_never_is_finite(name: str):
    labels = label_space()
    never = LabelSpace.from_targets(labels.names, torch.zeros(9, 5), labels.vectors)
    always = LabelSpace.from_targets(labels.names, torch.ones(9, 5), labels.vectors)
    for extreme in (never, always):
        assert tiny_system(name, extreme, graph=GRAPH_WITH_BIAS).bias.isfinite().all()


@with_graph
def test_a_bias_stands_in_every_cell_so_that_maps_still_average_to_logits(name: str):
    system = tiny_system(name, graph=GRAPH_WITH_BIAS, pooling="average").double().eval()
    with_bias = system(drawn(3)[0].double())
    assert_close(with_bias.maps.mean((-2, -1)), with_bias.logits)
    bias = system.bias.detach().clone()
    nn.init.zeros_(system.bias)
    without = system(drawn(3)[0].double())
    assert_close(with_bias.maps - without.maps, bias[:, None, None].expand_as(without.maps))


@with_graph
def test_a_bias_is_trained_by_the_labels_at_the_rate_of_the_run(name: str):
    system = tiny_system(name, graph=GRAPH_WITH_BIAS)
    sum(system.losses(*drawn(4)).values()).backward()
    assert system.bias.grad.all()
    (rate,) = (
        group["lr"]
        for group in system.parameter_groups(1e-3, 0.1)
        if any(parameter is system.bias for parameter in group["params"])
    )
    assert rate == 1e-3


def test_the_graph_is_not_trained():
    system = tiny_system("ml-gcn")
    before = system.label_graph.adjacency.clone(), system.label_graph.vectors.clone()
    optimizer = build_optimizer(system, TrainConfig(lr=1.0))
    system.losses(*drawn(4))["labels"].backward()
    optimizer.step()
    assert torch.equal(system.label_graph.adjacency, before[0])
    assert torch.equal(system.label_graph.vectors, before[1])
