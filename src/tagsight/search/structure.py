"""What searches keep in memory, so that they need not read the table of an index."""

from __future__ import annotations

import heapq
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
    """Make the structure that suits the size of a LanceDB table.

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

    parts = math.ceil(count / PART)
    if count < approximate_from:
        table.create_index("vector", config=IvfFlat(distance_type="dot", num_partitions=parts))
        return "vectors"
    short = IvfRq(distance_type="dot", num_partitions=parts, num_bits=BITS)
    table.create_index("vector", config=short)
    return "short forms"


def nearest(
    queries: NDArray[np.float32],
    parts: Iterable[tuple[list[str], NDArray[np.float32]]],
    count: int,
) -> list[set[str]]:
    """Find the nearest of several vectors exactly, in one passage through all.

    Args:
        queries: ``(Q, D)``, of length 1.
        parts: Names and their vectors, ``(N, D)`` of length 1, part by part.
        count: How many are wanted.

    Returns:
        Their names, for each query.
    """
    best: list[list[tuple[float, str]]] = [[] for _ in queries]
    for names, vectors in parts:
        for place, cosines in enumerate(queries @ vectors.T):
            first = np.argsort(-cosines)[:count]
            found = [(float(cosines[row]), names[row]) for row in first]
            best[place] = heapq.nlargest(count, best[place] + found)
    return [{name for _, name in known} for known in best]
