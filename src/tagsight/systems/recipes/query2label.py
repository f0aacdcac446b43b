"""Settings and recipes of Query2Label."""

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


class Query2LabelConfig(SystemConfig):
    """Query2Label's settings."""

    decoder: DecoderConfig = DecoderConfig(width=2048, heads=4, hidden=8192)
    """The size of its layers; at the backbone's own width the features are taken as they are."""

    encoder_layers: int = Field(1, ge=0, le=12)
    """Layers in which cells look at one another."""

    decoder_layers: int = Field(2, ge=1, le=12)
    """Layers in which labels look at cells."""

    dropout: float = Field(0.1, ge=0, lt=1)
    """Share of the layers' numbers that training leaves out at random."""


QUERY2LABEL_PAPER = TrainConfig(
    image_size=448,
    epochs=80,
    batch_size=128,
    optimizer="adamw",
    decayed_parameters="all",
    lr=1e-4,
    weight_decay=1e-2,
    schedule="one_cycle",
    cycle_momentum=True,
    cutout=0.5,
    rand_augment=RandAugmentConfig(operations=2),
    selection="last",
    average=0.9997,
)

RECIPES = (
    cpu_recipe(
        "query2label",
        Query2LabelConfig(
            label_smoothing=CPU_SMOOTHING,
            decoder=DecoderConfig(width=256, heads=4, hidden=512),
        ),
        CPU_DECODER_TRAINING,
    ),
    Recipe(
        name="query2label-paper",
        system="query2label",
        settings=Query2LabelConfig(
            backbone=RESNET101.model_copy(update={"frozen_stages": 1, "freeze_batch_norm": True}),
            loss="asymmetric",
            asymmetric=AsymmetricConfig(gamma_positive=0, gamma_negative=2, margin=0),
        ),
        training=QUERY2LABEL_PAPER,
        source=(
            "Query2Label's released code: width 2048, 4 heads, 8192 hidden units, 1 encoder and 2 "
            "decoder layers, dropout 0.1, first layers and batch norm as they are, asymmetric loss "
            "with 2, 0 and 0, AdamW at 1e-4 in one cycle, decay 1e-2 of all parameters, 80 epochs, "
            "batch of 128, average 0.9997, RandAugment; Cutout as the paper has it; its early stop "
            "is left out"
        ),
        expectation=f"published: COCO mAP 84.9 at 448 pixels; {UNTRIED}",
    ),
)
