"""An LSTM with attention that predicts labels in order of confidence.

Chen, Chen, Yeh and Wang. Order-Free RNN with Visual Attention for Multi-Label Classification. AAAI
2018. https://arxiv.org/abs/1707.05495

With ``decoder.order`` set to ``mla`` or ``pla`` it is trained as in Yazici et al., Orderless
Recurrent Models for Multi-label Classification, CVPR 2020, https://arxiv.org/abs/1911.09996

Scores: a label's score is the probability that a sequence contains it, in any order; see
`tagsight.nn.beam_search`.

Maps: for a label in the beams, the attention at the step at which it most probably appears first:
the label's logit plus the logarithm of the attention relative to uniform attention. In logits; the
mean of the exponential of a map is the exponential of the logit. For a label in no beam, the class
activation map of the preliminary classifier plus its bias, in that classifier's logits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn

from tagsight.config import Recipe, SystemConfig, TrainConfig
from tagsight.nn.beam_search import beam_search
from tagsight.nn.class_activation import class_logits, class_maps, pooled
from tagsight.nn.padding import filled
from tagsight.nn.sequence_decoder import EncodedImages, SequenceConfig, SequenceDecoder
from tagsight.runtime.precision import full_precision, widened
from tagsight.systems.base import Published, Recognition, System
from tagsight.systems.recipes import (
    CPU_SMOOTHING,
    PAPER_USE,
    RESNET101,
    UNTRIED,
    cpu_recipe,
)

if TYPE_CHECKING:
    from tagsight.config import SystemConfig
    from tagsight.labels.space import LabelSpace
    from tagsight.nn.views import Images


class OrderFreeDecoderConfig(SequenceConfig):
    """The decoder's settings as Order-Free RNN has them."""

    order: Literal["frequent", "rare", "confidence", "mla", "pla"] = "confidence"
    attention: Literal["none", "soft"] = "soft"
    tie_embeddings: bool = False
    embedding: int = Field(256, gt=0, le=4096)
    activation: Literal["relu", "none"] = "none"


class OrderFreeRNNConfig(SystemConfig):
    """Order-Free RNN's settings."""

    decoder: OrderFreeDecoderConfig = OrderFreeDecoderConfig()
    """The decoder that predicts labels one after another."""

    preliminary_weight: float = Field(1.0, gt=0)
    """Weight of the preliminary classifier's loss; the decoder's has 1."""

    dropout: float = Field(0.5, ge=0, lt=1)
    """Fraction of the projection's units that are dropped in training."""

    @property
    def takes_soft_targets(self) -> bool:
        """False: a sequence has a label or not."""
        return False


ORDER_FREE_PAPER = TrainConfig(
    image_size=448,
    epochs=60,
    batch_size=32,
    optimizer="adamw",
    lr=1e-4,
    weight_decay=1e-4,
    schedule="constant",
)
"""Ours: of the paper's training only its two stages are recalled."""

RECIPES = (
    cpu_recipe(
        "order-free-rnn",
        OrderFreeRNNConfig(
            label_smoothing=CPU_SMOOTHING,
            decoder=OrderFreeDecoderConfig(hidden=256, embedding=128, attention_width=128),
            dropout=0.1,
        ),
        use="labels predicted in a sequence, with attention",
    ),
    Recipe(
        name="order-free-rnn-paper",
        system="order-free-rnn",
        settings=OrderFreeRNNConfig(
            backbone=RESNET101,
            decoder=OrderFreeDecoderConfig(hidden=512, embedding=256, max_labels=16),
            dropout=0.5,
        ),
        training=ORDER_FREE_PAPER,
        source=(
            "recall of Order-Free RNN, not re-read: order, attention, LSTM of 512, beam of 4; code "
            "of Yazici et al. (orderless-rnn-classification): embeddings of 256, attention of 512, "
            "gate, first state; ours: ResNet-101 for its ResNet-152, softmax with an end, dropout, "
            "rate, batch, epochs, one stage"
        ),
        expectation=(
            "published: COCO mAP is not given (top-3 CF1 62.1, OF1 67.7 with ResNet-152); "
            f"{UNTRIED}"
        ),
        use=PAPER_USE,
    ),
)


class _Seen(NamedTuple):
    features: Tensor
    embedding: Tensor
    preliminary: Tensor
    encoded: EncodedImages


class OrderFreeRNN(System):
    """A preliminary classifier, attention, and an LSTM that orders labels by confidence.

    Example:
        >>> from tagsight.labels.space import LabelSpace
        >>> from tagsight.systems.catalogue import RECIPES, build_system
        >>> labels = LabelSpace.from_targets(("dog", "sky"), torch.eye(2), torch.eye(2))
        >>> system = build_system(RECIPES["order-free-rnn-cpu"], labels).eval()
        >>> list(system.losses(torch.rand(1, 3, 64, 64), torch.tensor([[1, 0]])))
        ['labels', 'preliminary']

    Deviations:
        There is no released code, and the paper was not re-read: widths and rates are recalled, and
        are settings. At each step the labels and an end token share a softmax, as in CNN-RNN and
        Yazici et al.; the paper's steps have independent scores and a threshold to stop at. With a
        softmax a path has a probability, and a score of 0.5 its meaning. The preliminary classifier
        is trained together with the rest, not before it, and by its own loss only: no gradient
        flows from the decoder into its probabilities. The first state of the LSTM is computed from
        the pooled features, and attended features are gated, as in the code of Yazici et al. In
        training by alignment, a sampled path that would end early continues with its most probable
        label.
    """

    Config: ClassVar[type[SystemConfig]] = OrderFreeRNNConfig
    paper: ClassVar[str] = "https://arxiv.org/abs/1707.05495"
    published: ClassVar[tuple[Published, ...]] = ()
    label_parameters: ClassVar[frozenset[str]] = frozenset(
        {
            "classifier.weight",
            "classifier.bias",
            "decoder.embeddings",
            "decoder.outputs",
            "decoder.likely",
        }
    )
    config: OrderFreeRNNConfig

    def __init__(self, config: OrderFreeRNNConfig, labels: LabelSpace) -> None:
        super().__init__(config, labels)
        channels = self.backbone.channels
        self.classifier = nn.Linear(channels, len(labels))
        counts = labels.counts
        self.decoder = SequenceDecoder(counts, channels, config.decoder, preliminary=True)

    def losses(self, images: Images, targets: Tensor, progress: float = 1.0) -> dict[str, Tensor]:
        del progress
        features, on_photo = self.backbone(images), self.backbone.on_photo(images)
        with full_precision(features.device):
            seen = self._seen(features, on_photo)
            loss = self.decoder.loss(seen.encoded, targets, self.config.dropout)
            preliminary = self.label_loss(seen.preliminary, targets)
        weight = self.config.preliminary_weight
        return {"labels": loss.mean(), "preliminary": weight * preliminary}

    def forward(self, images: Images) -> Recognition:
        features, on_photo = self.backbone(images), self.backbone.on_photo(images)
        with full_precision(features.device):
            seen = self._seen(features, on_photo)
            found = beam_search(self.decoder, seen.encoded)
        maps = class_maps(seen.features, self.classifier.weight, self.classifier.bias)
        if self.config.decoder.attention == "soft":
            looked = (found.logits[..., None] + found.log_attention).view_as(maps)
            maps = torch.where(found.emitted[..., None, None], looked, maps)
        maps = filled(maps, on_photo)
        return Recognition(logits=found.logits, maps=maps, embedding=seen.embedding)

    def _seen(self, features: Tensor, on_photo: Tensor | None) -> _Seen:
        features = widened(features)
        embedding = pooled(features, self.config.pooling)
        preliminary = class_logits(embedding, self.classifier.weight, self.classifier.bias)
        probabilities = preliminary.detach().sigmoid()
        encoded = self.decoder.encode(features, embedding, probabilities, on_photo)
        return _Seen(features, embedding, preliminary, encoded)
