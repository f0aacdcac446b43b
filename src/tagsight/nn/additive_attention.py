"""A soft look at the cells of a feature grid, led by what was said before.

Bahdanau, Cho and Bengio, Neural Machine Translation by Jointly Learning to Align and Translate,
ICLR 2015; on cells, and with a gate, Xu et al., Show, Attend and Tell, ICML 2015. Cells have no
place: moved cells are looked at as before.
"""

from __future__ import annotations

import math

from torch import Tensor, nn


class AdditiveAttention(nn.Module):
    """Creates ``softmax(v^T tanh(W_f f_i + W_h h))`` over cells ``i``, and the look it weighs.

    Args:
        channels: Length ``D`` of a cell's features.
        hidden: Length ``R`` of what leads the look.
        width: Length ``A`` of what is looked at.
        gate: Whether the look is weighed, channel by channel, by what leads it.
    """

    def __init__(self, channels: int, hidden: int, width: int, *, gate: bool) -> None:
        super().__init__()
        self.to_values = nn.Linear(channels, width)
        self.to_keys = nn.Linear(width, width, bias=False)
        self.to_query = nn.Linear(hidden, width, bias=False)
        self.to_energy = nn.Linear(width, 1, bias=False)
        self.to_gate = nn.Linear(hidden, width) if gate else None

    def cells(self, cells: Tensor) -> tuple[Tensor, Tensor]:
        """Values and keys of the cells: ``(B, n, D) -> (B, n, A), (B, n, A)``."""
        values = self.to_values(cells)
        return values, self.to_keys(values)

    def forward(self, values: Tensor, keys: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Look: ``(B, n, A), (B, n, A), (B, K, R) -> (B, K, n), (B, K, A)``.

        First the logarithm of the weights relative to an even look, ``1 / n`` each: it is above 0
        where more is looked. Then what is seen.
        """
        query = self.to_query(hidden)
        energy = self.to_energy((keys[:, None] + query[:, :, None]).tanh())[..., 0]
        log_weights = energy.log_softmax(-1)
        look = log_weights.exp() @ values
        if self.to_gate is not None:
            look = look * self.to_gate(hidden).sigmoid()
        return log_weights + math.log(values.shape[1]), look
