"""Settings that the recipes of several systems share."""

from __future__ import annotations

from tagsight.config import (
    BackboneConfig,
    RandAugmentConfig,
    Recipe,
    SystemConfig,
    TrainConfig,
)
from tagsight.nn.config import ConsistencyConfig, GraphConfig

RESNET101 = BackboneConfig(
    name="resnet101.tv_in1k", frozen_stages=0, freeze_depthwise=False, freeze_batch_norm=False
)
"""The encoder of most published tables since 2017: torchvision's first ImageNet weights."""

ML_GCN_PAPER = TrainConfig(
    image_size=448,
    epochs=100,
    batch_size=32,
    optimizer="sgd",
    decayed_parameters="all",
    lr=0.1,
    backbone_lr_factor=0.1,
    weight_decay=1e-4,
    schedule="step",
    decay_every=40,
    decay_factor=0.1,
    clip_norm=10,
    crop="multi_scale",
    random_flip=True,
    selection="last",
)
"""ML-GCN's released code, with the schedule of its section 4.1; the code stops at 20 epochs.

Its rates suit a mean over labels (``label_reduction = "mean"``); with a sum the gradient would be
``L`` times as large."""

DECODER_PAPER = TrainConfig(
    image_size=448,
    lr=1e-4,
    schedule="one_cycle",
    cycle_momentum=True,
    cutout=0.5,
    rand_augment=RandAugmentConfig(operations=2),
    selection="last",
    average=0.9997,
)
"""The training that the released code of ML-Decoder and Query2Label has in common."""

GCAM_PAPER = TrainConfig(
    image_size=224,
    epochs=60,
    batch_size=32,
    optimizer="sgd",
    decayed_parameters="all",
    lr=1e-3,
    weight_decay=5e-4,
    schedule="step",
    decay_every=30,
    decay_factor=0.5,
    selection="last",
)
"""G-CAM section 4.2, which does not say how many epochs."""

TIMED_PHOTOS = 2000
"""Training photos that the minutes of a recipe are stated for (`Recipe.minutes`)."""

UNTRIED = "not run by us: it takes a GPU"
PAPER_USE = "the paper's settings, as far as they are known; needs a GPU"

CPU_BACKBONE = BackboneConfig(
    name="efficientnet_lite0+efficientnet_lite2", class_scores=True, frozen_stages=6
)
"""Two encoders of which the last blocks and the layers after them are trained. Each cell is also
seen through their 1,000 own classes."""

QUICK_BACKBONE = CPU_BACKBONE.model_copy(update={"name": "efficientnet_lite0", "frozen_stages": 7})
"""The smaller of them, all blocks frozen."""

CPU_TRAINING = TrainConfig(
    image_size=448,
    epochs=8,
    least_steps=300,
    least_validation=100,
    batch_size=32,
    optimizer="adamw",
    lr=2e-3,
    backbone_lr_factor=0.6,
    weight_decay=0.01,
    schedule="one_cycle",
    random_flip=True,
    average=0.99,
)
"""Without crops, so that the output of the frozen stages can be cached."""

CPU_DECODER_TRAINING = CPU_TRAINING.model_copy(update={"lr": 4e-4, "backbone_lr_factor": 1.0})
"""For attention layers, which diverge at the rate that suits a linear classifier."""

CPU_SMOOTHING = 0.05
CPU_GRAPH = GraphConfig(bias=True, lr_factor=0.1)
CPU_CONSISTENCY = ConsistencyConfig(weight=0.3, ramp=0.3, views="one", error="relative")


TRIED = "own trials (docs/decisions/0003-what-makes-gcam-train.md)"
CHOSEN = "own trials (docs/decisions/0018-the-default-without-a-gpu.md)"
SIZED = "ours: the training of gcam-cpu, but for what the system needs, and sizes for two cores"


def cpu_recipe(
    system: str,
    settings: SystemConfig,
    training: TrainConfig = CPU_TRAINING,
    *,
    source: str = SIZED,
    expectation: str = "docs/results.md",
    use: str = "",
    minutes: float | None = None,
) -> Recipe:
    """Make the recipe ``SYSTEM-cpu``, which trains in minutes on two CPU cores.

    Where the settings name no encoder, it is `CPU_BACKBONE`.

    Example:
        >>> from tagsight.systems.resnet import ResNet
        >>> cpu_recipe("resnet", ResNet.Config(pooling="max")).name
        'resnet-cpu'
    """
    if settings.backbone == BackboneConfig():
        settings = settings.model_copy(update={"backbone": CPU_BACKBONE})
    return Recipe(
        name=f"{system}-cpu",
        system=system,
        settings=settings,
        training=training,
        source=source,
        expectation=expectation,
        use=use,
        minutes=minutes,
    )


def best_recipe(recipe: Recipe, *, minutes: float | None = None) -> Recipe:
    """Make the recipe ``SYSTEM-best-cpu`` of ``SYSTEM-cpu``: more pixels, and maps left free.

    Args:
        recipe: The recipe for a CPU.
        minutes: Of training, where they were measured (`Recipe.minutes`).

    Example:
        >>> from tagsight.systems.catalogue import RECIPES
        >>> best_recipe(RECIPES["gcam-cpu"]).training.image_size
        576
    """
    return recipe.model_copy(
        update={
            "name": f"{recipe.system}-best-cpu",
            "settings": _without_consistency(recipe.settings),
            "training": recipe.training.model_copy(update={"image_size": 576, "epochs": 10}),
            "source": f"{recipe.name} at 576 pixels, without a consistency loss",
            "use": "the most accurate here: more pixels, and as many minutes more",
            "minutes": minutes,
        }
    )


def quick_recipe(recipe: Recipe, *, minutes: float | None = None) -> Recipe:
    """Make the recipe ``SYSTEM-quick`` of ``SYSTEM-cpu``: one encoder, whose blocks are frozen.

    Each photo and its mirror image are encoded once, and a consistency loss, which takes three
    times as long and gained nothing on frozen features, is left out.

    Args:
        recipe: The recipe for a CPU.
        minutes: Of training, where they were measured (`Recipe.minutes`).

    Example:
        >>> from tagsight.systems.catalogue import RECIPES
        >>> quick_recipe(RECIPES["gcam-cpu"]).name
        'gcam-quick'
    """
    settings = _without_consistency(recipe.settings)
    return recipe.model_copy(
        update={
            "name": f"{recipe.system}-quick",
            "settings": settings.model_copy(update={"backbone": QUICK_BACKBONE}),
            "source": f"{recipe.name} with one encoder, all of whose blocks are frozen",
            "use": f"as {recipe.name} in a fraction of the time: heads alone, on one encoder",
            "minutes": minutes,
        }
    )


def _without_consistency(settings: SystemConfig) -> SystemConfig:
    consistency = getattr(settings, "consistency", None)
    if consistency is None:
        return settings
    return settings.model_copy(
        update={"consistency": consistency.model_copy(update={"weight": 0.0})}
    )
