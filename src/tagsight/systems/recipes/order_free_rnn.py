"""Settings and recipes of Order-Free RNN."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tagsight.config import Recipe, SystemConfig, TrainConfig
from tagsight.nn.sequence_decoder import SequenceConfig
from tagsight.systems.recipes.base import CPU_SMOOTHING, RESNET101, UNTRIED, cpu_recipe


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
    """How labels are said one after another."""

    preliminary_weight: float = Field(1.0, gt=0)
    """Weight of the preliminary classifier's loss; the decoder's has 1."""

    dropout: float = Field(0.5, ge=0, lt=1)
    """Share of a projection's numbers that is left out while training."""


ORDER_FREE_PAPER = TrainConfig(
    image_size=448,
    epochs=60,
    batch_size=32,
    optimizer="adamw",
    lr=1e-4,
    weight_decay=1e-4,
    schedule="constant",
)
"""Ours: of the paper's training nothing is remembered but that it has two stages."""

RECIPES = (
    cpu_recipe(
        "order-free-rnn",
        OrderFreeRNNConfig(
            label_smoothing=CPU_SMOOTHING,
            decoder=OrderFreeDecoderConfig(hidden=256, embedding=128, attention_width=128),
            dropout=0.1,
        ),
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
    ),
)
