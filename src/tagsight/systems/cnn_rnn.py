"""An LSTM that predicts labels one after another, the frequent ones first.

Wang, Yang, Mao, Huang, Huang and Xu. CNN-RNN: A Unified Framework for Multi-label Image
Classification. CVPR 2016. https://arxiv.org/abs/1604.04573

Scores: a label's score is the probability that a sequence contains it, in any order; see
`tagsight.nn.beam_search`.

Maps: for each label, the step at which it most probably appears first, after the most probable
prefix. At that step the features of one cell replace the pooled features, while the LSTM's output
stays. The map is the label's score before the softmax minus the mean score of all labels and the
end token, to which the softmax is invariant. In logits of that step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from tagsight.config import Recipe, SystemConfig, TrainConfig
from tagsight.nn.beam_search import beam_search
from tagsight.nn.class_activation import pooled
from tagsight.nn.padding import filled
from tagsight.nn.sequence_decoder import SequenceConfig, SequenceDecoder
from tagsight.runtime.precision import full_precision, widened
from tagsight.systems.base import Published, Recognition, System
from tagsight.systems.recipes import PAPER_USE, RESNET101, UNTRIED, cpu_recipe

if TYPE_CHECKING:
    from torch import Tensor

    from tagsight.config import SystemConfig
    from tagsight.labels.space import LabelSpace
    from tagsight.nn.views import Images


class CNNRNNConfig(SystemConfig):
    """CNN-RNN's settings."""

    decoder: SequenceConfig = SequenceConfig()
    """The decoder that predicts labels one after another."""

    dropout: float = Field(0.5, ge=0, lt=1)
    """Fraction of the projection's units that are dropped in training."""

    @property
    def takes_soft_targets(self) -> bool:
        """False: a sequence has a label or not."""
        return False


CNN_RNN_PAPER = TrainConfig(
    image_size=224,
    epochs=60,
    batch_size=32,
    optimizer="sgd",
    decayed_parameters="all",
    lr=1e-4,
    weight_decay=1e-4,
    schedule="constant",
)
"""CNN-RNN's rate, momentum and decay as recalled; it does not state the number of epochs."""

RECIPES = (
    cpu_recipe(
        "cnn-rnn",
        CNNRNNConfig(
            decoder=SequenceConfig(hidden=256, activation="none"),
            dropout=0.1,
        ),
        use="labels that depend on one another, predicted in a sequence",
    ),
    Recipe(
        name="cnn-rnn-paper",
        system="cnn-rnn",
        settings=CNNRNNConfig(
            backbone=RESNET101,
            decoder=SequenceConfig(embedding=64, hidden=512, max_labels=16, scoring="best"),
            dropout=0.5,
        ),
        training=CNN_RNN_PAPER,
        source=(
            "recall of CNN-RNN, not re-read: order, tied embeddings of 64, LSTM of 512, dropout, "
            "rate, momentum, decay, scores; ours: ResNet-101 for its VGG-16, beam, longest path, "
            "batch, epochs, one stage"
        ),
        expectation=(
            "published: COCO mAP 61.2 at 224 pixels with VGG-16, which is MAP@10, a ranking of "
            f"labels; {UNTRIED}"
        ),
        use=PAPER_USE,
    ),
)


class CNNRNN(System):
    """An LSTM over the labels predicted so far; image features are added to its output.

    ``label_reduction``, ``label_weights`` and ``label_smoothing`` apply to binary cross-entropy and
    have no effect on the loss of a sequence.

    Example:
        >>> import torch
        >>> from tagsight.labels.space import LabelSpace
        >>> from tagsight.systems.catalogue import RECIPES, build_system
        >>> labels = LabelSpace.from_targets(("dog", "sky"), torch.eye(2), torch.eye(2))
        >>> system = build_system(RECIPES["cnn-rnn-cpu"], labels).eval()
        >>> system(torch.rand(1, 3, 64, 64)).maps.shape[:2]
        torch.Size([1, 2])

    Deviations:
        The paper was not re-read: widths, rates and the ReLU after the projection are recalled, and
        are settings. Its score of a label is the probability of the best path to it
        (``decoder.scoring="best"``), which decreases with every preceding label; ours sums over
        paths. It does not order labels of equal counts; here confidence does. It trains the LSTM
        before the encoder; here both train together, and the frozen stages of the encoder are a
        setting. Its "mAP" of 61.2 on COCO ranks the labels of a photo (MAP@10); it is not the mean
        over labels that tables call mAP.
    """

    Config: ClassVar[type[SystemConfig]] = CNNRNNConfig
    paper: ClassVar[str] = "https://arxiv.org/abs/1604.04573"
    published: ClassVar[tuple[Published, ...]] = (
        Published(
            "COCO 2014",
            61.2,
            "224, VGG-16; MAP@10, the ranking of a photo's labels, not mAP",
            "CNN-RNN; as mAP in G-CAM Table 2",
        ),
        Published(
            "NUS-WIDE", 56.1, "224, VGG-16; MAP@10, the ranking of a photo's labels", "CNN-RNN"
        ),
        Published("VOC 2007", 84.0, "224, VGG-16, AP variant not known", "CNN-RNN, from memory"),
    )
    label_parameters: ClassVar[frozenset[str]] = frozenset(
        {"decoder.embeddings", "decoder.outputs"}
    )
    config: CNNRNNConfig

    def __init__(self, config: CNNRNNConfig, labels: LabelSpace) -> None:
        super().__init__(config, labels)
        counts = labels.counts
        self.decoder = SequenceDecoder(counts, self.backbone.channels, config.decoder)

    def losses(self, images: Images, targets: Tensor, progress: float = 1.0) -> dict[str, Tensor]:
        del progress
        features, on_photo = widened(self.backbone(images)), self.backbone.on_photo(images)
        with full_precision(features.device):
            embedding = pooled(features, self.config.pooling)
            encoded = self.decoder.encode(features, embedding, on_photo=on_photo)
            loss = self.decoder.loss(encoded, targets, self.config.dropout)
        return {"labels": loss.mean()}

    def forward(self, images: Images) -> Recognition:
        features, on_photo = widened(self.backbone(images)), self.backbone.on_photo(images)
        with full_precision(features.device):
            embedding = pooled(features, self.config.pooling)
            encoded = self.decoder.encode(features, embedding, on_photo=on_photo)
            found = beam_search(self.decoder, encoded)
            evidence = self.decoder.cell_evidence(encoded, found.lstm_term)
        return Recognition(
            logits=found.logits,
            maps=filled(evidence.unflatten(-1, features.shape[-2:]), on_photo),
            embedding=embedding,
        )
