"""Settings of label graphs, consistent maps and attention, which several systems share.

As `tagsight.config`, without torch.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from tagsight.config import Settings

Transform = Literal["flip", "scale", "quarter_turn"]
Similarity = Literal["dot", "cosine", "softmax"]
ClassifierLength = Literal["raw", "unit"]


class GraphLayersConfig(Settings):
    """The graph network (G-CAM Eq. 7), for counted and learned label graphs."""

    hidden: int = Field(1024, gt=0, le=8192)
    """Width of the layer between word vectors and classifiers."""

    activation: Literal["leaky_relu", "relu"] = "leaky_relu"
    """Activation between the two layers; the second has none."""

    vectors: Literal["raw", "unit", "centred"] = "centred"
    """Word vectors ``raw``, normalised to ``unit`` length, or ``centred`` at their mean."""

    classifiers: ClassifierLength = "raw"
    """Classifiers as the network computes them (``raw``), or of length 1, as CSRA's (``unit``)."""

    bias: bool = False
    """Whether labels have a bias, initially 0; papers have none."""

    lr_factor: float = Field(1.0, gt=0)
    """Learning rate of the graph network relative to the run's."""


class GraphConfig(GraphLayersConfig):
    """The correlation matrix of labels (G-CAM Eqs. 3-6) and the network over it (Eq. 7)."""

    epsilon: float = Field(0.4, ge=0, le=1)
    """Conditional probability below which an edge is removed (Eq. 5)."""

    delta: float = Field(0.2, ge=0, le=1)
    """Weight of the neighbours in a label's new state (Eq. 6); 1 ignores its own state."""

    direction: Literal["given_source", "given_target"] = "given_source"
    """Probability that defines an edge from ``j`` to ``i``: ``P(i given j)`` as released, or
    ``P(j given i)``."""

    variant: Literal["paper", "released", "identity", "none", "stored"] = "paper"
    """``released`` is ML-GCN's code; ablations: ``identity`` has no edges, ``none`` no graph.
    ``stored`` is that of a converted checkpoint, which comes with the weights; before they are
    read it has no edges."""

    second_self_loop: bool = False
    """Whether to add the identity of Eq. 2 to the ``1 - delta`` on the diagonal."""


class LearnedGraphConfig(GraphLayersConfig):
    """A learned label graph and the network over it (A-GCN)."""

    similarity: Similarity = "softmax"
    """Similarity of two projected word vectors; ``dot``, the published one, grows with width."""

    width: int = Field(1024, gt=0, le=8192)
    """Length of the projections. With ``dot``, edges start near ``width / (4 L)``."""

    sparsity: float = Field(0.01, ge=0)
    """Weight of ``||A - I||_1``, a sum over ``L^2`` entries that starts near ``2 (L - 1)``."""

    similarity_lr_factor: float = Field(4.0, gt=0)
    """Learning rate of the projections relative to the run's."""


class ConsistencyConfig(Settings):
    """The consistency loss between the maps of a photo's views (G-CAM Eqs. 11-13)."""

    weight: float = Field(0.4, ge=0, le=1)
    """Lambda of Eq. 13: weight of the consistency loss; the label loss has the rest."""

    ramp: float = Field(0.0, ge=0, le=1)
    """Fraction of the training over which lambda grows from 0 to ``weight``."""

    transforms: tuple[Transform, ...] = ("flip", "scale")
    """Transforms that make the views."""

    views: Literal["all", "each", "one"] = "all"
    """``all`` combinations (four in the paper), one for ``each`` transform, or a random ``one``."""

    scale: float = Field(192 / 224, gt=0, lt=1)
    """Side of the small view relative to the large one."""

    scale_weight: float = Field(1.0, ge=0)
    """Weight of the distance between two sizes; that of a view and its flip or turn is 1."""

    error: Literal["squared", "norm", "relative"] = "squared"
    """``squared`` error as released, ``norm`` of Eq. 12, or ``relative`` to the maps' variance."""

    alignment: Literal["bilinear", "nearest"] = "bilinear"
    """Resampling of maps of two sizes; with ``nearest``, as released, they can never agree."""

    detach_classifiers: bool = True
    """Whether the consistency loss does not train the classifiers, which it would shrink to 0."""

    @model_validator(mode="after")
    def _has_transforms(self) -> Self:
        if len(set(self.transforms)) < len(self.transforms):
            msg = f"consistency.transforms: expected each transform once, got {self.transforms}"
            raise ValueError(msg)
        if self.weight > 0 and not self.transforms:
            msg = (
                "consistency.transforms: expected at least one of 'flip', 'scale', "
                "'quarter_turn' while consistency.weight > 0, got none"
            )
            raise ValueError(msg)
        return self


class DecoderConfig(Settings):
    """Size of layers in which labels attend to the cells of a feature grid."""

    width: int = Field(768, gt=0, le=8192, multiple_of=4)
    """Length of the vectors of labels and cells."""

    heads: int = Field(8, gt=0)
    """Number of attention heads, a divisor of ``width``."""

    hidden: int = Field(2048, gt=0, le=32768)
    """Units between the two linear layers after the attention."""

    @model_validator(mode="after")
    def _heads_divide_the_width(self) -> Self:
        if self.width % self.heads:
            msg = (
                f"decoder.heads: expected a divisor of decoder.width = {self.width}, "
                f"got {self.heads}"
            )
            raise ValueError(msg)
        return self
