"""Relations between labels, what they weigh, and states that travel along them.

A relation is ``(L, L)`` bool with row = target and column = source, as an adjacency is. Labels that
no photo has taught only receive: to add some changes nothing for those that are there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tagsight.nn.cached import LabelConstants
from tagsight.nn.graph import conditional_probability

if TYPE_CHECKING:
    from tagsight.labels.space import LabelSpace

FEWEST_EXPECTED = 1.0
"""Photos that chance gives two labels together, below which never having met says nothing."""


def lift(labels: LabelSpace) -> Tensor:
    """How much more often two labels meet than chance lets them: ``(L, L)`` double, 1 is chance.

    ``N C_ij / (C_i C_j)``, with ``N`` the photos in which the less known of both is known. It is 1
    where chance would not have let them meet `FEWEST_EXPECTED` times.
    """
    counts = labels.cooccurrence.diagonal().double()
    photos = torch.minimum(labels.photos[:, None], labels.photos).double().clamp(min=1)
    expected = counts[:, None] * counts / photos
    ratio = labels.cooccurrence.double() / expected.clamp(min=FEWEST_EXPECTED)
    return torch.where(expected >= FEWEST_EXPECTED, ratio, 1.0)


def counted_relations(
    labels: LabelSpace, vectors: Tensor, *, positive: float, negative: float, similar: float
) -> Tensor:
    """Which labels imply, exclude and resemble one another: ``(3, L, L)`` bool.

    Args:
        labels: With counts.
        vectors: ``(L, E)`` float, their word vectors.
        positive: Least probability of the target given the source.
        negative: The `lift` below which two labels exclude each other.
        similar: Least cosine of two word vectors.
    """
    implies = conditional_probability(labels.cooccurrence) >= max(positive, 1e-9)
    excludes = lift(labels) < negative
    directions = F.normalize(vectors.double())
    resembles = directions @ directions.T >= similar
    return without_loops(torch.stack([implies, excludes, resembles]))


def without_loops(relations: Tensor) -> Tensor:
    """Relate no label to itself: ``(K, L, L) -> (K, L, L)``."""
    own = torch.eye(relations.shape[-1], dtype=torch.bool, device=relations.device)
    return relations & ~own


def centred(vectors: Tensor, known: Tensor) -> Tensor:
    """Take away what the known labels' vectors share: ``(L, E), (L,) -> (L, E)``.

    Other labels have no part in the mean, so that to add some changes nothing.
    """
    return vectors - vectors[known].mean(0)


class EdgeWeight(nn.Module):
    """What a relation weighs from one label to another, ``F_R`` of ML-ZSL.

    A layer of two: ``w_2 . relu(W_1 [w_v; w_u] + b_1) + b_2`` of the target's and the source's word
    vectors.

    Args:
        length: ``E`` of the word vectors.
        hidden: Width of the layer between.
    """

    def __init__(self, length: int, hidden: int) -> None:
        super().__init__()
        self.of_target = nn.Linear(length, hidden)
        self.of_source = nn.Linear(length, hidden, bias=False)
        self.weight = nn.Linear(hidden, 1)

    def forward(self, vectors: Tensor) -> Tensor:
        """Weigh every pair: ``(L, E) -> (L, L)``, row = target."""
        pairs = self.of_target(vectors)[:, None] + self.of_source(vectors)
        return self.weight(pairs.relu()).squeeze(-1)


class Knowledge(LabelConstants[tuple[Tensor, Tensor]]):
    """What a knowledge graph says before a photo is seen.

    Calling it gives the labels' words as the first layer of ``F_I`` sees them, ``(L, H)``, and the
    matrix that carries states to their neighbours, ``(L, L)``; row = target.

    Args:
        vectors: ``(L, E)`` float, word vectors.
        relations: ``(K, L, L)`` bool; columns of labels that only receive are empty.
        hidden: ``H``.
        edge_hidden: Width of the networks that weigh the relations.
        mean: Whether a label takes the mean over the neighbours of a relation, or their sum.
    """

    vectors: Tensor
    shares: Tensor

    def __init__(
        self, vectors: Tensor, relations: Tensor, hidden: int, edge_hidden: int, *, mean: bool
    ) -> None:
        super().__init__()
        shares = relations.to(vectors.dtype)
        if mean:
            shares = shares / shares.sum(2, keepdim=True).clamp(min=1)
        self.register_buffer("vectors", vectors, persistent=False)
        self.register_buffer("shares", shares, persistent=False)
        length = vectors.shape[1]
        self.words = nn.Linear(length, hidden)
        self.weights = nn.ModuleList(EdgeWeight(length, edge_hidden) for _ in relations)

    def make(self) -> tuple[Tensor, Tensor]:
        """Compute ``(L, H)`` and ``(L, L)`` float."""
        edges = torch.stack([weight(self.vectors) for weight in self.weights])
        return self.words(self.vectors), (edges * self.shares).sum(0)


class GatedUpdate(nn.Module):
    """A label's new state from its old one and its neighbours' message, by the gates of a GRU.

    ``z = sigmoid(W_z m + U_z h)``, ``r = sigmoid(W_r m + U_r h)``,
    ``h' = (1 - z) h + z tanh(W m + U (r h))``. Li et al., Gated Graph Sequence Neural Networks,
    ICLR 2016, Eqs. 3-6; unlike in `torch.nn.GRU`, ``r`` gates the state before ``U``.

    Args:
        size: Length ``d`` of a state.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.of_message = nn.Linear(size, 3 * size)
        self.of_state = nn.Linear(size, 2 * size, bias=False)
        self.of_gated = nn.Linear(size, size, bias=False)

    def forward(self, states: Tensor, matrix: Tensor) -> Tensor:
        """Send and take messages: ``(N, L, d), (L, L) -> (N, L, d)``."""
        update, reset, new = self.of_message(matrix @ states).chunk(3, -1)
        of_update, of_reset = self.of_state(states).chunk(2, -1)
        update = (update + of_update).sigmoid()
        new = (new + self.of_gated((reset + of_reset).sigmoid() * states)).tanh()
        return (1 - update) * states + update * new
