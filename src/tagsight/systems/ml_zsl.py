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
from tagsight.nn.knowledge_graph import (
    GatedUpdate,
    KnowledgeGraph,
    centred,
    counted_relations,
    without_loops,
)
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
    """Counts and word vectors, or ``wordnet`` (the paper), which has to be installed."""

    positive: float = Field(0.4, ge=0, le=1)
    """Least probability of a label given another, for a positive edge by ``cooccurrence``."""

    negative: float = Field(0.5, ge=0)
    """How often labels meet, relative to chance, below which an edge is negative."""

    similar: float = Field(0.3, ge=-1, le=1)
    """Least cosine of the word vectors of labels that are similar."""

    wup_positive: float = Field(0.7, ge=0, le=1)
    """Least similarity in WordNet (Wu and Palmer) for a positive edge."""

    wup_negative: float = Field(0.4, ge=0, le=1)
    """Similarity in WordNet below which an edge is negative."""

    messages: Literal["mean", "sum"] = "mean"
    """Whether a label takes the mean over its neighbours in a relation, or their sum."""

    centred: bool = True
    """Whether the word vectors lose what those of the trained labels share."""

    normalised: bool = True
    """Whether a photo's features get mean 0 and variance 1 over their numbers. Without it, features
    that are never negative drive all states into saturation, where nothing is learned."""

    steps: int = Field(5, ge=1, le=50)
    """``T``: how often states travel along the edges."""

    state: int = Field(32, gt=0, le=1024)
    """Length of a label's state."""

    hidden: int = Field(128, gt=0, le=4096)
    """Width between photo and word vector, and a label's first state."""

    edge_hidden: int = Field(32, gt=0, le=1024)
    """Width of the networks that weigh the relations."""

    dropout: float = Field(0.1, ge=0, lt=1)
    """Share of that hidden layer that each training step leaves out."""

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
"""Adam at 1e-3 over features that stay as they are; how long is ours."""

SLOW_BACKBONE = CPU_TRAINING.model_copy(update={"lr": 1e-3, "backbone_lr_factor": 0.05})
"""States learn slowly, and until they do their gradients spoil a backbone that goes faster."""

RECIPES = (
    cpu_recipe(
        "ml-zsl",
        MLZSLConfig(label_smoothing=CPU_SMOOTHING, hidden=512),
        SLOW_BACKBONE,
        use="labels that have no training photos",
        minutes=1.9,
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
    """A gated graph network over one state a label, begun from the photo and the label's word.

    A label is known by its word vector and its edges alone, so that the trained network takes
    labels that no photo has taught. What depends on labels alone is computed once
    (`KnowledgeGraph`).

    Deviations:
        There is no released code; widths and where dropout stands are ours. The paper's edges come
        from WordNet (``relations = "wordnet"``); by default they are counted in the training
        photos, and the third relation is the likeness of two word vectors, which also joins labels
        that have no photos. Labels without training photos receive from others and send nothing, so
        that to add labels changes no other label's answer. The neighbours of a relation are
        averaged (``messages = "sum"`` adds them up), and word vectors lose what the trained labels'
        share and get one length (``centred``); so do the photo's features (``normalised``). States
        have 32 numbers instead of 5. The backbone is trained along with all else unless its
        learning rate is 0; the paper keeps features on the disk.
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
        return Recognition(logits, of_cells.unflatten(2, features.shape[2:]), embedding)

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
        """Logits after each of the ``T`` steps: ``(N, D) -> (N, L)``."""
        if self.config.normalised:
            embedding = F.layer_norm(embedding, embedding.shape[-1:])
        with full_precision(embedding.device):
            words, matrix = self.knowledge()
            hidden = (self.of_photo(embedding)[:, None] + words).relu()
            first = self.to_state(F.dropout(hidden, dropout, training=dropout > 0)).tanh()
            states = first
            found = []
            for _ in range(self.config.steps):
                states = self.update(states, matrix)
                found.append(self.output(torch.cat([states, first], -1)).squeeze(-1))
        return iter(found)


def _vectors(config: MLZSLConfig, labels: LabelSpace) -> Tensor:
    """``(L, E)`` float, each number about 1 large."""
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
