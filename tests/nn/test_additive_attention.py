import numpy as np
import pytest
import torch
from torch.testing import assert_close

from tagsight.nn.additive_attention import AdditiveAttention


@pytest.mark.parametrize("gate", [False, True])
def test_a_look_is_a_transcription_in_numpy(gate, generator):
    attention = AdditiveAttention(5, 4, 3, gate=gate).double()
    cells = torch.rand(2, 6, 5, generator=generator, dtype=torch.double)
    hidden = torch.rand(2, 2, 4, generator=generator, dtype=torch.double)
    looked, look = attention(*attention.cells(cells), hidden)
    weights = {k: p.detach().numpy() for k, p in attention.named_parameters()}
    for photo in range(2):
        for path in range(2):
            values = cells[photo].numpy() @ weights["to_values.weight"].T
            values = values + weights["to_values.bias"]
            keys = values @ weights["to_keys.weight"].T
            led = hidden[photo, path].numpy()
            energy = (
                np.tanh(keys + weights["to_query.weight"] @ led) @ weights["to_energy.weight"][0]
            )
            share = np.exp(energy) / np.exp(energy).sum()
            seen = share @ values
            if gate:
                opened = weights["to_gate.weight"] @ led + weights["to_gate.bias"]
                seen = seen / (1 + np.exp(-opened))
            assert_close(looked[photo, path].detach().numpy(), np.log(share * 6))
            assert_close(look[photo, path].detach().numpy(), seen)


def test_moved_cells_are_looked_at_as_before(generator):
    attention = AdditiveAttention(5, 4, 3, gate=True).double()
    cells = torch.rand(2, 6, 5, generator=generator, dtype=torch.double)
    hidden = torch.rand(2, 1, 4, generator=generator, dtype=torch.double)
    order = torch.tensor([3, 1, 5, 0, 2, 4])
    looked, look = attention(*attention.cells(cells), hidden)
    moved, same = attention(*attention.cells(cells[:, order]), hidden)
    assert_close(moved, looked[..., order])
    assert_close(same, look)
