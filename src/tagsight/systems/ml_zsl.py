"""Label states propagated along a knowledge graph.

Lee, Fang, Yeh and Wang. Multi-Label Zero-Shot Learning with Structured Knowledge Graphs. CVPR 2018.
https://arxiv.org/abs/1711.06526

Maps: what the network would say of a photo that is this cell all over, in logits. They do not add
up to the logit, which is no sum over cells.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, Self

import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor, nn

from tagsight.config import Recipe, SystemConfig, TrainConfig
from tagsight.labels.wordnet import installed_wordnet, wordnet_relations
from tagsight.nn.class_activation import pooled
from tagsight.nn.dropout import dropped
from tagsight.nn.knowledge_graph import (
    GatedUpdate,
    KnowledgeGraph,
    centred,
    counted_relations,
    without_loops,
)
from tagsight.nn.padding import filled
from tagsight.runtime.amounts import amount
from tagsight.runtime.precision import full_precision, widened
from tagsight.systems.base import Recognition, System
from tagsight.systems.recipes import (
    CPU_SMOOTHING,
    CPU_TRAINING,
    PAPER_USE,
    RESNET101,
    UNTRIED,
    cpu_recipe,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tagsight.config import SystemConfig
    from tagsight.labels.space import LabelSpace
    from tagsight.nn.views import Images
    from tagsight.systems.base import Published


class MLZSLConfig(SystemConfig):
    """ML-ZSL's settings."""

    relations: Literal["cooccurrence", "wordnet"] = "cooccurrence"
    """Co-occurrence and word vectors, or ``wordnet`` (the paper), which must be installed."""

    positive: float = Field(0.4, ge=0, le=1)
    """Minimum probability of a label given another for a positive edge by ``cooccurrence``."""

    negative: float = Field(0.5, ge=0)
    """Co-occurrence relative to chance below which an edge is negative."""

    similar: float = Field(0.3, ge=-1, le=1)
    """Minimum cosine of the word vectors of similar labels."""

    wup_positive: float = Field(0.7, ge=0, le=1)
    """Minimum similarity in WordNet (Wu and Palmer) for a positive edge."""

    wup_negative: float = Field(0.4, ge=0, le=1)
    """Similarity in WordNet below which an edge is negative."""

    messages: Literal["mean", "sum"] = "mean"
    """Whether messages of the neighbours in a relation are averaged or summed."""

    centred: bool = True
    """Whether the mean word vector of the trained labels is subtracted."""

    normalised: bool = True
    """Whether the features of an image are normalised to mean 0 and variance 1. Without it,
    features that are never negative saturate all states, and nothing is learned."""

    steps: int = Field(5, ge=1, le=50)
    """``T``, the number of propagation steps."""

    state: int = Field(32, gt=0, le=1024)
    """Length of a label's state."""

    hidden: int = Field(128, gt=0, le=4096)
    """Width of the layer that joins image features and word vectors into a label's first state."""

    edge_hidden: int = Field(32, gt=0, le=1024)
    """Width of the networks that weight the relations."""

    dropout: float = Field(0.1, ge=0, lt=1)
    """Fraction of the units of ``hidden`` that are dropped in training."""

    @model_validator(mode="after")
    def _has_near_above_far(self) -> Self:
        if self.wup_negative > self.wup_positive:
            msg = (
                f"wup_negative: expected at most wup_positive {self.wup_positive}, "
                f"got {self.wup_negative}"
            )
            raise ValueError(msg)
        return self


ML_ZSL_PAPER = TrainConfig(
    image_size=224,
    epochs=60,
    batch_size=32,
    optimizer="adam",
    lr=1e-3,
    backbone_lr_factor=0.0,
    weight_decay=0.0,
    schedule="constant",
)
"""Adam at 1e-3 over fixed features; the number of epochs is ours."""

SLOW_BACKBONE = CPU_TRAINING.model_copy(update={"lr": 1e-3, "backbone_lr_factor": 0.05})
"""States learn slowly, and their early gradients harm a backbone that learns faster."""

RECIPES = (
    cpu_recipe(
        "ml-zsl",
        MLZSLConfig(label_smoothing=CPU_SMOOTHING, hidden=512),
        SLOW_BACKBONE,
        use="labels that have no training photos",
    ),
    Recipe(
        name="ml-zsl-paper",
        system="ml-zsl",
        settings=MLZSLConfig(
            backbone=RESNET101,
            messages="sum",
            centred=False,
            normalised=False,
            state=5,
            dropout=0.5,
        ),
        training=ML_ZSL_PAPER,
        source=(
            "ML-ZSL as recalled, but relations counted, as WordNet is not everywhere: "
            "5 steps, states of 5 numbers, Adam at 1e-3, dropout 0.5; "
            "widths, thresholds and length ours; ResNet-152 in the paper"
        ),
        expectation=(
            "published are decisions on the three best labels only, COCO CF1 69.0, of which "
            f"docs/decisions/0006-protocols.md says how they are counted; {UNTRIED}"
        ),
        use=PAPER_USE,
    ),
)


class MLZSL(System):
    """A gated graph network with one state per label, initialised from image and word vector.

    A label is defined by its word vector and its edges only, so that a trained network accepts
    labels without training photos. `KnowledgeGraph` computes once what depends on labels only.

    Example:
        >>> from tagsight.labels.space import LabelSpace
        >>> from tagsight.systems.catalogue import RECIPES, build_system
        >>> labels = LabelSpace.from_targets(("dog", "sky"), torch.eye(2), torch.eye(2))
        >>> system = build_system(RECIPES["ml-zsl-cpu"], labels).eval()
        >>> more = system.with_labels(labels.extended(["sea"], torch.ones(1, 2)))
        >>> more(torch.rand(1, 3, 64, 64)).logits.shape
        torch.Size([1, 3])

    Deviations:
        There is no released code; widths and the place of dropout are ours. The paper's edges come
        from WordNet (``relations = "wordnet"``). By default they are counted in the training
        photos, and the third relation is the similarity of two word vectors, which also connects
        labels without photos. Labels without training photos receive messages but send none, so
        that adding labels does not change the others. The messages of a relation are averaged
        (``messages = "sum"`` sums them), word vectors are centred and normalised (``centred``), and
        image features are normalised (``normalised``). States have 32 numbers instead of 5. The
        backbone is trained with the rest unless its learning rate is 0; the paper uses stored
        features.
    """

    Config: ClassVar[type[SystemConfig]] = MLZSLConfig
    paper: ClassVar[str] = "https://arxiv.org/abs/1711.06526"
    published: ClassVar[tuple[Published, ...]] = ()
    needs_vectors: ClassVar[bool] = True
    takes_new_labels: ClassVar[bool] = True
    config: MLZSLConfig

    def __init__(self, config: MLZSLConfig, labels: LabelSpace) -> None:
        super().__init__(config, labels)
        vectors = _vectors(config, labels)
        relations = _relations(config, labels, vectors) & labels.taught
        hidden, size = config.hidden, config.state
        self.of_photo = nn.Linear(self.backbone.channels, hidden, bias=False)
        self.knowledge = KnowledgeGraph(
            vectors, relations, hidden, config.edge_hidden, mean=config.messages == "mean"
        )
        self.to_state = nn.Linear(hidden, size)
        self.update = GatedUpdate(size)
        self.output = nn.Sequential(nn.Linear(2 * size, size), nn.Tanh(), nn.Linear(size, 1))

    def forward(self, images: Images) -> Recognition:
        features = widened(self.backbone(images))
        embedding = pooled(features, self.config.pooling)
        *_, logits = self._steps(embedding)
        cells = features.flatten(2).transpose(1, 2)
        *_, of_cells = self._steps(cells.flatten(0, 1))
        of_cells = of_cells.unflatten(0, cells.shape[:2]).transpose(1, 2)
        maps = of_cells.unflatten(2, features.shape[2:])
        return Recognition(logits, filled(maps, self.backbone.on_photo(images)), embedding)

    def losses(self, images: Images, targets: Tensor, progress: float = 1.0) -> dict[str, Tensor]:
        del progress
        embedding = pooled(self.backbone(images), self.config.pooling)
        steps = self._steps(embedding, dropout=self.config.dropout)
        terms = [
            self.label_loss(logits, targets) / (self.config.steps - step)
            for step, logits in enumerate(steps)
        ]
        return {"labels": torch.stack(terms).sum()}

    def _steps(self, embedding: Tensor, *, dropout: float = 0.0) -> Iterator[Tensor]:
        """Compute the logits after each of the ``T`` steps: ``(N, D) -> (N, L)``."""
        if self.config.normalised:
            embedding = F.layer_norm(embedding, embedding.shape[-1:])
        with full_precision(embedding.device):
            words, matrix = self.knowledge()
            hidden = (self.of_photo(embedding)[:, None] + words).relu()
            first = self.to_state(dropped(hidden, dropout)).tanh()
            states = first
            found = []
            for _ in range(self.config.steps):
                states = self.update(states, matrix)
                found.append(self.output(torch.cat([states, first], -1)).squeeze(-1))
        return iter(found)


def _vectors(config: MLZSLConfig, labels: LabelSpace) -> Tensor:
    """Scale the word vectors so that their numbers are of order 1: ``(L, E)`` float."""
    if labels.vectors is None:
        msg = f"expected word vectors of the {amount(len(labels), 'label')}, got none"
        raise ValueError(msg)
    vectors = labels.vectors.detach().to(torch.get_default_dtype(), copy=True)
    if config.centred:
        vectors = centred(vectors, labels.taught)
    return F.normalize(vectors) * vectors.shape[1] ** 0.5


def _relations(config: MLZSLConfig, labels: LabelSpace, vectors: Tensor) -> Tensor:
    if config.relations == "wordnet":
        found = wordnet_relations(
            labels.names,
            installed_wordnet(),
            positive=config.wup_positive,
            negative=config.wup_negative,
        )
        return without_loops(found)
    return counted_relations(
        labels,
        vectors,
        positive=config.positive,
        negative=config.negative,
        similar=config.similar,
    )
