"""Systems with one classifier per label on the cells of one feature grid."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field, field_validator
from torch import nn

from tagsight.config import SystemConfig
from tagsight.nn.class_activation import attended_maps, logits_and_maps, pooled
from tagsight.nn.named_classes import evidence_by_name, named_classes
from tagsight.runtime.precision import widened
from tagsight.systems.base import Recognition, System

if TYPE_CHECKING:
    from torch import Tensor

    from tagsight.labels.space import LabelSpace
    from tagsight.nn.class_activation import LogitsAndMaps
    from tagsight.nn.views import Images


class CellConfig(SystemConfig):
    """Settings of systems that score each cell of a grid for each label."""

    class_names: bool = False
    """Whether the encoder's own classes that a label's name stands for, such as 118 breeds for
    ``dog``, are evidence for the label, with a weight that is learned. For encoders with
    ``backbone.class_scores`` for the 1,000 classes of ImageNet; others do without."""

    map_smoothing: int = Field(1, ge=1)
    """Side of the square of cells over which a label's scores are averaged, odd: 1 leaves each cell
    as it is, 3 averages it with its neighbours. Attention and maps are steadier."""

    @field_validator("map_smoothing")
    @classmethod
    def _has_a_middle(cls, side: int) -> int:
        if side % 2 == 0:
            msg = f"map_smoothing: expected an odd number, got {side}"
            raise ValueError(msg)
        return side


class GridConfig(CellConfig):
    """Settings of systems with one classifier per label on the cells of a grid."""

    residual_attention: float = Field(0.0, ge=0)
    """Lambda of residual attention: weight of the score of a label's best cell, which is added to
    the logit (CSRA with one head at an infinite temperature); 0 adds nothing."""


class GridSystem(System):
    """Encoder, pooling and one linear classifier per label; a subclass defines `classifiers`.

    With average pooling the logit of a label is exactly the mean of its map, also with residual
    attention.
    """

    Config: ClassVar[type[SystemConfig]] = GridConfig
    config: GridConfig

    def __init__(self, config: GridConfig, labels: LabelSpace) -> None:
        super().__init__(config, labels)
        self.by_name = named_classes(labels.names, self.backbone, wanted=config.class_names)

    @abstractmethod
    def classifiers(self) -> tuple[Tensor, Tensor | None]:
        """Return classifiers, ``(L, D)`` float, and their bias, ``(L,)`` float or None."""

    @property
    def maps_add_up(self) -> bool:
        return self.config.pooling == "average"

    def logits_and_maps(
        self,
        features: Tensor,
        classifiers: Tensor,
        bias: Tensor | None,
        on_photo: Tensor | None = None,
    ) -> LogitsAndMaps:
        """Compute logits and the scores of cells as the settings ask: ``(B, D, h, w)`` float."""
        return logits_and_maps(
            features,
            classifiers,
            bias,
            pooling=self.config.pooling,
            attention=self.config.residual_attention,
            smoothing=self.config.map_smoothing,
            added=evidence_by_name(self.by_name, features),
            on_photo=on_photo,
        )

    def forward(self, images: Images) -> Recognition:
        features, on_photo = widened(self.backbone(images)), self.backbone.on_photo(images)
        classifiers, bias = self.classifiers()
        found = self.logits_and_maps(features, classifiers, bias, on_photo)
        return Recognition(
            logits=found.logits,
            maps=attended_maps(found.maps, bias, self.config.residual_attention, on_photo),
            embedding=pooled(features, self.config.pooling),
        )


class LinearGridSystem(GridSystem):
    """A grid system whose classifiers are the weights of a linear layer.

    Example:
        >>> from tagsight.labels.space import empty_label_space
        >>> from tagsight.systems.catalogue import RECIPES, build_system
        >>> system = build_system(RECIPES["resnet-cpu"], empty_label_space(["dog", "sky"]))
        >>> weight, bias = system.classifiers()
        >>> weight is system.classifier.weight, bias.shape
        (True, torch.Size([2]))
    """

    label_parameters: ClassVar[frozenset[str]] = frozenset(
        {"classifier.weight", "classifier.bias", "by_name.weight"}
    )

    def __init__(self, config: GridConfig, labels: LabelSpace) -> None:
        super().__init__(config, labels)
        self.classifier = nn.Linear(self.backbone.channels, len(labels))

    def classifiers(self) -> tuple[Tensor, Tensor | None]:
        return self.classifier.weight, self.classifier.bias
