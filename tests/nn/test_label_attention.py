from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from layer_norm import norm_by_hand
from torch import nn
from torch.testing import assert_close

from tagsight.config import DecoderConfig
from tagsight.nn.label_attention import (
    Attention,
    AttentionLayer,
    as_cells,
    dropped,
    evidence,
    position_code,
)

B, L, N, D, HEADS, HIDDEN = 2, 3, 5, 8, 2, 6
CONFIG = DecoderConfig(width=D, heads=HEADS, hidden=HIDDEN)


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).double()


def layer(seed: int = 0) -> AttentionLayer:
    """A layer in which nothing is 0 or 1 as at the beginning."""
    made = AttentionLayer(CONFIG).double()
    with torch.no_grad():
        for i, parameter in enumerate(made.parameters()):
            parameter.copy_(drawn(*parameter.shape, seed=100 * seed + i) / 2)
    return made


def attention_by_loops(
    attention: Attention, queries: np.ndarray, keys: np.ndarray, values: np.ndarray
) -> np.ndarray:
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


def test_attention_is_what_loops_over_heads_and_cells_give():
    attention = layer().attention
    queries, keys, values = drawn(B, L, D), drawn(B, N, D, seed=1), drawn(B, N, D, seed=2)
    seen, weights = attention(queries, keys, values)
    for photo in range(B):
        arrays = (tensor[photo].numpy() for tensor in (queries, keys, values))
        assert_close(seen[photo], torch.from_numpy(attention_by_loops(attention, *arrays)))
    assert_close(weights.sum(-1), torch.ones(B, HEADS, L).double())


def test_a_layer_is_a_transcription_in_numpy():
    made = layer()
    states, cells = drawn(B, L, D), drawn(B, N, D, seed=1)
    position, place = drawn(L, D, seed=2), drawn(N, D, seed=3)
    got, _ = made(states, cells, position=position, cell_position=place)
    first, second = (
        (m.weight.detach().numpy(), m.bias.detach().numpy()) for m in (made.first, made.second)
    )
    for photo in range(B):
        state, cell = states[photo].numpy(), cells[photo].numpy()
        seen = attention_by_loops(
            made.attention, state + position.numpy(), cell + place.numpy(), cell
        )
        state = norm_by_hand(made.first_norm, state + seen)
        hidden = np.maximum(state @ first[0].T + first[1], 0)
        expected = norm_by_hand(made.second_norm, state + hidden @ second[0].T + second[1])
        assert_close(got[photo], torch.from_numpy(expected))


class Held:
    """Two layers once more, with every gate as it was, but other values of the cells."""

    def __init__(self, layers: nn.ModuleList, looks: list) -> None:
        self.layers, self.looks = layers, looks

    def __call__(self, states: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        for made, look in zip(self.layers, self.looks, strict=True):
            attention = made.attention
            split = attention.values(values).unflatten(-1, (HEADS, -1)).transpose(1, 2)
            seen = attention.out((look.weights @ split).transpose(1, 2).flatten(2))
            states = self.norm(made.first_norm, states + seen, look.attended)
            hidden = made.first(states) * (look.hidden > 0)
            states = self.norm(made.second_norm, states + made.second(hidden), look.mixed)
        return states

    @staticmethod
    def norm(norm: nn.LayerNorm, states: torch.Tensor, then: torch.Tensor) -> torch.Tensor:
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
    made, cells = layer(), drawn(B, N, D)
    _, look = made(drawn(1, L, D), cells)
    rows = torch.tensor([0, 0, 2, 1])
    shares, _ = made.contributions(drawn(B, 4, D, seed=3), look.select(rows))
    assert shares.shape == (B, 4, N)
    for label, row in enumerate(rows.tolist()):
        alone, _ = made.contributions(
            drawn(B, 4, D, seed=3)[:, [label]], look.select(torch.tensor([row]))
        )
        assert_close(shares[:, [label]], alone)


def test_cells_are_listed_row_by_row():
    grid = torch.arange(12.0).view(1, 2, 2, 3)
    assert as_cells(grid).tolist() == [[[i, i + 6] for i in range(6)]]


@pytest.mark.parametrize("grid", [(1, 1), (3, 5)])
def test_a_position_code_has_a_row_of_equal_length_for_every_cell(grid: tuple[int, int]):
    code = position_code(grid, 16, torch.zeros(1).double())
    assert code.shape == (grid[0] * grid[1], 16)
    assert_close(code.norm(dim=-1), torch.full((len(code),), math.sqrt(8)).double())
    assert len(code.round(decimals=6).unique(dim=0)) == len(code)


def test_a_position_code_is_that_of_its_formula():
    code = position_code((2, 4), 8, torch.zeros(1).double()).unflatten(0, (2, 4))
    row, column = 2 / 2 * math.tau, 3 / 4 * math.tau
    slow = 100  # 10000 ** (1 / 2), the second of two waves
    expected = [f(x / s) for x in (row, column) for s in (1, slow) for f in (math.sin, math.cos)]
    assert_close(code[1, 2], torch.tensor(expected).double())


def test_nothing_is_dropped_unless_a_share_is_given():
    numbers = drawn(1000)
    assert dropped(numbers, 0.0) is numbers
    some = dropped(numbers, 0.25)
    assert 600 < (some != 0).sum() < 900
    assert_close(some[some != 0], numbers[some != 0] / 0.75)


def test_heads_must_divide_the_width():
    with pytest.raises(ValueError, match=r"decoder\.heads: expected a divisor of .* 12, got 5"):
        DecoderConfig(width=12, heads=5)
