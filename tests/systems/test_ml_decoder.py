from __future__ import annotations

from itertools import starmap

import numpy as np
import pytest
import torch
from tiny import drawn, label_space, tiny_system
from torch.testing import assert_close

from tagsight.labels.space import LabelSpace, empty_label_space
from tagsight.systems.ml_decoder import fixed_queries


def seven() -> LabelSpace:
    return empty_label_space([f"label {i}" for i in range(7)])


def test_seven_labels_share_three_queries_as_in_loops():
    system = tiny_system("ml-decoder", seven(), groups=3).double().eval()
    images = drawn(2)[0].double()
    features = system.backbone(images)
    cells = torch.relu(system.projection(features.flatten(2).mT))
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
def test_there_is_a_query_for_every_group(labels: int, groups: int, queries: int):
    names = empty_label_space([str(i) for i in range(labels)])
    system = tiny_system("ml-decoder", names, groups=groups)
    size = -(-labels // queries)
    assert len(system.queries) == -(-labels // size)
    assert system.groups.tolist() == [label // size for label in range(labels)]


def test_queries_go_with_the_names_of_the_labels():
    labels = label_space()
    order = torch.tensor([3, 0, 4, 1, 2])
    queries = tiny_system("ml-decoder", labels).queries
    assert_close(tiny_system("ml-decoder", labels.permuted(order)).queries, queries[order])
    assert len(queries.unique(dim=0)) == len(labels)


def test_queries_are_standard_normal_and_not_trained():
    queries = fixed_queries([str(i) for i in range(50)], 768)
    assert abs(queries.mean()) < 0.02
    assert abs(queries.std() - 1) < 0.02
    assert abs(np.corrcoef(queries.numpy())[np.triu_indices(50, 1)]).max() < 0.2
    system = tiny_system("ml-decoder")
    assert "queries" not in dict(system.named_parameters())
    assert "queries" in system.state_dict()


def test_drawing_queries_uses_no_random_number_of_the_run():
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    fixed_queries(["cat", "dog"], 16)
    assert torch.equal(torch.rand(3), expected)


def test_a_label_sees_the_photo_and_not_the_other_labels():
    """There is no self-attention: other labels' classifiers and queries change nothing."""
    system = tiny_system("ml-decoder").eval()
    images = drawn(3)[0]
    before = system(images).logits
    with torch.no_grad():
        system.queries[1:].neg_()
        system.head.weight[1:].neg_()
    after = system(images).logits
    assert_close(after[:, 0], before[:, 0])
    assert not torch.isclose(after[:, 1:], before[:, 1:]).any()


def test_dropout_is_for_training_alone():
    system = tiny_system("ml-decoder", dropout=0.5)
    images, targets = drawn(4)
    losses = [system.losses(images, targets)["labels"] for _ in range(2)]
    assert losses[0] != losses[1]
    assert all(starmap(torch.equal, zip(system(images), system(images), strict=True)))
