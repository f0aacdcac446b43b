"""Linear classifiers that learn to put the labels of a photo before all others.

Gong, Jia, Leung, Toshev and Ioffe. Deep Convolutional Ranking for Multilabel Image Annotation.
ICLR 2014. https://arxiv.org/abs/1312.4894 (WARP is Weston, Bengio and Usunier's, IJCAI 2011).

Maps: as of the linear baseline, in the unit of the ranking scores, whose zero means nothing: maps
of one photo can be compared with each other. With average pooling a map's mean is the score.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from tagsight.nn.losses import ranking_loss
from tagsight.systems.recipes.warp import WARPConfig
from tagsight.systems.resnet import ResNet

if TYPE_CHECKING:
    from torch import Tensor

    from tagsight.config import SystemConfig
    from tagsight.systems.base import Published


class WARP(ResNet):
    """The linear baseline with a loss on the order of a photo's labels.

    Deviations:
        The paper's network is like AlexNet and has dropout; here it is any encoder. Ranks are
        counted and not estimated from samples unless ``ranking`` says so. Sampling stands for the
        mean over the violators of a label and not, as the paper's equation, for their sum:
        ``violators`` chooses for counted ranks. The paper estimates a rank by the number of all
        other labels over the number of trials, here it is the number of absent ones. It reports no
        mAP, only the best three labels on NUS-WIDE: CP 31.7, CR 35.6, OP 48.6, OR 60.5. Scores are
        no probabilities: decisions are made at thresholds fitted on the validation split.
    """

    Config: ClassVar[type[SystemConfig]] = WARPConfig
    paper: ClassVar[str] = "https://arxiv.org/abs/1312.4894"
    published: ClassVar[tuple[Published, ...]] = ()
    config: WARPConfig

    def label_loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """How far absent labels come before present ones, as the settings say."""
        config = self.config
        return ranking_loss(
            logits,
            targets,
            config.ranking,
            reduction=config.label_reduction,
            violators=config.violators,
            trials=config.trials,
        )
