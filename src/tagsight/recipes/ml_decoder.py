"""Settings and recipes of ML-Decoder."""

from __future__ import annotations

from pydantic import Field

from tagsight.config import AsymmetricConfig, DecoderConfig, Recipe, SystemConfig, TrainConfig
from tagsight.recipes.base import (
    CPU_DECODER_TRAINING,
    CPU_SMOOTHING,
    RESNET101,
    UNTRIED,
    cpu_recipe,
)


class MLDecoderConfig(SystemConfig):
    """ML-Decoder's settings."""

    decoder: DecoderConfig = DecoderConfig()
    """The size of its one layer."""

    groups: int = Field(100, gt=0)
    """How many queries at most; of more labels, several in a row share one."""

    dropout: float = Field(0.1, ge=0, lt=1)
    """Share of the decoder's numbers that training leaves out at random."""


ML_DECODER_PAPER = TrainConfig(
    image_size=448,
    epochs=40,
    batch_size=56,
    optimizer="adamw",
    lr=1e-4,
    weight_decay=1e-4,
    schedule="one_cycle",
    average=0.9997,
)

RECIPES = (
    cpu_recipe(
        "ml-decoder",
        MLDecoderConfig(
            label_smoothing=CPU_SMOOTHING,
            decoder=DecoderConfig(width=256, heads=8, hidden=512),
        ),
        CPU_DECODER_TRAINING,
    ),
    Recipe(
        name="ml-decoder-paper",
        system="ml-decoder",
        settings=MLDecoderConfig(
            backbone=RESNET101,
            loss="asymmetric",
            asymmetric=AsymmetricConfig(gamma_positive=0, gamma_negative=4, margin=0.05),
        ),
        training=ML_DECODER_PAPER,
        source=(
            "ML-Decoder's released code: width 768, 8 heads, 2048 hidden units, 100 groups, rate "
            "1e-4 in one cycle, 40 epochs, batch of 56, average 0.9997; AdamW for its Adam with "
            "true decay; from memory: dropout 0.1, decay 1e-4; its cutout and RandAugment are "
            "left out, and its backbone is a TResNet"
        ),
        expectation=(
            "published: COCO mAP 90.1 at 448 pixels with TResNet-L, none with ResNet-101; "
            f"{UNTRIED}"
        ),
    ),
)
