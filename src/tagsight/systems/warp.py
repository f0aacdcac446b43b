"""Linear classifiers trained to rank the labels of a photo first.

Gong, Jia, Leung, Toshev and Ioffe. Deep Convolutional Ranking for Multilabel Image Annotation.
ICLR 2014. https://arxiv.org/abs/1312.4894 (WARP is Weston, Bengio and Usunier's, IJCAI 2011).

Maps: class activation maps plus the bias, in ranking scores, which have no meaningful zero: only
maps of the same photo can be compared. With average pooling the mean of a label's map is its score.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, model_validator

from tagsight.config import Recipe, TrainConfig
from tagsight.nn.losses import ranking_loss
from tagsight.systems.grid import GridConfig, LinearGridSystem
from tagsight.systems.recipes import PAPER_USE, RESNET101, UNTRIED, cpu_recipe, quick_recipe

if TYPE_CHECKING:
    from torch import Tensor

    from tagsight.config import SystemConfig
    from tagsight.systems.base import Published


class WARPConfig(GridConfig):
    """WARP's settings."""

    ranking: Literal["exact", "sampled", "softmax", "hinge"] = "exact"
    """WARP with exact or ``sampled`` ranks, or the paper's baselines ``softmax`` and ``hinge``."""

    violators: Literal["sum", "mean"] = "sum"
    """Whether ``exact`` sums over violators, as in the equation, or averages, as sampling does."""

    trials: int | None = Field(None, ge=1)
    """Maximum number of absent labels that ``sampled`` draws per present one; None draws all."""

    label_reduction: Literal["sum", "mean"] = "sum"
    """Whether the loss of a photo is the sum over its present labels or their mean."""

    @property
    def takes_soft_targets(self) -> bool:
        """False: labels are ranked as present or absent."""
        return False

    @property
    def probabilities(self) -> bool:
        """False: training only orders labels."""
        return False

    @model_validator(mode="after")
    def _only_ranks(self) -> Self:
        unused = {
            "loss": self.loss != "binary",
            "label_weights": self.label_weights != "none",
            "label_smoothing": self.label_smoothing != 0,
        }
        if named := [name for name, given in unused.items() if given]:
            msg = (
                f"{named[0]}: expected the default for WARP, whose loss depends on label order only"
            )
            raise ValueError(msg)
        return self


CPU = cpu_recipe(
    "warp",
    WARPConfig(class_names=True, map_smoothing=3, violators="mean"),
    use="ranking labels, where scores need not be probabilities",
)
RECIPES = (
    CPU,
    quick_recipe(CPU),
    Recipe(
        name="warp-paper",
        system="warp",
        settings=WARPConfig(backbone=RESNET101, ranking="sampled"),
        training=TrainConfig(
            image_size=224,
            epochs=50,
            batch_size=32,
            optimizer="sgd",
            decayed_parameters="all",
            lr=1e-2,
            backbone_lr_factor=0.1,
            weight_decay=5e-4,
            schedule="step",
            decay_every=30,
            decay_factor=0.1,
            crop=0.75,
            random_flip=True,
        ),
        source="Gong et al. 2014 as remembered, not read again: batch, momentum, crops of 220 in "
        "256 pixels, sampled ranks; ours: the encoder, rates, decay, and epochs",
        expectation="published: no mAP; NUS-WIDE's best three labels CP 31.7, CR 35.6, OP 48.6, "
        f"OR 60.5 with another network; {UNTRIED}",
        use=PAPER_USE,
    ),
)


class WARP(LinearGridSystem):
    """The linear baseline with a loss on the order of a photo's labels.

    Example:
        >>> import torch
        >>> from tagsight.labels.space import empty_label_space
        >>> from tagsight.systems.catalogue import RECIPES, build_system
        >>> system = build_system(RECIPES["warp-cpu"], empty_label_space(["dog", "sky"])).eval()
        >>> system.probabilities
        False

    Deviations:
        The paper's network resembles AlexNet and has dropout; here it is any encoder. Ranks are
        exact unless ``ranking`` is ``sampled``. Sampling estimates the mean over the violators of a
        label, while the paper's equation sums them; ``violators`` chooses for exact ranks. The
        paper estimates a rank as the number of all other labels divided by the number of trials;
        here it is the number of absent labels. It reports no mAP, only the best three labels on
        NUS-WIDE: CP 31.7, CR 35.6, OP 48.6, OR 60.5. Scores are not probabilities: decisions use
        thresholds fitted on the validation split.
    """

    Config: ClassVar[type[SystemConfig]] = WARPConfig
    paper: ClassVar[str] = "https://arxiv.org/abs/1312.4894"
    published: ClassVar[tuple[Published, ...]] = ()
    config: WARPConfig

    def label_loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Compute the ranking loss that the settings choose."""
        config = self.config
        return ranking_loss(
            logits,
            targets,
            config.ranking,
            reduction=config.label_reduction,
            violators=config.violators,
            trials=config.trials,
        )
