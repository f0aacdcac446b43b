"""Exact search for nearest neighbours by inner product, in blocks of bounded memory.

Each candidate is one 64-bit key: its inner product in the upper half, its row in the lower. Keys
are distinct and totally ordered, so ties have one answer (the lower row comes first), and merging
the blocks gives the same result however the rows are divided.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from tagsight.runtime.precision import full_precision

BLOCK = 2**13
"""Rows that are compared at once; bounds the memory of a search."""

CHUNK = 16
"""Rows of which only the nearest is ranked at first; divides `BLOCK`."""

_LOW = 2**32 - 1


def nearest(
    queries: Tensor, remembered: Tensor, count: int, *, own: Tensor | None = None
) -> Tensor:
    """Find the rows with the largest inner products, compared in float32: ``(B, D) -> (B, K)``.

    Args:
        queries: ``(B, D)`` float.
        remembered: ``(N, D)`` float; ``N`` is below 2**32.
        count: ``K``; if there are fewer rows, all of them are returned.
        own: ``(B,)`` int, a row for each query that is excluded: the query itself.

    Returns:
        ``(B, K)`` int, the nearest first.

    Example:
        >>> remembered = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]])
        >>> nearest(remembered[:1], remembered, 2, own=torch.tensor([0])).tolist()
        [[2, 1]]
    """
    total = remembered.shape[0]
    wanted = min(count, total if own is None else total - 1)
    best = torch.empty(queries.shape[0], 0, dtype=torch.long, device=queries.device)
    for first in range(0, total, BLOCK):
        with full_precision(queries.device):
            scores = (queries @ remembered[first : first + BLOCK].T).float()
        if own is not None:
            _exclude(scores, own - first)
        best = torch.cat([best, _best_keys(scores, first, wanted)], 1)
        best = best.topk(min(wanted, best.shape[1])).values
    return _LOW - (best & _LOW)


def _exclude(scores: Tensor, own: Tensor) -> None:
    here = ((own >= 0) & (own < scores.shape[1])).nonzero()[:, 0]
    scores[here, own[here]] = -torch.inf


def _best_keys(scores: Tensor, first: int, count: int) -> Tensor:
    """Rank a block: ``(B, n) -> (B, min(count, n))`` keys."""
    size = scores.shape[1]
    chunks = -(-size // CHUNK)
    places = torch.arange(size, device=scores.device)
    # The best count rows lie in the count chunks with the best maxima: a row in any other chunk has
    # at least one row before it from each of these. So a chunk is first reduced to its maximum, and
    # only count chunks are sorted. Maxima are compared by keys too, because of equal ones the lower
    # chunk holds the lower rows.
    if chunks > count:
        if size % CHUNK:
            scores = F.pad(scores, (0, chunks * CHUNK - size), value=-torch.inf)
        scores = scores.unflatten(1, (chunks, CHUNK))
        number, inside = (torch.arange(n, device=scores.device) for n in (chunks, CHUNK))
        chosen = _keys(scores.amax(2), number).topk(count).indices[..., None]
        scores = scores.gather(1, chosen.expand(-1, -1, CHUNK)).flatten(1)
        places = (chosen * CHUNK + inside).flatten(1)
    return _keys(scores, first + places).topk(min(count, scores.shape[1])).values


def _keys(scores: Tensor, rows: Tensor) -> Tensor:
    """Make keys in the order of the scores, the lower row first: float32 and int64 -> int64."""
    # The bits of non-negative floats, read as integers, are ordered like the floats; those of
    # negative floats are ordered the other way round until all but the sign bit are inverted.
    bits = (scores + 0.0).view(torch.int32).long()  # adding 0 turns -0 into 0, so that they tie
    ordered = torch.where(bits < 0, bits ^ (2**31 - 1), bits)
    return ordered * 2**32 + (_LOW - rows)
