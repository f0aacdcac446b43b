import pytest
import torch

from tagsight.labels.space import LabelSpace
from tagsight.nn.config import GraphConfig
from tagsight.visualize.graph_report import Edge, graph_report

# person 10, frisbee 5, cat 4; person and frisbee together 4 times, person and cat once.
COUNTS = torch.tensor([[10, 4, 1], [4, 5, 0], [1, 0, 4]])


def label_space(counts: torch.Tensor = COUNTS, *names: str) -> LabelSpace:
    names = names or ("person", "frisbee", "cat")
    return LabelSpace(names, None, counts, torch.full((len(counts),), 100))


def test_edges_go_from_sender_to_receiver_and_turn_round_given_the_target():
    report = graph_report(label_space(), GraphConfig(epsilon=0.4))
    edges = Edge("frisbee", "person", 0.8, 4), Edge("person", "frisbee", 0.4, 4)
    assert report.edges == edges
    config = GraphConfig(epsilon=0.5, direction="given_target")
    assert graph_report(label_space(), config).edges == (Edge("person", "frisbee", 0.8, 4),)


def test_the_lines_have_edges_isolated_labels_and_warnings():
    assert list(graph_report(label_space(), GraphConfig()).lines()) == [
        "2 edges among 3 labels: 2 receive, 2 send, 1 isolated; frisbee receives most, from 1",
        "  frisbee -> person  0.80  4 photos with both",
        "  person -> frisbee  0.40  4 photos with both",
        "isolated: cat",
        "warning: 1 edge of labels with fewer than 10 photos: unreliable",
    ]
    lines = list(graph_report(label_space(), GraphConfig(epsilon=0)).lines(most=1))
    assert lines[1:3] == ["  frisbee -> person  0.80  4 photos with both", "  and 3 more"]


def test_labels_that_are_always_together_are_named_once():
    counts = torch.tensor([[7, 7, 3], [7, 7, 3], [3, 3, 9]]) * 10
    report = graph_report(label_space(counts, "salt", "pepper", "egg"), GraphConfig())
    assert report.always_together == (("salt", "pepper"),)
    assert "always together: salt and pepper" in report.lines()
    assert graph_report(label_space(COUNTS * 10), GraphConfig()).warnings == ()  # a sound graph


SEPARATE = torch.eye(3, dtype=torch.long) * 20
UNSEEN = torch.tensor([[0, 0, 0], [0, 0, 0], [0, 0, 20]])


@pytest.mark.parametrize(
    ("counts", "settings", "parts"),
    [
        (COUNTS, {"epsilon": 0.9}, "epsilon 0.9|0.80, of person given frisbee"),
        (COUNTS, {"delta": 0}, "delta 0 |no effect"),
        (COUNTS, {"delta": 0.7}, "delta 0.7|more weight than the label itself"),
        (COUNTS, {"epsilon": 0.1}, "4 of 6 possible edges|epsilon above 0.1"),
        (COUNTS, {"variant": "identity"}, "variant 'identity'"),
        (COUNTS, {"variant": "none"}, "variant 'none'"),
        (COUNTS, {"epsilon": 0.1}, "2 edges|fewer than 10 photos"),
        (COUNTS, {"epsilon": 0.1, "direction": "given_target"}, "2 edges|fewer than 10 photos"),
        (SEPARATE, {}, "no training photo has two labels"),
        (UNSEEN, {}, "no training photo has person, frisbee"),
    ],
)
def test_settings_and_counts_that_defeat_the_graph_give_a_warning(counts, settings, parts):
    report = graph_report(label_space(counts), GraphConfig.model_validate(settings))
    assert any(all(part in line for part in parts.split("|")) for line in report.warnings)
    assert report.always_together == ()
