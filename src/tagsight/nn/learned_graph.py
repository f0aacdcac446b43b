"""A graph over labels that is learned: which label informs which is read off their word vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tagsight.nn.graph import LabelNetwork, normalised
from tagsight.runtime.precision import full_precision

if TYPE_CHECKING:
    from tagsight.config import LearnedGraphConfig, Similarity
    from tagsight.labels.space import LabelSpace


def similarities(targets: Tensor, sources: Tensor, how: Similarity) -> Tensor:
    """Compare every target with every source: ``(L, d), (L, d) -> (L, L)``, row = target.

    ``dot`` is ``t . s / L`` (A-GCN), ``cosine`` is ``cos(t, s) / L``, and ``softmax`` is
    ``exp(t . s / sqrt(d))`` over its sum along a row. With the last two a row sums to 1 at most,
    whatever the length of the vectors and the number of labels.
    """
    if how == "softmax":
        return (targets @ sources.T / targets.shape[1] ** 0.5).softmax(1)
    if how == "cosine":
        targets, sources = F.normalize(targets), F.normalize(sources)
    return targets @ sources.T / targets.shape[0]


class LearnedGraphClassifiers(LabelNetwork):
    """Classifiers from a graph that two projections of the word vectors make.

    ``A = D^-1/2 (S + I) D^-1/2``, where ``S`` has the similarities of the sigmoids of both
    projections and ``D`` the row sums.

    Args:
        labels: The labels, with word vectors.
        channels: Length ``D`` of a classifier, that of the photo's embedding.
        config: The graph and the layers.

    Raises:
        ValueError: If the labels have no word vectors.
    """

    def __init__(self, labels: LabelSpace, channels: int, config: LearnedGraphConfig) -> None:
        super().__init__(labels, channels, config)
        self.similarity = config.similarity
        self.as_target = nn.Linear(self.vectors.shape[1], config.width)
        self.as_source = nn.Linear(self.vectors.shape[1], config.width)

    def mixing(self) -> Tensor:
        """``(L, L)`` float, the learned adjacency; it has a gradient."""
        targets, sources = (
            layer(self.vectors).sigmoid() for layer in (self.as_target, self.as_source)
        )
        return normalised(similarities(targets, sources, self.similarity) + self._identity())

    def distance_to_identity(self) -> Tensor:
        """``||A - I||_1``, the sum of all ``L^2`` differences: how much labels mix."""
        with full_precision(self.vectors.device):
            return (self.mixing() - self._identity()).abs().sum()

    def _identity(self) -> Tensor:
        size, vectors = self.vectors.shape[0], self.vectors
        return torch.eye(size, dtype=vectors.dtype, device=vectors.device)
