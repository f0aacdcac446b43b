"""Prior knowledge of labels before any photo is judged: the meaning of their names."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np
import torch
import torch.nn.functional as F

from tagsight.errors import DataError
from tagsight.labels.space import LabelSpace
from tagsight.labels.vectors import label_vectors
from tagsight.nn.config import GraphConfig
from tagsight.nn.graph import label_adjacency, prepared_vectors
from tagsight.nn.named_classes import matching_classes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from tagsight.nn.encoder_base import Backbone

FEWEST_FOR_GRAPH = 30
"""Photos with a label from which the label graph has a part in its classifier."""

GRAPH_SHARE = 0.5
"""Prior variance of a classifier that it shares with those of related labels; 0 is linear heads,
whose mAP was the same with 200 judged photos, and 0.2 higher with all (animals and posters)."""


TINY = 1e-6
"""Least share of a label's classes."""

SLOPE, CHANCE, BIAS = 1.2, 0.85, -0.7
"""What a name says of a photo, in logits: so much of the logit of the share of its classes, less so
much of that of their share of all classes, and this. Fitted to 12 labels of 2,536 animals, where
97 % of the scores above 0.9 were right."""

CELL_GAIN = 4.0
"""Weight of what a cell shows of a label's classes in the label's map. Of 1, 2 and 4, this one has
most of the evidence in the boxes of animals, and points at them as well as any."""


class LabelPrior(NamedTuple):
    """Prior knowledge of ``L`` labels: the classes they are named after, and their relations.

    Attributes:
        matches: ``(L, K)`` bool, the classes of the encoder that labels stand for, possibly none;
            None if no label stands for any.
        first: The first class score of an embedding.
        vectors: ``(L, E)`` float, word vectors, by which related labels have related classifiers;
            None if each label is on its own.
        config: How the edges of the label graph are made of counts in the targets.
    """

    matches: Tensor | None = None
    first: int = 0
    vectors: Tensor | None = None
    config: GraphConfig = GraphConfig()

    @classmethod
    def of_names(cls, names: Sequence[str], backbone: Backbone) -> Self:
        """Find what the names of labels say.

        There are word vectors with the extra ``glove`` only.

        Args:
            names: The ``L`` labels.
            backbone: The encoder of the embeddings.

        Example:
            >>> from tagsight.config import BackboneConfig
            >>> from tagsight.nn.backbones import build_backbone
            >>> backbone = build_backbone(BackboneConfig(class_scores=True))
            >>> LabelPrior.of_names(["dog", "mood"], backbone).matches.sum(1).tolist()
            [118, 0]
        """
        matches = matching_classes(names, backbone)
        first = 0 if matches is None else backbone.first_class
        return cls(matches, first, _word_vectors(names))

    @property
    def named(self) -> Tensor | None:
        """``(L,)`` bool, which labels stand for any class; None if none does."""
        return None if self.matches is None else self.matches.any(1)

    def logits(self, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
        """Compute what the names say of photos, in logits: ``(N, D) -> (N, L)``.

        It is the share of a label's classes in the cubes of all class scores, compared with chance.
        Of cubes, one sure class outweighs a hundred that are possible; sums of the scores put a cat
        in the grass before a dog, as it may be any of 118 breeds.

        Returns:
            Zeros for labels that stand for no class.

        Raises:
            ValueError: If no label stands for any.

        Example:
            >>> prior = LabelPrior(torch.tensor([[True, True, False, False], [False] * 4]), first=1)
            >>> sure, torn = [0.0, 5.0, 0.1, 0.1, 0.1], [0.0, 2.5, 2.5, 2.5, 2.5]
            >>> prior.logits(np.array([sure, torn], np.float32)).round().tolist()
            [[13.0, 0.0], [-1.0, 0.0]]
        """
        matches = _weights(self.matches)
        scores = np.maximum(embeddings[:, self.first : self.first + matches.shape[1]], 0)
        cubes = scores * scores * scores
        share = cubes @ matches.T / np.maximum(cubes.sum(1, keepdims=True), TINY)
        logits = SLOPE * _logit(share) - CHANCE * _logit(matches.mean(1)) + BIAS
        return np.where(matches.any(1), logits, 0).astype(np.float32)

    def cells(self, grid: NDArray[np.float32]) -> NDArray[np.float32]:
        """Compute where in a photo there is what the names say: ``(h, w, D) -> (h, w, L)``.

        The evidence of a cell is the root of the probability that it shows any of a label's classes
        (`NamedClasses`), less its mean over cells, so that the mean of the result is what the names
        say of the photo.

        Example:
            >>> prior = LabelPrior(torch.tensor([[True, False]]), first=0)
            >>> grid = np.array([[[5.0, 0.0], [3.0, 4.0]]], np.float32)
            >>> cells = prior.cells(grid)
            >>> bool(cells[0, 0] > cells[0, 1]), np.allclose(
            ...     cells.mean((0, 1)), prior.logits(grid.mean((0, 1))[None])[0], atol=1e-4)
            (True, True)
        """
        photo = self.logits(grid.mean((0, 1))[None])[0]
        matches = _weights(self.matches)
        scores = grid[..., self.first : self.first + matches.shape[1]]
        evidence = CELL_GAIN * np.sqrt(scores * scores @ matches.T)
        return photo + evidence - evidence.mean((0, 1))

    def root(self, targets: Tensor) -> Tensor | None:
        """Compute a root of the prior covariance of all classifiers: ``(L, L)``; None for identity.

        Classifiers are generated by the graph (G-CAM Eq. 7, without its activation) from word
        vectors, ``A A Z U``, so that with a prior on ``U`` their covariance is
        ``(A A Z) (A A Z)^T``; a share of the variance is a label's own. Labels of fewer than
        `FEWEST_FOR_GRAPH` photos, whose edges would be counted on few, are on their own.

        Args:
            targets: ``(N, L)`` int in {1, 0, -1}, in which edges are counted.
        """
        if self.vectors is None:
            return None
        counts = LabelSpace.from_targets([str(i) for i in range(targets.shape[1])], targets)
        adjacency = label_adjacency(counts.cooccurrence, self.config).to_dense().double()
        words = prepared_vectors(self.vectors.double(), self.config.vectors)
        nodes = F.normalize(adjacency @ adjacency @ words)
        enough = (targets == 1).sum(0) >= FEWEST_FOR_GRAPH
        shared = GRAPH_SHARE * (nodes @ nodes.T) * (enough[:, None] & enough)
        return torch.linalg.cholesky(shared.fill_diagonal_(1)).float()


def _weights(matches: Tensor | None) -> NDArray[np.float32]:
    if matches is None:
        msg = "expected labels that stand for classes of the encoder, got none"
        raise ValueError(msg)
    return matches.numpy().astype(np.float32)


def _logit(share: NDArray[np.floating]) -> NDArray[np.floating]:
    share = np.clip(share, TINY, 1 - TINY)
    return np.log(share / (1 - share))


def _word_vectors(names: Sequence[str]) -> Tensor | None:
    try:
        return label_vectors(names, cooccurrence=None).vectors
    except DataError:
        return None
