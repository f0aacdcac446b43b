"""Classifiers generated from a label graph, fused with the image features.

Wang, Xie, Liu, Zhou and Li. Fast Graph Convolution Network Based Multi-label Image Recognition via
Cross-modal Fusion. CIKM 2020. https://doi.org/10.1145/3340531.3411880

Maps: the fusion applied to every cell, in logits. Without root and normalisation the logit is
linear in the features, so that with average pooling it is the mean of its map; with max pooling it
is not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor, nn

from tagsight.config import Recipe, Settings
from tagsight.nn.class_activation import class_maps, pooled, smoothed
from tagsight.nn.config import GraphConfig
from tagsight.nn.dropout import dropped
from tagsight.nn.graph import graph_classifiers, label_adjacency, label_bias
from tagsight.nn.padding import filled
from tagsight.runtime.precision import full_precision, widened
from tagsight.systems.base import Recognition, with_graph_rate
from tagsight.systems.grid import GridSystem
from tagsight.systems.ml_gcn import MLGCNConfig
from tagsight.systems.recipes import (
    CPU_GRAPH,
    CPU_SMOOTHING,
    ML_GCN_PAPER,
    PAPER_USE,
    RESNET101,
    UNTRIED,
    cpu_recipe,
    quick_recipe,
)

if TYPE_CHECKING:
    from tagsight.config import SystemConfig
    from tagsight.labels.space import LabelSpace
    from tagsight.nn.views import Images
    from tagsight.systems.base import ParameterGroup, Published


class FusionConfig(Settings):
    """Fusion of image features and a label's classifier into a logit (MFB)."""

    width: int = Field(358, gt=0, le=8192)
    """Length ``J`` of both projections."""

    sums: int = Field(1, gt=0, le=8192)
    """Number of sums over the ``J`` products of a label; a single sum is its logit."""

    bias: bool = False
    """Whether both projections have a bias, as in the known code."""

    signed_root: bool = False
    """Whether a sum ``s`` becomes ``sign(s) sqrt(|s|)``, as in MFB."""

    unit_length: bool = False
    """Whether the sums of a label are normalised to length 1, as in MFB."""

    freeze_projections: bool = False
    """Whether both projections stay random, as in the known code, whose optimiser lacks them."""

    @model_validator(mode="after")
    def _has_equal_sums(self) -> Self:
        if self.width % self.sums:
            msg = f"fusion.sums: expected a divisor of fusion.width {self.width}, got {self.sums}"
            raise ValueError(msg)
        if self.unit_length and self.sums == 1:
            msg = (
                "fusion.sums: expected more than 1 with fusion.unit_length, which reduces a single "
                "sum to its sign, got 1"
            )
            raise ValueError(msg)
        return self


class FGCNConfig(MLGCNConfig):
    """F-GCN's settings."""

    fusion: FusionConfig = FusionConfig()
    """The fusion of features and classifiers."""

    dropout: float = Field(0.1, ge=0, lt=1)
    """Fraction of the products that are dropped in training."""

    @model_validator(mode="after")
    def _adds_nothing_to_the_fusion(self) -> Self:
        for name, nothing in (("residual_attention", 0), ("class_names", False)):
            if (given := getattr(self, name)) != nothing:
                msg = (
                    f"{name}: expected {nothing} for F-GCN, whose fusion is not linear, got {given}"
                )
                raise ValueError(msg)
        return self


CPU = cpu_recipe(
    "f-gcn",
    FGCNConfig(map_smoothing=3, label_smoothing=CPU_SMOOTHING, graph=CPU_GRAPH),
    use="a label graph fused with the image features",
)
RECIPES = (
    CPU,
    quick_recipe(CPU),
    Recipe(
        name="f-gcn-paper",
        system="f-gcn",
        settings=FGCNConfig(
            backbone=RESNET101,
            label_reduction="mean",
            graph=GraphConfig(variant="released", vectors="raw"),
            fusion=FusionConfig(bias=True),
        ),
        training=ML_GCN_PAPER,
        source=(
            "fusion, its biases, dropout: code that its authors' group released with another "
            "paper; the rest: as ml-gcn-paper"
        ),
        expectation=(
            "see docs/decisions/0003-what-makes-gcam-train.md; its published figures are not known "
            f"to us; {UNTRIED}"
        ),
        use=PAPER_USE,
    ),
)


SMALLEST = 1e-12
"""Added to a sum under the root, whose slope at 0 is infinite."""


class FGCN(GridSystem):
    """ML-GCN with multi-modal factorised bilinear pooling (MFB) instead of its dot product.

    With ``u = W_i x`` and ``v_l = W_c m_l`` the logit of a label is the sum of ``u * v_l``: the dot
    product of ``x`` with ``W_i^T W_c m_l``. With ``fusion.bias`` both projections add a bias.

    Example:
        >>> from tagsight.labels.space import LabelSpace
        >>> from tagsight.systems.catalogue import RECIPES, build_system
        >>> labels = LabelSpace.from_targets(("dog", "sky"), torch.eye(2), torch.eye(2))
        >>> system = build_system(RECIPES["f-gcn-cpu"], labels).eval()
        >>> system.maps_add_up, system(torch.rand(1, 3, 64, 64)).logits.shape
        (False, torch.Size([1, 2]))

    Deviations:
        The known code fuses each photo with each label in a Python loop; here it is one matrix
        product. With several sums per label it adds a linear layer from the sums of all labels to
        all logits, which depends on the order and number of labels; here each label weights its own
        sums. MFB's root and normalisation (``fusion.signed_root``, ``fusion.unit_length``) are off,
        as in that code.

        ``f-gcn-paper``: the width of 358, one sum, dropout of 0.1 and the biases are those of that
        code. It omits both projections from the optimiser, so that they stay random; here they are
        trained (``fusion.freeze_projections``). Its label graph is learned with a second loss term,
        as in A-GCN; here it is counted, as in ML-GCN.
    """

    Config: ClassVar[type[SystemConfig]] = FGCNConfig
    paper: ClassVar[str] = "https://doi.org/10.1145/3340531.3411880"
    published: ClassVar[tuple[Published, ...]] = ()
    needs_vectors: ClassVar[bool] = True
    label_parameters: ClassVar[frozenset[str]] = frozenset({"bias", "sum_weights"})
    config: FGCNConfig
    bias: nn.Parameter | None
    sum_weights: nn.Parameter | None

    def __init__(self, config: FGCNConfig, labels: LabelSpace) -> None:
        super().__init__(config, labels)
        channels, fusion = self.backbone.channels, config.fusion
        adjacency = label_adjacency(labels.cooccurrence, config.graph)
        self.label_graph = graph_classifiers(labels, adjacency, channels, config.graph)
        self.register_parameter("bias", label_bias(labels, config.graph))
        self.of_photo = nn.Linear(channels, fusion.width, bias=fusion.bias)
        self.of_label = nn.Linear(channels, fusion.width, bias=fusion.bias)
        if fusion.freeze_projections:
            self.of_photo.requires_grad_(requires_grad=False)
            self.of_label.requires_grad_(requires_grad=False)
        self.register_parameter("sum_weights", None)
        if fusion.sums > 1:
            self.sum_weights = nn.Parameter(torch.ones(len(labels), fusion.sums))

    @property
    def maps_add_up(self) -> bool:
        return super().maps_add_up and self._is_linear

    def classifiers(self) -> tuple[Tensor, Tensor | None]:
        of_labels, bias = self._of_labels()
        if self.sum_weights is not None:
            of_labels = of_labels * self.sum_weights.unsqueeze(-1)
        of_labels = of_labels.flatten(1)
        with full_precision(of_labels.device):
            if self.of_photo.bias is not None:
                own = of_labels @ self.of_photo.bias
                bias = own if bias is None else own + bias
            return of_labels @ self.of_photo.weight, bias

    def forward(self, images: Images) -> Recognition:
        if self._is_linear:
            return super().forward(images)
        features, on_photo = self.backbone(images), self.backbone.on_photo(images)
        embedding = pooled(features, self.config.pooling)
        maps = filled(self._fused(features), on_photo)
        return Recognition(
            logits=self._fused(embedding[..., None, None])[..., 0, 0],
            maps=smoothed(maps, self.config.map_smoothing, on_photo),
            embedding=embedding,
        )

    def losses(self, images: Images, targets: Tensor, progress: float = 1.0) -> dict[str, Tensor]:
        if not self.config.dropout:
            return super().losses(images, targets, progress)
        embedding = pooled(self.backbone(images), self.config.pooling)
        with full_precision(embedding.device):
            of_labels, bias = self._of_labels()
            of_photos = self.of_photo(embedding).unflatten(1, of_labels.shape[1:])
            products = dropped(of_photos[:, None] * of_labels, self.config.dropout)
            logits = self._logits(products.sum(-1)[:, :, None, None], bias)
        return {"labels": self.label_loss(logits[..., 0, 0], targets)}

    def parameter_groups(self, lr: float, backbone_factor: float) -> list[ParameterGroup]:
        groups = super().parameter_groups(lr, backbone_factor)
        return with_graph_rate(groups, self.label_graph, self.config.graph, lr)

    @property
    def _is_linear(self) -> bool:
        return not (self.config.fusion.signed_root or self.config.fusion.unit_length)

    def _of_labels(self) -> tuple[Tensor, Tensor | None]:
        """Project the classifiers: ``(L, S, J / S)`` float for ``S`` sums, and the bias."""
        classifiers = self.label_graph()
        with full_precision(classifiers.device):
            of_labels = self.of_label(classifiers).unflatten(1, (self.config.fusion.sums, -1))
        return of_labels, self.bias

    def _fused(self, features: Tensor) -> Tensor:
        """Fuse every cell with every label: ``(B, D, h, w) -> (B, L, h, w)``."""
        with full_precision(features.device):
            of_labels, bias = self._of_labels()
            weight, shift = self.of_photo.weight, self.of_photo.bias
            of_cells = class_maps(widened(features), weight, shift)
            of_cells = of_cells.unflatten(1, of_labels.shape[1:])
            return self._logits(torch.einsum("bsjhw,lsj->blhws", of_cells, of_labels), bias)

    def _logits(self, sums: Tensor, bias: Tensor | None) -> Tensor:
        """Reduce the sums of a label to its logit: ``(B, L, h, w, S) -> (B, L, h, w)``."""
        if self.config.fusion.signed_root:
            sums = sums * (sums.abs() + SMALLEST).rsqrt()
        if self.config.fusion.unit_length:
            sums = F.normalize(sums, dim=-1)
        if self.sum_weights is not None:
            sums = sums * self.sum_weights[:, None, None]
        logits = sums.sum(-1)
        return logits if bias is None else logits + bias[:, None, None]
