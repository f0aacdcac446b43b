"""Report of a label graph: its edges, and warnings before training with it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import torch

from tagsight.data.format import ONLY_LABELS
from tagsight.data.readers import read_annotations
from tagsight.labels.counts import read_counts
from tagsight.labels.space import LabelSpace
from tagsight.nn.config import GraphConfig
from tagsight.nn.graph import conditional_probability, edge_probability
from tagsight.runtime.amounts import amount
from tagsight.runtime.files import replacing
from tagsight.visualize.graph_drawing import draw_graph

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor

    from tagsight.data.readers import Labels

_FEW_PHOTOS = 10
"""Photos of the given label below which a conditional probability is unreliable."""


class Edge(NamedTuple):
    """Directed edge between two labels, along which messages are passed.

    Attributes:
        source: The label that sends.
        target: The label that receives.
        probability: Conditional probability of the target given the source, or of the source given
            the target with ``direction="given_target"``.
        photos: Number of training photos with both labels.
    """

    source: str
    target: str
    probability: float
    photos: int


@dataclass(frozen=True)
class GraphReport:
    """A label graph in plain values.

    Attributes:
        names: All labels.
        edges: Edges sorted by probability, highest first.
        isolated: Labels without an edge in either direction.
        always_together: Pairs of labels of which no training photo has only one.
        warnings: Warnings, one sentence each.
    """

    names: tuple[str, ...]
    edges: tuple[Edge, ...]
    isolated: tuple[str, ...]
    always_together: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...]

    def lines(self, most: int = 50) -> Iterator[str]:
        r"""Yield lines of plain text, with at most ``most`` edges, labels or pairs each.

        Example:
            >>> print(*label_graph("labels.csv", epsilon=0.4).lines(most=1), sep="\n")
            2 edges among 2 labels: 2 receive, 2 send, 0 isolated; dog receives most, from 1
              dog -> sky  0.50  4 photos with both
              and 1 more
            warning: 2 edges of labels with fewer than 10 photos: unreliable
        """
        yield _summary(self)
        arrows = [f"{edge.source} -> {edge.target}" for edge in self.edges[:most]]
        width = max(map(len, arrows), default=0)
        for arrow, edge in zip(arrows, self.edges, strict=False):
            both = f"{amount(edge.photos, 'photo')} with both"
            yield f"  {arrow:<{width}}  {edge.probability:.2f}  {both}"
        if len(self.edges) > most:
            yield f"  and {len(self.edges) - most:,} more"
        if self.isolated:
            yield f"isolated: {_listed(self.isolated, most)}"
        if self.always_together:
            pairs = [f"{one} and {other}" for one, other in self.always_together]
            yield f"always together: {_listed(pairs, most)}"
        for warning in self.warnings:
            yield f"warning: {warning}"

    def __str__(self) -> str:
        return "\n".join(self.lines())


def label_graph(
    labels: Labels,
    *,
    images: str | Path | None = None,
    epsilon: float = 0.4,
    delta: float = 0.2,
    out: str | Path | None = None,
) -> GraphReport:
    """Describe the label graph that training would use (G-CAM Eqs. 3-6).

    It is made of the training photos, or of all where none are marked so; they need not be there.

    Args:
        labels: As for `train`; or saved counts, an ``.npz`` with ``names`` and ``cooccurrence``.
        images: Folder of the photos, where it is not the usual one of the format.
        epsilon: Conditional probability below which an edge is noise, in [0, 1].
        delta: Share of a label's new state that comes from its neighbours, in [0, 1].
        out: Picture of the graph to be written, a PNG file.

    Raises:
        DataError: If the labels cannot be used.

    Example:
        >>> import tagsight as ts
        >>> graph = ts.label_graph("labels.csv", epsilon=0.5)
        >>> graph.names, [(edge.source, edge.target, edge.probability) for edge in graph.edges]
        (('dog', 'sky'), [('dog', 'sky', 0.5), ('sky', 'dog', 0.5)])
    """
    if isinstance(labels, str | Path) and Path(labels).suffix.lower() == ".npz":
        known = read_counts(Path(labels))
    else:
        rows = read_annotations(labels, images=images, labels_only=True, options=ONLY_LABELS)
        rows = rows.rows("train") if "train" in rows.split_sizes else rows
        known = LabelSpace.from_targets(rows.names, rows.targets)
    config = GraphConfig(epsilon=epsilon, delta=delta)
    if out is not None:
        with replacing(Path(out)) as temporary:
            draw_graph(known, config).save(temporary, format="PNG")
    return graph_report(known, config)


def graph_report(labels: LabelSpace, config: GraphConfig) -> GraphReport:
    """Describe the graph that some settings build from counts of labels (G-CAM Eqs. 3-6).

    Example:
        >>> from tagsight import LabelSpace
        >>> from tagsight.nn.config import GraphConfig
        >>> targets = torch.tensor([[1, 1], [1, 0], [1, 1]])
        >>> labels = LabelSpace.from_targets(["person", "dog"], targets)
        >>> next(graph_report(labels, GraphConfig()).lines())
        '2 edges among 2 labels: 2 receive, 2 send, 0 isolated; dog receives most, from 1'
    """
    names, counts = labels.names, labels.cooccurrence.to_dense()
    probability = edge_probability(counts, config)
    edges = [
        Edge(names[j], names[i], probability[i, j].item(), int(counts[i, j]))
        for i, j in probability.nonzero().tolist()
    ]
    linked = (probability > 0).any(0) | (probability > 0).any(1)
    given = conditional_probability(counts)
    inseparable = ((given == 1) & (given.T == 1)).triu().nonzero().tolist()
    return GraphReport(
        names=names,
        edges=tuple(sorted(edges, key=lambda e: (-e.probability, e.source, e.target))),
        isolated=tuple(names[i] for i in (~linked).nonzero().flatten().tolist()),
        always_together=tuple((names[i], names[j]) for i, j in inseparable),
        warnings=tuple(_warnings(labels, config, probability)),
    )


def _summary(report: GraphReport) -> str:
    targets = [edge.target for edge in report.edges]
    text = (
        f"{amount(len(targets), 'edge')} among {amount(len(report.names), 'label')}: "
        f"{len(set(targets))} receive, {len({edge.source for edge in report.edges})} send, "
        f"{len(report.isolated)} isolated"
    )
    if targets:
        hub = max(sorted(set(targets)), key=targets.count)
        text += f"; {hub} receives most, from {targets.count(hub)}"
    return text


def _warnings(labels: LabelSpace, config: GraphConfig, probability: Tensor) -> Iterator[str]:
    counts = labels.counts
    edges = probability > 0
    if config.variant in {"identity", "none"}:
        yield f"variant {config.variant!r} uses none of the edges"
    if unseen := [labels.names[i] for i in (counts == 0).nonzero().flatten().tolist()]:
        yield f"no training photo has {_listed(unseen)}"
    if not edges.any():
        yield _no_edge(labels, config)
        return
    if config.delta == 0:
        yield "delta 0 gives neighbours no weight: the edges have no effect"
    if config.delta > 0.5:
        yield (
            f"delta {config.delta:g} gives neighbours more weight than the label itself: labels "
            "with the same neighbours become similar"
        )
    possible = len(labels) * (len(labels) - 1)
    if edges.sum() > possible / 2 and len(labels) > 2:
        yield (
            f"the graph has {int(edges.sum()):,} of {amount(possible, 'possible edge')}, so most "
            f"labels receive the same messages: choose epsilon above {config.epsilon:g}"
        )
    given = counts if config.direction == "given_source" else counts[:, None]
    rare = int((edges & (given < _FEW_PHOTOS)).sum())
    if rare:
        yield f"{amount(rare, 'edge')} of labels with fewer than {_FEW_PHOTOS} photos: unreliable"


def _no_edge(labels: LabelSpace, config: GraphConfig) -> str:
    given = conditional_probability(labels.cooccurrence.to_dense())
    largest = given.max().item()
    if largest == 0:
        return "no training photo has two labels: the graph has no edges"
    target, source = divmod(int(torch.argmax(given)), len(labels))
    return (
        f"epsilon {config.epsilon:g} leaves no edges: the largest probability is {largest:.2f}, of "
        f"{labels.names[target]} given {labels.names[source]}"
    )


def _listed(items: Sequence[str], most: int = 50) -> str:
    text = ", ".join(items[:most])
    return f"{text} and {len(items) - most:,} more" if len(items) > most else text
