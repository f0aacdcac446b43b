import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from tagsight.labels.space import LabelSpace
from tagsight.nn.knowledge_graph import (
    GatedUpdate,
    KnowledgeGraph,
    centred,
    counted_relations,
    lift,
    without_loops,
)


def labels_of(targets: Tensor) -> LabelSpace:
    names = [f"label {i}" for i in range(targets.shape[1])]
    return LabelSpace.from_targets(names, targets, torch.eye(targets.shape[1]))


@pytest.mark.parametrize(
    ("targets", "expected"),
    [
        ([[a, b] for a in (0, 1) for b in (0, 1)] * 5, 1),  # as chance has it
        ([[1, 1]] * 2 + [[0, 0]] * 2, 2),  # always together: their rarity
        ([[1, 1]] + [[-1, 1]] * 4, 0.2),  # known together in one photo
        ([[1, 0]] * 5 + [[0, 1]] * 5, 0),  # never together
        ([[1, 0], [0, 1]] + [[0, 0]] * 100, 1),  # too rare to meet by chance
    ],
)
def test_the_lift_of_labels_by_hand(targets, expected):
    assert lift(labels_of(torch.tensor(targets)))[0, 1].item() == pytest.approx(expected)


def test_relations_are_counted_and_no_label_is_related_to_itself():
    targets = torch.tensor([[1, 1, 0]] * 5 + [[0, 0, 1]] * 5)
    vectors = torch.tensor([[1.0, 0.0], [0.0, 1.0], [4.0, 3.0]])
    implies, excludes, resembles = counted_relations(
        labels_of(targets), vectors, positive=1, negative=2, similar=0.8
    )
    assert implies.tolist() == [[False, True, False], [True, False, False], [False] * 3]
    assert excludes.tolist() == [[False, False, True], [False, False, True], [True, True, False]]
    assert resembles.tolist() == [[False, False, True], [False] * 3, [True, False, False]]


def test_loops_are_taken_out_and_nothing_else():
    kept = without_loops(torch.ones(2, 3, 3, dtype=torch.bool))
    assert torch.equal(kept, ~torch.eye(3, dtype=torch.bool).expand(2, 3, 3))


def test_vectors_are_centred_by_the_mean_of_the_labels_that_are_known():
    vectors, known = torch.tensor([[1.0, 3], [5, 7], [4, 4]]), torch.tensor([True, True, False])
    assert centred(vectors, known).tolist() == [[-2, -2], [2, 2], [1, -1]]


def test_the_matrix_is_the_edges_weights_over_the_neighbours():
    torch.manual_seed(0)
    vectors, relations = torch.randn(4, 3), torch.rand(2, 4, 4) < 0.6
    knowledge = KnowledgeGraph(vectors, relations, 6, 5, mean=True).double().eval()
    words, matrix = knowledge()
    expected = torch.zeros(4, 4, dtype=torch.double)
    for relation, network in zip(relations, knowledge.weights, strict=True):
        for i in range(4):
            for j in range(4):
                if relation[i, j]:
                    one, other = knowledge.vectors[i], knowledge.vectors[j]
                    hidden = network.of_target(one) + network.of_source.weight @ other
                    weight = network.weight(hidden.relu()).item()
                    expected[i, j] += weight / relation[i].sum()
    assert_close(matrix, expected)
    assert_close(words, knowledge.words(knowledge.vectors))
    assert {name.partition(".")[0] for name in knowledge.state_dict()} == {"words", "weights"}


def test_an_update_is_that_of_the_gates_written_out():
    torch.manual_seed(0)
    update = GatedUpdate(3).double()
    states, matrix = torch.randn(2, 4, 3).double(), torch.randn(4, 4).double()
    new = update(states, matrix)
    w, b = update.of_message.weight.chunk(3), update.of_message.bias.chunk(3)
    u = update.of_state.weight.chunk(2)
    for n in range(2):
        for i in range(4):
            message = sum(matrix[i, j] * states[n, j] for j in range(4))
            z = (w[0] @ message + b[0] + u[0] @ states[n, i]).sigmoid()
            r = (w[1] @ message + b[1] + u[1] @ states[n, i]).sigmoid()
            h = (w[2] @ message + b[2] + update.of_gated.weight @ (r * states[n, i])).tanh()
            assert_close(new[n, i], (1 - z) * states[n, i] + z * h)
