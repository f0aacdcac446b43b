"""Label graphs from co-occurrence, and the graph network that computes classifiers from them.

An adjacency is ``(L, L)`` with row = target and column = source: a message passes from ``j`` to
``i`` where ``adjacency[i, j] > 0``, so that ``adjacency @ nodes`` passes all messages.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tagsight.labels.cooccurrence import entries, identity_like, own_counts, sparse_matrix
from tagsight.nn.cached import LabelConstants
from tagsight.runtime.amounts import amount

if TYPE_CHECKING:
    from tagsight.labels.space import LabelSpace
    from tagsight.nn.config import ClassifierLength, GraphConfig, GraphLayersConfig


def conditional_probability(cooccurrence: Tensor) -> Tensor:
    """Estimate the probability of a label given another: ``P[i, j] = P(i given j)``.

    G-CAM Eq. 3. A label with no positive image yields a zero column. The diagonal is 0, so that no
    label counts as its own neighbour.

    Args:
        cooccurrence: ``(L, L)`` int, counts with each label's own count on the diagonal.

    Returns:
        ``(L, L)`` double in [0, 1].

    Raises:
        ValueError: If a count of two labels exceeds the count of either.

    Example:
        >>> conditional_probability(torch.tensor([[10, 4], [4, 5]])).tolist()
        [[0.0, 0.8], [0.4, 0.0]]
    """
    counts = own_counts(cooccurrence).double()
    if cooccurrence.is_sparse:
        targets, sources, together = entries(cooccurrence.double())
        exceeding = (together > counts[targets]) | (together > counts[sources])
    else:
        together = cooccurrence.double()
        exceeding = (together > counts) | (together > counts[:, None])
    if bool(exceeding.any()):
        msg = (
            "expected each label's own count on the diagonal of the co-occurrence counts, "
            "got a pair of labels with a larger count than one of the two"
        )
        raise ValueError(msg)
    if not cooccurrence.is_sparse:
        return (together / counts.clamp(min=1)).fill_diagonal_(0)
    given = together / counts[sources].clamp(min=1)
    pair = targets != sources
    return sparse_matrix(targets[pair], sources[pair], given[pair], len(counts))


def edge_probability(cooccurrence: Tensor, config: GraphConfig) -> Tensor:
    """Compute the probability behind each edge, 0 where there is none: ``(L, L) -> (L, L)`` double.

    G-CAM Eq. 5. For an edge from ``j`` to ``i`` it is ``P(i given j)`` with
    ``direction="given_source"`` and ``P(j given i)`` with ``"given_target"``. A probability of
    exactly epsilon is an edge; labels that never co-occur have none.

    Args:
        cooccurrence: ``(L, L)`` int, counts with each label's own count on the diagonal.
        config: Epsilon and the direction of edges.

    Example:
        >>> from tagsight.nn.config import GraphConfig
        >>> counts = torch.tensor([[10, 4], [4, 5]])
        >>> edge_probability(counts, GraphConfig(epsilon=0.5)).tolist()
        [[0.0, 0.8], [0.0, 0.0]]
    """
    probability = conditional_probability(cooccurrence)
    if config.direction == "given_target":
        probability = probability.T
    if not probability.is_sparse:
        return probability * (probability >= config.epsilon)
    targets, sources, values = entries(probability)
    edge = values >= config.epsilon
    return sparse_matrix(targets[edge], sources[edge], values[edge], len(probability))


def correlation_matrix(probability: Tensor, delta: float) -> Tensor:
    """Compute how much of each label's representation comes from each of its neighbours.

    G-CAM Eq. 6, with its sum read as the number of a target's neighbours: these share delta
    equally, and the label itself keeps ``1 - delta``, also if it has no neighbours.

    Args:
        probability: ``(L, L)`` double, the probability behind each edge, 0 where there is none.
        delta: Share of the neighbours, in [0, 1].

    Returns:
        ``(L, L)`` double; row = target, column = source.

    Example:
        >>> correlation_matrix(torch.tensor([[0.0, 0.8], [0.0, 0.0]]).double(), 0.25).tolist()
        [[0.75, 0.25], [0.0, 0.75]]
    """
    if probability.is_sparse:
        targets, sources, _ = entries(probability)
        neighbours = delta / targets.bincount(minlength=len(probability)).double()[targets]
        shares = sparse_matrix(targets, sources, neighbours, len(probability))
        return (shares + (1 - delta) * identity_like(probability)).coalesce()
    edges = (probability > 0).double()
    shares = delta * edges / edges.sum(1, keepdim=True).clamp(min=1)
    return shares.fill_diagonal_(1 - delta)


def normalised(adjacency: Tensor, degree: Literal["target", "source"] = "target") -> Tensor:
    """Scale an adjacency symmetrically: ``D^-1/2 A D^-1/2``, ``(L, L) -> (L, L)``.

    G-CAM Eq. 2. A common factor of all entries cancels. Empty rows and columns stay empty.

    Args:
        adjacency: ``(L, L)`` float, at least 0.
        degree: Whether ``D`` holds row sums, over the sources of each target (Eq. 2), or column
            sums, as in ML-GCN's released code, which sums before it transposes.

    Example:
        >>> normalised(torch.tensor([[1.0, 3.0], [0.0, 1.0]])).tolist()
        [[0.25, 1.5], [0.0, 1.0]]
    """
    degrees = adjacency.sum(1 if degree == "target" else 0).to_dense()
    scale = torch.where(degrees > 0, degrees.rsqrt(), 0)
    if adjacency.is_sparse:
        targets, sources, values = entries(adjacency)
        values = scale[targets] * values * scale[sources]
        return sparse_matrix(targets, sources, values, len(adjacency))
    return scale[:, None] * adjacency * scale


def label_adjacency(cooccurrence: Tensor, config: GraphConfig) -> Tensor:
    """Build the normalised adjacency of the graph network.

    ``paper`` is G-CAM Eqs. 2-6, without the identity of Eq. 2 unless ``second_self_loop`` is set.
    ``released`` is ML-GCN's code. It gives a label 1 and its neighbours ``delta / (1 - delta)``
    (0.25), which is Eq. 6 up to a factor that normalising removes, and normalises by column sums.
    ``identity`` has no edges. With ``none`` a system does not use the matrix, and with ``stored``
    weights replace it.

    Args:
        cooccurrence: ``(L, L)`` int, counts with each label's own count on the diagonal.
        config: The variant and its settings.

    Returns:
        ``(L, L)`` float of the default type; row = target, column = source. It is sparse if the
        counts are.

    Example:
        >>> from tagsight.nn.config import GraphConfig
        >>> label_adjacency(torch.tensor([[10, 0], [0, 5]]), GraphConfig()).tolist()
        [[1.0, 0.0], [0.0, 1.0]]
    """
    dtype = torch.get_default_dtype()
    if config.variant == "stored":  # a place for the weights
        return torch.eye(len(cooccurrence), dtype=dtype, device=cooccurrence.device)
    identity = identity_like(cooccurrence)
    if config.variant == "identity":
        return identity.to(dtype)
    probability = edge_probability(cooccurrence, config)  # Eqs. 3-5
    correlation = correlation_matrix(probability, config.delta)  # Eq. 6
    if config.second_self_loop:
        correlation = correlation + identity
    degree: Literal["target", "source"] = "source" if config.variant == "released" else "target"
    return normalised(correlation, degree).to(dtype)  # Eq. 2


def prepared_vectors(vectors: Tensor, how: Literal["raw", "unit", "centred"]) -> Tensor:
    """Prepare word vectors for the graph network: ``(L, E) -> (L, E)``.

    A component that all vectors share changes all classifiers at once and hides their differences.
    ``centred`` subtracts the mean over the labels and rescales each vector to the mean length of
    the original ones. ``unit`` scales to length 1, ``raw`` changes nothing.

    Args:
        vectors: ``(L, E)`` float.
        how: The preparation.

    Example:
        >>> prepared_vectors(torch.tensor([[3.0, 4.0]]), "unit").tolist()
        [[0.6000000238418579, 0.800000011920929]]
    """
    if how == "unit":
        return F.normalize(vectors)
    if how == "centred" and len(vectors) > 1:
        return F.normalize(vectors - vectors.mean(0)) * vectors.norm(dim=1).mean()
    return vectors


def of_length(classifiers: Tensor, length: ClassifierLength) -> Tensor:
    """Scale classifiers to length 1 if they shall have it: ``(L, D) -> (L, D)``.

    A label with few photos then cannot fit them by a long classifier (CSRA's classifiers have
    length 1 as well).

    Args:
        classifiers: ``(L, D)`` float.
        length: ``raw`` changes nothing.

    Example:
        >>> of_length(torch.tensor([[3.0, 4.0]]), "unit").tolist()
        [[0.6000000238418579, 0.800000011920929]]
    """
    return F.normalize(classifiers) if length == "unit" else classifiers


class GraphConvolution(nn.Module):
    """Creates a layer ``Z' = A (Z W)``, Eq. 7 without its activation.

    Kipf and Welling, Semi-supervised Classification with Graph Convolutional Networks, ICLR 2017.
    No bias; weights are initialised uniformly in ``± 1 / sqrt(F)``, as in ML-GCN's released code.

    Args:
        inputs: Length ``E`` of a node's input.
        outputs: Length ``F`` of its output.

    Example:
        >>> layer = GraphConvolution(4, 2)
        >>> layer(torch.rand(3, 4), torch.eye(3)).shape
        torch.Size([3, 2])
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(inputs, outputs))
        nn.init.uniform_(self.weight, -(outputs**-0.5), outputs**-0.5)

    def forward(self, nodes: Tensor, adjacency: Tensor) -> Tensor:
        """Transform the nodes, then mix them: ``(L, E), (L, L) -> (L, F)``."""
        return adjacency @ (nodes @ self.weight)


class LabelNetwork(LabelConstants[Tensor]):
    """Computes the classifiers of all labels from word vectors by two graph convolutions (Eq. 7).

    An activation follows the first layer and none the second: non-negative classifiers over
    non-negative features could not score a label below 0.5.

    Calling it returns the classifiers, ``(L, D)`` float, cached as `LabelConstants` describes.

    Args:
        labels: The labels, with word vectors.
        channels: Length ``D`` of a classifier and of the embedding.
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
        self.length = config.classifiers

    @abstractmethod
    def mixing(self) -> Tensor:
        """Compute the adjacency of the layers, ``(L, L)`` float; row = target, column = source."""

    def make(self) -> Tensor:
        """Compute the classifiers, ``(L, D)`` float."""
        adjacency = self.mixing()
        hidden = self.activation(self.first(self.vectors, adjacency))
        return of_length(self.second(hidden, adjacency), self.length)


class GraphClassifiers(LabelNetwork):
    """Classifiers from a fixed graph, counted before training or stored with the weights.

    Args:
        labels: The labels, with word vectors.
        adjacency: ``(L, L)`` float, such as `label_adjacency` builds.
        channels: Length ``D`` of a classifier and of the embedding.
        config: The graph and the layers.

    Attributes:
        adjacency: ``(L, L)`` float; row = target, column = source. If sparse, ``(M,)`` weights.
        edges: ``(2, M)`` int, targets and sources of the edges of a sparse graph, or None.

    Raises:
        ValueError: If the labels have no word vectors.

    Example:
        >>> from tagsight.labels.space import empty_label_space
        >>> from tagsight.nn.config import GraphConfig
        >>> labels = empty_label_space(["cat", "dog"], vector_length=300)
        >>> GraphClassifiers(labels, torch.eye(2), 8, GraphConfig())().shape
        torch.Size([2, 8])
    """

    adjacency: Tensor
    edges: Tensor | None

    def __init__(
        self, labels: LabelSpace, adjacency: Tensor, channels: int, config: GraphConfig
    ) -> None:
        super().__init__(labels, channels, config)
        edges = None
        if adjacency.is_sparse:  # dense copies can be moved and exported, views of it cannot
            targets, sources, adjacency = entries(adjacency)
            edges, adjacency = torch.stack([targets, sources]), adjacency.clone()
        self.register_buffer("adjacency", adjacency, persistent=config.variant == "stored")
        self.register_buffer("edges", edges, persistent=False)

    def mixing(self) -> Tensor:
        """Return the adjacency, ``(L, L)`` float, sparse if the graph has many labels."""
        if self.edges is None:
            return self.adjacency
        targets, sources = self.edges
        return sparse_matrix(targets, sources, self.adjacency, len(self.vectors))


class LearnedClassifiers(nn.Module):
    """Independent learned classifiers instead of a graph network: an ablation.

    Args:
        labels: Number ``L`` of labels.
        channels: Length ``D`` of a classifier.
        length: Whether classifiers have length 1 (`of_length`).

    Example:
        >>> LearnedClassifiers(5, 8)().shape
        torch.Size([5, 8])
    """

    def __init__(self, labels: int, channels: int, length: ClassifierLength = "raw") -> None:
        super().__init__()
        self.length = length
        self.weight = nn.Parameter(torch.empty(labels, channels))
        nn.init.uniform_(self.weight, -(channels**-0.5), channels**-0.5)

    def forward(self) -> Tensor:
        """Return the classifiers, ``(L, D)`` float."""
        return of_length(self.weight, self.length)


def graph_classifiers(
    labels: LabelSpace, adjacency: Tensor, channels: int, config: GraphConfig
) -> GraphClassifiers | LearnedClassifiers:
    """Build the classifiers that the settings choose: from the graph, or independent of it.

    Args:
        labels: The labels, with word vectors.
        adjacency: ``(L, L)`` float; row = target, column = source.
        channels: Length ``D`` of a classifier and of the embedding.
        config: The layers; variant ``none`` builds independent classifiers.

    Raises:
        ValueError: If a graph is chosen and the labels have no word vectors.

    Example:
        >>> from tagsight.nn.config import GraphConfig
        >>> from tagsight.labels.space import empty_label_space
        >>> labels = empty_label_space(["cat", "dog"], vector_length=300)
        >>> graph_classifiers(labels, torch.eye(2), 8, GraphConfig())().shape
        torch.Size([2, 8])
    """
    if config.variant == "none":
        return LearnedClassifiers(len(labels), channels, config.classifiers)
    return GraphClassifiers(labels, adjacency, channels, config)


def label_bias(labels: LabelSpace, config: GraphLayersConfig) -> nn.Parameter | None:
    """Create a bias that starts at 0: ``(L,)`` float; None if the settings have no bias.

    The log-odds of each label's frequency, a usual start, cost 3.8 points of mAP with residual
    attention (``docs/decisions/0018-the-default-without-a-gpu.md``).

    Args:
        labels: The labels.
        config: Whether there is a bias.

    Example:
        >>> from tagsight.labels.space import empty_label_space
        >>> from tagsight.nn.config import GraphConfig
        >>> label_bias(empty_label_space(["cat", "dog"]), GraphConfig(bias=True)).tolist()
        [0.0, 0.0]
    """
    return nn.Parameter(torch.zeros(len(labels))) if config.bias else None
