"""Settings and recipes of CNN-RNN."""

from __future__ import annotations

from pydantic import Field

from tagsight.config import Recipe, SystemConfig, TrainConfig
from tagsight.nn.sequence_decoder import SequenceConfig
from tagsight.systems.recipes.base import RESNET101, UNTRIED, cpu_recipe


class CNNRNNConfig(SystemConfig):
    """CNN-RNN's settings."""

    decoder: SequenceConfig = SequenceConfig()
    """How labels are said one after another."""

    dropout: float = Field(0.5, ge=0, lt=1)
    """Share of a projection's numbers that is left out while training."""


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
"""CNN-RNN's rate, momentum and decay as remembered; it does not say how many epochs."""

RECIPES = (
    cpu_recipe(
        "cnn-rnn",
        CNNRNNConfig(decoder=SequenceConfig(hidden=256, activation="none"), dropout=0.1),
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
    ),
)
