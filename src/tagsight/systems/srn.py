"""A linear baseline corrected by the attention maps of all labels together.

Zhu, Li, Ouyang, Yu and Wang. Learning Spatial Regularization with Image-level Supervisions for
Multi-label Image Classification. CVPR 2017. https://arxiv.org/abs/1702.05891

Maps: attention times confidence times the number of cells, in logits. Their mean is exactly the
attention's own logit, which has a loss of its own and is not part of the prediction. The cells are
those of the stage before the last, half as wide as those of the last grid.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple, Self

import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor, nn

from tagsight.config import Recipe, SystemConfig, TrainConfig
from tagsight.nn.class_activation import class_logits, pooled
from tagsight.runtime.precision import full_precision, widened
from tagsight.systems.base import Published, Recognition, System
from tagsight.systems.recipes import (
    CPU_BACKBONE,
    CPU_SMOOTHING,
    PAPER_USE,
    RESNET101,
    UNTRIED,
    cpu_recipe,
)

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from tagsight.config import SystemConfig
    from tagsight.labels.space import LabelSpace
    from tagsight.nn.views import Images


class SRNConfig(SystemConfig):
    """SRN's settings."""

    channels: int = Field(512, gt=0, le=8192)
    """Width of the attention layers, and of the regularisation before its full-size kernels."""

    kernels: int = Field(4, gt=0, le=64)
    """Full-size kernels per channel of the regularisation."""

    grid: int = Field(14, gt=0, le=64)
    """Side of the full-size kernels, in cells; attention on another grid is resized to it."""

    alpha: float = Field(0.5, ge=0, le=1)
    """Weight of the main network in the logits; the regularisation has the rest."""

    attention_from: float = Field(0.25, ge=0, le=1)
    """Fraction of the training from which only the attention is trained."""

    regularisation_from: float = Field(0.5, ge=0, le=1)
    """Fraction from which only the regularisation is trained."""

    together_from: float = Field(0.75, ge=0, le=1)
    """Fraction from which everything is trained."""

    @model_validator(mode="after")
    def _stages_follow_one_another(self) -> Self:
        stages = (self.attention_from, self.regularisation_from, self.together_from)
        if list(stages) != sorted(stages):
            msg = (
                "attention_from, regularisation_from, together_from: expected fractions in "
                f"ascending order, got {stages}"
            )
            raise ValueError(msg)
        return self


SRN_PAPER = TrainConfig(
    image_size=224,
    epochs=60,
    batch_size=96,
    optimizer="sgd",
    decayed_parameters="all",
    lr=1e-3,
    weight_decay=5e-4,
    schedule="step",
    decay_every=20,
    decay_factor=0.1,
    crop=0.25,
    random_flip=True,
)

RECIPES = (
    cpu_recipe(
        "srn",
        SRNConfig(
            backbone=CPU_BACKBONE.model_copy(
                update={"frozen_stages": 5}
            ),  # its finer grid is trained
            label_smoothing=CPU_SMOOTHING,
            channels=128,
            attention_from=0.4,
            regularisation_from=0.5,
            together_from=0.6,
        ),
        use="attention maps of all labels that correct one another",
    ),
    Recipe(
        name="srn-paper",
        system="srn",
        settings=SRNConfig(backbone=RESNET101),
        training=SRN_PAPER,
        source=(
            "SRN, from memory: 224 pixels, SGD at 1e-3 with decay 5e-4, batch of 96, alpha 0.5, "
            "four stages; 60 epochs, decay every 20 (theirs at plateaus) and stages of equal "
            "length are ours"
        ),
        expectation=f"published: COCO mAP 77.1 at 224 pixels; {UNTRIED}",
        use=PAPER_USE,
    ),
)


Stage = Literal["main", "attention", "regularisation", "together"]


class Attended(NamedTuple):
    """Attention and confidence maps of ``B`` images.

    Attributes:
        attention: ``(B, L, h, w)`` float, each label's weights of the cells, which sum to 1.
        confidence: ``(B, L, h, w)`` float, logits of the label in each cell.
    """

    attention: Tensor
    confidence: Tensor

    @property
    def maps(self) -> Tensor:
        """``(B, L, h, w)`` float; the mean of a map is its logit in `logits`.

        Example:
            >>> confidence = torch.tensor([[[[4.0, 0.0], [0.0, 0.0]]]])
            >>> attended = Attended(torch.full((1, 1, 2, 2), 0.25), confidence)
            >>> attended.maps.mean((-2, -1)), attended.logits
            (tensor([[1.]]), tensor([[1.]]))
        """
        cells = self.attention.shape[-2] * self.attention.shape[-1]
        return self.attention * self.confidence * cells

    @property
    def logits(self) -> Tensor:
        """``(B, L)`` float, the confidence averaged by attention."""
        return (self.attention * self.confidence).sum((-2, -1))


class SRN(System):
    """ResNet with a spatial regularisation net, trained in four stages.

    Example:
        >>> from tagsight.labels.space import empty_label_space
        >>> from tagsight.systems.catalogue import RECIPES, build_system
        >>> system = build_system(RECIPES["srn-cpu"], empty_label_space(["dog", "sky"])).eval()
        >>> [system.stage(progress) for progress in (0.0, 0.3, 0.6, 1.0)]
        ['main', 'main', 'together', 'together']

    Deviations:
        The last layer of the attention has no bias, to which the softmax is invariant. Attention is
        multiplied by the number of cells before the regularisation, whose first layer could undo
        it, so that its scale does not depend on the grid. Attention on a grid of another side than
        ``grid`` is resized; the paper has 14 only. If an encoder has no grid of half the last
        stride, or has it within its frozen stages, attention uses the last grid. The authors end a
        stage at a plateau; here stages end at fractions of the training. While the main network is
        not trained, its trainable batch norm keeps updating its statistics. The convolution before
        the last one has no bias either, since the softmax over cells would cancel almost all of it.
    """

    Config: ClassVar[type[SystemConfig]] = SRNConfig
    paper: ClassVar[str] = "https://arxiv.org/abs/1702.05891"
    published: ClassVar[tuple[Published, ...]] = (
        Published("COCO 2014", 77.1, "224, ResNet-101, VOC 2010 AP", "SRN; G-CAM Table 2"),
        Published(
            "NUS-WIDE",
            62.0,
            "224, ResNet-101, VOC 2010 AP, another selection of photos",
            "SRN; G-CAM Table 3",
        ),
    )
    label_parameters: ClassVar[frozenset[str]] = frozenset(
        {
            "classifier.weight",
            "classifier.bias",
            "attend.4.weight",
            "confidence.weight",
            "confidence.bias",
            "regularise.mixing",
            "regularise.classifier.weight",
            "regularise.classifier.bias",
        }
    )
    staged: ClassVar[bool] = True
    takes_padding: ClassVar[bool] = False
    config: SRNConfig

    def __init__(self, config: SRNConfig, labels: LabelSpace) -> None:
        super().__init__(config, labels)
        middle, width = self.backbone.middle_channels, config.channels
        self.classifier = nn.Linear(self.backbone.channels, len(labels))
        self.attend = nn.Sequential(
            nn.Conv2d(middle, width, 1),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.ReLU(),
            nn.Conv2d(width, len(labels), 1, bias=False),
        )
        self.confidence = nn.Conv2d(middle, len(labels), 1)
        self.regularise = Regularisation(config, len(labels))

    @property
    def equivariant(self) -> bool:
        return False  # full-size kernels depend on the position of a cell

    def forward(self, images: Images) -> Recognition:
        middle, last = self.backbone.grids(images)
        attended = self._attended(middle)
        return Recognition(
            logits=self._mixed(self._main_logits(last), self.regularise(attended)),
            maps=attended.maps,
            embedding=pooled(last, self.config.pooling),
        )

    def losses(self, images: Images, targets: Tensor, progress: float = 1.0) -> dict[str, Tensor]:
        stage = self.stage(progress)
        # Parts that are not trained run without a graph, so that their gradients stay None.
        with _learning(stage in {"main", "together"}):
            middle, last = self.backbone.grids(images)
        if stage == "main":
            return {"labels": self.label_loss(self._main_logits(last), targets)}
        with _learning(stage in {"attention", "together"}):
            attended = self._attended(middle)
        if stage == "attention":
            return {"labels": self.label_loss(attended.logits, targets)}
        regularised = self.regularise(attended)
        if stage == "regularisation":
            return {"labels": self.label_loss(regularised, targets)}
        return {
            "labels": self.label_loss(self._mixed(self._main_logits(last), regularised), targets),
            "attention": self.label_loss(attended.logits, targets),
        }

    def stage(self, progress: float) -> Stage:
        """Name the stage at a fraction of the training."""
        if progress < self.config.attention_from:
            return "main"
        if progress < self.config.regularisation_from:
            return "attention"
        return "regularisation" if progress < self.config.together_from else "together"

    def _main_logits(self, last: Tensor) -> Tensor:
        embedding = pooled(last, self.config.pooling)
        return class_logits(embedding, self.classifier.weight, self.classifier.bias)

    def _attended(self, middle: Tensor) -> Attended:
        middle = widened(middle)
        with full_precision(middle.device):
            scores = self.attend(middle)
            attention = scores.flatten(2).softmax(-1).view_as(scores)
            return Attended(attention, self.confidence(middle))

    def _mixed(self, main: Tensor, regularised: Tensor) -> Tensor:
        return self.config.alpha * main + (1 - self.config.alpha) * regularised


class Regularisation(nn.Module):
    """Compute logits from the attention maps of all labels.

    Two 1 x 1 layers, kernels of the size of the whole grid per channel, and a linear classifier.

    Args:
        config: Widths and the grid.
        labels: Number of labels ``L``.

    Example:
        >>> net = Regularisation(SRNConfig(channels=8, grid=4), labels=2)
        >>> net(Attended(torch.full((1, 2, 4, 4), 1 / 16), torch.zeros(1, 2, 4, 4))).shape
        torch.Size([1, 2])
    """

    def __init__(self, config: SRNConfig, labels: int) -> None:
        super().__init__()
        self.grid = config.grid
        width = config.channels
        # One row per label, where the weight of a convolution has one column.
        self.mixing = nn.Parameter(torch.empty(labels, width))
        nn.init.uniform_(self.mixing, -(labels**-0.5), labels**-0.5)
        self.mixing_bias = nn.Parameter(torch.zeros(width))
        self.second = nn.Conv2d(width, width, 1)
        # One product per channel: a grouped convolution is many times slower on CPUs.
        self.full_size = nn.Parameter(torch.empty(width, config.kernels, config.grid, config.grid))
        nn.init.uniform_(self.full_size, -1 / config.grid, 1 / config.grid)
        self.full_size_bias = nn.Parameter(torch.zeros(width * config.kernels))
        self.classifier = nn.Linear(width * config.kernels, labels)

    def forward(self, attended: Attended) -> Tensor:
        """Regularise: attention and confidence ``(B, L, h, w)`` -> logits ``(B, L)``."""
        attention, confidence = attended
        height, width = attention.shape[-2:]
        weighted = confidence.sigmoid() * attention * (height * width)
        if (height, width) != (self.grid, self.grid):
            weighted = F.interpolate(weighted, (self.grid, self.grid), mode="bilinear")
        with full_precision(weighted.device):
            mixed = torch.einsum("blhw,ld->bdhw", weighted, self.mixing)
            hidden = F.relu(self.second(F.relu(mixed + self.mixing_bias[:, None, None])))
            seen = torch.einsum("bdhw,dkhw->bdk", hidden, self.full_size).flatten(1)
        hidden = F.relu(seen + self.full_size_bias)
        return class_logits(hidden, self.classifier.weight, self.classifier.bias)


def _learning(learns: bool) -> AbstractContextManager[object]:  # noqa: FBT001
    """Disable gradients for parts that are not trained."""
    return nullcontext() if learns else torch.no_grad()
