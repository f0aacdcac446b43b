"""Recipes for one GPU with the encoders of recent years."""

from __future__ import annotations

from typing import NamedTuple

from tagsight.config import BackboneConfig, Recipe
from tagsight.systems.recipes import DECODER_PAPER, UNTRIED

FINE_TUNING = DECODER_PAPER.model_copy(
    update={
        "epochs": 20,
        "batch_size": 64,
        "lr": 1e-3,
        "weight_decay": 0.05,
        "clip_norm": 1.0,
        "random_flip": True,
        "selection": "best",
        "least_validation": 100,
    }
)
"""Augmentation, schedule and average of ML-Decoder's and Query2Label's code; epochs, batch,
clipping and the rate of new layers are ours. The rate of the encoder follows its source."""

OURS = "the rest: ours, with the augmentation of ML-Decoder's and Query2Label's code"


class Tuned(NamedTuple):
    """An encoder and how it is fine-tuned.

    Attributes:
        short: Its part of the recipe's name.
        encoder: Its name in timm, with the weights.
        pixels: Side of the photos.
        rate: Highest learning rate, of its last layer.
        layer_decay: Rate of a layer relative to that of the next.
        source: Source of the two.
    """

    short: str
    encoder: str
    pixels: int
    rate: float
    layer_decay: float
    source: str


MAE = "MAE's released code for ViT-B (rate of 5e-4 for 256 photos, layer and weight decay)"
CONVNEXT = "ConvNeXt, appendix A (arXiv:2201.03545): rate of fine-tuning at 384 pixels"
QUERY2LABEL = "Query2Label's released code (rate of the encoder, 448 pixels)"

TUNED = (
    Tuned("resnet101", "resnet101.a1h_in1k", 448, 1e-4, 1.0, QUERY2LABEL),
    Tuned("convnext", "convnext_tiny.fb_in22k_ft_in1k_384", 384, 5e-5, 1.0, CONVNEXT),
    Tuned("dinov2-s", "vit_small_patch14_dinov2.lvd142m", 518, 1.25e-4, 0.65, MAE),
    Tuned("dinov2-b", "vit_base_patch14_dinov2.lvd142m", 518, 1.25e-4, 0.65, MAE),
    Tuned("dinov3-s", "vit_small_patch16_dinov3.lvd1689m", 448, 1.25e-4, 0.65, MAE),
    Tuned("dinov3-b", "vit_base_patch16_dinov3.lvd1689m", 448, 1.25e-4, 0.65, MAE),
    Tuned("siglip2-b", "vit_base_patch16_siglip_384.v2_webli", 384, 1.25e-4, 0.65, MAE),
)
"""The encoders, each at the resolution of its weights, or one that its paper evaluates."""


def gpu_recipes(recipe: Recipe) -> tuple[Recipe, ...]:
    """Make a recipe ``SYSTEM-ENCODER`` for each of `TUNED`.

    Args:
        recipe: The recipe for a CPU; all is replaced but the settings of the system itself.

    Example:
        >>> from tagsight.systems.catalogue import RECIPES
        >>> gpu_recipes(RECIPES["gcam-cpu"])[0].name
        'gcam-resnet101'
    """
    return tuple(
        Recipe(
            name=f"{recipe.system}-{tuned.short}",
            system=recipe.system,
            settings=recipe.settings.model_copy(update={"backbone": _backbone(tuned.encoder)}),
            training=FINE_TUNING.model_copy(
                update={
                    "image_size": tuned.pixels,
                    "backbone_lr_factor": tuned.rate / FINE_TUNING.lr,
                    "layer_decay": tuned.layer_decay,
                }
            ),
            source=f"{tuned.source}; {OURS}",
            expectation=f"not known; {UNTRIED}",
            use=f"the default's settings with {tuned.encoder.partition('.')[0]}; needs a GPU",
        )
        for tuned in TUNED
    )


def _backbone(name: str) -> BackboneConfig:
    return BackboneConfig(
        name=name, frozen_stages=0, freeze_depthwise=False, freeze_batch_norm=False
    )
