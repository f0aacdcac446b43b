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

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from tagsight.config import GraphConfig
from tagsight.labels.space import LabelSpace
from tagsight.nn.graph import (
    GraphClassifiers,
    GraphConvolution,
    conditional_probability,
    correlation_matrix,
    edge_probability,
    label_adjacency,
    normalised,
    prepared_vectors,
)

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

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
    return GraphClassifiers(label_space(), channels=6, config=config)


def test_conditional_probability_is_of_the_row_given_the_column() -> None:
    expected = matrix([0, 0.8, 0.25], [0.4, 0, 0], [0.1, 0, 0])
    assert_close(conditional_probability(COUNTS), expected)


def test_a_label_without_photos_has_probability_0_and_not_nan() -> None:
    unseen = torch.tensor([[3, 0], [0, 0]])
    assert_close(conditional_probability(unseen), torch.zeros(2, 2, dtype=torch.double))


def test_counts_without_their_diagonal_are_refused() -> None:
    with pytest.raises(ValueError, match="expected each label's own count on the diagonal"):
        conditional_probability(COUNTS.clone().fill_diagonal_(0))


def test_edges_lead_to_the_label_that_the_other_one_implies() -> None:
    # Only P(person given frisbee) = 0.8 reaches 0.5: row person, column frisbee.
    expected = matrix([0, 0.8, 0], [0, 0, 0], [0, 0, 0])
    assert_close(edge_probability(COUNTS, HALF), expected)


def test_edges_lead_the_other_way_given_the_target() -> None:
    config = GraphConfig(epsilon=0.5, direction="given_target")
    expected = matrix([0, 0, 0], [0.8, 0, 0], [0, 0, 0])
    assert_close(edge_probability(COUNTS, config), expected)


def test_a_probability_of_exactly_epsilon_is_an_edge() -> None:
    assert edge_probability(COUNTS, GraphConfig(epsilon=0.8))[PERSON, FRISBEE] == 0.8


def test_labels_that_are_never_together_have_no_edge_even_at_epsilon_0() -> None:
    edges = edge_probability(COUNTS, GraphConfig(epsilon=0)) > 0
    assert edges.tolist() == [[False, True, True], [True, False, False], [True, False, False]]


def test_a_label_keeps_1_minus_delta_and_its_neighbours_share_delta() -> None:
    # At epsilon 0.25 the person receives from both, the frisbee from the person, the cat from none.
    expected = matrix([0.7, 0.15, 0.15], [0.3, 0.7, 0], [0, 0, 0.7])
    assert_close(correlation_matrix(COUNTS, GraphConfig(epsilon=0.25, delta=0.3)), expected)


def test_the_paper_divides_by_what_each_label_receives() -> None:
    # Eq. 6: person 0.8 and 0.2 from the frisbee; the others 0.8 and nothing else.
    # Eq. 2 with rows that sum to (1, 0.8, 0.8): 0.8/1, 0.2/sqrt(1 * 0.8), 0.8/0.8.
    expected = matrix([0.8, 0.2 / 0.8**0.5, 0], [0, 1, 0], [0, 0, 1])
    assert_close(label_adjacency(COUNTS, HALF), expected.float())


def test_the_released_code_divides_by_what_each_label_sends() -> None:
    # ML-GCN before its transposition, row = source: 1 on the diagonal, frisbee to person 0.25.
    # Rows of that sum to (1, 1.25, 1): person 1/1, 0.25/sqrt(1 * 1.25), frisbee 1/1.25.
    config = GraphConfig(epsilon=0.5, variant="released")
    expected = matrix([1, 0.25 / 1.25**0.5, 0], [0, 0.8, 0], [0, 0, 1])
    assert_close(label_adjacency(COUNTS, config), expected.float())


def test_a_second_self_loop_halves_what_neighbours_say() -> None:
    # Eq. 6 plus the identity: rows (1.8, 0.2, 0), (0, 1.8, 0), (0, 0, 1.8) with sums (2, 1.8, 1.8).
    config = GraphConfig(epsilon=0.5, second_self_loop=True)
    adjacency = label_adjacency(COUNTS, config)
    expected = matrix([0.9, 0.2 / 3.6**0.5, 0], [0, 1, 0], [0, 0, 1])
    assert_close(adjacency, expected.float())
    ratio = (adjacency[PERSON, FRISBEE] / adjacency[PERSON, PERSON]).item()
    assert ratio == pytest.approx(0.117, abs=5e-4)


@pytest.mark.parametrize("variant", ["paper", "released", "identity"])
@pytest.mark.parametrize("settings", [{"delta": 0}, {"epsilon": 0.9}])
def test_without_delta_or_edges_every_label_is_on_its_own(
    variant: str, settings: dict[str, float]
) -> None:
    config = GraphConfig.model_validate({"variant": variant, **settings})
    assert_close(label_adjacency(COUNTS, config), torch.eye(3))


def test_normalising_leaves_an_empty_row_and_column_empty() -> None:
    assert_close(normalised(matrix([2, 0], [0, 0])), matrix([1, 0], [0, 0]))


def released_by_loops(counts: Tensor, threshold: float) -> Tensor:
    """ML-GCN's released formulas, one entry at a time, row = source until the last line."""
    size = len(counts)
    a = [[0.0] * size for _ in range(size)]
    for i in range(size):
        for j in range(size):
            if i != j and counts[i, i] and counts[i, j]:
                a[i][j] = float(counts[i, j] / counts[i, i] >= threshold)
    for j in range(size):
        column = sum(a[i][j] for i in range(size))
        for i in range(size):
            a[i][j] = a[i][j] * 0.25 / (column + 1e-6) + (i == j)
    d = [sum(row) ** -0.5 for row in a]
    return matrix(*[[d[j] * a[i][j] * d[i] for i in range(size)] for j in range(size)])


def paper_by_loops(counts: Tensor, epsilon: float, delta: float) -> Tensor:
    """Eqs. 3-6 and 2, one entry at a time."""
    size = len(counts)
    a = [[0.0] * size for _ in range(size)]
    for i in range(size):
        for j in range(size):
            if i != j and counts[i, j]:
                a[i][j] = float(counts[i, j] / counts[j, j] >= epsilon)
    for i in range(size):
        neighbours = sum(a[i])
        for j in range(size):
            a[i][j] = 1 - delta if i == j else a[i][j] and delta / neighbours * a[i][j]
    d = [sum(row) ** -0.5 for row in a]
    return matrix(*[[d[i] * a[i][j] * d[j] for j in range(size)] for i in range(size)])


@settings(deadline=None)
@given(counts(), st.sampled_from([0.2, 0.4, 0.5]))
def test_released_graph_equals_the_formulas_of_ml_gcn(counts: Tensor, epsilon: float) -> None:
    config = GraphConfig(epsilon=epsilon, variant="released")
    expected = released_by_loops(counts, epsilon).float()
    assert_close(label_adjacency(counts, config), expected)


@settings(deadline=None)
@given(counts(), st.sampled_from([0.2, 0.4, 0.5]), st.sampled_from([0, 0.2, 0.6]))
def test_paper_graph_equals_its_equations(counts: Tensor, epsilon: float, delta: float) -> None:
    config = GraphConfig(epsilon=epsilon, delta=delta)
    expected = paper_by_loops(counts, epsilon, delta).float()
    assert_close(label_adjacency(counts, config), expected)


@settings(deadline=None)
@given(counts(), configs)
def test_rows_sum_to_1_with_neighbours_and_to_1_minus_delta_without(
    counts: Tensor, config: GraphConfig
) -> None:
    receives = (edge_probability(counts, config) > 0).any(1)
    expected = torch.where(receives, 1.0, 1 - config.delta).double()
    assert_close(correlation_matrix(counts, config).sum(1), expected)


@settings(deadline=None)
@given(counts(), configs)
def test_every_label_hears_itself_and_exactly_the_sources_of_its_edges(
    counts: Tensor, config: GraphConfig
) -> None:
    assume(config.delta < 1 or config.second_self_loop)
    adjacency = label_adjacency(counts, config)
    expected = torch.eye(len(counts), dtype=torch.bool)
    if config.variant != "identity" and config.delta > 0:
        expected |= edge_probability(counts, config) > 0
    assert ((adjacency > 0) == expected).all()
    assert adjacency.isfinite().all()


@settings(deadline=None)
@given(counts(), st.sampled_from(["paper", "released"]), directions)
def test_at_delta_1_a_label_keeps_nothing_of_itself(
    counts: Tensor, variant: str, direction: str
) -> None:
    config = GraphConfig(delta=1, variant=variant, direction=direction)
    adjacency = label_adjacency(counts, config)
    assert adjacency.diagonal().count_nonzero() == 0
    assert ((adjacency > 0) <= (edge_probability(counts, config) > 0)).all()
    assert adjacency.isfinite().all()


@settings(deadline=None)
@given(counts(), configs, st.randoms(use_true_random=False))
def test_permuting_labels_permutes_the_adjacency(
    counts: Tensor, config: GraphConfig, random: object
) -> None:
    order = list(range(len(counts)))
    random.shuffle(order)
    permuted = label_adjacency(counts[order][:, order], config)
    assert_close(permuted, label_adjacency(counts, config)[order][:, order])


@settings(deadline=None)
@given(counts(), configs, st.floats(0, 1), st.floats(0, 1))
def test_raising_epsilon_never_adds_an_edge(
    counts: Tensor, config: GraphConfig, one: float, other: float
) -> None:
    low, high = sorted((one, other))
    many = edge_probability(counts, config.model_copy(update={"epsilon": low})) > 0
    few = edge_probability(counts, config.model_copy(update={"epsilon": high})) > 0
    assert (few <= many).all()


@pytest.mark.parametrize(
    ("task", "label", "photos", "edges", "receive", "send"),
    [("coco", "person", 45_174, 111, 23, 65), ("voc", "person", 2_008, 6, 2, 5)],
)
def test_the_released_counts_give_the_known_graph(
    shared_data: Path, task: str, label: str, photos: int, edges: int, receive: int, send: int
) -> None:
    path = shared_data / "label-graphs" / f"{task}_cooccurrence.npz"
    with np.load(path, allow_pickle=False) as stored:
        names = stored["names"].tolist()
        counts = torch.from_numpy(stored["cooccurrence"] + np.diag(stored["counts"]))
    assert names == sorted(names)
    assert counts[names.index(label), names.index(label)] == photos
    found = edge_probability(counts, GraphConfig()) > 0
    assert (found.sum(), found.any(1).sum(), found.any(0).sum()) == (edges, receive, send)
    # Read the other way, the labels that send receive.
    turned = edge_probability(counts, GraphConfig(direction="given_target")) > 0
    assert (turned == found.T).all()


def test_a_graph_convolution_transforms_then_mixes() -> None:
    layer = GraphConvolution(2, 1)
    layer.weight.data = torch.tensor([[2.0], [-1.0]])
    # Z W = (2 - 3, 4 - 5) = (-1, -1); the first node takes half of the second, the second is alone.
    nodes, adjacency = torch.tensor([[1.0, 3], [2, 5]]), torch.tensor([[1.0, 0.5], [0, 1]])
    assert_close(layer(nodes, adjacency), torch.tensor([[-1.5], [-1.0]]))


def test_first_weights_are_uniform_within_one_over_the_root_of_the_outputs() -> None:
    weight = GraphConvolution(300, 100).weight
    assert weight.abs().max() <= 0.1
    assert weight.std().item() == pytest.approx(0.1 / 3**0.5, rel=0.02)


@pytest.mark.parametrize(("activation", "slope"), [("leaky_relu", 0.2), ("relu", 0.0)])
def test_classifiers_are_two_convolutions_with_the_activation_between(
    activation: str, slope: float
) -> None:
    network = classifiers_of_three(activation=activation)
    hidden = network.adjacency @ network.vectors @ network.first.weight
    hidden = torch.where(hidden > 0, hidden, slope * hidden)
    assert_close(network(), network.adjacency @ hidden @ network.second.weight)


def test_an_activation_after_the_last_layer_could_never_reject_a_label() -> None:
    # Features after a ReLU and classifiers after a ReLU: no logit is below 0, no score below 0.5.
    # This is why Eq. 7 is not taken literally.
    network = GraphClassifiers(label_space(length=50), channels=64, config=GraphConfig())
    embedding = torch.rand(20, 64, generator=torch.Generator().manual_seed(0))
    literal = (embedding @ network().relu().T).sigmoid()
    ours = (embedding @ network().T).sigmoid()
    assert literal.min() >= 0.5
    assert ours.min() < 0.5


def test_an_isolated_label_depends_on_its_own_vector_alone() -> None:
    network = classifiers_of_three()
    network.vectors.requires_grad_()
    (gradient,) = torch.autograd.grad(network()[CAT].sum(), network.vectors)
    assert gradient[CAT].abs().sum() > 0
    assert gradient[[PERSON, FRISBEE]].abs().sum() == 0


def test_every_weight_of_the_classifiers_gets_a_gradient() -> None:
    network = classifiers_of_three()
    network().square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())
    assert len(list(network.parameters())) == 2


@pytest.mark.parametrize("unit", [True, False])
def test_unit_vectors_have_length_1(unit: bool) -> None:
    how = "unit" if unit else "raw"
    lengths = classifiers_of_three(vectors=how).vectors.norm(dim=1)
    assert torch.allclose(lengths, torch.ones(3)) == unit


def test_making_classifiers_leaves_the_label_space_alone() -> None:
    labels = label_space()
    before = labels.vectors.clone()
    GraphClassifiers(labels, channels=6, config=GraphConfig()).vectors.zero_()
    assert_close(labels.vectors, before)


def test_classifiers_need_word_vectors() -> None:
    labels = LabelSpace(("a", "b"), None, torch.eye(2).long(), torch.ones(2).long())
    with pytest.raises(ValueError, match="expected word vectors of the 2 labels, got none"):
        GraphClassifiers(labels, channels=6, config=GraphConfig())


def test_what_is_known_of_the_labels_is_no_weight() -> None:
    assert set(classifiers_of_three().state_dict()) == {"first.weight", "second.weight"}


def test_in_evaluation_classifiers_are_computed_once() -> None:
    network = classifiers_of_three().eval()
    with torch.no_grad():
        assert network() is network()


def change_in_place(network: GraphClassifiers) -> None:
    with torch.no_grad():
        network.second.weight[0, 0] += 1


def load_weights(network: GraphClassifiers) -> None:
    state = {name: value + 1 for name, value in network.state_dict().items()}
    network.load_state_dict(state)


def replace_memory(network: GraphClassifiers) -> None:
    network.first.weight.data = network.first.weight.data * 2


def replace_parameter(network: GraphClassifiers) -> None:
    network.first.weight = torch.nn.Parameter(network.first.weight.detach() * 2)


def round_and_return(network: GraphClassifiers) -> None:
    network.bfloat16()
    network.float()


def take_a_step(network: GraphClassifiers) -> None:
    with torch.enable_grad():
        network().sum().backward()
    torch.optim.AdamW(network.parameters(), lr=1.0).step()


def change_the_graph(network: GraphClassifiers) -> None:
    network.adjacency.fill_(1)


def write_unseen_then_evaluate(network: GraphClassifiers) -> None:
    network.first.weight.data.mul_(2)
    network.eval()


@pytest.mark.parametrize(
    "change",
    [
        change_in_place,
        load_weights,
        replace_memory,
        replace_parameter,
        round_and_return,
        take_a_step,
        change_the_graph,
        write_unseen_then_evaluate,
    ],
)
@torch.no_grad()
def test_kept_classifiers_are_never_stale(change: object) -> None:
    network = classifiers_of_three().eval()
    before = network()
    change(network)
    hidden = network.activation(network.first(network.vectors, network.adjacency))
    assert_close(network(), network.second(hidden, network.adjacency), rtol=0, atol=0)
    assert not torch.equal(network(), before)


@torch.no_grad()
def test_memory_that_is_used_again_is_not_taken_for_the_same_weights() -> None:
    # When weights are replaced twice, the allocator may hand out what the first time freed.
    config = GraphConfig(hidden=64)
    network = GraphClassifiers(label_space(length=300), channels=2, config=config).eval()
    for _ in range(400):
        before = network()
        for _ in range(2):
            network.first.weight.data = torch.randn(300, 64)
        assert not torch.equal(network(), before)


@torch.no_grad()
def test_kept_classifiers_follow_the_precision_of_the_weights() -> None:
    network = classifiers_of_three().eval()
    assert network().dtype == torch.float32
    assert network.double()().dtype == torch.float64


@torch.no_grad()
def test_autocast_does_not_change_the_classifiers() -> None:
    network = classifiers_of_three().eval()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        first = network()
    assert first.dtype == torch.float32
    assert_close(network.eval()(), first, rtol=0, atol=0)


def test_gradients_flow_in_evaluation_after_classifiers_were_kept() -> None:
    network = classifiers_of_three().eval()
    with torch.no_grad():
        network()
    network().sum().backward()
    assert network.first.weight.grad is not None


def test_classifiers_kept_in_inference_mode_serve_gradients_of_features() -> None:
    network = classifiers_of_three().eval()
    with torch.inference_mode():
        network()
    with torch.no_grad():
        kept = network()
    features = torch.ones(1, 6, requires_grad=True)
    (features @ kept.T).sum().backward()
    assert_close(features.grad[0], kept.sum(0))


def test_weights_made_in_inference_mode_are_never_served_stale() -> None:
    with torch.inference_mode():
        network = classifiers_of_three().eval()
        before = network().clone()
        network.second.weight.mul_(2)
        assert_close(network(), 2 * before)


@torch.no_grad()
def test_a_copy_keeps_its_own_classifiers() -> None:
    network = classifiers_of_three().eval()
    before = network().clone()
    copied = copy.deepcopy(network)
    copied.second.weight.mul_(2)
    assert_close(copied(), 2 * before)
    assert_close(network(), before)


@torch.no_grad()
def test_training_and_evaluation_make_the_same_classifiers() -> None:
    network = classifiers_of_three()
    assert_close(network.train()(), network.eval()(), rtol=0, atol=0)


def test_the_exported_network_gives_the_same_classifiers() -> None:
    class Scores(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.classifiers = classifiers_of_three()

        def forward(self, embedding: Tensor) -> Tensor:
            return embedding @ self.classifiers().t()

    scores, embedding = Scores().eval(), torch.ones(2, 6)
    with torch.no_grad():
        expected = scores(embedding)
        program = torch.export.export(scores, (embedding,))
    assert_close(program.module()(embedding), expected)


def test_what_all_vectors_share_has_no_part_in_centred_ones() -> None:
    raw = classifiers_of_three(vectors="raw").vectors
    shifted = prepared_vectors(raw + 3, "centred")
    directions = torch.nn.functional.normalize(prepared_vectors(raw, "centred"))
    torch.testing.assert_close(torch.nn.functional.normalize(shifted), directions)
    torch.testing.assert_close(shifted.norm(dim=1), (raw + 3).norm(dim=1).mean().expand(3))
