from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from tagsight.config import GraphConfig
from tagsight.labels.space import LabelSpace
from tagsight.visualize.graph_report import Edge, graph_report

if TYPE_CHECKING:
    from pathlib import Path

# person 10, frisbee 5, cat 4; person and frisbee together 4 times, person and cat once.
COUNTS = torch.tensor([[10, 4, 1], [4, 5, 0], [1, 0, 4]])


def label_space(counts: torch.Tensor = COUNTS, *names: str) -> LabelSpace:
    names = names or ("person", "frisbee", "cat")
    return LabelSpace(names, None, counts, torch.full((len(counts),), 100))


def test_edges_go_from_sender_to_receiver_the_most_probable_first() -> None:
    report = graph_report(label_space(), GraphConfig(epsilon=0.4))
    assert report.edges == (
        Edge("frisbee", "person", 0.8, 4),
        Edge("person", "frisbee", 0.4, 4),
    )
    assert report.isolated == ("cat",)


def test_edges_turn_round_given_the_target() -> None:
    config = GraphConfig(epsilon=0.5, direction="given_target")
    (edge,) = graph_report(label_space(), config).edges
    assert edge == Edge("person", "frisbee", 0.8, 4)


def test_the_lines_say_all_there_is() -> None:
    assert list(graph_report(label_space(), GraphConfig()).lines()) == [
        "2 edges among 3 labels: 2 receive, 2 send, 1 isolated; frisbee receives most, from 1",
        "  frisbee -> person  0.80  4 photos with both",
        "  person -> frisbee  0.40  4 photos with both",
        "isolated: cat",
        "warning: 1 edge of labels with fewer than 10 photos: a guess",
    ]


def test_long_lists_end_with_how_many_are_left_out() -> None:
    lines = list(graph_report(label_space(), GraphConfig(epsilon=0)).lines(most=1))
    assert lines[1:3] == ["  frisbee -> person  0.80  4 photos with both", "  and 3 more"]


def test_labels_that_are_always_together_are_named_once() -> None:
    counts = torch.tensor([[7, 7, 3], [7, 7, 3], [3, 3, 9]])
    report = graph_report(label_space(counts, "salt", "pepper", "egg"), GraphConfig())
    assert report.always_together == (("salt", "pepper"),)
    assert "always together: salt and pepper" in report.lines()


def test_labels_without_photos_are_not_always_together() -> None:
    counts = torch.tensor([[0, 0, 0], [0, 0, 0], [0, 0, 20]])
    report = graph_report(label_space(counts), GraphConfig())
    assert report.always_together == ()
    assert report.warnings[0] == "no training photo shows person, frisbee"


@pytest.mark.parametrize(
    ("settings", "warning"),
    [
        (
            {"epsilon": 0.9},
            "epsilon 0.9 leaves no edge, every label is on its own: the largest probability is "
            "0.80, of person given frisbee",
        ),
        ({"delta": 0}, "delta 0 gives neighbours no share: the edges change nothing"),
        (
            {"delta": 0.7},
            "delta 0.7 leaves a label less than its neighbours give: labels with the same "
            "neighbours become alike",
        ),
        (
            {"epsilon": 0.1},
            "4 of 6 possible edges are there, most labels hear the same: choose epsilon above 0.1",
        ),
        ({"variant": "identity"}, "variant 'identity' uses none of the edges"),
        ({"variant": "none"}, "variant 'none' uses none of the edges"),
        ({"epsilon": 0.1}, "2 edges of labels with fewer than 10 photos: a guess"),
        (
            {"epsilon": 0.1, "direction": "given_target"},
            "2 edges of labels with fewer than 10 photos: a guess",
        ),
    ],
)
def test_settings_that_defeat_the_graph_are_warned_of(
    settings: dict[str, object], warning: str
) -> None:
    config = GraphConfig.model_validate(settings)
    assert warning in graph_report(label_space(), config).warnings


def test_labels_that_never_meet_are_warned_of() -> None:
    report = graph_report(label_space(torch.eye(3, dtype=torch.long) * 20), GraphConfig())
    expected = "no two labels are together in a training photo: every label is on its own"
    assert report.warnings == (expected,)


def test_a_sound_graph_has_no_warning() -> None:
    report = graph_report(label_space(COUNTS * 10), GraphConfig())
    assert report.warnings == ()


def test_the_known_graph_of_coco_is_told_right(shared_data: Path) -> None:
    path = shared_data / "label-graphs" / "coco_cooccurrence.npz"
    with np.load(path, allow_pickle=False) as stored:
        names = tuple(stored["names"].tolist())
        counts = torch.from_numpy(stored["cooccurrence"] + np.diag(stored["counts"]))
    first = next(graph_report(label_space(counts, *names), GraphConfig()).lines())
    assert first == (
        "111 edges among 80 labels: 23 receive, 65 send, 12 isolated; person receives most, from 55"
    )
