from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import ImageFont

from tagsight.config import GraphConfig
from tagsight.labels.space import LabelSpace
from tagsight.visualize.graph_drawing import MOST_LABELS, _circle_order, _swap_gains, draw_graph

weights = st.integers(2, 8).flatmap(
    lambda size: arrays(np.float64, (size, size), elements=st.sampled_from([0.0, 0.4, 0.5, 1.0]))
)


def without_diagonal(weight: np.ndarray) -> np.ndarray:
    np.fill_diagonal(weight, 0)
    return weight


def label_space(size: int, names: list[str] | None = None) -> LabelSpace:
    generator = torch.Generator().manual_seed(size)
    targets = (torch.rand(400, size, generator=generator) < 0.3).int()
    targets[:, size // 2] |= targets[:, 0]
    return LabelSpace.from_targets(names or [f"label {i}" for i in range(size)], targets)


def circle_distance(size: int) -> np.ndarray:
    steps = np.abs(np.subtract.outer(np.arange(size), np.arange(size)))
    return np.minimum(steps, size - steps)


@pytest.mark.parametrize("size", [1, 2, 12, 80])
@pytest.mark.parametrize("epsilon", [0, 0.4, 1])
def test_any_graph_can_be_drawn(size: int, epsilon: float) -> None:
    picture = draw_graph(label_space(size), GraphConfig(epsilon=epsilon))
    assert picture.mode == "RGB"
    assert 600 <= picture.width <= 1400
    assert 600 <= picture.height <= 1500


def test_a_graph_is_drawn_the_same_every_time() -> None:
    one, other = (draw_graph(label_space(12), GraphConfig()).tobytes() for _ in range(2))
    assert one == other


def test_names_and_labels_without_end_leave_the_picture_bounded() -> None:
    size = MOST_LABELS + 100
    names = [f"{i} {'on and ' * 100}" for i in range(size)]
    picture = draw_graph(label_space(size, names), GraphConfig())
    assert max(picture.size) < 4000


def test_names_without_a_letter_can_be_drawn() -> None:
    draw_graph(label_space(30, [" " * (i + 1) for i in range(30)]), GraphConfig())


@pytest.mark.parametrize("direction", ["given_source", "given_target"])
def test_the_arrow_points_at_the_label_that_receives(direction: str) -> None:
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


@settings(deadline=None)
@given(weights)
def test_everyone_has_one_place_and_the_isolated_come_last(weight: np.ndarray) -> None:
    weight = without_diagonal(weight)
    order = _circle_order(weight)
    assert sorted(order.tolist()) == list(range(len(weight)))
    linked = ((weight > 0).any(0) | (weight > 0).any(1))[order]
    assert (np.diff(linked.astype(int)) <= 0).all()


@settings(deadline=None)
@given(weights, st.data())
def test_the_gain_of_a_swap_is_by_how_much_the_edges_shorten(
    weight: np.ndarray, data: st.DataObject
) -> None:
    weight = without_diagonal(np.maximum(weight, weight.T))
    size = len(weight)
    distance = circle_distance(size)
    i, j = (data.draw(st.integers(0, size - 1)) for _ in range(2))
    order = np.arange(size)
    order[[i, j]] = order[[j, i]]
    before, after = ((w * distance).sum() / 2 for w in (weight, weight[np.ix_(order, order)]))
    assert _swap_gains(weight, distance, i)[j] == pytest.approx(before - after)


def test_the_font_that_comes_with_pillow_has_sizes() -> None:
    assert isinstance(ImageFont.load_default(20), ImageFont.FreeTypeFont)
