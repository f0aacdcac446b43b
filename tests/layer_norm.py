"""Layer norm, worked out step by step."""

import numpy as np
from torch import nn


def norm_by_hand(norm: nn.LayerNorm, states: np.ndarray) -> np.ndarray:
    centred = states - states.mean(-1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + norm.eps)
    return scaled * norm.weight.detach().numpy() + norm.bias.detach().numpy()
