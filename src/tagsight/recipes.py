"""Settings that reproduce a result, each with its source and what to expect of it."""

from __future__ import annotations

from tagsight.config import (
    BackboneConfig,
    ConsistencyConfig,
    GraphConfig,
    Recipe,
    TrainConfig,
)
from tagsight.system_configs import GCAMConfig, MLGCNConfig, ResNetConfig, VACConfig

RESNET101 = BackboneConfig(
    name="resnet101.tv_in1k", frozen_stages=0, freeze_depthwise=False, freeze_batch_norm=False
)
"""What every table since 2017 compares on: torchvision's first ImageNet weights."""

GCAM_PAPER = TrainConfig(
    image_size=224,
    epochs=60,
    batch_size=32,
    optimizer="sgd",
    lr=1e-3,
    weight_decay=5e-4,
    schedule="step",
    decay_every=30,
    decay_factor=0.5,
)
"""G-CAM section 4.2, which does not say how many epochs."""

ML_GCN_PAPER = TrainConfig(
    image_size=448,
    epochs=100,
    batch_size=32,
    optimizer="sgd",
    lr=0.1,
    backbone_lr_factor=0.1,
    weight_decay=1e-4,
    schedule="step",
    decay_every=40,
    decay_factor=0.1,
    clip_norm=10,
    crop=0.25,
    random_flip=True,
)
"""ML-GCN's released rates with the schedule of its section 4.1; their code stops at 20 epochs."""

VAC_PAPER = GCAM_PAPER.model_copy(
    update={"image_size": 288, "epochs": 14, "decay_every": 6, "decay_factor": 0.1}
)
"""VAC's released code for COCO, but for its batch of 24."""

GCAM_SETTINGS = GCAMConfig(
    backbone=RESNET101,
    graph=GraphConfig(epsilon=0.4, delta=0.2, vectors="raw"),
    consistency=ConsistencyConfig(weight=0.4, scale=192 / 224),
)
LITERAL = ConsistencyConfig(
    weight=0.4, views="all", error="squared", alignment="nearest", scale=192 / 224
)
"""G-CAM's consistency with VAC's code where the paper is silent; it can fail outright."""

UNTRIED = "not run by us: it takes a GPU"

_PAPER = (
    Recipe(
        name="gcam-paper",
        system="gcam",
        settings=GCAM_SETTINGS,
        training=GCAM_PAPER,
        source="G-CAM section 4.2; 60 epochs and bilinear alignment are ours",
        expectation=f"published: COCO mAP 84.1, plausible only at 448 pixels; {UNTRIED}",
    ),
    Recipe(
        name="gcam-literal",
        system="gcam",
        settings=GCAM_SETTINGS.model_copy(update={"consistency": LITERAL}),
        training=GCAM_PAPER,
        source="G-CAM section 4.2, and VAC's released code where the paper is silent; 60 epochs",
        expectation=f"see docs/decisions/0003-what-makes-gcam-train.md; {UNTRIED}",
    ),
    Recipe(
        name="gcam-paper-448",
        system="gcam",
        settings=GCAM_SETTINGS.model_copy(
            update={"consistency": ConsistencyConfig(weight=0.4, scale=384 / 448)}
        ),
        training=GCAM_PAPER.model_copy(update={"image_size": 448}),
        source="G-CAM section 4.2 at the resolution of the systems it is compared with",
        expectation=f"published: COCO mAP 84.1; {UNTRIED}",
    ),
    Recipe(
        name="ml-gcn-paper",
        system="ml-gcn",
        settings=MLGCNConfig(
            backbone=RESNET101,
            label_reduction="mean",
            graph=GraphConfig(variant="released", vectors="raw"),
        ),
        training=ML_GCN_PAPER,
        source="ML-GCN section 4.1 and released code",
        expectation=f"published: COCO mAP 83.0 at 448 pixels, VOC 2007 94.0; {UNTRIED}",
    ),
    Recipe(
        name="vac-paper",
        system="vac",
        settings=VACConfig(
            backbone=RESNET101,
            label_weights="vac",
            consistency=ConsistencyConfig(weight=0.4, scale=256 / 288, alignment="nearest"),
        ),
        training=VAC_PAPER,
        source="VAC's released COCO code; its weights .6 .6 .8 share one convex weight here",
        expectation=f"published: COCO mAP 77.5 at 288 pixels; {UNTRIED}",
    ),
    *(
        Recipe(
            name=name,
            system="resnet",
            settings=ResNetConfig.model_validate({"backbone": RESNET101, "pooling": pooling}),
            training=ML_GCN_PAPER.model_copy(update={"epochs": 50, "decay_every": 30}),
            source="ML-GCN's README, ResNet-101 rows",
            expectation=f"published: COCO mAP {score} at 448 pixels; {UNTRIED}",
        )
        for name, pooling, score in (
            ("resnet101-gap", "average", 77.3),
            ("resnet101-gmp", "max", 81.9),
        )
    ),
)

CPU_TRAINING = TrainConfig(
    image_size=224,
    epochs=8,
    batch_size=32,
    optimizer="adamw",
    lr=2e-3,
    backbone_lr_factor=0.2,
    weight_decay=0.01,
    schedule="one_cycle",
    random_flip=True,
    average=0.98,
)
"""Without crops, so that what the frozen stages make of a photo can be kept."""

CPU_SMOOTHING = 0.05
CPU_GRAPH = GraphConfig(bias=True, lr_factor=0.1)
CPU_CONSISTENCY = ConsistencyConfig(weight=0.3, ramp=0.3, views="one", error="relative")

_CPU = tuple(
    Recipe(
        name=f"{system}-cpu",
        system=system,
        settings=settings,
        training=CPU_TRAINING,
        source="own trials (docs/decisions/0003-what-makes-gcam-train.md)",
        expectation="docs/results.md",
    )
    for system, settings in (
        ("resnet", ResNetConfig(label_smoothing=CPU_SMOOTHING)),
        ("ml-gcn", MLGCNConfig(label_smoothing=CPU_SMOOTHING, graph=CPU_GRAPH)),
        ("vac", VACConfig(label_smoothing=CPU_SMOOTHING, consistency=CPU_CONSISTENCY)),
        (
            "gcam",
            GCAMConfig(label_smoothing=CPU_SMOOTHING, graph=CPU_GRAPH, consistency=CPU_CONSISTENCY),
        ),
    )
)

RECIPES: dict[str, Recipe] = {recipe.name: recipe for recipe in (*_CPU, *_PAPER)}
