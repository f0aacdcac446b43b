"""A linear classifier whose maps must follow the photo when it is flipped and scaled.

Guo, Zheng, Fan, Yu and Wang. Visual Attention Consistency Under Image Transforms for Multi-Label
Image Classification. CVPR 2019 (VACIT in the G-CAM paper).
https://openaccess.thecvf.com/content_CVPR_2019/html/Guo_Visual_Attention_Consistency_Under_Image_Transforms_for_Multi-Label_Image_Classification_CVPR_2019_paper.html

Maps: with average pooling the class activation map plus the bias in every cell, in logits; its mean
is the logit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from tagsight.systems.base import Published
from tagsight.systems.recipes.vac import VACConfig
from tagsight.systems.resnet import ResNet

if TYPE_CHECKING:
    from tagsight.config import ConsistencyConfig, SystemConfig


class VAC(ResNet):
    """The baseline with the attention consistency loss.

    Deviations:
        The label loss and the distances under a flip share a convex weight, as in G-CAM Eq. 13,
        and ``consistency.scale_weight`` is for the distance between sizes. The released code keeps
        the bias out of the maps; a constant cancels in the consistency loss, so the maps hold it
        and add up to the logits. Its enlargement of two grids to their common multiple is
        ``alignment = "nearest"``; the default resamples, since enlargement leaves an error that no
        network can remove.

        ``vac-paper``: the released weights for COCO, 1 for labels, 0.6 for flips at each size and
        0.8 for sizes, are 0.625, 0.375 and 0.5 here. SGD takes the steps of theirs, at 1e-3 with a
        decay of 5e-4, since its rate is 1.6e-3 and its decay 3.125e-4. The small view is made of
        the large one's 288 pixels, with antialiasing; the code resizes the photo to each size with
        Pillow's default, which was the nearest pixel until Pillow 7. It trains on all 82,783 photos
        and tests on all 40,504, which is ``--protocol coco2014-all``. Its logarithm of a score is
        not a number below a logit of -88; here it is.
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
