"""Three labels worked out by hand.

Ten photos show a person, five a frisbee, four a cat; person and frisbee are together four times,
person and cat once:

            person frisbee cat          P(row given column)   person frisbee cat
    person    10      4     1           person                  0     0.8   0.25
    frisbee    4      5     0           frisbee                0.4     0     0
    cat        1      0     4           cat                    0.1     0     0

At epsilon 0.5 one edge is left, from frisbee to person: who shows a frisbee shows a person. The cat
is isolated.
"""

import copy
from itertools import product

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.testing import assert_close

from tagsight.labels.space import LabelSpace
from tagsight.nn.config import GraphConfig
from tagsight.nn.graph import (
    GraphClassifiers,
    GraphConvolution,
    LearnedClassifiers,
    conditional_probability,
    correlation_matrix,
    edge_probability,
    graph_classifiers,
    label_adjacency,
    label_bias,
    normalised,
    prepared_vectors,
)

PERSON, FRISBEE, CAT = range(3)
COUNTS = torch.tensor([[10, 4, 1], [4, 5, 0], [1, 0, 4]])
HALF = GraphConfig(epsilon=0.5)


def matrix(*rows: list[float]) -> Tensor:
    return torch.tensor(rows, dtype=torch.double)


@st.composite
def counts(draw: st.DrawFn, most: int = 6) -> Tensor:
    labels = draw(st.integers(1, most))
    row = st.lists(st.sampled_from([0, 1]), min_size=labels, max_size=labels)
    present = torch.tensor(draw(st.lists(row, min_size=1, max_size=12)))
    return present.T @ present


directions = st.sampled_from(["given_source", "given_target"])
configs = st.builds(
    GraphConfig,
    epsilon=st.sampled_from([0, 0.2, 0.4, 0.5, 1]),
    delta=st.sampled_from([0, 0.2, 0.5, 0.9, 1]),
    direction=directions,
    variant=st.sampled_from(["paper", "released", "identity"]),
    second_self_loop=st.booleans(),
)


def label_space(cooccurrence: Tensor = COUNTS, length: int = 4) -> LabelSpace:
    size = len(cooccurrence)
    return LabelSpace(
        names=tuple(f"label {i}" for i in range(size)),
        vectors=torch.randn(size, length, generator=torch.Generator().manual_seed(1)),
        cooccurrence=cooccurrence,
        photos=torch.full((size,), 20),
    )


def classifiers_of_three(**settings: object) -> GraphClassifiers:
    config = GraphConfig.model_validate({"epsilon": 0.5, "hidden": 5, **settings})
    return graph_of(label_space(), config)


def graph_of(labels: LabelSpace, config: GraphConfig) -> GraphClassifiers:
    return GraphClassifiers(labels, label_adjacency(labels.cooccurrence, config), 6, config)


def test_a_label_keeps_1_minus_delta_and_its_neighbours_share_delta():
    # At epsilon 0.25 the person receives from both, the frisbee from the person, the cat from none.
    expected = matrix([0.7, 0.15, 0.15], [0.3, 0.7, 0], [0, 0, 0.7])
    probability = edge_probability(COUNTS, GraphConfig(epsilon=0.25))
    assert_close(correlation_matrix(probability, 0.3), expected)


def test_normalising_leaves_an_empty_row_and_column_empty():
    assert_close(normalised(matrix([2, 0], [0, 0])), matrix([1, 0], [0, 0]))


def test_a_graph_convolution_transforms_then_mixes():
    layer = GraphConvolution(2, 1)
    layer.weight.data = torch.tensor([[2.0], [-1.0]])
    # Z W = (2 - 3, 4 - 5) = (-1, -1); the first node takes half of the second, the second is alone.
    nodes, adjacency = torch.tensor([[1.0, 3], [2, 5]]), torch.tensor([[1.0, 0.5], [0, 1]])
    assert_close(layer(nodes, adjacency), torch.tensor([[-1.5], [-1.0]]))


def test_first_weights_are_uniform_within_one_over_the_root_of_the_outputs():
    weight = GraphConvolution(300, 100).weight
    assert weight.abs().max() <= 0.1
    assert weight.std().item() == pytest.approx(0.1 / 3**0.5, rel=0.02)


@pytest.mark.parametrize("counts", [COUNTS, COUNTS.to_sparse()], ids=["dense", "sparse"])
@pytest.mark.parametrize(("activation", "slope"), [("leaky_relu", 0.2), ("relu", 0.0)])
def test_classifiers_are_two_convolutions_with_the_activation_between(activation, slope, counts):
    config = GraphConfig(epsilon=0.5, hidden=5, activation=activation)
    network, adjacency = graph_of(label_space(counts), config), label_adjacency(COUNTS, config)
    hidden = adjacency @ network.vectors @ network.first.weight
    hidden = torch.where(hidden > 0, hidden, slope * hidden)
    assert_close(network(), adjacency @ hidden @ network.second.weight)
    network().square().sum().backward()
    assert all(p.grad.abs().sum() > 0 for p in network.parameters())


@pytest.mark.parametrize("variant", ["paper", "none"])
def test_unit_classifiers_have_the_direction_of_raw_ones_and_length_1(variant):
    configs = [GraphConfig(variant=variant, classifiers=length) for length in ("raw", "unit")]
    raw, unit = (graph_classifiers(label_space(), torch.eye(3), 6, config) for config in configs)
    unit.load_state_dict(raw.state_dict())
    assert_close(unit(), raw() / raw().norm(dim=1, keepdim=True))


def test_an_isolated_label_depends_on_its_own_vector_alone():
    network = classifiers_of_three()
    network.vectors.requires_grad_()
    (gradient,) = torch.autograd.grad(network()[CAT].sum(), network.vectors)
    assert gradient[CAT].abs().sum() > 0
    assert gradient[[PERSON, FRISBEE]].abs().sum() == 0


def take_a_step(network: GraphClassifiers):
    with torch.enable_grad():
        network().sum().backward()
    torch.optim.AdamW(network.parameters(), lr=1.0).step()


CHANGES = {
    "in place": lambda n: n.second.weight[0, 0].add_(1),
    "loaded": lambda n: n.load_state_dict({k: v + 1 for k, v in n.state_dict().items()}),
    "other memory": lambda n: setattr(n.first.weight, "data", n.first.weight.data * 2),
    "other parameter": lambda n: setattr(n.first, "weight", nn.Parameter(n.first.weight * 2)),
    "a step": take_a_step,
    "the graph": lambda n: n.adjacency.fill_(1),
    "unseen, then evaluated": lambda n: (n.first.weight.data.mul_(2), n.eval()),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@torch.no_grad()
def test_kept_classifiers_are_never_stale(change):
    network = classifiers_of_three().eval()
    before = network()
    change(network)
    hidden = network.activation(network.first(network.vectors, network.adjacency))
    assert_close(network(), network.second(hidden, network.adjacency), rtol=0, atol=0)
    assert not torch.equal(network(), before)


@torch.no_grad()
def test_memory_that_is_used_again_is_not_taken_for_the_same_weights():
    # When weights are replaced twice, the allocator may hand out what the first time freed.
    config = GraphConfig(hidden=64)
    network = graph_of(label_space(length=300), config).eval()
    for _ in range(100):
        before = network()
        for _ in range(2):
            network.first.weight.data = torch.randn(300, 64)
        assert not torch.equal(network(), before)


def test_classifiers_kept_in_inference_mode_serve_gradients_of_features():
    network = classifiers_of_three().eval()
    with torch.inference_mode():
        network()
    with torch.no_grad():
        kept = network()
    features = torch.ones(1, 6, requires_grad=True)
    (features @ kept.T).sum().backward()
    assert_close(features.grad[0], kept.sum(0))


def test_weights_made_in_inference_mode_are_never_served_stale():
    with torch.inference_mode():
        network = classifiers_of_three().eval()
        before = network().clone()
        network.second.weight.mul_(2)
        assert_close(network(), 2 * before)


@torch.no_grad()
def test_a_copy_keeps_its_own_classifiers():
    network = classifiers_of_three().eval()
    before = network().clone()
    copied = copy.deepcopy(network)
    copied.second.weight.mul_(2)
    assert_close(copied(), 2 * before)
    assert_close(network(), before)


def test_conditional_probability_is_of_the_row_given_the_column():
    expected = matrix([0, 0.8, 0.25], [0.4, 0, 0], [0.1, 0, 0])
    assert_close(conditional_probability(COUNTS), expected)
    unseen_and_once = torch.tensor([[3, 0, 1], [0, 0, 0], [1, 0, 1]])
    found = conditional_probability(unseen_and_once)
    assert_close(found, matrix([0, 0, 1], [0, 0, 0], [1 / 3, 0, 0]))


# Only P(person given frisbee) = 0.8 reaches 0.5: row person, column frisbee. A probability of
# exactly epsilon is an edge; labels that are never together have none, even at epsilon 0.
@pytest.mark.parametrize(
    ("settings", "edges"),
    [
        ({"epsilon": 0.5}, [(PERSON, FRISBEE)]),
        ({"epsilon": 0.8}, [(PERSON, FRISBEE)]),
        ({"epsilon": 0.9}, []),
        ({"epsilon": 0.5, "direction": "given_target"}, [(FRISBEE, PERSON)]),
        ({"epsilon": 0}, [(PERSON, FRISBEE), (PERSON, CAT), (FRISBEE, PERSON), (CAT, PERSON)]),
    ],
)
def test_edges_of_three_labels(settings, edges):
    found = edge_probability(COUNTS, GraphConfig.model_validate(settings))
    assert [tuple(place) for place in found.nonzero().tolist()] == edges
    if settings["epsilon"] == 0.5:
        assert found[edges[0]] == 0.8


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        # Eq. 6: person 0.8 and 0.2 from the frisbee; the others 0.8 and nothing else.
        # Eq. 2 with rows that sum to (1, 0.8, 0.8): 0.8/1, 0.2/sqrt(1 * 0.8), 0.8/0.8.
        ({}, [[0.8, 0.2 / 0.8**0.5, 0], [0, 1, 0], [0, 0, 1]]),
        # ML-GCN before its transposition, row = source: 1 on the diagonal, frisbee to person 0.25.
        # Rows of that sum to (1, 1.25, 1): person 1/1, 0.25/sqrt(1 * 1.25), frisbee 1/1.25.
        ({"variant": "released"}, [[1, 0.25 / 1.25**0.5, 0], [0, 0.8, 0], [0, 0, 1]]),
        # Eq. 6 plus the identity: rows (1.8, .2, 0), (0, 1.8, 0), (0, 0, 1.8), sums 2, 1.8, 1.8.
        ({"second_self_loop": True}, [[0.9, 0.2 / 3.6**0.5, 0], [0, 1, 0], [0, 0, 1]]),
        ({"variant": "identity"}, [[1, 0, 0], [0, 1, 0], [0, 0, 1]]),
        ({"variant": "stored"}, [[1, 0, 0], [0, 1, 0], [0, 0, 1]]),
        ({"delta": 0}, [[1, 0, 0], [0, 1, 0], [0, 0, 1]]),
        ({"epsilon": 0.9, "variant": "released"}, [[1, 0, 0], [0, 1, 0], [0, 0, 1]]),
    ],
)
def test_the_adjacency_of_three_labels(settings, expected):
    config = GraphConfig.model_validate({"epsilon": 0.5, **settings})
    assert_close(label_adjacency(COUNTS, config), torch.tensor(expected).float())


def by_loops(counts: Tensor, config: GraphConfig) -> Tensor:
    """Eqs. 3-6 and 2, or ML-GCN's code, one entry at a time."""
    size, released = len(counts), config.variant == "released"
    a = [[0.0] * size for _ in range(size)]
    for i, j in product(range(size), repeat=2):
        if i != j and counts[i, j]:
            a[i][j] = float(counts[i, j] / counts[j, j] >= config.epsilon)
    for i in range(size):
        neighbours = sum(a[i])
        for j in range(size):
            if released:
                a[i][j] = a[i][j] * 0.25 / (neighbours + 1e-6) + (i == j)
            else:
                share = config.delta / neighbours if neighbours else 0
                a[i][j] = 1 - config.delta if i == j else share * a[i][j]
    sums = zip(*a, strict=True) if released else a
    d = [sum(row) ** -0.5 for row in sums]
    return matrix(*[[d[i] * a[i][j] * d[j] for j in range(size)] for i in range(size)])


@settings(max_examples=60)
@given(
    counts(),
    st.sampled_from([0.2, 0.4, 0.5]),
    st.sampled_from([0, 0.2, 0.6]),
    st.sampled_from(["paper", "released"]),
)
def test_the_graph_equals_its_equations_by_loops(counts, epsilon, delta, variant):
    delta = 0.2 if variant == "released" else delta
    config = GraphConfig(epsilon=epsilon, delta=delta, variant=variant)
    assert_close(label_adjacency(counts, config), by_loops(counts, config).float())


@settings(max_examples=60)
@given(counts(), configs, st.randoms(use_true_random=False), st.floats(0, 1))
def test_laws_of_all_graphs(counts, config, random, more):
    probability = edge_probability(counts, config)
    edges = probability > 0
    rows = torch.where(edges.any(1), 1.0, 1 - config.delta).double()
    assert_close(correlation_matrix(probability, config.delta).sum(1), rows)

    adjacency = label_adjacency(counts, config)
    assert adjacency.isfinite().all()
    keeps = config.delta < 1 or config.second_self_loop or config.variant == "identity"
    expected = keeps * torch.eye(len(counts)) > 0
    if config.variant != "identity" and config.delta > 0:
        expected |= edges
    # Where a target keeps nothing, normalising removes edges from labels that receive nothing.
    assert ((adjacency > 0) == expected).all() if keeps else ((adjacency > 0) <= expected).all()

    order = list(range(len(counts)))
    random.shuffle(order)
    assert_close(label_adjacency(counts[order][:, order], config), adjacency[order][:, order])

    sparse = label_adjacency(counts.to_sparse(), config)
    assert sparse.is_sparse
    assert_close(sparse.to_dense(), adjacency)

    stricter = config.model_copy(update={"epsilon": max(config.epsilon, more)})
    assert ((edge_probability(counts, stricter) > 0) <= edges).all()


@pytest.mark.parametrize(
    ("task", "label", "photos", "edges"),
    [("coco", "person", 45_174, (111, 23, 65)), ("voc", "person", 2_008, (6, 2, 5))],
)
def test_the_published_counts_give_the_known_graph(shared_data, task, label, photos, edges):
    path = shared_data / "label-graphs" / f"{task}_cooccurrence.npz"
    with np.load(path, allow_pickle=False) as stored:
        place = stored["names"].tolist().index(label)
        counts = torch.from_numpy(stored["cooccurrence"] + np.diag(stored["counts"]))
    assert counts[place, place] == photos
    found = edge_probability(counts, GraphConfig()) > 0
    assert (found.sum(), found.any(1).sum(), found.any(0).sum()) == edges
    turned = edge_probability(counts, GraphConfig(direction="given_target")) > 0
    assert (turned == found.T).all()


@pytest.mark.parametrize("pair", [[[0, 1], [1, 2]], [[2, 3], [3, 4]], [[1, 2], [2, 5]]])
def test_a_graph_without_counts_or_word_vectors_is_refused(pair):
    for counts in (torch.tensor(pair), torch.tensor(pair).to_sparse()):
        with pytest.raises(ValueError, match="expected each label's own count on the diagonal"):
            conditional_probability(counts)
    labels = LabelSpace(("a", "b"), None, torch.eye(2).long(), torch.ones(2).long())
    with pytest.raises(ValueError, match="expected word vectors of the 2 labels, got none"):
        graph_of(labels, GraphConfig())


def test_word_vectors_are_used_raw_at_unit_length_or_without_their_mean():
    raw = classifiers_of_three(vectors="raw").vectors
    assert_close(raw, label_space().vectors)
    assert_close(classifiers_of_three(vectors="unit").vectors.norm(dim=1), torch.ones(3))
    shifted, centred = (prepared_vectors(v, "centred") for v in (raw + 3, raw))
    assert_close(F.normalize(shifted), F.normalize(centred))
    assert_close(shifted.norm(dim=1), (raw + 3).norm(dim=1).mean().expand(3))


def test_only_the_layers_are_weights_and_kept_classifiers_do_not_swallow_their_gradients():
    network = classifiers_of_three().eval()
    assert set(network.state_dict()) == {"first.weight", "second.weight"}
    with torch.no_grad():
        network()
    network().sum().backward()
    assert network.first.weight.grad.any()


@torch.no_grad()
def test_classifiers_are_computed_once_and_equal_in_training_and_under_autocast():
    network = classifiers_of_three()
    trained = network.train()()
    network.eval()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        first = network()
    assert_close(first, trained, rtol=0, atol=0)
    assert network() is first
    assert network.double()().dtype == torch.float64


def test_without_a_graph_classifiers_are_independent_and_initialised_like_layers():
    classifiers = graph_classifiers(label_space(), torch.eye(3), 400, GraphConfig(variant="none"))
    assert isinstance(classifiers, LearnedClassifiers)
    assert classifiers().shape == (3, 400)
    assert 0.049 < classifiers().max() <= 0.05
    assert -0.05 <= classifiers().min() < -0.049
    graph = graph_classifiers(label_space(), torch.eye(3), 4, GraphConfig())
    assert isinstance(graph, GraphClassifiers)


def test_the_bias_starts_at_zero_and_is_trained():
    bias = label_bias(label_space(), GraphConfig(bias=True))
    assert bias.tolist() == [0, 0, 0]
    assert bias.requires_grad
    assert label_bias(label_space(), GraphConfig(bias=False)) is None
