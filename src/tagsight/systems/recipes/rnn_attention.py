"""Settings and recipes of RNN-Attention."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tagsight.config import Recipe, Settings, SystemConfig, TrainConfig
from tagsight.systems.recipes.base import (
    CPU_SMOOTHING,
    CPU_TRAINING,
    RESNET101,
    UNTRIED,
    cpu_recipe,
)


class LocationConfig(Settings):
    """What the places of the regions are held to: ``L_S + lambda1 L_A + lambda2 L_P``."""

    weight: float = Field(0.1, ge=0)
    """Gamma: weight of the whole term, which is a sum over the regions."""

    largest_scale: float = Field(0.5, gt=0)
    """Alpha of L_S: side of a region, as a fraction of the photo's, that costs nothing yet."""

    smallest_scale: float = Field(0.1, ge=0)
    """Beta of L_P: scale below which a region costs something; it also keeps scales positive."""

    anchor_weight: float = Field(0.01, ge=0)
    """Lambda1, of L_A: how strongly regions are drawn to their anchors."""

    positive_weight: float = Field(0.1, ge=0)
    """Lambda2, of L_P."""


class RNNAttentionConfig(SystemConfig):
    """RNN-Attention's settings."""

    objective: Literal["bce", "softmax_mse"] = "bce"
    """``softmax_mse`` as published: shares of labels, so that scores only rank a photo's labels."""

    regions: int = Field(5, ge=1, le=32)
    """``K``, how many regions are looked at after the whole photo."""

    channels: int = Field(256, gt=0, le=8192)
    """Channels of the grid that regions are cut from."""

    region_side: int = Field(6, ge=2, le=64, multiple_of=2)
    """Points of a region along each side; a maximum over 2 x 2 halves them."""

    hidden: int = Field(512, gt=0, le=8192)
    """Width of a region's description, of the LSTM and of the layer behind it."""

    first_scale: float = Field(1.0, gt=0, le=1)
    """Side of every region before training, as a fraction of the photo's."""

    translation: Literal["tanh", "free"] = "tanh"
    """Whether ``tanh`` keeps a region's centre on the photo."""

    anchors: Literal["penalty", "offset"] = "penalty"
    """Whether the anchors draw regions by L_A, or are added to where the network puts them."""

    location: LocationConfig = LocationConfig()
    """What the places of the regions are held to."""

    @property
    def probabilities(self) -> bool:
        """Only with ``bce``: shares of labels cannot say that none is there."""
        return self.objective == "bce"


RNN_ATTENTION_PAPER = TrainConfig(
    image_size=512,
    epochs=45,
    batch_size=16,
    optimizer="adam",
    lr=1e-5,
    weight_decay=0.0,
    schedule="constant",
    random_flip=True,
)
"""As in the port by James-Yip."""

RECURRENT_TRAINING = CPU_TRAINING.model_copy(update={"lr": 2.5e-4, "backbone_lr_factor": 0.8})
"""At the rate of linear classifiers the regions run into a corner and the LSTM learns nothing."""

RECIPES = (
    cpu_recipe(
        "rnn-attention",
        RNNAttentionConfig(
            label_smoothing=CPU_SMOOTHING,
            first_scale=0.5,
            anchors="offset",
            location=LocationConfig(weight=0.02),
        ),
        RECURRENT_TRAINING,
    ),
    Recipe(
        name="rnn-attention-paper",
        system="rnn-attention",
        settings=RNNAttentionConfig(
            backbone=RESNET101,
            objective="softmax_mse",
            channels=512,
            region_side=14,
            hidden=4096,
            translation="free",
        ),
        training=RNN_ATTENTION_PAPER,
        source=(
            "code, the port by James-Yip, which has the paper's constants: 5 regions of 14 x 14, "
            "widths of 4096, gamma, alpha, beta, lambdas, Adam at 1e-5, batch of 16, 45 epochs, "
            "512 pixels; recall: that they are the paper's; ours: ResNet-101, which is trained, "
            "for a frozen VGG-16"
        ),
        expectation=(
            "published: COCO mAP not given, top 3 CF1 67.4 and OF1 72.0; VOC 2007 91.9 from "
            f"memory; VGG-16 at 512 and 640 pixels, several views; {UNTRIED}"
        ),
    ),
)
