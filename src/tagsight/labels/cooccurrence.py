"""Number of photos with two labels: a dense matrix or, of many labels, a sparse one.

Of ten thousand labels few pairs ever meet, while a dense matrix would take gigabytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from tagsight.runtime.counts import column_counts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

DENSE_LABELS = 2_000
"""Most labels whose counts are a dense matrix."""

ROWS_AT_ONCE = 4096
PAIRS_AT_ONCE = 4_000_000


def cooccurrence_of(targets: Tensor) -> Tensor:
    """Count the photos with each pair of labels: ``(N, L) -> (L, L)`` int64.

    The result is sparse if there are more than `DENSE_LABELS` labels.

    Args:
        targets: ``(N, L)`` int in {1, 0, -1}, dense or sparse; what a sparse table does not hold is
            absent.

    Example:
        >>> cooccurrence_of(torch.tensor([[1, 1, 0], [1, 0, -1]])).tolist()
        [[2, 1, 0], [1, 1, 0], [0, 0, 0]]
    """
    size = targets.shape[1]
    if size > DENSE_LABELS:
        return _sparse_counts(targets)
    found = torch.zeros(size, size, dtype=torch.double)
    for part in _parts(targets):
        present = (part.to_dense() == 1).float()
        found += present.T @ present
    return found.long()


def known_photos(targets: Tensor) -> Tensor:
    """Count the photos in which each label is known: ``(N, L) -> (L,)`` int64.

    Example:
        >>> known_photos(torch.tensor([[1, 0], [1, -1]]).to_sparse()).tolist()
        [2, 1]
    """
    if not targets.is_sparse:
        return column_counts(targets >= 0)
    stored = targets.coalesce()
    unknown = stored.indices()[1][stored.values() < 0]
    return len(targets) - unknown.bincount(minlength=targets.shape[1])


def own_counts(cooccurrence: Tensor) -> Tensor:
    """Return the number of photos with each label, the diagonal: ``(L, L) -> (L,)``.

    Example:
        >>> own_counts(torch.tensor([[3, 1], [1, 2]]).to_sparse()).tolist()
        [3, 2]
    """
    if not cooccurrence.is_sparse:
        return cooccurrence.diagonal()
    targets, sources, values = entries(cooccurrence)
    own = targets == sources
    return values.new_zeros(len(cooccurrence)).index_put((targets[own],), values[own])


def sparse_matrix(targets: Tensor, sources: Tensor, values: Tensor, size: int) -> Tensor:
    """Create a sparse ``(size, size)`` matrix from ``(M,)`` rows, columns and values.

    Example:
        >>> one = torch.tensor([1])
        >>> sparse_matrix(one, one - 1, one + 4, 2).to_dense().tolist()
        [[0, 0], [5, 0]]
    """
    places = torch.stack([targets, sources])
    return torch.sparse_coo_tensor(places, values, (size, size), check_invariants=True).coalesce()


def entries(matrix: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return rows, columns and values of the entries of a sparse matrix, ``(M,)`` each.

    Example:
        >>> [part.tolist() for part in entries(torch.tensor([[0, 0], [5, 0]]).to_sparse())]
        [[1], [0], [5]]
    """
    stored = matrix.coalesce()
    rows, columns = stored.indices()
    return rows, columns, stored.values()


def identity_like(matrix: Tensor) -> Tensor:
    """Create the identity of the size, the kind and the device of a matrix: ``(L, L)`` float.

    Example:
        >>> identity_like(torch.zeros(2, 2)).tolist()
        [[1.0, 0.0], [0.0, 1.0]]
    """
    if not matrix.is_sparse:
        return torch.eye(len(matrix), dtype=torch.double, device=matrix.device)
    own = torch.arange(len(matrix), device=matrix.device)
    return sparse_matrix(own, own, own.new_ones(own.shape, dtype=torch.double), len(matrix))


def empty_counts(size: int) -> Tensor:
    """Create counts of 0: ``(size, size)`` int64, sparse if there are many labels.

    Example:
        >>> empty_counts(2).tolist()
        [[0, 0], [0, 0]]
    """
    if size <= DENSE_LABELS:
        return torch.zeros(size, size, dtype=torch.long)
    none = torch.zeros(0, dtype=torch.long)
    return sparse_matrix(none, none, none, size)


def placed(cooccurrence: Tensor, places: Tensor, size: int) -> Tensor:
    """Move the counts of each label to a new place, among ``size`` labels: ``-> (size, size)``.

    Args:
        cooccurrence: ``(L, L)`` int.
        places: ``(L,)`` int, the new place of each label.
        size: Number of labels of the result; those without a place have counts of 0.

    Example:
        >>> placed(torch.tensor([[3, 1], [1, 2]]), torch.tensor([2, 0]), 3).tolist()
        [[2, 0, 1], [0, 0, 0], [1, 0, 3]]
    """
    if cooccurrence.is_sparse:
        targets, sources, counts = entries(cooccurrence)
        return sparse_matrix(places[targets], places[sources], counts, size)
    found = cooccurrence.new_zeros(size, size)
    found[places[:, None], places] = cooccurrence
    return found


def _parts(targets: Tensor) -> Iterator[Tensor]:
    for start in range(0, len(targets), ROWS_AT_ONCE):
        rows = min(ROWS_AT_ONCE, len(targets) - start)
        yield targets.narrow_copy(0, start, rows) if targets.is_sparse else targets[start:][:rows]


def _present(targets: Tensor) -> tuple[Tensor, Tensor]:
    """Return rows and labels of the present targets, by rows."""
    if targets.is_sparse:
        stored = targets.coalesce()
        rows, labels = stored.indices()[:, stored.values() == 1]
        return rows, labels
    found = [(part == 1).nonzero() for part in _parts(targets)]
    for number, part in enumerate(found):
        part[:, 0] += number * ROWS_AT_ONCE
    rows, labels = torch.cat([*found, torch.zeros(0, 2, dtype=torch.long)]).T
    return rows, labels


def _sparse_counts(targets: Tensor) -> Tensor:
    size = targets.shape[1]
    rows, labels = _present(targets)
    per_row = rows.bincount(minlength=len(targets))
    partners, first = per_row[rows], (per_row.cumsum(0) - per_row)[rows]
    codes = counts = torch.zeros(0, dtype=torch.long)
    start, ends = 0, partners.cumsum(0)
    while start < len(rows):
        done = int(ends[start - 1]) if start else 0
        stop = max(start + 1, int(torch.searchsorted(ends, done + PAIRS_AT_ONCE, right=True)))
        part = slice(start, stop)
        repeated = partners[part]
        within = torch.arange(int(repeated.sum())) - (
            repeated.cumsum(0) - repeated
        ).repeat_interleave(repeated)
        others = labels[first[part].repeat_interleave(repeated) + within]
        pairs = labels[part].repeat_interleave(repeated) * size + others
        codes, places = torch.cat([codes, pairs]).unique(return_inverse=True)
        weights = torch.cat([counts, torch.ones_like(pairs)])
        counts = torch.zeros_like(codes).index_add(0, places, weights)
        start = stop
    return sparse_matrix(codes // size, codes % size, counts, size)
