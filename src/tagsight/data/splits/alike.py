"""Pairs of vectors that point in nearly the same direction, without comparing all with all."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

Array: TypeAlias = "np.ndarray[Any, Any]"

COMPARED_WITH_ALL = 32_768
"""Vectors up to which each is compared with all others."""

LANDMARKS_PER_ROOT = 4
NEAREST_LANDMARKS = 16
"""Landmarks per square root of the number of vectors, and those that a vector belongs to: vectors
at a small angle nearly always share one."""

DIRECTIONS = 128
"""Directions of most variance, in which vectors are compared first."""

FITTED_ON = 10_000
"""Vectors that these directions are found from."""

BLOCK = 1024
MARGIN = 1e-5
"""Rounding that the bound of a product allows for."""

SEED = 0


def alike_pairs(units: Array, least: float, *, compared_with_all: int = COMPARED_WITH_ALL) -> Array:
    """Find the pairs of unit vectors with a cosine of at least ``least``.

    More than 32,768 are put into lists, each to those of its 16 nearest of ``4 sqrt(N)`` landmarks,
    which are vectors drawn from them, and compared within lists, so that time grows with
    ``N sqrt(N)``. A few pairs near the border then share no list; `benchmarks/alike_vectors.py`
    counts them. Most pairs are ruled out by their product in 128 directions and the length of what
    remains, an exact bound.

    Args:
        units: ``(N, D)`` float32, each of length 1.
        least: Smallest cosine of a pair.
        compared_with_all: Number of vectors up to which all pairs are compared.

    Returns:
        ``(P, 2)`` int64, the positions of each pair once, the smaller first, in order.

    Example:
        >>> units = np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]], np.float32)
        >>> alike_pairs(units, 0.7).tolist()
        [[0, 1]]
    """
    count = len(units)
    if not count:
        return np.empty((0, 2), np.int64)
    short = _shortened(units)
    if count <= compared_with_all:
        lists: Iterator[Array] = iter([np.arange(count)])
    else:
        lists = _lists(units)
    found = [code for rows in lists for code in _within(rows, units, short, least)]
    codes = np.unique(np.concatenate([np.empty(0, np.int64), *found]))
    return np.stack([codes // count, codes % count], 1)


class _Short(NamedTuple):
    """Vectors in few directions, ``(N, K)``, and the length of what remains of each, ``(N,)``."""

    parts: Array
    rests: Array


def _shortened(units: Array) -> _Short:
    if units.shape[1] <= DIRECTIONS:
        return _Short(units, np.zeros(len(units), np.float32))
    drawn = np.random.default_rng(SEED).permutation(len(units))[:FITTED_ON]
    sample = units[np.sort(drawn)]
    _, axes = np.linalg.eigh(sample.T @ sample)
    parts = units @ np.ascontiguousarray(axes[:, -DIRECTIONS:])
    lengths = np.einsum("nk,nk->n", parts, parts)
    return _Short(parts, np.sqrt(np.maximum(1 - lengths, 0)))


def _lists(units: Array) -> Iterator[Array]:
    """Yield the rows of each landmark's list, in order."""
    count = len(units)
    landmarks = min(int(LANDMARKS_PER_ROOT * count**0.5), count)
    drawn = np.random.default_rng(SEED + 1).permutation(count)[:landmarks]
    places = units[drawn].T
    near = min(NEAREST_LANDMARKS, landmarks)
    lists = np.empty((count, near), np.int32)
    for start in range(0, count, BLOCK):
        products = units[start : start + BLOCK] @ places
        lists[start : start + BLOCK] = np.argpartition(products, -near, axis=1)[:, -near:]
    order = np.argsort(lists, axis=None, kind="stable")
    ends = np.searchsorted(lists.ravel()[order], np.arange(landmarks + 1))
    for first, last in pairwise(ends):
        yield order[first:last] // near


def _within(rows: Array, units: Array, short: _Short, least: float) -> Iterator[Array]:
    """Yield the pairs among some rows, which are in order, as ``one * N + other``."""
    parts, rests = short.parts[rows], short.rests[rows]
    for start in range(0, len(rows), BLOCK):
        stop = start + BLOCK
        most = parts[start:stop] @ parts[start:].T
        most += rests[start:stop, None] * rests[None, start:]
        ones, others = np.nonzero(most >= least - MARGIN)
        ahead = ones < others
        one, other = rows[start + ones[ahead]], rows[start + others[ahead]]
        for first in range(0, len(one), BLOCK):
            a, b = one[first : first + BLOCK], other[first : first + BLOCK]
            alike = np.einsum("nd,nd->n", units[a], units[b]) >= least
            yield a[alike] * len(units) + b[alike]
