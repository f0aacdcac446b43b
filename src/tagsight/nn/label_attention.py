"""Labels that look at the cells of a feature grid, and what each cell adds to a label's logit.

Vaswani et al., Attention Is All You Need, NeurIPS 2017; layers are normalised after each step.
With the gates of a layer held at what they were (the attention weights, the scale of each norm,
which hidden units were on) the layer is linear in the values of its cells. So a logit is, exactly,
a sum over cells and a rest that belongs to none: the query's own part and the biases.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import nn

from tagsight.runtime.precision import full_precision, widened

if TYPE_CHECKING:
    from torch import Tensor

    from tagsight.config import DecoderConfig


class Look(NamedTuple):
    """What a layer saw and did, kept to account for it.

    Attributes:
        cells: ``(B, N, D)`` float, what was looked at.
        weights: ``(B, heads, L, N)`` float, shares of attention; a row sums to 1.
        attended: ``(B, L, D)`` float, states before the first norm.
        hidden: ``(B, L, F)`` float, hidden units before their activation.
        mixed: ``(B, L, D)`` float, states before the second norm.
    """

    cells: Tensor
    weights: Tensor
    attended: Tensor
    hidden: Tensor
    mixed: Tensor

    def of(self, rows: Tensor) -> Look:
        """Repeat or choose states by their row, an index ``(L,)``."""
        return Look(
            self.cells,
            self.weights[:, :, rows],
            self.attended[:, rows],
            self.hidden[:, rows],
            self.mixed[:, rows],
        )


class Attention(nn.Module):
    """Creates ``softmax(Q K^T / sqrt(d)) V`` in several heads.

    Keys have no bias: it would add the same to all scores of a query.

    Args:
        width: Length ``D`` of every vector.
        heads: Into how many parts of length ``d`` it is cut.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.queries = nn.Linear(width, width)
        self.keys = nn.Linear(width, width, bias=False)
        self.values = nn.Linear(width, width)
        self.out = nn.Linear(width, width)
        for layer in (self.queries, self.keys, self.values, self.out):
            nn.init.xavier_uniform_(layer.weight)

    def forward(
        self, queries: Tensor, keys: Tensor, values: Tensor, dropout: float = 0.0
    ) -> tuple[Tensor, Tensor]:
        """Look: ``(B, L, D), (B, N, D), (B, N, D) -> (B, L, D), (B, heads, L, N)``."""
        query, key = self._split(self.queries(queries)), self._split(self.keys(keys))
        scores = query @ key.mT * query.shape[-1] ** -0.5
        weights = scores.softmax(-1)
        seen = dropped(weights, dropout) @ self._split(self.values(values))
        return self.out(seen.transpose(1, 2).flatten(2)), weights

    def shares(self, directions: Tensor, weights: Tensor, values: Tensor) -> Tensor:
        """What each cell added in a direction, without the biases: they belong to no cell.

        ``(B, L, D), (B, heads, L, N), (B, N, D) -> (B, L, N)``.
        """
        wanted = self._split(directions @ self.out.weight)
        return (weights * (wanted @ self._split(values @ self.values.weight.mT).mT)).sum(1)

    def _split(self, vectors: Tensor) -> Tensor:
        return vectors.unflatten(-1, (self.heads, -1)).transpose(1, 2)


class AttentionLayer(nn.Module):
    """States look at cells, then each is transformed by itself.

    ``x' = norm(x + attention(x + p, c + q, c))``, ``norm(x' + W2 relu(W1 x'))``.
    """

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.attention = Attention(config.width, config.heads)
        self.first_norm = nn.LayerNorm(config.width)
        self.first = nn.Linear(config.width, config.hidden)
        self.second = nn.Linear(config.hidden, config.width)
        self.second_norm = nn.LayerNorm(config.width)

    def forward(
        self,
        states: Tensor,
        cells: Tensor,
        *,
        position: Tensor | float = 0.0,
        cell_position: Tensor | float = 0.0,
        dropout: float = 0.0,
    ) -> tuple[Tensor, Look]:
        """Update states: ``(B, L, D), (B, N, D) -> (B, L, D)``, and say how it came about.

        Args:
            states: ``(B, L, D)`` float; ``B`` may be 1 for the same states for all photos.
            cells: ``(B, N, D)`` float.
            position: ``(L, D)`` float, what is added to the states for attention alone.
            cell_position: ``(N, D)`` float, the same for the cells.
            dropout: Share of the numbers that are left out at random.
        """
        seen, weights = self.attention(states + position, cells + cell_position, cells, dropout)
        attended = states + dropped(seen, dropout)
        states = self.first_norm(attended)
        hidden = self.first(states)
        mixed = states + dropped(self.second(dropped(F.relu(hidden), dropout)), dropout)
        return self.second_norm(mixed), Look(cells, weights, attended, hidden, mixed)

    def shares(self, directions: Tensor, look: Look) -> tuple[Tensor, Tensor]:
        """What each cell added to the new states in a direction, and what to ask the old ones.

        The gates stay as they were; so this is exact, not an approximation.

        Args:
            directions: ``(B, L, D)`` float, what the new states are weighed by.
            look: What the layer did.

        Returns:
            ``(B, L, N)`` float, shares of the cells, and ``(B, L, D)`` float, what the old states
            are weighed by.
        """
        weights, hidden = widened(look.weights), look.hidden
        directions = before_norm(self.second_norm, directions, look.mixed)
        inner = directions @ self.second.weight * (hidden > 0)
        directions = directions + inner @ self.first.weight
        directions = before_norm(self.first_norm, directions, look.attended)
        return self.attention.shares(directions, weights, widened(look.cells)), directions


class LabelHead(nn.Module):
    """A linear classifier for each label, on a state of its own.

    It is written as a product of matrices. As a product summed over its last axis it would be a
    reduction with a constant for each label behind it, which OpenVINO (2026.4, on CPUs) makes one
    step that takes the constant of row ``b`` for photo ``b``, and beyond row ``L`` what lies there.

    Args:
        labels: ``L``.
        width: Length of a state.

    Attributes:
        weight: ``(L, D)`` float.
        bias: ``(L,)`` float.
    """

    def __init__(self, labels: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(labels, width))
        self.bias = nn.Parameter(torch.zeros(labels))
        nn.init.uniform_(self.weight, -(width**-0.5), width**-0.5)

    def forward(self, states: Tensor) -> Tensor:
        """Weigh each label's state by its classifier: ``(B, L, D) -> (B, L)``."""
        with full_precision(states.device):
            return torch.einsum("bld,ld->bl", widened(states), self.weight) + self.bias


def evidence(
    layers: nn.ModuleList, looks: list[Look], classifiers: Tensor, logits: Tensor
) -> Tensor:
    """The logits as sums over the cells that the layers looked at: ``(B, L, N)`` float.

    What belongs to no cell stands in every cell, so that a label's mean is its logit.

    Args:
        layers: The `AttentionLayer` s between cells and logits, in their order.
        looks: What each did, a state for each label.
        classifiers: ``(L, D)`` float, or ``(B, L, D)``, what the last states are weighed by.
        logits: ``(B, L)`` float.
    """
    with full_precision(logits.device):
        directions = classifiers.expand(logits.shape[0], -1, -1)
        total = torch.zeros_like(logits)[..., None]
        passed = zip(cast("list[AttentionLayer]", list(layers)), looks, strict=True)
        for layer, look in reversed(list(passed)):
            shares, directions = layer.shares(directions, look)
            total = total + shares
        rest = logits - total.sum(-1)
        return total * total.shape[-1] + rest[..., None]


def as_cells(features: Tensor) -> Tensor:
    """List the cells of a grid, row by row: ``(B, D, h, w) -> (B, h * w, D)``."""
    return features.flatten(2).mT


def position_code(grid: tuple[int, int] | torch.Size, length: int, like: Tensor) -> Tensor:
    """Say where each cell of a grid is, by sines and cosines: ``(h * w, D)`` float.

    Carion et al., End-to-End Object Detection with Transformers, ECCV 2020. The first half tells
    the row, the second the column, as a fraction of the grid, so that any grid will do: in sine and
    cosine of ``2 pi`` times it, and of waves that are longer and longer, up to 10000 times.

    Args:
        grid: Height and width of the grid, in cells.
        length: ``D``, a multiple of 4.
        like: Gives device and type.
    """
    height, width = grid
    slowness = (torch.arange(length // 4).to(like) * (math.log(10000) / (length // 4))).exp()
    row_code, column_code = (
        torch.stack([waves.sin(), waves.cos()], -1).flatten(1)
        for waves in (
            torch.arange(1, size + 1).to(like)[:, None] * math.tau / size / slowness
            for size in (height, width)
        )
    )
    return torch.cat(
        [
            row_code[:, None].expand(-1, width, -1),
            column_code[None].expand(height, -1, -1),
        ],
        -1,
    ).flatten(0, 1)


def dropped(tensor: Tensor, share: float) -> Tensor:
    """Leave out a share of the numbers at random, and enlarge the others to make up for it."""
    return F.dropout(tensor, share, training=share > 0)


def before_norm(norm: nn.LayerNorm, directions: Tensor, states: Tensor) -> Tensor:
    """What a norm's input is weighed by where its output is by ``directions``, its scale held.

    ``(..., D), (B, L, D) -> (B, L, D)``; ``states`` are the input.
    """
    scale = (widened(states).var(-1, correction=0, keepdim=True) + norm.eps).rsqrt()
    directions = directions * norm.weight
    return (directions - directions.mean(-1, keepdim=True)) * scale
