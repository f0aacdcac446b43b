"""Knowledge graphs over labels: relations, their learned weights, and gated message passing.

A relation is ``(L, L)`` bool with row = target and column = source, like an adjacency. Labels
without training data only receive messages, so that adding some does not change the others.
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
"""Expected number of joint photos below which the lift of two labels counts as 1."""


def lift(labels: LabelSpace) -> Tensor:
    """Compute the ratio of observed to expected co-occurrence: ``(L, L)`` double; 1 is chance.

    ``N C_ij / (C_i C_j)``, where ``N`` is the smaller of the numbers of photos in which each of the
    two labels is known. It is 1 where chance predicts fewer than `FEWEST_EXPECTED` joint photos.

    Args:
        labels: The labels, with their counts.

    Example:
        >>> from tagsight.labels.space import LabelSpace
        >>> targets = torch.tensor([[1, 1, 0]] * 5 + [[0, 0, 1]] * 5)
        >>> lift(LabelSpace.from_targets(["sea", "boat", "desk"], targets))[0].tolist()
        [2.0, 2.0, 0.0]
    """
    counts = labels.counts.double()
    photos = torch.minimum(labels.photos[:, None], labels.photos).double().clamp(min=1)
    expected = counts[:, None] * counts / photos
    ratio = labels.cooccurrence.to_dense().double() / expected.clamp(min=FEWEST_EXPECTED)
    return torch.where(expected >= FEWEST_EXPECTED, ratio, 1.0)


def counted_relations(
    labels: LabelSpace, vectors: Tensor, *, positive: float, negative: float, similar: float
) -> Tensor:
    """Find the labels that imply, exclude and resemble one another: ``(3, L, L)`` bool.

    Args:
        labels: The labels, with their counts.
        vectors: ``(L, E)`` float, their word vectors.
        positive: Minimum probability of the target given the source.
        negative: The `lift` below which two labels exclude each other.
        similar: Minimum cosine similarity of two word vectors.

    Example:
        >>> from tagsight.labels.space import LabelSpace
        >>> targets = torch.tensor([[1, 1, 0]] * 5 + [[0, 0, 1]] * 5)
        >>> labels = LabelSpace.from_targets(["sea", "boat", "desk"], targets)
        >>> implies, excludes, _ = counted_relations(
        ...     labels, torch.eye(3), positive=0.5, negative=0.5, similar=0.5
        ... )
        >>> implies.int().tolist()
        [[0, 1, 0], [1, 0, 0], [0, 0, 0]]
        >>> excludes.int().tolist()
        [[0, 0, 1], [0, 0, 1], [1, 1, 0]]
    """
    implies = conditional_probability(labels.cooccurrence.to_dense()) >= max(positive, 1e-9)
    excludes = lift(labels) < negative
    directions = F.normalize(vectors.double())
    resembles = directions @ directions.T >= similar
    return without_loops(torch.stack([implies, excludes, resembles]))


def without_loops(relations: Tensor) -> Tensor:
    """Remove the diagonal of each relation: ``(K, L, L) -> (K, L, L)`` bool.

    Example:
        >>> without_loops(torch.ones(1, 2, 2) > 0).int().tolist()
        [[[0, 1], [1, 0]]]
    """
    return relations.triu(1) | relations.tril(-1)


def centred(vectors: Tensor, known: Tensor) -> Tensor:
    """Subtract the mean vector of the known labels: ``(L, E), (L,) -> (L, E)``.

    New labels do not enter the mean, so that adding some does not change the others.

    Args:
        vectors: ``(L, E)`` float.
        known: ``(L,)`` bool, labels with training data.

    Example:
        >>> vectors = torch.tensor([[1.0, 3.0], [3.0, 1.0], [4.0, 4.0]])
        >>> centred(vectors, torch.tensor([True, True, False])).tolist()
        [[-1.0, 1.0], [1.0, -1.0], [2.0, 2.0]]
    """
    return vectors - vectors[known].mean(0)


class EdgeWeight(nn.Module):
    """Computes the weight of an edge from the word vectors of its ends, ``F_R`` of ML-ZSL.

    Two layers: ``w_2 . relu(W_1 [w_v; w_u] + b_1) + b_2`` for target ``v`` and source ``u``.

    Args:
        length: Length ``E`` of a word vector.
        hidden: Width of the hidden layer.

    Example:
        >>> EdgeWeight(300, 16)(torch.rand(5, 300)).shape
        torch.Size([5, 5])
    """

    def __init__(self, length: int, hidden: int) -> None:
        super().__init__()
        self.of_target = nn.Linear(length, hidden)
        self.of_source = nn.Linear(length, hidden, bias=False)
        self.weight = nn.Linear(hidden, 1)

    def forward(self, vectors: Tensor) -> Tensor:
        """Compute the weight of every pair: ``(L, E) -> (L, L)``, row = target."""
        pairs = self.of_target(vectors)[:, None] + self.of_source(vectors)
        return self.weight(pairs.relu()).squeeze(-1)


class KnowledgeGraph(LabelConstants[tuple[Tensor, Tensor]]):
    """The parts of a knowledge graph that depend on no photo.

    Calling it returns the word vectors' term in the first layer of ``F_I``, ``(L, H)``, and the
    matrix that passes messages, ``(L, L)``; row = target.

    Args:
        vectors: ``(L, E)`` float, word vectors.
        relations: ``(K, L, L)`` bool; columns of labels that only receive are empty.
        hidden: Width ``H`` of the first layer of ``F_I``.
        edge_hidden: Width of the hidden layer in each relation's `EdgeWeight`.
        mean: Whether a label takes the mean over its neighbours in a relation, or their sum.

    Example:
        >>> knowledge = KnowledgeGraph(torch.rand(4, 3), torch.ones(2, 4, 4) > 0, 6, 5, mean=True)
        >>> words, matrix = knowledge()
        >>> words.shape, matrix.shape
        (torch.Size([4, 6]), torch.Size([4, 4]))
    """

    vectors: Tensor
    shares: Tensor

    def __init__(
        self, vectors: Tensor, relations: Tensor, hidden: int, edge_hidden: int, *, mean: bool
    ) -> None:
        super().__init__()
        shares = relations.float()
        if mean:
            shares = shares / shares.sum(2, keepdim=True).clamp(min=1)
        self.register_buffer("vectors", vectors, persistent=False)
        self.register_buffer("shares", shares, persistent=False)
        length = vectors.shape[1]
        self.words = nn.Linear(length, hidden)
        self.weights = nn.ModuleList(EdgeWeight(length, edge_hidden) for _ in relations)

    def make(self) -> tuple[Tensor, Tensor]:
        """Compute the word vectors' term, ``(L, H)``, and the message matrix, ``(L, L)``, float."""
        edges = torch.stack([weight(self.vectors) for weight in self.weights])
        return self.words(self.vectors), (edges * self.shares).sum(0)


class GatedUpdate(nn.Module):
    """Updates each label's state from its neighbours' messages by the gates of a GRU.

    ``z = sigmoid(W_z m + U_z h)``, ``r = sigmoid(W_r m + U_r h)``,
    ``h' = (1 - z) h + z tanh(W m + U (r h))``. Li et al., Gated Graph Sequence Neural Networks,
    ICLR 2016, Eqs. 3-6; unlike in `torch.nn.GRU`, ``r`` gates the state before ``U``.

    Args:
        size: Length ``d`` of a state.

    Example:
        >>> GatedUpdate(8)(torch.rand(2, 4, 8), torch.eye(4)).shape
        torch.Size([2, 4, 8])
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.of_message = nn.Linear(size, 3 * size)
        self.of_state = nn.Linear(size, 2 * size, bias=False)
        self.of_gated = nn.Linear(size, size, bias=False)

    def forward(self, states: Tensor, matrix: Tensor) -> Tensor:
        """Pass messages and update the states: ``(N, L, d), (L, L) -> (N, L, d)``."""
        update, reset, new = self.of_message(matrix @ states).chunk(3, -1)
        of_update, of_reset = self.of_state(states).chunk(2, -1)
        update = (update + of_update).sigmoid()
        new = (new + self.of_gated((reset + of_reset).sigmoid() * states)).tanh()
        return (1 - update) * states + update * new
