"""Graphs over labels: which label informs which, and the network that turns them into classifiers.

An adjacency is ``(L, L)`` with row = target and column = source: messages go from ``j`` to ``i``
where ``adjacency[i, j] > 0``, and ``adjacency @ nodes`` delivers them.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tagsight.nn.cached import LabelConstants
from tagsight.runtime.amounts import amount

if TYPE_CHECKING:
    from tagsight.config import GraphConfig, GraphLayersConfig
    from tagsight.labels.space import LabelSpace


RAREST = 1e-3
"""Frequency that a label's first bias is made for at least, and 1 minus it at most."""


def conditional_probability(cooccurrence: Tensor) -> Tensor:
    """How likely a label is where another is present: ``P[i, j] = P(i given j)``.

    G-CAM Eq. 3. A label without a photo gives a column of zeros; the diagonal is 0, so that no
    label counts as its own neighbour.

    Args:
        cooccurrence: ``(L, L)`` int, counts with each label's own count on the diagonal.

    Returns:
        ``(L, L)`` double in [0, 1].

    Raises:
        ValueError: If two labels are together more often than one of them is present.
    """
    counts = cooccurrence.diagonal().double()
    together = cooccurrence.double()
    if bool((together > counts).any() or (together > counts[:, None]).any()):
        msg = (
            "expected each label's own count on the diagonal of the co-occurrence counts, "
            "got labels that are together more often than one of them is present"
        )
        raise ValueError(msg)
    return (together / counts.clamp(min=1)).fill_diagonal_(0)


def edge_probability(cooccurrence: Tensor, config: GraphConfig) -> Tensor:
    """Probability by which an edge from ``j`` to ``i`` is judged: ``(L, L) -> (L, L)`` double.

    It is ``P(i given j)`` with ``direction="given_source"`` and ``P(j given i)`` with
    ``"given_target"``; 0 where there is no edge (Eq. 5). A probability of exactly epsilon is an
    edge, two labels that are never together are none.
    """
    probability = conditional_probability(cooccurrence)
    if config.direction == "given_target":
        probability = probability.T
    return probability * (probability >= config.epsilon)


def correlation_matrix(cooccurrence: Tensor, config: GraphConfig) -> Tensor:
    """Weigh each label against its neighbours.

    G-CAM Eqs. 3-6, the sum of Eq. 6 read as the number of a target's neighbours: they share delta
    equally, and the label itself keeps ``1 - delta``. A label that receives nothing has a row that
    is 0 but for its own ``1 - delta``.

    Args:
        cooccurrence: ``(L, L)`` int, counts with each label's own count on the diagonal.
        config: Epsilon, delta and the direction of edges.

    Returns:
        ``(L, L)`` double; row = target, column = source.
    """
    edges = (edge_probability(cooccurrence, config) > 0).double()
    shares = config.delta * edges / edges.sum(1, keepdim=True).clamp(min=1)
    return shares.fill_diagonal_(1 - config.delta)


def normalised(adjacency: Tensor, degree: Literal["target", "source"] = "target") -> Tensor:
    """Scale an adjacency symmetrically: ``D^-1/2 A D^-1/2``, ``(L, L) -> (L, L)``.

    G-CAM Eq. 2. A common factor of all entries makes no difference; an empty row or column stays.

    Args:
        adjacency: ``(L, L)`` float, at least 0.
        degree: Whether ``D`` holds what each label receives (row sums, Eq. 2) or what it sends
            (column sums, as in ML-GCN's released code, which sums before it transposes).
    """
    degrees = adjacency.sum(1 if degree == "target" else 0)
    scale = torch.where(degrees > 0, degrees.rsqrt(), 0)
    return scale[:, None] * adjacency * scale


def label_adjacency(cooccurrence: Tensor, config: GraphConfig) -> Tensor:
    """Build the matrix by which a system mixes its labels.

    ``paper`` is Eqs. 2-6, without the identity of Eq. 2 unless ``second_self_loop`` asks for it.
    ``released`` is ML-GCN's code: it gives a label 1 and its neighbours ``delta / (1 - delta)``
    (0.25), the matrix of Eq. 6 up to a factor that normalising removes, and divides by what each
    label sends rather than by what it receives. ``identity`` has no edges. Where the variant is
    ``none`` a system has no use for the matrix.

    Args:
        cooccurrence: ``(L, L)`` int, counts with each label's own count on the diagonal.
        config: The variant and its settings.

    Returns:
        ``(L, L)`` float of the default type; row = target, column = source.
    """
    dtype = torch.get_default_dtype()
    identity = torch.eye(len(cooccurrence), dtype=torch.double, device=cooccurrence.device)
    if config.variant == "identity":
        return identity.to(dtype)
    correlation = correlation_matrix(cooccurrence, config)
    if config.second_self_loop:
        correlation = correlation + identity
    degree: Literal["target", "source"] = "source" if config.variant == "released" else "target"
    return normalised(correlation, degree).to(dtype)


def prepared_vectors(vectors: Tensor, how: Literal["raw", "unit", "centred"]) -> Tensor:
    """Prepare word vectors for the graph network: ``(L, E) -> (L, E)``.

    What all labels' vectors share moves all classifiers at once and drowns what tells them apart.
    ``centred`` subtracts the mean over the labels and gives each the mean length of before.
    """
    if how == "unit":
        return F.normalize(vectors)
    if how == "centred" and len(vectors) > 1:
        return F.normalize(vectors - vectors.mean(0)) * vectors.norm(dim=1).mean()
    return vectors


class GraphConvolution(nn.Module):
    """Creates a layer ``Z' = A (Z W)``, Eq. 7 without its activation.

    Kipf and Welling, Semi-supervised Classification with Graph Convolutional Networks, ICLR 2017.
    No bias; the first weights are uniform in ``± 1 / sqrt(F)``, as in ML-GCN's released code.

    Args:
        inputs: Length ``E`` of a node's vector.
        outputs: Length ``F`` of its new vector.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(inputs, outputs))
        nn.init.uniform_(self.weight, -(outputs**-0.5), outputs**-0.5)

    def forward(self, nodes: Tensor, adjacency: Tensor) -> Tensor:
        """Transform the nodes, then mix them: ``(L, E), (L, L) -> (L, F)``."""
        return adjacency @ (nodes @ self.weight)


class LabelNetwork(LabelConstants[Tensor]):
    """The classifiers of all labels, made from word vectors by two graph convolutions (Eq. 7).

    An activation stands between the layers and none after the second: over features that are never
    negative, classifiers that are never negative could not score a label below 0.5.

    Calling it gives the classifiers, ``(L, D)`` float; `LabelConstants` says when they are made.

    Args:
        labels: The labels, with word vectors.
        channels: Length ``D`` of a classifier, that of the photo's embedding.
        config: The layers.

    Attributes:
        vectors: ``(L, E)`` float, word vectors.

    Raises:
        ValueError: If the labels have no word vectors.
    """

    vectors: Tensor

    def __init__(self, labels: LabelSpace, channels: int, config: GraphLayersConfig) -> None:
        super().__init__()
        if labels.vectors is None:
            msg = f"expected word vectors of the {amount(len(labels), 'label')}, got none"
            raise ValueError(msg)
        vectors = labels.vectors.detach().to(torch.get_default_dtype(), copy=True)
        vectors = prepared_vectors(vectors, config.vectors)
        self.register_buffer("vectors", vectors, persistent=False)
        self.first = GraphConvolution(vectors.shape[1], config.hidden)
        self.activation = nn.ReLU() if config.activation == "relu" else nn.LeakyReLU(0.2)
        self.second = GraphConvolution(config.hidden, channels)

    @abstractmethod
    def mixing(self) -> Tensor:
        """``(L, L)`` float, what the layers mix labels by; row = target, column = source."""

    def make(self) -> Tensor:
        """Compute the classifiers, ``(L, D)`` float."""
        adjacency = self.mixing()
        hidden = self.activation(self.first(self.vectors, adjacency))
        return self.second(hidden, adjacency)


class GraphClassifiers(LabelNetwork):
    """Classifiers from a graph that is counted before training and stays as it is.

    Args:
        labels: The labels, with word vectors.
        channels: Length ``D`` of a classifier, that of the photo's embedding.
        config: The graph and the layers.

    Attributes:
        adjacency: ``(L, L)`` float; row = target, column = source.

    Raises:
        ValueError: If the labels have no word vectors.
    """

    adjacency: Tensor

    def __init__(self, labels: LabelSpace, channels: int, config: GraphConfig) -> None:
        super().__init__(labels, channels, config)
        adjacency = label_adjacency(labels.cooccurrence, config)
        self.register_buffer("adjacency", adjacency, persistent=False)

    def mixing(self) -> Tensor:
        """``(L, L)`` float, the adjacency."""
        return self.adjacency


class LearnedClassifiers(nn.Module):
    """Classifiers that are learned one by one, in the place of a network: for ablation.

    Args:
        labels: Number ``L`` of labels.
        channels: Length ``D`` of a classifier.
    """

    def __init__(self, labels: int, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(labels, channels))
        nn.init.uniform_(self.weight, -(channels**-0.5), channels**-0.5)

    def forward(self) -> Tensor:
        """Give the classifiers, ``(L, D)`` float."""
        return self.weight


def graph_classifiers(
    labels: LabelSpace, channels: int, config: GraphConfig
) -> GraphClassifiers | LearnedClassifiers:
    """Make the classifiers that the settings ask for: of the graph, or one by one for ablation.

    Args:
        labels: The labels, with word vectors.
        channels: Length ``D`` of a classifier, that of the photo's embedding.
        config: The graph and the layers.

    Raises:
        ValueError: If the labels have no word vectors.
    """
    if config.variant == "none":
        return LearnedClassifiers(len(labels), channels)
    return GraphClassifiers(labels, channels, config)


def label_bias(labels: LabelSpace, config: GraphLayersConfig) -> nn.Parameter | None:
    """Begin the bias of each label at the log-odds of its frequency: ``(L,)`` float; or None.

    Frequencies are kept within 0.001 of 0 and 1. None if the settings ask for no bias.
    """
    if not config.bias:
        return None
    return nn.Parameter(labels.frequency.clamp(RAREST, 1 - RAREST).logit())
