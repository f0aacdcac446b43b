"""What is known of labels before any photo is judged: what their names say."""

from __future__ import annotations

from math import nan
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np
import torch
import torch.nn.functional as F

from tagsight.errors import DataError
from tagsight.labels.space import LabelSpace
from tagsight.labels.vectors import label_vectors
from tagsight.nn.config import GraphConfig
from tagsight.nn.graph import label_adjacency, prepared_vectors
from tagsight.nn.named_classes import class_directions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from tagsight.nn.encoder_base import Backbone

NAMED_LENGTH = 16.0
"""Length of the classifier that a label has by its name, before any photo is judged."""

FEWEST_FOR_GRAPH = 30
"""Photos with a label from which the label graph has a part in its classifier."""

GRAPH_SHARE = 0.5
"""Prior variance of a classifier that it shares with those of related labels; 0 is linear heads,
whose mAP was the same with 200 judged photos, and 0.2 higher with all (animals and posters)."""


TINY = 1e-6
"""Least share of a label's classes."""

FIRST_POWER = 3.0
"""Power of a photo's class scores of which a label's classes have a share. One sure class then
outweighs a hundred that are possible; sums of the scores themselves, as heads have, put a cat in
the grass before a dog, as it may be any of 118 breeds."""

FIRST_SLOPE, FIRST_CHANCE, FIRST_BIAS = 1.2, 0.85, -0.7
"""The score of a label before its first judgement, in logits: so much of the share's logit, less so
much of that of the label's share of all classes, and this. Fitted to 12 labels of 2,536 animals,
where 97 % of the scores above 0.9 were right."""


class LabelPrior(NamedTuple):
    """Prior of the classifiers of ``L`` labels: their expected values and covariance.

    Attributes:
        expected: ``(L, D)`` float32, the classifiers over embeddings that labels have until photos
            say otherwise; None for zeros.
        vectors: ``(L, E)`` float, word vectors, by which related labels have related classifiers;
            None if each label is on its own.
        config: How the edges of the label graph are made of counts in the targets.
        classes: The first of the embedding's class scores, and the number of them.
    """

    expected: Tensor | None = None
    vectors: Tensor | None = None
    config: GraphConfig = GraphConfig()
    classes: tuple[int, int] = (0, 0)

    @classmethod
    def of_names(cls, names: Sequence[str], backbone: Backbone) -> Self:
        """Find what the names of labels say.

        A label is expected to be the classes of the encoder that it is named after
        (`class_directions`), with a length of `NAMED_LENGTH`. There are word vectors with the extra
        ``glove`` only.

        Args:
            names: The ``L`` labels.
            backbone: The encoder of the embeddings.

        Example:
            >>> from tagsight.config import BackboneConfig
            >>> from tagsight.nn.backbones import build_backbone
            >>> backbone = build_backbone(BackboneConfig(class_scores=True))
            >>> LabelPrior.of_names(["dog", "mood"], backbone).expected.norm(dim=1).round().tolist()
            [16.0, 0.0]
        """
        directions = class_directions(names, backbone)
        expected = None if directions is None else NAMED_LENGTH * directions
        scores = backbone.class_scores
        classes = (0, 0) if scores is None else (backbone.first_class, scores.classes)
        return cls(expected, _word_vectors(names), classes=classes)

    def first_scores(self, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
        """Compute the scores of labels of which nothing is judged: ``(N, D) -> (N, L)`` in [0, 1].

        They rank photos better than the expected classifiers do, which are not sure of a class but
        of how many of a label's classes are possible. They cannot be added to classifiers that are
        learned, as they are not linear.

        Returns:
            NaN for labels that stand for no class.

        Example:
            >>> expected = torch.tensor([[0.0, 1.0, 1.0, 0.0, 0.0], [0.0] * 5])
            >>> prior = LabelPrior(expected, classes=(1, 4))
            >>> sure, torn = [0.0, 5.0, 0.1, 0.1, 0.1], [0.0, 2.5, 2.5, 2.5, 2.5]
            >>> scores = prior.first_scores(np.array([sure, torn], np.float32))
            >>> [f"{score:.2f}" for score in scores[:, 0]], np.isnan(scores[:, 1]).all()
            (['1.00', '0.33'], np.True_)
        """
        scores = np.full((len(embeddings), 0 if self.expected is None else len(self.expected)), nan)
        if self.expected is None:
            return scores.astype(np.float32)
        first, count = self.classes
        matches = self.expected[:, first : first + count].numpy() > 0
        named = matches.any(1)
        powers = np.maximum(embeddings[:, first : first + count], 0) ** FIRST_POWER
        share = powers @ matches[named].T / np.maximum(powers.sum(1, keepdims=True), TINY)
        chance = matches[named].mean(1)
        logits = FIRST_SLOPE * _logit(share) - FIRST_CHANCE * _logit(chance) + FIRST_BIAS
        scores[:, named] = 1 / (1 + np.exp(-logits))
        return scores.astype(np.float32)

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


def _logit(share: NDArray[np.floating]) -> NDArray[np.floating]:
    share = np.clip(share, TINY, 1 - TINY)
    return np.log(share / (1 - share))


def _word_vectors(names: Sequence[str]) -> Tensor | None:
    try:
        return label_vectors(names, cooccurrence=None).vectors
    except DataError:
        return None
