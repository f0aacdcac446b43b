"""A label graph learned from word vectors (A-GCN)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tagsight.nn.graph import LabelNetwork, normalised
from tagsight.runtime.precision import full_precision

if TYPE_CHECKING:
    from tagsight.labels.space import LabelSpace
    from tagsight.nn.config import LearnedGraphConfig, Similarity


def similarities(targets: Tensor, sources: Tensor, how: Similarity) -> Tensor:
    """Compute the similarity of every target to every source: ``(L, d), (L, d) -> (L, L)``.

    Rows are targets. ``dot`` is ``t . s / L`` (A-GCN), ``cosine`` is ``cos(t, s) / L``, and
    ``softmax`` is the softmax of ``t . s / sqrt(d)`` along a row. With the last two a row sums to
    at most 1, whatever the length of the vectors and the number of labels.

    Args:
        targets: ``(L, d)`` float.
        sources: ``(L, d)`` float.
        how: The measure of similarity.

    Example:
        >>> similarities(torch.eye(2), torch.eye(2), "cosine").tolist()
        [[0.5, 0.0], [0.0, 0.5]]
    """
    if how == "softmax":
        return (targets @ sources.T / targets.shape[1] ** 0.5).softmax(1)
    if how == "cosine":
        targets, sources = F.normalize(targets), F.normalize(sources)
    return targets @ sources.T / targets.shape[0]


class LearnedGraphClassifiers(LabelNetwork):
    """Classifiers from a graph that is learned as two projections of the word vectors.

    ``A = D^-1/2 (S + I) D^-1/2``, where ``S`` holds the similarities of the two projections after a
    sigmoid, and ``D`` the row sums.

    Args:
        labels: The labels, with word vectors.
        channels: Length ``D`` of a classifier and of the embedding.
        config: The graph and the layers.

    Raises:
        ValueError: If the labels have no word vectors.

    Example:
        >>> from tagsight.labels.space import empty_label_space
        >>> from tagsight.nn.config import LearnedGraphConfig
        >>> labels = empty_label_space(["cat", "dog"], vector_length=300)
        >>> classifiers = LearnedGraphClassifiers(labels, 8, LearnedGraphConfig())
        >>> classifiers().shape, classifiers.mixing().shape
        (torch.Size([2, 8]), torch.Size([2, 2]))
    """

    def __init__(self, labels: LabelSpace, channels: int, config: LearnedGraphConfig) -> None:
        super().__init__(labels, channels, config)
        self.similarity = config.similarity
        self.as_target = nn.Linear(self.vectors.shape[1], config.width)
        self.as_source = nn.Linear(self.vectors.shape[1], config.width)

    def mixing(self) -> Tensor:
        """Compute the learned adjacency, ``(L, L)`` float, with a gradient."""
        targets, sources = (
            layer(self.vectors).sigmoid() for layer in (self.as_target, self.as_source)
        )
        return normalised(similarities(targets, sources, self.similarity) + self._identity())

    def distance_to_identity(self) -> Tensor:
        """Compute ``||A - I||_1``, the sum of all ``L^2`` differences: how much labels mix."""
        with full_precision(self.vectors.device):
            return (self.mixing() - self._identity()).abs().sum()

    def _identity(self) -> Tensor:
        size, vectors = self.vectors.shape[0], self.vectors
        return torch.eye(size, dtype=vectors.dtype, device=vectors.device)
