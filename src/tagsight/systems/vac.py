"""A linear classifier whose maps follow the photo when it is flipped or scaled.

Guo, Zheng, Fan, Yu and Wang. Visual Attention Consistency Under Image Transforms for Multi-Label
Image Classification. CVPR 2019 (VACIT in the G-CAM paper).
https://openaccess.thecvf.com/content_CVPR_2019/html/Guo_Visual_Attention_Consistency_Under_Image_Transforms_for_Multi-Label_Image_Classification_CVPR_2019_paper.html

Maps: class activation maps plus the bias in every cell, in logits. With average pooling the mean of
a label's map is its logit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import torch

from tagsight.config import Recipe
from tagsight.nn.config import ConsistencyConfig
from tagsight.nn.consistency import (
    aligned_pairs,
    consistency_weight,
    maps_in_photo_frame,
    possible_views,
    view_grids,
    view_pairs,
    views_of,
)
from tagsight.nn.losses import map_consistency
from tagsight.nn.views import make_view
from tagsight.systems.base import Published
from tagsight.systems.grid import GridConfig, LinearGridSystem
from tagsight.systems.recipes import (
    CPU_CONSISTENCY,
    CPU_SMOOTHING,
    GCAM_PAPER,
    PAPER_USE,
    RESNET101,
    TRIED,
    UNTRIED,
    cpu_recipe,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from tagsight.config import SystemConfig
    from tagsight.nn.views import Images, View


class VACConfig(GridConfig):
    """VAC's settings."""

    consistency: ConsistencyConfig = ConsistencyConfig()
    """The consistency loss between the maps of the views."""

    @property
    def takes_unjudged(self) -> bool:
        return self.consistency.weight > 0


RELEASED_WEIGHTS = (1.0, 0.6, 0.8)
"""Weights for COCO of the label loss, the distances under a flip and the one between sizes."""

SHARES = 1.0 + RELEASED_WEIGHTS[1]
"""Ratio of the released terms to ours, whose weights for labels and flips sum to 1. SGD takes the
same steps with the learning rate multiplied, and the weight decay divided, by it."""

VAC_PAPER = GCAM_PAPER.model_copy(
    update={
        "image_size": 288,
        "epochs": 14,
        "batch_size": 24,
        "lr": SHARES * 1e-3,
        "weight_decay": 5e-4 / SHARES,
        "decay_every": 6,
        "decay_factor": 0.1,
    }
)
"""VAC's released code for COCO: 1e-3 and 5e-4, for terms that are `SHARES` times as large."""

RECIPES = (
    cpu_recipe(
        "vac",
        VACConfig(
            class_names=True,
            map_smoothing=3,
            label_smoothing=CPU_SMOOTHING,
            consistency=CPU_CONSISTENCY,
        ),
        source=TRIED,
        use="maps that follow the photo, without a label graph",
    ),
    Recipe(
        name="vac-paper",
        system="vac",
        settings=VACConfig(
            backbone=RESNET101,
            label_weights="vac",
            consistency=ConsistencyConfig(
                weight=RELEASED_WEIGHTS[1] / SHARES,
                scale=256 / 288,
                scale_weight=RELEASED_WEIGHTS[2] / RELEASED_WEIGHTS[1],
                alignment="nearest",
            ),
        ),
        training=VAC_PAPER,
        source="VAC's released COCO code: sizes, batch of 24, 14 epochs, weights 1 : .6 : .6 : .8, "
        "and the steps that SGD takes of them at 1e-3 with decay 5e-4",
        expectation=f"published: COCO mAP 77.5 at 288 pixels; {UNTRIED}",
        use=PAPER_USE,
    ),
)


class VAC(LinearGridSystem):
    """The baseline with the attention consistency loss.

    Example:
        >>> from tagsight.labels.space import empty_label_space
        >>> from tagsight.systems.catalogue import RECIPES, build_system
        >>> system = build_system(RECIPES["vac-cpu"], empty_label_space(["dog", "sky"])).eval()
        >>> list(system.losses(torch.rand(1, 3, 64, 64), torch.tensor([[1, 0]])))
        ['labels', 'consistency']

    Deviations:
        The weights of the label loss and of the distances under a flip sum to 1, as in G-CAM
        Eq. 13; ``consistency.scale_weight`` weights the distance between sizes. The released code
        leaves the bias out of the maps. It cancels in the consistency loss, so here the maps
        include it and average to the logits. The code enlarges two grids to their common multiple
        (``alignment = "nearest"``); the default resamples, since enlargement leaves an error that
        no network can remove.

        ``vac-paper``: the released weights for COCO (1 for labels, 0.6 for flips at each size, 0.8
        for sizes) become 0.625, 0.375 and 0.5. With a learning rate of 1.6e-3 and a decay of
        3.125e-4, SGD takes the same steps as theirs at 1e-3 and 5e-4. The small view is resampled
        from the 288 pixels of the large one, with antialiasing; the code resizes the photo to each
        size by Pillow's default, the nearest pixel until Pillow 7. It trains on all 82,783 photos
        and tests on all 40,504 (``--protocol coco2014-all``). Below a logit of -88 its logarithm of
        a score is not finite; here it is.
    """

    Config: ClassVar[type[SystemConfig]] = VACConfig
    paper: ClassVar[str] = (
        "https://openaccess.thecvf.com/content_CVPR_2019/html/"
        "Guo_Visual_Attention_Consistency_Under_Image_Transforms_for_Multi-Label_Image_"
        "Classification_CVPR_2019_paper.html"
    )
    published: ClassVar[tuple[Published, ...]] = (
        Published(
            "COCO 2014", 77.5, "288 and 256, ResNet-101, AP of scikit-learn", "VAC; G-CAM Table 2"
        ),
        Published(
            "NUS-WIDE",
            65.4,
            "ResNet-101, resolution not given",
            "G-CAM Table 3, rerun by its authors",
        ),
        Published(
            "MIRFLICKR-25K",
            80.4,
            "ResNet-101, resolution not given",
            "G-CAM Table 1, rerun by its authors",
        ),
    )
    config: VACConfig

    @property
    def views(self) -> Sequence[View]:
        consistency = self.config.consistency
        return possible_views(consistency) if consistency.weight else super().views

    def make_view(self, images: Tensor, view: View) -> Tensor:
        scale = self.config.consistency.scale
        return make_view(images, view, scale=scale, multiple=self.backbone.stride)

    def losses(self, images: Images, targets: Tensor, progress: float = 1.0) -> dict[str, Tensor]:
        consistency = self.config.consistency
        if not consistency.weight:
            return super().losses(images, targets, progress)
        pairs = view_pairs(consistency)
        grids = view_grids(self, images, views_of(pairs))
        classifiers, bias = self.classifiers()
        logits = [
            self.logits_and_maps(grid.features, classifiers, bias, grid.on_photo).logits
            for grid in grids.values()
        ]
        judged = [one[: len(targets)] for one in logits]
        labels = torch.stack([self.label_loss(one, targets) for one in judged]).mean()
        steering = classifiers.detach() if consistency.detach_classifiers else classifiers
        maps = {v: maps_in_photo_frame(grid.features, steering, v) for v, grid in grids.items()}
        distances = [
            pair.weight * map_consistency(pair.first, pair.second, consistency.error)
            for pair in aligned_pairs(maps, pairs, consistency.alignment)
        ]
        distance = torch.stack(distances).sum()
        weight = consistency_weight(consistency, progress)
        return {"labels": (1 - weight) * labels, "consistency": weight * distance}
