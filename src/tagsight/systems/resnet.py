"""A linear classifier on pooled features: the baseline of every table.

He, Zhang, Ren and Sun. Deep Residual Learning for Image Recognition. CVPR 2016.
https://arxiv.org/abs/1512.03385 (the tables use ResNet-101; here the backbone is any encoder).

Maps: class activation maps (Zhou et al., CVPR 2016) plus the bias in every cell, in logits. With
average pooling the mean of a label's map is its logit; with max pooling it is not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from tagsight.config import Recipe
from tagsight.systems.base import Published
from tagsight.systems.grid import GridConfig, LinearGridSystem
from tagsight.systems.recipes import (
    CPU_SMOOTHING,
    ML_GCN_PAPER,
    RESNET101,
    TRIED,
    UNTRIED,
    cpu_recipe,
    quick_recipe,
)

if TYPE_CHECKING:
    from tagsight.config import SystemConfig


class ResNetConfig(GridConfig):
    """The baseline's settings: only those that every system has."""


CPU = cpu_recipe(
    "resnet",
    ResNetConfig(class_names=True, map_smoothing=3, label_smoothing=CPU_SMOOTHING),
    source=TRIED,
    use="the baseline that others are compared with",
)
RECIPES = (
    CPU,
    quick_recipe(CPU),
    *(
        Recipe(
            name=name,
            system="resnet",
            settings=ResNetConfig.model_validate(
                {"backbone": RESNET101, "pooling": pooling, "label_reduction": "mean"}
            ),
            training=ML_GCN_PAPER.model_copy(update={"epochs": 50, "decay_every": 30}),
            source="ML-GCN's README, ResNet-101 rows; loss, rates and crops: its released code for "
            "ML-GCN; ours: 50 epochs, decay after 30",
            expectation=f"published: COCO mAP {score} at 448 pixels; {UNTRIED}",
            use=f"published baseline with {pooling} pooling; needs a GPU",
        )
        for name, pooling, score in (
            ("resnet101-gap", "average", 77.3),
            ("resnet101-gmp", "max", 81.9),
        )
    ),
)


class ResNet(LinearGridSystem):
    """Independent linear classifiers trained with binary cross-entropy.

    Example:
        >>> import torch
        >>> from tagsight.labels.space import empty_label_space
        >>> from tagsight.systems.catalogue import RECIPES, build_system
        >>> system = build_system(RECIPES["resnet-cpu"], empty_label_space(["dog", "sky"])).eval()
        >>> seen = system(torch.rand(1, 3, 64, 64))
        >>> torch.allclose(seen.maps.mean((-2, -1)), seen.logits, atol=1e-3)
        True

    Deviations:
        Papers report average and max pooling under one name; here ``pooling`` distinguishes them.

        ``resnet101-gap`` and ``resnet101-gmp``: ML-GCN's README lists the scores of these rows, but
        its repository has no code for them. The mean over labels, learning rates of 0.1 and 0.01
        (backbone), decay of 1e-4 on all parameters, clipping at 10, crops and flips are those of
        its code for ML-GCN; the batch size of 32 is that of its README's commands. 50 epochs with a
        decay by 10 after 30 are ours.
    """

    Config: ClassVar[type[SystemConfig]] = ResNetConfig
    paper: ClassVar[str] = "https://arxiv.org/abs/1512.03385"
    published: ClassVar[tuple[Published, ...]] = (
        Published(
            "COCO 2014",
            77.3,
            "448, ResNet-101, average pooling, non-interpolated AP",
            "ML-GCN README; G-CAM Table 2",
        ),
        Published(
            "COCO 2014", 81.9, "448, ResNet-101, max pooling, non-interpolated AP", "ML-GCN README"
        ),
        Published(
            "VOC 2007",
            91.7,
            "448, ResNet-101, average pooling, non-interpolated AP",
            "ML-GCN README",
        ),
        Published(
            "VOC 2007", 93.0, "448, ResNet-101, max pooling, non-interpolated AP", "ML-GCN README"
        ),
        Published(
            "NUS-WIDE",
            56.9,
            "448, ResNet-101, average pooling, non-interpolated AP",
            "ML-GCN README",
        ),
        Published(
            "NUS-WIDE",
            59.8,
            "224, ResNet-101, VOC 2010 AP, another selection of photos",
            "G-CAM Table 3, from SRN",
        ),
    )
