"""What searches keep in memory, so that they need not read the table of an index."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

Structure = Literal["none", "vectors", "short forms"]

HELD_FROM = 5_000
"""Photos from which on there is a structure; fewer are read from the table in no time."""

APPROXIMATE_FROM = 50_000
"""Photos from which on it has short forms of the vectors, so that a search no longer compares all
photos exactly, unless it is asked to."""

PART = 8_000
"""Photos in a part of it; parts are gone through side by side."""

BITS = 4
"""Of each number, in the short form of a vector."""

REFINED = 5
"""So many times as many photos as are wanted are compared exactly, of those that are nearest by
their short forms."""


def hold(table: Any, held_from: int, approximate_from: int) -> Structure:  # noqa: ANN401
    """Make the structure that suits the size of a LanceDB table, if it is not there.

    Args:
        table: With a column ``vector`` of vectors of length 1.
        held_from: Rows below which there is none.
        approximate_from: Rows from which on it has short forms.

    Returns:
        What it has.
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
    return "short forms" if short else "vectors"


def reach(
    queries: NDArray[np.float32], parts: Iterable[NDArray[np.float32]], count: int
) -> NDArray[np.float32]:
    """How like a vector has to be to be among the nearest, exactly, in one passage through all.

    Args:
        queries: ``(Q, D)``, of length 1.
        parts: ``(N, D)`` of length 1, part by part.
        count: How many are the nearest.

    Returns:
        ``(Q,)``: the cosine of the last of them, for each query.
    """
    best = np.empty((len(queries), 0), dtype=np.float32)
    for vectors in parts:
        cosines = np.concatenate([best, queries @ vectors.T], axis=1)
        best = -np.sort(-cosines, axis=1)[:, :count]
    return best[:, -1]
