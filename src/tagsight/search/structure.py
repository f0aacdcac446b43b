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

PART, MOST_PARTS = 8_000, 32
"""Photos in a partition of the vector index, and most partitions, unless that makes them larger;
they are searched in parallel, and building takes memory for each."""

SHARE, MOST_WRITES = 64, 64
"""The part of the photos, and the number of writes, that wait outside the vector index; and how
many extensions of it there may be before it is made again."""

FILE = 2**20
"""Rows of a file that LanceDB does not compact any more."""

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
        What a vector index holds that was made now, or "none".

    Example:
        >>> from types import SimpleNamespace
        >>> hold(SimpleNamespace(count_rows=lambda: 5), held_from=10, approximate_from=100)
        'none'
    """
    count = int(table.count_rows())
    if count < held_from:
        return "none"
    from lancedb.index import IvfFlat, IvfRq

    parts = min(math.ceil(count / PART), MOST_PARTS)
    shape: dict[str, Any] = {"distance_type": "dot", "num_partitions": parts}
    short = count >= approximate_from
    config = IvfRq(**shape, num_bits=BITS) if short else IvfFlat(**shape)
    if type(config).__name__ in {there.index_type for there in table.list_indices()}:
        return "none"
    table.create_index("vector", config=config)
    return "quantised vectors" if short else "vectors"


def is_due(table: Any, removed: int) -> bool:  # noqa: ANN401
    """Return whether enough has changed since the vector index was extended to do so again.

    Args:
        table: The LanceDB table of an index.
        removed: Rows that were removed since.

    Example:
        >>> from types import SimpleNamespace
        >>> is_due(SimpleNamespace(list_indices=list), removed=0)
        True
    """
    if (extended := _extended(table)) is None:
        return True
    fragments = table.stats()["fragment_stats"]["num_fragments"]
    rows, outside = int(table.count_rows()), extended.num_unindexed_rows
    many = fragments >= extended.num_indices + rows // FILE + MOST_WRITES
    return bool(SHARE * (outside + removed) > rows or (outside and many))


def drop_worn(table: Any) -> bool:  # noqa: ANN401
    """Drop a vector index that was extended too often, each time by files that a search opens.

    Returns:
        Whether it was dropped.

    Example:
        >>> from types import SimpleNamespace
        >>> drop_worn(SimpleNamespace(list_indices=list))
        False
    """
    extended = _extended(table)
    if extended is None or extended.num_indices <= MOST_WRITES:
        return False
    for there in table.list_indices():
        table.drop_index(there.name)
    return True


def _extended(table: Any) -> Any:  # noqa: ANN401
    """Return the statistics of the vector index, or None if there is none."""
    there = table.list_indices()
    return table.index_stats(there[0].name) if there else None


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
