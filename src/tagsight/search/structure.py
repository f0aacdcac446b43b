"""Vector index that searches keep in memory instead of reading the table."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

Structure = Literal["none", "vectors", "quantised vectors"]

HELD_FROM = 5_000
"""Photos from which a vector index is made; the table of fewer is read fast enough."""

APPROXIMATE_FROM = 50_000
"""Photos from which the vector index holds quantised vectors, so that searches are approximate
unless asked to be exact."""

PART = 8_000
"""Photos in a partition of the vector index; partitions are searched in parallel."""

BITS = 4
"""Bits of each number of a quantised vector."""

REFINED = 5
"""Candidates per photo wanted that are nearest by quantised vectors and then compared exactly."""


def hold(table: Any, held_from: int, approximate_from: int) -> Structure:  # noqa: ANN401
    """Make the vector index that suits the size of a LanceDB table, unless it exists.

    Args:
        table: A table with a column ``vector`` of unit vectors.
        held_from: Rows below which there is no vector index.
        approximate_from: Rows from which it holds quantised vectors.

    Returns:
        What the vector index holds.

    Example:
        >>> from types import SimpleNamespace
        >>> hold(SimpleNamespace(count_rows=lambda: 5), held_from=10, approximate_from=100)
        'none'
    """
    count = int(table.count_rows())
    if count < held_from:
        return "none"
    from lancedb.index import IvfFlat, IvfRq

    shape: dict[str, Any] = {"distance_type": "dot", "num_partitions": math.ceil(count / PART)}
    short = count >= approximate_from
    config = IvfRq(**shape, num_bits=BITS) if short else IvfFlat(**shape)
    if type(config).__name__ not in {there.index_type for there in table.list_indices()}:
        table.create_index("vector", config=config)
    return "quantised vectors" if short else "vectors"


def reach(
    queries: NDArray[np.float32], parts: Iterable[NDArray[np.float32]], count: int
) -> NDArray[np.float32]:
    """Compute the exact cosine of the ``count``-th nearest vector to each query, in one pass.

    Args:
        queries: ``(Q, D)`` float32 unit vectors.
        parts: ``(N, D)`` float32 unit vectors, in parts.
        count: Rank of the neighbour, from 1.

    Returns:
        ``(Q,)`` float32 in [-1, 1].

    Example:
        >>> vectors = np.eye(3, dtype=np.float32)
        >>> reach(vectors[:1], [vectors[:2], vectors[2:]], count=2).tolist()
        [0.0]
    """
    best = np.empty((len(queries), 0), dtype=np.float32)
    for vectors in parts:
        cosines = np.concatenate([best, queries @ vectors.T], axis=1)
        best = -np.sort(-cosines, axis=1)[:, :count]
    return best[:, -1]
