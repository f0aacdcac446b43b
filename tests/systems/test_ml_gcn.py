import numpy as np
import pytest
import torch
from tiny import exact_photos, label_space, rates, tiny_system
from torch import nn
from torch.testing import assert_close

from tagsight.config import TrainConfig
from tagsight.training.loop import build_optimizer

with_graph = pytest.mark.parametrize("name", ["ml-gcn", "gcam"])
GRAPH_WITH_BIAS = {"hidden": 32, "epsilon": 0.3, "bias": True, "lr_factor": 10.0}


@pytest.mark.parametrize(("pooling", "pool"), [("max", np.max), ("average", np.mean)])
def test_logits_are_a_transcription_in_numpy(pooling, pool):
    """Y = W x with W = A f(A Z W1) W2, f a leaky ReLU of slope 0.2 (Eqs. 2-5 of the paper)."""
    system = tiny_system("ml-gcn", pooling=pooling).double().eval()
    images, _ = exact_photos(3)
    features = system.backbone(images).detach().numpy()
    graph = system.label_graph
    adjacency, vectors = graph.adjacency.numpy(), graph.vectors.numpy()
    first, second = (layer.weight.detach().numpy() for layer in (graph.first, graph.second))

    hidden = adjacency @ vectors @ first
    hidden = np.where(hidden > 0, hidden, 0.2 * hidden)
    classifiers = adjacency @ hidden @ second
    expected = pool(features, axis=(2, 3)) @ classifiers.T
    assert_close(system(images).logits, torch.from_numpy(expected))


def test_a_photo_moves_the_classifiers_of_labels_that_it_does_not_show_but_not_the_graph():
    """Through the graph: "green" is wherever "red" is, and informs it."""
    system = tiny_system("ml-gcn").double()
    graph = system.label_graph
    assert graph.adjacency[1, 0] > 0
    assert label_space().names[:2] == ("red", "green")
    before = [tensor.detach().clone() for tensor in (graph()[1], graph.adjacency, graph.vectors)]
    images, targets = exact_photos(4)
    optimizer = build_optimizer(system, TrainConfig(lr=1.0))
    system.losses(images, torch.where(torch.arange(5) == 0, targets, -1))["labels"].backward()
    optimizer.step()
    after = (graph()[1], graph.adjacency, graph.vectors)
    assert [torch.equal(*pair) for pair in zip(after, before, strict=True)] == [False, True, True]


@with_graph
def test_the_graph_learns_at_its_own_rate_and_a_bias_at_that_of_the_run(name):
    system = tiny_system(name, graph=GRAPH_WITH_BIAS)
    parts = (system.label_graph.parameters(), system.backbone.parameters(), [system.bias])
    assert [rates(system, *part) for part in parts] == [{1e-2}, {1e-4}, {1e-3}]


@with_graph
def test_a_bias_stands_in_every_cell_so_that_maps_still_average_to_logits(name):
    system = tiny_system(name, graph=GRAPH_WITH_BIAS, pooling="average").double().eval()
    nn.init.normal_(system.bias)
    images, targets = exact_photos(3)
    with_bias = system(images)
    assert_close(with_bias.maps.mean((-2, -1)), with_bias.logits)
    sum(system.losses(images, targets).values()).backward()
    assert system.bias.grad.all()
    bias = system.bias.detach().clone()
    nn.init.zeros_(system.bias)
    without = system(images)
    assert_close(with_bias.maps - without.maps, bias[:, None, None].expand_as(without.maps))
