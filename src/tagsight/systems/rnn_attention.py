"""An LSTM that attends to one region of the photo after another.

Wang, Chen, Li, Xu and Lin. Multi-label Image Recognition by Recurrently Discovering Attentional
Regions. ICCV 2017. https://arxiv.org/abs/1711.02816

Maps: the label's lowest region score in every cell, plus a share of the difference to the highest,
in proportion to the scores of the regions that cover the cell. In logits; the mean of a map is the
logit. A map is constant where the same regions cover the photo.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from tagsight.config import Recipe, Settings, SystemConfig, TrainConfig
from tagsight.nn.attended_regions import anchors, boxes_of, region_maps, sampled
from tagsight.nn.class_activation import class_maps, pooled
from tagsight.runtime.precision import full_precision
from tagsight.systems.base import Published, Recognition, System
from tagsight.systems.recipes import (
    CPU_SMOOTHING,
    CPU_TRAINING,
    PAPER_USE,
    RESNET101,
    UNTRIED,
    cpu_recipe,
)

if TYPE_CHECKING:
    from tagsight.config import SystemConfig
    from tagsight.labels.space import LabelSpace
    from tagsight.nn.views import Images


class LocationConfig(Settings):
    """The loss on the location of regions: ``L_S + lambda1 L_A + lambda2 L_P``."""

    weight: float = Field(0.1, ge=0)
    """Gamma: weight of the whole term, which is summed over regions."""

    largest_scale: float = Field(0.5, gt=0)
    """Alpha of L_S: largest side of a region without a penalty, as a fraction of the photo's."""

    smallest_scale: float = Field(0.1, ge=0)
    """Beta of L_P: scale below which a region is penalised, which keeps scales positive."""

    anchor_weight: float = Field(0.01, ge=0)
    """Lambda1: weight of L_A, the distance of regions from their anchors."""

    positive_weight: float = Field(0.1, ge=0)
    """Lambda2: weight of L_P."""


class RNNAttentionConfig(SystemConfig):
    """RNN-Attention's settings."""

    objective: Literal["bce", "softmax_mse"] = "bce"
    """``softmax_mse`` as published predicts shares of labels, which only rank a photo's labels."""

    regions: int = Field(5, ge=1, le=32)
    """``K``, the number of regions after the whole photo."""

    channels: int = Field(256, gt=0, le=8192)
    """Channels of the grid that regions are sampled from."""

    region_side: int = Field(6, ge=2, le=64, multiple_of=2)
    """Sampling points of a region per side, before a 2 x 2 max pooling."""

    hidden: int = Field(512, gt=0, le=8192)
    """Width of a region's features, of the LSTM and of the layer after it."""

    first_scale: float = Field(1.0, gt=0, le=1)
    """Initial side of every region, as a fraction of the photo's."""

    translation: Literal["tanh", "free"] = "tanh"
    """``tanh`` keeps the centre of a region on the photo."""

    anchors: Literal["penalty", "offset"] = "penalty"
    """Whether anchors attract regions by L_A, or are offsets of the predicted centres."""

    location: LocationConfig = LocationConfig()
    """The loss on the location of regions."""

    @property
    def takes_soft_targets(self) -> bool:
        """True with ``bce`` only."""
        return self.objective == "bce"

    @property
    def probabilities(self) -> bool:
        """True with ``bce`` only: shares of labels cannot express that no label is present."""
        return self.objective == "bce"


RNN_ATTENTION_PAPER = TrainConfig(
    image_size=512,
    epochs=45,
    batch_size=16,
    optimizer="adam",
    lr=1e-5,
    weight_decay=0.0,
    schedule="constant",
    random_flip=True,
)
"""As in the port by James-Yip."""

RECURRENT_TRAINING = CPU_TRAINING.model_copy(update={"lr": 2.5e-4, "backbone_lr_factor": 0.8})
"""At the rate of linear classifiers the regions collapse into a corner; the LSTM does not train."""

RECIPES = (
    cpu_recipe(
        "rnn-attention",
        RNNAttentionConfig(
            label_smoothing=CPU_SMOOTHING,
            first_scale=0.5,
            anchors="offset",
            location=LocationConfig(weight=0.02),
        ),
        RECURRENT_TRAINING,
        use="regions found one after another; needs more epochs than others",
    ),
    Recipe(
        name="rnn-attention-paper",
        system="rnn-attention",
        settings=RNNAttentionConfig(
            backbone=RESNET101,
            objective="softmax_mse",
            channels=512,
            region_side=14,
            hidden=4096,
            translation="free",
        ),
        training=RNN_ATTENTION_PAPER,
        source=(
            "code, the port by James-Yip, which has the paper's constants: 5 regions of 14 x 14, "
            "widths of 4096, gamma, alpha, beta, lambdas, Adam at 1e-5, batch of 16, 45 epochs, "
            "512 pixels; recall: that they are the paper's; ours: ResNet-101, which is trained, "
            "for a frozen VGG-16"
        ),
        expectation=(
            "published: COCO mAP not given, top 3 CF1 67.4 and OF1 72.0; VOC 2007 91.9 from "
            f"memory; VGG-16 at 512 and 640 pixels, several views; {UNTRIED}"
        ),
        use=PAPER_USE,
    ),
)


class Look(NamedTuple):
    """Scores and locations of the regions of ``B`` photos.

    Attributes:
        scores: ``(B, K, L)`` float, logits.
        transforms: ``(B, K, 4)`` float, horizontal and vertical scale, then translation, in halves
            of the photo's sides from its centre.
    """

    scores: Tensor
    transforms: Tensor


class RNNAttention(System):
    """Regions located by a spatial transformer and an LSTM; a label takes its best region's score.

    The sampling points of a region are the centres of its parts, with the photo from -1 to 1
    (``align_corners=False``), so that a transform is a box. Outside the photo its border repeats.

    Example:
        >>> from tagsight.labels.space import empty_label_space
        >>> from tagsight.systems.catalogue import RECIPES, build_system
        >>> recipe, labels = RECIPES["rnn-attention-cpu"], empty_label_space(["dog", "sky"])
        >>> system = build_system(recipe, labels).eval()
        >>> system.regions(torch.rand(1, 3, 64, 64))[0, 0].tolist()  # at its anchor, untrained
        [0.25, 0.25, 0.75, 0.75]

    Deviations:
        The encoder is not VGG-16; its grid is projected to VGG's 512 channels (``channels``), and
        one layer computes the features of a region instead of fc6 and fc7, as in the public port
        (the authors' code is not public), but followed by a ReLU. Scores are trained by binary
        cross-entropy unless ``objective`` is ``softmax_mse``: shares of labels cannot express that
        none is present, nor that one photo has more labels than another. With ``softmax_mse``
        unknown labels have no share, photos without a present label are ignored, and weights and
        smoothing of labels have no effect. ``tanh`` keeps centres on the photo unless
        ``translation`` is ``free``. A photo has one view, without crops. The port pads the photo
        with 0. Its last four anchors are (.5, .5), (.5, -.5), (-.5, .5), (-.5, -.5) in this order;
        here they are in circular order.

        ``rnn-attention-paper``: the port also sums both loss terms over the 16 photos of a batch,
        to which Adam without decay is invariant. Its VGG-16 is frozen; here ResNet-101 is trained.
        It trains on COCO 2017, predicts those of the ten best labels whose share is at least 0.1,
        and keeps the epoch with the best CF1 and OF1 on the test photos.
    """

    Config: ClassVar[type[SystemConfig]] = RNNAttentionConfig
    paper: ClassVar[str] = "https://arxiv.org/abs/1711.02816"
    published: ClassVar[tuple[Published, ...]] = (
        Published(
            "VOC 2007",
            91.9,
            "512 and 640, VGG-16, several views, AP variant not known",
            "RNN-Attention, from memory",
        ),
    )
    label_parameters: ClassVar[frozenset[str]] = frozenset({"classifier.weight", "classifier.bias"})
    takes_padding: ClassVar[bool] = False
    config: RNNAttentionConfig
    anchors: Tensor
    whole: Tensor

    def __init__(self, config: RNNAttentionConfig, labels: LabelSpace) -> None:
        super().__init__(config, labels)
        width, cells = config.hidden, (config.region_side // 2) ** 2
        self.projection = nn.Linear(self.backbone.channels, config.channels)
        self.description = nn.Linear(config.channels * cells, width)
        self.memory = nn.LSTMCell(width, width)
        self.thought = nn.Linear(width, width)
        self.classifier = nn.Linear(width, len(labels))
        self.localiser = nn.Linear(width, 4)
        for layer in (self.projection, self.description, self.thought):
            # With torch's defaults the differences between photos shrink to a hundredth on the way.
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)
        nn.init.zeros_(self.localiser.weight)
        scale = config.first_scale
        self.localiser.bias = nn.Parameter(torch.tensor([scale, scale, 0.0, 0.0]))
        self.register_buffer("anchors", anchors(config.regions), persistent=False)
        self.register_buffer("whole", torch.tensor([1.0, 1.0, 0.0, 0.0]), persistent=False)

    @property
    def maps_add_up(self) -> bool:
        return True

    @property
    def equivariant(self) -> bool:
        return False

    def forward(self, images: Images) -> Recognition:
        features = self.backbone(images)
        look = self._look(features)
        with full_precision(features.device):
            maps = region_maps(look.scores, boxes_of(look.transforms), features.shape[-2:])
        return Recognition(
            logits=look.scores.amax(1),
            maps=maps,
            embedding=pooled(features, self.config.pooling),
        )

    def regions(self, images: Images) -> Tensor:
        """Locate the regions, in their order.

        Returns:
            ``(B, K, 4)`` float in [0, 1], left, top, right and bottom as fractions of the photo.
        """
        return boxes_of(self._look(self.backbone(images)).transforms)

    def losses(self, images: Images, targets: Tensor, progress: float = 1.0) -> dict[str, Tensor]:
        del progress
        look = self._look(self.backbone(images))
        config = self.config.location
        drawn = config.anchor_weight if self.config.anchors == "penalty" else 0.0
        location = location_loss(
            look.transforms, self.anchors, config.model_copy(update={"anchor_weight": drawn})
        )
        return {
            "labels": self.label_loss(look.scores.amax(1), targets),
            "location": config.weight * location,
        }

    def label_loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        if self.config.objective == "bce":
            return super().label_loss(logits, targets)
        return share_loss(logits, targets, mean=self.config.label_reduction == "mean")

    def _look(self, features: Tensor) -> Look:
        """Process the whole photo, then one region after another."""
        with full_precision(features.device):
            grid = F.relu(class_maps(features, self.projection.weight, self.projection.bias))
            transform = self.whole.expand(grid.shape[0], 4)
            state: tuple[Tensor, Tensor] | None = None
            scores, transforms = [], []
            for step in range(self.config.regions + 1):
                state = self.memory(self._described(grid, transform), state)
                thought = F.relu(self.thought(state[0]))
                if step > 0:
                    transforms.append(transform)
                    scores.append(self.classifier(thought))
                if step < self.config.regions:
                    transform = self._next(thought, self.anchors[step])
        return Look(torch.stack(scores, 1), torch.stack(transforms, 1))

    def _described(self, grid: Tensor, transform: Tensor) -> Tensor:
        region = sampled(grid, transform, self.config.region_side)
        return F.relu(self.description(F.max_pool2d(region, 2).flatten(1)))

    def _next(self, thought: Tensor, anchor: Tensor) -> Tensor:
        scale, centre = self.localiser(thought).split(2, 1)
        if self.config.anchors == "offset":
            centre = centre + anchor
        if self.config.translation == "tanh":
            centre = centre.tanh()
        return torch.cat([scale, centre], 1)


def location_loss(transforms: Tensor, anchors: Tensor, config: LocationConfig) -> Tensor:
    """Compute the loss on the location of regions: ``L_S + lambda1 L_A + lambda2 L_P``.

    Summed over the regions of a photo, averaged over photos.

    Args:
        transforms: ``(B, K, 4)`` float, scales and translations.
        anchors: ``(K, 2)`` float.
        config: Limits and weights.

    Example:
        >>> fits, large = torch.tensor([0.3, 0.3, 0.0, 0.0]), torch.tensor([0.9, 0.3, 0.0, 0.0])
        >>> transforms = torch.stack([fits, large])[:, None]
        >>> location_loss(transforms, torch.zeros(1, 2), LocationConfig())  # (0.9 - 0.5)^2 / 2
        tensor(0.0800)
    """
    scale, centre = transforms.split(2, -1)
    large = (scale.abs() - config.largest_scale).clamp(min=0).square().sum(-1)
    astray = (centre - anchors).square().sum(-1) / 2
    small = (config.smallest_scale - scale).clamp(min=0).sum(-1)
    loss = large + config.anchor_weight * astray + config.positive_weight * small
    return loss.sum(1).mean()


def share_loss(logits: Tensor, targets: Tensor, *, mean: bool = False) -> Tensor:
    """Compute the squared error between the softmax over labels and equal shares of present labels.

    Averaged over photos; 0 for a photo without a present label.

    Args:
        logits: ``(B, L)`` float.
        targets: ``(B, L)`` int in {1, 0, -1}; an unknown label has no share.
        mean: Whether to average over the known labels of a photo instead of summing.

    Example:
        >>> share_loss(torch.zeros(1, 2), torch.tensor([[1, 1]]))  # half for each, as wanted
        tensor(0.)
        >>> share_loss(torch.zeros(1, 2), torch.tensor([[1, 0]]))
        tensor(0.5000)
    """
    known, present = targets >= 0, targets == 1
    shares = logits.masked_fill(~known, torch.finfo(logits.dtype).min).softmax(1)
    wanted = present / present.sum(1, keepdim=True).clamp(min=1)
    errors = ((shares - wanted).square() * (known & present.any(1, keepdim=True))).sum(1)
    if mean:
        errors = errors / known.sum(1).clamp(min=1)
    return errors.mean()
