"""Additive attention over the cells of a feature grid, with a query per decoding path.

Bahdanau, Cho and Bengio, Neural Machine Translation by Jointly Learning to Align and Translate,
ICLR 2015; over grid cells, and with a gate, Xu et al., Show, Attend and Tell, ICML 2015. Cells
carry no position: permuting them permutes the weights and leaves the result as it is.
"""

from __future__ import annotations

import math

from torch import Tensor, nn

from tagsight.nn.padding import excluded


class AdditiveAttention(nn.Module):
    """Creates ``softmax(v^T tanh(W_f f_i + W_h h))`` over cells ``i``, and their weighted sum.

    Args:
        channels: Length ``D`` of a cell's features.
        hidden: Length ``R`` of a query.
        width: Length ``A`` of values, keys and result.
        gate: Whether a gate, computed from the query, scales each channel of the result.

    Example:
        >>> import torch
        >>> attention = AdditiveAttention(5, 4, 3, gate=True)
        >>> values, keys = attention.cells(torch.rand(2, 6, 5))
        >>> log_weights, result = attention(values, keys, torch.rand(2, 1, 4))
        >>> log_weights.shape, result.shape
        (torch.Size([2, 1, 6]), torch.Size([2, 1, 3]))
    """

    def __init__(self, channels: int, hidden: int, width: int, *, gate: bool) -> None:
        super().__init__()
        self.to_values = nn.Linear(channels, width)
        self.to_keys = nn.Linear(width, width, bias=False)
        self.to_query = nn.Linear(hidden, width, bias=False)
        self.to_energy = nn.Linear(width, 1, bias=False)
        self.to_gate = nn.Linear(hidden, width) if gate else None

    def cells(self, cells: Tensor) -> tuple[Tensor, Tensor]:
        """Compute values and keys of the cells: ``(B, n, D) -> (B, n, A), (B, n, A)``."""
        values = self.to_values(cells)
        return values, self.to_keys(values)

    def forward(
        self, values: Tensor, keys: Tensor, hidden: Tensor, on_photo: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Attend to the cells: ``(B, n, A), (B, n, A), (B, K, R) -> (B, K, n), (B, K, A)``.

        The first result is the logarithm of the weights relative to uniform ones, ``1 / n`` each,
        so that it is positive where a cell gets more than its share. The second is the weighted sum
        of the values.

        Args:
            values: ``(B, n, A)`` float.
            keys: ``(B, n, A)`` float.
            hidden: ``(B, K, R)`` float, the queries.
            on_photo: ``(B, n)`` bool, cells that get weight; by default all.
        """
        query = self.to_query(hidden)
        energy = self.to_energy((keys[:, None] + query[:, :, None]).tanh())[..., 0]
        cells: Tensor | int = values.shape[1]
        if on_photo is not None:
            energy, cells = excluded(energy, on_photo[:, None]), on_photo.sum(1)[:, None, None]
        log_weights = energy.log_softmax(-1)
        result = log_weights.exp() @ values
        if self.to_gate is not None:
            result = result * self.to_gate(hidden).sigmoid()
        uniform = math.log(cells) if isinstance(cells, int) else cells.to(energy.dtype).log()
        return log_weights + uniform, result
