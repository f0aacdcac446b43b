"""The nearest of many remembered photos: exact, in blocks, and the same however they are cut.

Near is what has a large inner product. During the search a neighbour is one 64-bit number, how near
it is and then its row, so that no two are equal: of equally near ones the lower row comes first.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from tagsight.runtime.precision import full_precision

BLOCK = 2**13
"""Remembered rows that are compared at once: what bounds the memory of a search."""

CHUNK = 16
"""Rows of which only the nearest is ranked at first; it divides `BLOCK`."""

_LOW = 2**32 - 1


def nearest(
    queries: Tensor, remembered: Tensor, count: int, *, own: Tensor | None = None
) -> Tensor:
    """Find the rows with the largest inner products, compared in float32: ``(B, D) -> (B, K)``.

    Args:
        queries: ``(B, D)`` float.
        remembered: ``(N, D)`` float; ``N`` is below 2**32.
        count: ``K``, if there are as many rows; else all of them are given.
        own: ``(B,)`` int, a row for each query that is none of its neighbours: the query itself.

    Returns:
        ``(B, K)`` int, the nearest first.
    """
    total = remembered.shape[0]
    wanted = min(count, total if own is None else total - 1)
    best = torch.empty(queries.shape[0], 0, dtype=torch.long, device=queries.device)
    for first in range(0, total, BLOCK):
        with full_precision(queries.device):
            scores = (queries @ remembered[first : first + BLOCK].T).float()
        if own is not None:
            _leave_out(scores, own - first)
        best = torch.cat([best, _best(scores, first, wanted)], 1)
        best = best.topk(min(wanted, best.shape[1])).values
    return _LOW - (best & _LOW)


def _leave_out(scores: Tensor, own: Tensor) -> None:
    here = ((own >= 0) & (own < scores.shape[1])).nonzero()[:, 0]
    scores[here, own[here]] = -torch.inf


def _best(scores: Tensor, first: int, count: int) -> Tensor:
    """Rank a block: ``(B, n) -> (B, min(count, n))`` keys.

    The best ``count`` rows are in the ``count`` chunks whose best rows are best: every other chunk
    has as many rows before it. So only these chunks are sorted, and the others only read.
    """
    size = scores.shape[1]
    chunks = -(-size // CHUNK)
    places = torch.arange(size, device=scores.device)
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
    """Numbers in the order of scores, the lower row first: float32 and int64 -> int64."""
    bits = (scores + 0.0).view(torch.int32).long()  # -0 becomes 0
    ordered = torch.where(bits < 0, bits ^ (2**31 - 1), bits)
    return ordered * 2**32 + (_LOW - rows)
