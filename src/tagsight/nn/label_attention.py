"""Transformer layers from labels to grid cells, and exact contributions of cells to a logit.

Vaswani et al., Attention Is All You Need, NeurIPS 2017, with post-norm layers. If the gates of a
layer are held fixed (attention weights, scale of each norm, active hidden units), the layer is
linear in the values of its cells. A logit is therefore exactly a sum over cells plus a rest that
belongs to none: the query's own part and the biases.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import nn

from tagsight.nn.dropout import dropped
from tagsight.nn.padding import excluded
from tagsight.runtime.precision import full_precision, widened

if TYPE_CHECKING:
    from torch import Tensor

    from tagsight.nn.config import DecoderConfig


class AttentionTrace(NamedTuple):
    """The inputs and gates of a layer, from which its contributions are computed.

    Attributes:
        cells: ``(B, N, D)`` float, the cells.
        weights: ``(B, heads, L, N)`` float, attention weights; a row sums to 1.
        attended: ``(B, L, D)`` float, states before the first norm.
        hidden: ``(B, L, F)`` float, hidden units before their activation.
        mixed: ``(B, L, D)`` float, states before the second norm.
    """

    cells: Tensor
    weights: Tensor
    attended: Tensor
    hidden: Tensor
    mixed: Tensor

    def select(self, rows: Tensor) -> AttentionTrace:
        """Select or repeat states by their rows, ``(L,)`` int.

        Example:
            >>> import torch
            >>> states, weights = torch.zeros(1, 3, 8), torch.zeros(1, 2, 3, 49)  # of three labels
            >>> trace = AttentionTrace(torch.zeros(1, 49, 8), weights, states, states, states)
            >>> trace.select(torch.tensor([0, 2])).weights.shape
            torch.Size([1, 2, 2, 49])
        """
        return AttentionTrace(
            self.cells,
            self.weights[:, :, rows],
            self.attended[:, rows],
            self.hidden[:, rows],
            self.mixed[:, rows],
        )


class Attention(nn.Module):
    """Multi-head attention, ``softmax(Q K^T / sqrt(d)) V``.

    Keys have no bias, which would add the same number to all scores of a query.

    Args:
        width: Length ``D`` of every vector.
        heads: Number of heads, each of length ``d = D / heads``.

    Example:
        >>> attention = Attention(8, heads=2)
        >>> cells = torch.rand(1, 5, 8)
        >>> result, weights = attention(torch.rand(1, 3, 8), cells, cells)
        >>> result.shape, weights.shape
        (torch.Size([1, 3, 8]), torch.Size([1, 2, 3, 5]))
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
        self,
        queries: Tensor,
        keys: Tensor,
        values: Tensor,
        *,
        dropout: float = 0.0,
        on_photo: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Attend: ``(B, L, D), (B, N, D), (B, N, D) -> (B, L, D), (B, heads, L, N)``.

        Args:
            queries: ``(B, L, D)`` float.
            keys: ``(B, N, D)`` float.
            values: ``(B, N, D)`` float.
            dropout: Fraction of the weights that are dropped.
            on_photo: ``(B, N)`` bool, keys that get weight; by default all.
        """
        query, key = self._split(self.queries(queries)), self._split(self.keys(keys))
        scores = query @ key.mT * query.shape[-1] ** -0.5
        if on_photo is not None:
            scores = excluded(scores, on_photo[:, None, None])
        weights = scores.softmax(-1)
        result = dropped(weights, dropout) @ self._split(self.values(values))
        return self.out(result.transpose(1, 2).flatten(2)), weights

    def contributions(self, directions: Tensor, weights: Tensor, values: Tensor) -> Tensor:
        """Compute each cell's contribution along a direction, without the biases.

        ``(B, L, D), (B, heads, L, N), (B, N, D) -> (B, L, N)``.
        """
        split = self._split(directions @ self.out.weight)
        return (weights * (split @ self._split(values @ self.values.weight.mT).mT)).sum(1)

    def _split(self, vectors: Tensor) -> Tensor:
        return vectors.unflatten(-1, (self.heads, -1)).transpose(1, 2)


class AttentionLayer(nn.Module):
    """A decoder layer: states attend to cells, then pass a feed-forward network.

    ``x' = norm(x + attention(x + p, c + q, c))``, ``norm(x' + W2 relu(W1 x'))``.

    Args:
        config: Width, heads and hidden units.

    Example:
        >>> from tagsight.nn.config import DecoderConfig
        >>> layer = AttentionLayer(DecoderConfig(width=8, heads=2, hidden=16))
        >>> states, _ = layer(torch.rand(1, 3, 8), torch.rand(2, 5, 8))
        >>> states.shape
        torch.Size([2, 3, 8])
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
        on_photo: Tensor | None = None,
    ) -> tuple[Tensor, AttentionTrace]:
        """Update the states: ``(B, L, D), (B, N, D) -> (B, L, D)``, with the trace of the layer.

        Args:
            states: ``(B, L, D)`` float; ``B`` may be 1 if all photos share them.
            cells: ``(B, N, D)`` float.
            position: ``(L, D)`` float, added to the states as queries only.
            cell_position: ``(N, D)`` float, added to the cells as keys only.
            dropout: Fraction of the numbers that are dropped.
            on_photo: ``(B, N)`` bool, cells that get attention; by default all.
        """
        result, weights = self.attention(
            states + position, cells + cell_position, cells, dropout=dropout, on_photo=on_photo
        )
        attended = states + dropped(result, dropout)
        states = self.first_norm(attended)
        hidden = self.first(states)
        mixed = states + dropped(self.second(dropped(F.relu(hidden), dropout)), dropout)
        return self.second_norm(mixed), AttentionTrace(cells, weights, attended, hidden, mixed)

    def contributions(self, directions: Tensor, trace: AttentionTrace) -> tuple[Tensor, Tensor]:
        """Compute each cell's contribution to the new states along a direction.

        With the gates held fixed this is exact, not an approximation.

        Args:
            directions: ``(B, L, D)`` float, the linear functional of the new states.
            trace: The trace of the layer.

        Returns:
            ``(B, L, N)`` float, contributions of the cells, and ``(B, L, D)`` float, the
            corresponding functional of the old states.
        """
        weights, hidden = widened(trace.weights), trace.hidden
        directions = through_norm(self.second_norm, directions, trace.mixed)
        inner = directions @ self.second.weight * (hidden > 0)
        directions = directions + inner @ self.first.weight
        directions = through_norm(self.first_norm, directions, trace.attended)
        return self.attention.contributions(directions, weights, widened(trace.cells)), directions


class LabelHead(nn.Module):
    """One linear classifier per label, each applied to that label's state.

    Args:
        labels: Number ``L`` of labels.
        width: Length ``D`` of a state.

    Attributes:
        weight: ``(L, D)`` float.
        bias: ``(L,)`` float.

    Example:
        >>> LabelHead(3, 8)(torch.rand(2, 3, 8)).shape
        torch.Size([2, 3])
    """

    def __init__(self, labels: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(labels, width))
        self.bias = nn.Parameter(torch.zeros(labels))
        nn.init.uniform_(self.weight, -(width**-0.5), width**-0.5)

    def forward(self, states: Tensor) -> Tensor:
        """Apply each label's classifier to its state: ``(B, L, D) -> (B, L)``."""
        # Not (states * weight).sum(-1) + bias: OpenVINO (2026.4, on CPUs) fuses sum and bias into a
        # step that reads the bias of row b for photo b, and past the array's end beyond row L.
        with full_precision(states.device):
            return torch.einsum("bld,ld->bl", widened(states), self.weight) + self.bias


def evidence(
    layers: nn.ModuleList,
    traces: list[AttentionTrace],
    classifiers: Tensor,
    logits: Tensor,
    on_photo: Tensor | None = None,
) -> Tensor:
    """Decompose logits into contributions of the cells: ``(B, L, N)`` float.

    The part that belongs to no cell is added to every cell, so that the mean over the cells is the
    logit. Cells of padding get the logit.

    Args:
        layers: The `AttentionLayer` s between cells and logits, in order.
        traces: The trace of each, with one state per label.
        classifiers: ``(L, D)`` or ``(B, L, D)`` float, applied to the last states.
        logits: ``(B, L)`` float.
        on_photo: ``(B, N)`` bool, cells that are not padding; by default all.

    Example:
        >>> from tagsight.nn.config import DecoderConfig
        >>> layers = nn.ModuleList([AttentionLayer(DecoderConfig(width=8, heads=2, hidden=16))])
        >>> states, trace = layers[0](torch.rand(1, 3, 8), torch.rand(1, 5, 8))
        >>> classifiers = torch.rand(3, 8)
        >>> logits = (states * classifiers).sum(-1)
        >>> maps = evidence(layers, [trace], classifiers, logits)
        >>> maps.shape, torch.allclose(maps.mean(-1), logits, atol=1e-5)
        (torch.Size([1, 3, 5]), True)
    """
    with full_precision(logits.device):
        directions = classifiers.expand(logits.shape[0], -1, -1)
        total = torch.zeros_like(logits)[..., None]
        passed = zip(cast("list[AttentionLayer]", list(layers)), traces, strict=True)
        for layer, trace in reversed(list(passed)):
            added, directions = layer.contributions(directions, trace)
            total = total + added
        rest = logits - total.sum(-1)
        if on_photo is None:
            return total * total.shape[-1] + rest[..., None]
        counted = on_photo.sum(1)[:, None, None]
        return (total * counted + rest[..., None]).where(on_photo[:, None], logits[..., None])


def as_cells(features: Tensor) -> Tensor:
    """Flatten a grid into cells, row by row: ``(B, D, h, w) -> (B, h * w, D)``.

    Args:
        features: ``(B, D, h, w)`` float.

    Example:
        >>> as_cells(torch.rand(2, 8, 7, 7)).shape
        torch.Size([2, 49, 8])
    """
    return features.flatten(2).mT


def as_row(on_photo: Tensor | None) -> Tensor | None:
    """Flatten the cells on the photo as `as_cells` does: ``(B, 1, h, w) -> (B, h * w)`` bool.

    Example:
        >>> as_row(torch.tensor([[[[True, False], [True, True]]]])).tolist()
        [[True, False, True, True]]
    """
    return None if on_photo is None else on_photo.flatten(1)


def position_code(grid: tuple[int, int] | torch.Size, length: int, like: Tensor) -> Tensor:
    """Compute a sinusoidal position code of each cell: ``(h * w, D)`` float.

    Carion et al., End-to-End Object Detection with Transformers, ECCV 2020. The first half encodes
    the row, the second the column, as fractions of the grid, which may have any size. Wavelengths
    are a geometric series from the whole grid to 10000 times it.

    Args:
        grid: Height and width of the grid, in cells.
        length: ``D``, a multiple of 4.
        like: A tensor of the wanted device and type.

    Example:
        >>> position_code((2, 3), 8, torch.zeros(1)).shape
        torch.Size([6, 8])
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


def through_norm(norm: nn.LayerNorm, directions: Tensor, states: Tensor) -> Tensor:
    """Pull a linear functional of a norm's output back to its input, with the scale held fixed.

    ``(..., D), (B, L, D) -> (B, L, D)``.

    Args:
        norm: The layer norm.
        directions: ``(..., D)`` float, the functional of the output.
        states: ``(B, L, D)`` float, the input.

    Example:
        >>> norm, states = nn.LayerNorm(4), torch.rand(1, 2, 4)
        >>> direction = torch.tensor([1.0, 0.0, 0.0, 0.0])
        >>> pulled = through_norm(norm, direction, states)
        >>> torch.allclose((pulled * states).sum(-1), norm(states)[..., 0], atol=1e-4)
        True
    """
    scale = (widened(states).var(-1, correction=0, keepdim=True) + norm.eps).rsqrt()
    directions = directions * norm.weight
    return (directions - directions.mean(-1, keepdim=True)) * scale
