import numpy as np
import pytest
import torch
from tiny import exact_photos, label_space, permuted, tiny_system
from torch.testing import assert_close

from tagsight.labels.space import empty_label_space
from tagsight.systems.ml_decoder import fixed_queries


def numbered(count):
    return empty_label_space([f"label {i}" for i in range(count)])


def test_seven_labels_share_three_queries_as_in_loops():
    system = tiny_system("ml-decoder", numbered(7), groups=3).double().eval()
    images, _ = exact_photos(2)
    cells = torch.relu(system.projection(system.backbone(images).flatten(2).mT))
    queries = system.query_norm(2 * system.queries)
    states = system.layers[0](queries.expand(2, -1, -1), cells)[0].detach().numpy()
    weight, bias = system.head.weight.detach().numpy(), system.head.bias.detach().numpy()
    expected = np.zeros((2, 7))
    for photo in range(2):
        for group in range(3):
            for place in range(3):  # ceil(7 / 3), and what is too much is cut off
                label = group * 3 + place
                if label < 7:
                    expected[photo, label] = states[photo, group] @ weight[label] + bias[label]
    answer = system(images)
    assert_close(answer.logits, torch.from_numpy(expected))
    assert_close(answer.maps.mean((-2, -1)), answer.logits)


@pytest.mark.parametrize(
    ("labels", "groups", "queries"), [(7, 100, 7), (7, 7, 7), (7, 3, 3), (7, 4, 4), (9, 5, 5)]
)
def test_there_is_a_query_for_every_group(labels, groups, queries):
    system = tiny_system("ml-decoder", numbered(labels), groups=groups)
    size = -(-labels // queries)
    assert len(system.queries) == -(-labels // size)
    assert system.groups.tolist() == [label // size for label in range(labels)]


def test_queries_are_standard_normal_go_with_the_names_and_are_not_trained():
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    queries = fixed_queries([str(i) for i in range(50)], 768)
    assert torch.equal(torch.rand(3), expected)  # those of the run are not used up
    assert abs(queries.mean()) < 0.02
    assert abs(queries.std() - 1) < 0.02
    assert abs(np.corrcoef(queries.numpy())[np.triu_indices(50, 1)]).max() < 0.2
    system, order = tiny_system("ml-decoder"), torch.tensor([3, 0, 4, 1, 2])
    moved = tiny_system("ml-decoder", permuted(label_space(), order))
    assert_close(moved.queries, system.queries[order])
    assert "queries" not in dict(system.named_parameters())
    assert "queries" in system.state_dict()
