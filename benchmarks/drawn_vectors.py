"""Vectors that are spread as features of photos are: few strong factors, many weak, mostly zero."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

DECAY, NOISE, ZERO = 0.625, 0.3, 1.0


def drawn_vectors(count: int, length: int, factors: int, seed: int) -> NDArray[np.float32]:
    """Draw vectors of length 1, mixed of factors that all seeds share: ``(count, length)``."""
    weights = np.arange(1, factors + 1, dtype=np.float32) ** -DECAY
    mixed = np.random.default_rng(0).standard_normal((factors, length), dtype=np.float32)
    chance = np.random.default_rng(seed)
    values = (chance.standard_normal((count, factors), dtype=np.float32) * weights) @ mixed
    values += NOISE * chance.standard_normal((count, length), dtype=np.float32)
    features = np.maximum(values - ZERO, 0)
    return features / np.linalg.norm(features, axis=1, keepdims=True)
