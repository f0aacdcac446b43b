import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tagsight.labels.space import LabelSpace
from tagsight.nn.config import GraphConfig
from tagsight.visualize.graph_drawing import MOST_LABELS, _circle_order, _swap_gains, draw_graph

weights = (
    st.integers(2, 8)
    .flatmap(lambda n: arrays(np.float64, (n, n), elements=st.sampled_from([0.0, 0.4, 0.5, 1.0])))
    .map(lambda weight: weight * (1 - np.eye(len(weight))))
)


def label_space(size: int, name: str = "label") -> LabelSpace:
    generator = torch.Generator().manual_seed(size)
    targets = (torch.rand(400, size, generator=generator) < 0.3).int()
    targets[:, size // 2] |= targets[:, 0]
    return LabelSpace.from_targets([f"{name}{' ' * i}" for i in range(size)], targets)


def circle_distance(size: int) -> np.ndarray:
    steps = np.abs(np.subtract.outer(np.arange(size), np.arange(size)))
    return np.minimum(steps, size - steps)


@pytest.mark.parametrize(("size", "epsilon"), [(1, 0.4), (2, 0), (12, 0.4), (34, 0), (80, 1)])
def test_any_graph_can_be_drawn_and_always_looks_the_same(size, epsilon):
    one, other = (draw_graph(label_space(size), GraphConfig(epsilon=epsilon)) for _ in range(2))
    assert one.mode == "RGB"
    assert 600 <= one.width <= 1400
    assert 600 <= one.height <= 1500
    assert one.tobytes() == other.tobytes()


@pytest.mark.parametrize("name", ["on and " * 100, " "], ids=["long", "blank"])
def test_any_number_of_labels_with_any_names_fits(name):
    assert max(draw_graph(label_space(MOST_LABELS + 20, name), GraphConfig()).size) < 4000


@pytest.mark.parametrize("direction", ["given_source", "given_target"])
def test_the_arrow_points_at_the_label_that_receives(direction):
    # Of two labels the first stands above, the second below; every photo with the second has the
    # first, and one in ten the other way round.
    labels = LabelSpace(("above", "below"), None, torch.tensor([[50, 5], [5, 5]]), torch.ones(2))
    config = GraphConfig.model_validate({"epsilon": 0.5, "direction": direction})
    pixels = np.asarray(draw_graph(labels, config)).astype(int)
    red = pixels[..., 0] - pixels[..., 1:].max(2) > 40
    rows = np.flatnonzero(red[:-92].any(1))
    widths = red[:-92].sum(1)[rows]
    widest = rows[widths.argmax()]
    middle = (rows[0] + rows[-1]) / 2
    assert (widest < middle) == (direction == "given_source")


@settings(max_examples=40)
@given(weights)
def test_everyone_has_one_place_and_the_isolated_come_last(weight):
    order = _circle_order(weight)
    assert sorted(order.tolist()) == list(range(len(weight)))
    linked = ((weight > 0).any(0) | (weight > 0).any(1))[order]
    assert (np.diff(linked.astype(int)) <= 0).all()


@settings(max_examples=40)
@given(weights, st.data())
def test_the_gain_of_a_swap_is_by_how_much_the_edges_shorten(weight, data):
    weight = np.maximum(weight, weight.T)
    size = len(weight)
    distance = circle_distance(size)
    i, j = (data.draw(st.integers(0, size - 1)) for _ in range(2))
    order = np.arange(size)
    order[[i, j]] = order[[j, i]]
    before, after = ((w * distance).sum() / 2 for w in (weight, weight[np.ix_(order, order)]))
    assert _swap_gains(weight, distance, i)[j] == pytest.approx(before - after)
