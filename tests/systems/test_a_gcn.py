import numpy as np
import pytest
import torch
from tiny import drawn, rates, tiny_system
from torch.testing import assert_close

from tagsight.labels.space import LabelSpace
from tagsight.nn.learned_graph import LearnedGraphClassifiers
from tagsight.systems.catalogue import RECIPES


def a_gcn(how="dot", **settings):
    graph = {"hidden": 32, "width": 16, "similarity": how, **settings}
    return tiny_system("a-gcn", graph=graph)


def transcribed_adjacency(network, how):
    """D^-1/2 (S + I) D^-1/2, an entry at a time."""
    vectors = network.vectors.numpy()
    size = len(vectors)
    targets, sources = (
        1 / (1 + np.exp(-vectors @ layer.weight.detach().numpy().T - layer.bias.detach().numpy()))
        for layer in (network.as_target, network.as_source)
    )
    adjacency = np.zeros((size, size))
    for i, to in enumerate(targets):
        for j, source in enumerate(sources):
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


@pytest.mark.parametrize("how", ["dot", "cosine", "softmax"])
def test_logits_and_the_second_term_are_a_transcription_in_numpy(how):
    system = a_gcn(how, sparsity=0.5).double().eval()
    images, targets = drawn(3)
    images, network = images.double(), system.label_graph
    adjacency = transcribed_adjacency(network, how)
    first, second = (layer.weight.detach().numpy() for layer in (network.first, network.second))
    hidden = adjacency @ network.vectors.numpy() @ first
    hidden = np.where(hidden > 0, hidden, 0.2 * hidden)
    embedding = system.backbone(images).detach().numpy().max((2, 3))
    expected = embedding @ (adjacency @ hidden @ second).T
    assert_close(system(images).logits, torch.from_numpy(expected))
    terms = system.losses(images, targets)
    distance = np.abs(adjacency - np.eye(5)).sum()
    assert terms["sparsity"].item() == pytest.approx(0.5 * distance, rel=1e-5)
    assert list(terms) == ["labels", "sparsity"]
    assert list(a_gcn(how, sparsity=0).losses(*drawn(3))) == ["labels"]


def test_the_papers_second_term_is_large_at_first_and_flat():
    """With COCO's number of labels and vectors about as long: 157 of at most 158."""
    generator = torch.Generator().manual_seed(0)
    vectors = 6 * torch.nn.functional.normalize(torch.randn(80, 300, generator=generator))
    names, none = [str(i) for i in range(80)], torch.zeros(1, 80, dtype=torch.long)
    torch.manual_seed(0)
    config = RECIPES["a-gcn-paper"].settings.graph
    network = LearnedGraphClassifiers(LabelSpace.from_targets(names, none, vectors), 8, config)
    distance = config.sparsity * network.distance_to_identity()
    assert distance.item() == pytest.approx(157.4, abs=0.1)
    projections = [*network.as_target.parameters(), *network.as_source.parameters()]
    gradients = torch.autograd.grad(distance, projections)
    assert 0 < sum(gradient.square().sum() for gradient in gradients).sqrt() < 0.05


def test_the_projections_learn_at_their_own_rate():
    system = a_gcn(lr_factor=0.5, similarity_lr_factor=4.0, bias=True)
    network = system.label_graph
    layers = (network.as_target, network.as_source, network.first, network.second, system.backbone)
    found = [rates(system, *layer.parameters()) for layer in layers]
    assert found == [{4e-3}, {4e-3}, {5e-4}, {5e-4}, {1e-4}]
    assert rates(system, system.bias) == {1e-3}


@torch.no_grad()
def test_kept_classifiers_follow_the_projections():
    network = tiny_system("a-gcn").label_graph.eval()
    before = network()
    assert network() is before
    network.as_source.bias[0] += 5
    assert not torch.equal(network(), before)
