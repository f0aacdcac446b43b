"""Settings and recipes of ML-Decoder."""

from __future__ import annotations

from pydantic import Field

from tagsight.config import (
    AsymmetricConfig,
    DecoderConfig,
    RandAugmentConfig,
    Recipe,
    SystemConfig,
    TrainConfig,
)
from tagsight.systems.recipes.base import (
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


RELEASED_BATCH = 56

ML_DECODER_PAPER = TrainConfig(
    image_size=448,
    epochs=40,
    batch_size=RELEASED_BATCH,
    optimizer="adam",
    lr=1e-4,
    weight_decay=1e-4 / RELEASED_BATCH,
    schedule="one_cycle",
    cycle_momentum=True,
    cutout=0.5,
    rand_augment=RandAugmentConfig(operations=2),
    selection="last",
    average=0.9997,
)
"""ML-Decoder's released code. Its L2 penalty of 1e-4 stands beside a sum over the batch, ours
beside the mean."""

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
            "ML-Decoder's released code: width 768, 8 heads, 2048 hidden units, 100 groups, "
            "dropout 0.1, asymmetric loss with 4, 0 and 0.05, Adam at 1e-4 in one cycle with an L2 "
            "penalty of 1e-4, 40 epochs, batch of 56, average 0.9997, Cutout, RandAugment; ours: "
            "ResNet-101 for its TResNet"
        ),
        expectation=(
            "published: COCO mAP 90.1 at 448 pixels with TResNet-L, none with ResNet-101; "
            f"{UNTRIED}"
        ),
    ),
)
