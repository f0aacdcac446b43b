"""Linear classifiers on the whole photo and on the cells that each label attends to.

Zhu and Wu. Residual Attention: A Simple but Effective Method for Multi-Label Recognition.
ICCV 2021. https://arxiv.org/abs/2108.02456

Maps: each cell's score, increased by each head's attention to the cell and summed over heads, in
logits. Their mean is exactly the logit.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

import torch
import torch.nn.functional as F
from pydantic import Field, field_validator
from torch import nn

from tagsight.config import Recipe, TrainConfig
from tagsight.nn.class_activation import pooled, smoothed
from tagsight.nn.named_classes import evidence_by_name, named_classes
from tagsight.nn.padding import cell_count, excluded, filled
from tagsight.runtime.precision import full_precision, widened
from tagsight.systems.base import Published, Recognition, System
from tagsight.systems.grid import CellConfig
from tagsight.systems.recipes import (
    CPU_SMOOTHING,
    PAPER_USE,
    RESNET101,
    UNTRIED,
    cpu_recipe,
    quick_recipe,
)

if TYPE_CHECKING:
    from torch import Tensor

    from tagsight.config import SystemConfig
    from tagsight.labels.space import LabelSpace
    from tagsight.nn.views import Images


class CSRAConfig(CellConfig):
    """CSRA's settings."""

    heads: int = 1
    """1, 2, 4, 6 or 8 heads, each with its own classifiers and temperature; their logits add up."""

    attention: float = Field(0.1, ge=0)
    """Lambda: weight of the attended features relative to the average of all cells."""

    @field_validator("heads")
    @classmethod
    def _has_temperatures(cls, heads: int) -> int:
        if heads not in {1, 2, 4, 6, 8}:
            msg = f"heads: expected 1, 2, 4, 6 or 8, got {heads}"
            raise ValueError(msg)
        return heads


CSRA_PAPER = TrainConfig(
    image_size=448,
    epochs=30,
    batch_size=16,
    optimizer="sgd",
    decayed_parameters="all",
    lr=0.1,
    backbone_lr_factor=0.1,
    weight_decay=1e-4,
    schedule="step",
    warmup_epochs=2,
    decay_every=5,
    decay_factor=0.1,
    crop=0.7,
    random_flip=True,
    selection="last",
)
"""CSRA's released code for COCO."""

CPU = cpu_recipe(
    "csra",
    CSRAConfig(class_names=True, label_smoothing=CPU_SMOOTHING),
    use="attention for each label at the cost of the baseline",
)
RECIPES = (
    CPU,
    quick_recipe(CPU),
    Recipe(
        name="csra-paper",
        system="csra",
        settings=CSRAConfig(
            backbone=RESNET101.model_copy(update={"normalization": "none"}),
            heads=4,
            attention=0.5,
            label_reduction="mean",
        ),
        training=CSRA_PAPER,
        source="CSRA's released code: heads, lambda, mean over labels, rates of 0.1 and 0.01, "
        "batch of 16, 30 epochs, warm-up over two, decay, crops, photos that are not normalised",
        expectation=f"published: COCO mAP 83.3 at 448 pixels; {UNTRIED}",
        use=PAPER_USE,
    ),
)


TEMPERATURES: dict[int, tuple[float, ...]] = {
    1: (1,),
    2: (1, math.inf),
    4: (1, 2, 4, math.inf),
    6: (1, 2, 3, 4, 5, math.inf),
    8: (1, 2, 3, 4, 5, 6, 7, math.inf),
}
"""Temperatures by the number of heads; the released code writes 99 for the maximum."""


class CSRA(System):
    """Class-specific residual attention with one or more heads.

    Example:
        >>> from tagsight.labels.space import empty_label_space
        >>> from tagsight.systems.catalogue import RECIPES, build_system
        >>> system = build_system(RECIPES["csra-cpu"], empty_label_space(["dog", "sky"])).eval()
        >>> seen = system(torch.rand(1, 3, 64, 64))
        >>> torch.allclose(seen.maps.mean((-2, -1)), seen.logits, atol=1e-3)
        True

    Deviations:
        ``pooling`` affects the embedding only, not the logits. The released training counts
        difficult objects of VOC as absent (``--difficult absent``); here they are unknown and left
        out.

        In our own recipes how sure the encoder is of the classes that a label is named after is
        added to the scores of its heads with a learned weight (``class_names``, `NamedClasses`).
        Each cell's score can be averaged with those around it (``map_smoothing``, `smoothed`); our
        recipes do not, as attention to single cells served CSRA better.

        ``csra-paper``: 4 heads with a lambda of 0.5, as the README states for the 83.3 on COCO and
        for its test command; its training command has 6. In the warm-up of two epochs, ``n`` steps,
        the released rates rise from 0 to ``(n - 1) / n`` of the full rate; here from ``1 / n`` to
        1.
    """

    Config: ClassVar[type[SystemConfig]] = CSRAConfig
    paper: ClassVar[str] = "https://arxiv.org/abs/2108.02456"
    published: ClassVar[tuple[Published, ...]] = (
        Published(
            "COCO 2014", 83.3, "448, ResNet-101, 4 heads, non-interpolated AP", "CSRA README"
        ),
        Published(
            "COCO 2014",
            85.6,
            "448, ResNet-101 pretrained with CutMix, 6 heads, non-interpolated AP",
            "CSRA README",
        ),
        Published("VOC 2007", 94.7, "448, ResNet-101, 1 head, non-interpolated AP", "CSRA README"),
        Published(
            "VOC 2007",
            95.2,
            "448, ResNet-101 pretrained with CutMix, 1 head, non-interpolated AP",
            "CSRA README",
        ),
    )
    label_parameters: ClassVar[frozenset[str]] = frozenset({"classifiers", "by_name.weight"})
    config: CSRAConfig

    def __init__(self, config: CSRAConfig, labels: LabelSpace) -> None:
        super().__init__(config, labels)
        self.temperatures = TEMPERATURES[config.heads]
        # One row per label, with one classifier per head.
        shape = (len(labels), config.heads, self.backbone.channels)
        self.classifiers = nn.Parameter(torch.empty(shape))
        nn.init.uniform_(self.classifiers, -(shape[2] ** -0.5), shape[2] ** -0.5)
        self.by_name = named_classes(labels.names, self.backbone, wanted=config.class_names)

    @property
    def maps_add_up(self) -> bool:
        return True

    def forward(self, images: Images) -> Recognition:
        features, on_photo = widened(self.backbone(images)), self.backbone.on_photo(images)
        maps = self._maps(features, on_photo)
        return Recognition(
            logits=maps.mean((-2, -1)),
            maps=maps,
            embedding=pooled(features, self.config.pooling),
        )

    def _maps(self, features: Tensor, on_photo: Tensor | None) -> Tensor:
        """Add the base and attended scores of every cell: ``(B, D, h, w) -> (B, L, h, w)``."""
        with full_precision(features.device):
            unit = F.normalize(self.classifiers, dim=2)
            scores = torch.einsum("bdhw,lkd->kblhw", features, unit)
        if (named := evidence_by_name(self.by_name, features)) is not None:
            scores = scores + named / len(scores)
        share = self.config.attention * cell_count(features, on_photo)
        of_heads: list[Tensor] = []
        for score, temperature in zip(scores, self.temperatures, strict=True):
            smooth = smoothed(score, self.config.map_smoothing, on_photo)
            of_heads.append(smooth * (1 + share * spatial_attention(smooth, temperature, on_photo)))
        return filled(torch.stack(of_heads).sum(0), on_photo)


def spatial_attention(scores: Tensor, temperature: float, on_photo: Tensor | None = None) -> Tensor:
    """Compute a label's attention over the cells: the softmax of its scores.

    At an infinite temperature the cells with the highest score share it equally, as a maximum
    shares its gradient.

    Args:
        scores: ``(..., h, w)`` float.
        temperature: Factor of the scores, above 0.
        on_photo: Bool, broadcast over ``scores``: cells that may get attention; by default all.

    Returns:
        ``(..., h, w)`` float; its sum over the cells is 1.

    Example:
        >>> spatial_attention(torch.tensor([[0.0, 2.0], [2.0, 1.0]]), math.inf)
        tensor([[0.0000, 0.5000],
                [0.5000, 0.0000]])
    """
    flat = excluded(scores, on_photo).flatten(-2)
    if temperature < math.inf:
        return (temperature * flat).softmax(-1).view_as(scores)
    best = (flat == flat.amax(-1, keepdim=True)).to(scores.dtype)
    return (best / best.sum(-1, keepdim=True)).view_as(scores)
