from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny import drawn, tiny_system
from torch.testing import assert_close

from tagsight.labels.space import LabelSpace
from tagsight.nn.learned_graph import LearnedGraphClassifiers
from tagsight.systems.catalogue import RECIPES

every_similarity = pytest.mark.parametrize("how", ["dot", "cosine", "softmax"])


def graph(how: str = "dot", **settings: object) -> dict[str, object]:
    return {"hidden": 32, "width": 16, "similarity": how, **settings}


def sigmoid(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-values))


def transcribed_adjacency(network: torch.nn.Module, how: str) -> np.ndarray:
    """D^-1/2 (S + I) D^-1/2, an entry at a time."""
    vectors = network.vectors.numpy()
    projected = [
        sigmoid(vectors @ layer.weight.detach().numpy().T + layer.bias.detach().numpy())
        for layer in (network.as_target, network.as_source)
    ]
    size = len(vectors)
    adjacency = np.zeros((size, size))
    for i in range(size):
        for j in range(size):
            to, source = projected[0][i], projected[1][j]
            product = (to * source).sum()
            adjacency[i, j] = {
                "dot": product / size,
                "cosine": product / np.linalg.norm(to) / np.linalg.norm(source) / size,
                "softmax": np.exp(product / len(to) ** 0.5),
            }[how]
        if how == "softmax":
            adjacency[i] /= adjacency[i].sum()
        adjacency[i, i] += 1
    degrees = adjacency.sum(1)
    return adjacency / np.sqrt(degrees[:, None] * degrees[None, :])


@pytest.mark.parametrize("how", ["dot", "softmax"])
def test_logits_are_a_transcription_in_numpy(how: str):
    system = tiny_system("a-gcn", graph=graph(how)).double().eval()
    images = drawn(3)[0].double()
    network = system.label_graph
    adjacency = transcribed_adjacency(network, how)
    first, second = (layer.weight.detach().numpy() for layer in (network.first, network.second))
    hidden = adjacency @ network.vectors.numpy() @ first
    hidden = np.where(hidden > 0, hidden, 0.2 * hidden)
    embedding = system.backbone(images).detach().numpy().max((2, 3))
    expected = embedding @ (adjacency @ hidden @ second).T
    assert_close(system(images).logits, torch.from_numpy(expected))


@every_similarity
def test_the_second_term_is_the_sum_of_all_differences_from_the_identity(how: str):
    system = tiny_system("a-gcn", graph=graph(how, sparsity=0.5)).double()
    difference = transcribed_adjacency(system.label_graph, how) - np.eye(5)
    terms = system.losses(*drawn(3))
    assert set(terms) == {"labels", "sparsity"}
    without = tiny_system("a-gcn", graph=graph(how, sparsity=0))
    assert set(without.losses(*drawn(3))) == {"labels"}
    assert terms["sparsity"].item() == pytest.approx(0.5 * np.abs(difference).sum(), rel=1e-5)


def test_labels_that_are_mixed_alike_are_2_l_minus_2_from_the_identity():
    """The scale that the default weight is chosen for; with a great width training begins there."""
    network = tiny_system("a-gcn", graph=graph("dot", width=8192)).label_graph
    assert network.distance_to_identity().item() == pytest.approx(2 * (5 - 1), rel=0.01)


def test_the_papers_second_term_is_large_at_first_and_flat():
    """With COCO's number of labels and vectors about as long: 157 of at most 158."""
    generator = torch.Generator().manual_seed(0)
    vectors = 6 * torch.nn.functional.normalize(torch.randn(80, 300, generator=generator))
    names, none = [str(i) for i in range(80)], torch.zeros(1, 80, dtype=torch.long)
    labels = LabelSpace.from_targets(names, none, vectors)
    torch.manual_seed(0)
    network = LearnedGraphClassifiers(labels, 8, RECIPES["a-gcn-paper"].settings.graph)
    distance = RECIPES["a-gcn-paper"].settings.graph.sparsity * network.distance_to_identity()
    assert distance.item() == pytest.approx(157.4, abs=0.1)
    projections = [*network.as_target.parameters(), *network.as_source.parameters()]
    gradients = torch.autograd.grad(distance, projections)
    assert sum(gradient.square().sum() for gradient in gradients).sqrt() < 0.05


@pytest.mark.parametrize("how", ["cosine", "softmax"])
def test_a_label_keeps_half_of_itself_at_any_width(how: str):
    for width in (16, 4096):
        mixing = tiny_system("a-gcn", graph=graph(how, width=width)).label_graph.mixing()
        assert (mixing.diagonal() >= 0.45).all()


def test_the_second_term_alone_separates_the_labels():
    system = tiny_system("a-gcn", graph=graph(sparsity=1.0))
    optimizer = torch.optim.Adam(system.label_graph.parameters(), lr=0.05)
    first = system.label_graph.distance_to_identity().item()
    for _ in range(200):
        optimizer.zero_grad()
        system.label_graph.distance_to_identity().backward()
        optimizer.step()
    assert system.label_graph.distance_to_identity() < first / 5


def test_the_projections_learn_at_their_own_rate():
    system = tiny_system("a-gcn", graph=graph(lr_factor=0.5, similarity_lr_factor=4.0, bias=True))
    rates = {id(p): g["lr"] for g in system.parameter_groups(1e-3, 0.1) for p in g["params"]}
    network = system.label_graph
    for layer, rate in {
        network.as_target: 4e-3,
        network.as_source: 4e-3,
        network.first: 5e-4,
        network.second: 5e-4,
        system.backbone: 1e-4,
    }.items():
        assert {rates[id(parameter)] for parameter in layer.parameters()} == {rate}
    assert rates[id(system.bias)] == 1e-3


@torch.no_grad()
def test_kept_classifiers_follow_the_projections():
    network = tiny_system("a-gcn").label_graph.eval()
    before = network()
    assert network() is before
    network.as_source.bias[0] += 5
    assert not torch.equal(network(), before)
