"""A linear classifier whose maps must follow the photo when it is flipped and scaled.

Guo, Zheng, Fan, Yu and Wang. Visual Attention Consistency Under Image Transforms for Multi-Label
Image Classification. CVPR 2019 (VACIT in the G-CAM paper).
https://openaccess.thecvf.com/content_CVPR_2019/html/Guo_Visual_Attention_Consistency_Under_Image_Transforms_for_Multi-Label_Image_Classification_CVPR_2019_paper.html

Maps: with average pooling the class activation map plus the bias in every cell, in logits; its mean
is the logit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from tagsight.recipes.vac import VACConfig
from tagsight.systems.base import Published
from tagsight.systems.resnet import ResNet

if TYPE_CHECKING:
    from tagsight.config import ConsistencyConfig, SystemConfig


class VAC(ResNet):
    """The baseline with the attention consistency loss.

    Deviations:
        The released code weighs the terms 1 and .6, .6, .8 (COCO); here they share a convex
        weight, as in G-CAM Eq. 13. It keeps the bias out of the maps; a constant cancels in the
        consistency loss, so the maps hold it and add up to the logits. Its enlargement of two
        grids to their common multiple is ``alignment = "nearest"``; the default resamples, since
        enlargement leaves an error that no network can remove.
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
    def consistency(self) -> ConsistencyConfig | None:
        return self.config.consistency if self.config.consistency.weight else None
