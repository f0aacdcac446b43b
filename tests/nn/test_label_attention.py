import math

import numpy as np
import pytest
import torch
from layer_norm import norm_by_hand
from torch import nn
from torch.testing import assert_close

from tagsight.nn.config import DecoderConfig
from tagsight.nn.label_attention import (
    AttentionLayer,
    as_cells,
    dropped,
    evidence,
    position_code,
)

B, L, N, D, HEADS, HIDDEN = 2, 3, 5, 8, 2, 6
WAVES = (math.sin, math.cos)
CONFIG = DecoderConfig(width=D, heads=HEADS, hidden=HIDDEN)


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).double()


def layer(seed=0):
    """A layer in which nothing is 0 or 1 as at the beginning."""
    made = AttentionLayer(CONFIG).double()
    with torch.no_grad():
        for i, parameter in enumerate(made.parameters()):
            parameter.copy_(drawn(*parameter.shape, seed=100 * seed + i) / 2)
    return made


def attention_by_loops(attention, queries, keys, values):
    """For one photo, head by head and cell by cell: ``(L, D), (N, D), (N, D) -> (L, D)``."""
    part = D // HEADS
    out = np.zeros((L, D))
    weights = {name: p.detach().numpy() for name, p in attention.named_parameters()}
    for label in range(L):
        query = weights["queries.weight"] @ queries[label] + weights["queries.bias"]
        seen = np.zeros(D)
        for head in range(HEADS):
            own = slice(head * part, (head + 1) * part)
            scores = np.array(
                [query[own] @ (weights["keys.weight"] @ key)[own] / math.sqrt(part) for key in keys]
            )
            shares = np.exp(scores) / np.exp(scores).sum()
            for share, value in zip(shares, values, strict=True):
                projected = weights["values.weight"] @ value + weights["values.bias"]
                seen[own] += share * projected[own]
        out[label] = weights["out.weight"] @ seen + weights["out.bias"]
    return out


def test_a_layer_and_its_attention_are_transcriptions_in_numpy():
    made = layer()
    states, cells = drawn(B, L, D), drawn(B, N, D, seed=1)
    position, place = drawn(L, D, seed=2), drawn(N, D, seed=3)
    seen, shares = made.attention(states + position, cells + place, cells)
    got, _ = made(states, cells, position=position, cell_position=place)
    assert_close(shares.sum(-1), torch.ones(B, HEADS, L).double())
    first, second = (
        (m.weight.detach().numpy(), m.bias.detach().numpy()) for m in (made.first, made.second)
    )
    for photo in range(B):
        state, cell = states[photo].numpy(), cells[photo].numpy()
        keys = cell + place.numpy()
        attended = attention_by_loops(made.attention, state + position.numpy(), keys, cell)
        assert_close(seen[photo], torch.from_numpy(attended))
        state = norm_by_hand(made.first_norm, state + attended)
        hidden = np.maximum(state @ first[0].T + first[1], 0)
        expected = norm_by_hand(made.second_norm, state + hidden @ second[0].T + second[1])
        assert_close(got[photo], torch.from_numpy(expected))


class Held:
    """Two layers once more, with every gate as it was, but other values of the cells."""

    def __init__(self, layers, looks):
        self.layers, self.looks = layers, looks

    def __call__(self, states, values):
        for made, look in zip(self.layers, self.looks, strict=True):
            attention = made.attention
            split = attention.values(values).unflatten(-1, (HEADS, -1)).transpose(1, 2)
            seen = attention.out((look.weights @ split).transpose(1, 2).flatten(2))
            states = self.norm(made.first_norm, states + seen, look.attended)
            hidden = made.first(states) * (look.hidden > 0)
            states = self.norm(made.second_norm, states + made.second(hidden), look.mixed)
        return states

    @staticmethod
    def norm(norm, states, then):
        scale = (then.var(-1, correction=0, keepdim=True) + norm.eps).sqrt()
        return (states - states.mean(-1, keepdim=True)) / scale * norm.weight + norm.bias


def test_evidence_is_what_a_logit_loses_without_the_cell_where_gates_are_held():
    layers = nn.ModuleList([layer(1), layer(2)])
    cells, classifiers = drawn(B, N, D), drawn(L, D, seed=1)
    first = states = torch.zeros(1, L, D).double()
    looks = []
    for made in layers:
        states, look = made(states, cells, position=drawn(L, D, seed=2))
        looks.append(look)
    logits = (states * classifiers).sum(-1)
    maps = evidence(layers, looks, classifiers, logits)

    again = Held(layers, looks)
    assert_close(again(first, cells), states)
    for cell in range(N):
        without = cells.clone()
        without[:, cell] = 0
        lost = logits - (again(first, without) * classifiers).sum(-1)
        rest = (again(first, torch.zeros_like(cells)) * classifiers).sum(-1)
        assert_close(maps[..., cell], N * lost + rest)
    assert_close(maps.mean(-1), logits)


def test_states_of_a_look_can_be_shared_by_labels():
    made, slopes, rows = layer(), drawn(B, 4, D, seed=3), torch.tensor([0, 0, 2, 1])
    _, look = made(drawn(1, L, D), drawn(B, N, D))
    shares, _ = made.contributions(slopes, look.select(rows))
    assert shares.shape == (B, 4, N)
    for label in range(4):
        alone, _ = made.contributions(slopes[:, [label]], look.select(rows[[label]]))
        assert_close(shares[:, [label]], alone)


def test_cells_are_listed_row_by_row():
    grid = torch.arange(12.0).view(1, 2, 2, 3)
    assert as_cells(grid).tolist() == [[[i, i + 6] for i in range(6)]]


def test_a_position_code_is_that_of_its_formula():
    code = position_code((2, 4), 8, torch.zeros(1).double())
    expected = [
        [f(x * math.tau / s) for x in (row / 2, column / 4) for s in (1, 100) for f in WAVES]
        for row in (1, 2)
        for column in (1, 2, 3, 4)
    ]  # 100 is 10000 ** (1 / 2), the second of two wavelengths
    assert_close(code, torch.tensor(expected).double())
    assert_close(position_code((1, 1), 8, torch.zeros(1)).norm(), torch.tensor(2.0))


def test_nothing_is_dropped_unless_a_share_is_given():
    numbers = drawn(1000)
    assert dropped(numbers, 0.0) is numbers
    some = dropped(numbers, 0.25)
    assert 600 < (some != 0).sum() < 900
    assert_close(some[some != 0], numbers[some != 0] / 0.75)


def test_heads_must_divide_the_width():
    with pytest.raises(ValueError, match=r"decoder\.heads: expected a divisor of .* 12, got 5"):
        DecoderConfig(width=12, heads=5)
