"""The interface of an image encoder: ``(B, C, H, W)`` float in [0, 1] -> ``(B, D, h, w)``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Self, TypeAlias

import torch
from timm.data.constants import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
from torch import Tensor, nn

from tagsight.errors import DataError
from tagsight.nn.class_scores import ClassScores
from tagsight.nn.folding import multiply_out
from tagsight.nn.padding import cells_on_photo, filled
from tagsight.nn.views import ORIGINAL, FrozenFeatures

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tagsight.config import BackboneConfig, FeatureGrid
    from tagsight.nn.views import Images

Channels: TypeAlias = tuple[float, float, float]
"""One number each for red, green and blue."""

CONTAINERS = frozenset({"blocks", "stages", "layers"})
"""Names under which timm's models hold their stages in order."""


class Backbone(nn.Module, ABC):
    """An image encoder that normalises its input, split into frozen stages and trained ones.

    A subclass knows one layout of features: `GridEncoder` or `TokenEncoder`.

    Args:
        whole: The timm model, which knows stride, channels and normalisation.
        frozen: The frozen stages in order, possibly none.
        trained: The trained stages.
        config: Frozen layers and normalisation of the input.

    Attributes:
        channels: ``D`` of the feature grid.
        stride: Side of a grid cell, in pixels.
        middle_channels: ``D'`` of the grid of half that stride, which `grids` returns; ``D`` if
            the last grid replaces it.
        only_side: The only side of an image that the encoder accepts, in pixels; None if it
            accepts any multiple of its stride.
        frozen: The frozen stages in order, possibly none.
        network: The trained stages.
        first_class: Channel of the last or fused grid in which class scores begin.
        class_scores: What appends the scores of the encoder's own classes to every cell, if the
            settings ask for them.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        whole: Any,  # noqa: ANN401 (timm is untyped)
        frozen: Sequence[nn.Module],
        trained: nn.Module,
        config: BackboneConfig,
    ) -> None:
        super().__init__()
        self.frozen = nn.Sequential(*frozen).eval()
        self.network: Any = trained
        self.name = config.name
        self.channels: int = whole.num_features
        self.stride: int = whole.feature_info[-1]["reduction"]
        self.middle_channels = self.channels
        self.only_side: int | None = None
        self.first_class = self.channels
        self.class_scores: ClassScores | None = None
        self.freeze_batch_norm = config.freeze_batch_norm
        mean, std = _normalization(whole, config)
        self.register_buffer("mean", _per_channel(mean), persistent=False)
        self.register_buffer("std", _per_channel(std), persistent=False)
        kept: list[nn.Module] = [self.frozen]
        if config.freeze_depthwise:
            kept += [module for module in trained.modules() if is_depthwise(module)]
        if config.freeze_batch_norm:
            kept += self._batch_norms()
        for module in kept:
            module.requires_grad_(requires_grad=False)
        multiply_out(self)

    def forward(self, images: Images) -> Tensor:
        """Encode images: ``(B, C, H, W)`` float in [0, 1] -> ``(B, D, h, w)``.

        With a fourth channel, the opacity, cells of padding get the mean of the other cells
        (`tagsight.nn.padding`). Of frozen features, the original view is encoded.
        """
        return filled(self.from_frozen(self._started(images)), self.on_photo(images))

    def on_photo(self, images: Images) -> Tensor | None:
        """Find the cells of the grid that lie on the photo: ``(B, 1, h, w)`` bool; None if all do.

        Of frozen features, those of the original view.
        """
        if isinstance(images, FrozenFeatures):
            return images.on_photo.get(ORIGINAL)
        return cells_on_photo(images, self.stride)

    def grids(self, images: Images) -> tuple[Tensor, Tensor]:
        """Encode images once into two grids: ``(B, D', 2h, 2w)`` and ``(B, D, h, w)``.

        The first comes from an earlier stage and has half the stride. If an encoder has no such
        stage, or the stage is frozen, both results are the last grid.
        """
        last = self(images)
        return last, last

    def to_frozen(self, images: Tensor) -> Tensor:
        """Apply the frozen stages: ``(B, 3, H, W)`` float in [0, 1] -> ``(B, C, h', w')``.

        With a fourth channel, padding has the mean colour of the pretraining, 0 once normalised.

        Raises:
            DataError: If the encoder does not accept images of this size.
        """
        height, width = images.shape[-2:]
        if self.only_side is not None and {height, width} != {self.only_side}:
            msg = (
                f"expected images of {self.only_side} x {self.only_side} pixels, the only size "
                f"that {self.name!r} encodes, got {width} x {height}; set "
                f"`training.image_size={self.only_side}` without views of another scale, or choose "
                "another encoder"
            )
            raise DataError(msg)
        normalised = (images[:, :3] - self.mean) / self.std
        if images.shape[1] == 4:
            normalised = normalised * images[:, 3:]
        return self._frozen_features(normalised.contiguous(memory_format=torch.channels_last))

    def choose_grid(self, grid: FeatureGrid) -> None:
        """Choose the feature grid that the encoder computes (`BackboneConfig.grid`).

        Raises:
            DataError: If it has no grid of half the stride after its frozen stages.
        """
        if grid != "last":
            msg = (
                f"expected `system.backbone.grid=last` for {self.name!r}, which has no grid of "
                f"half the stride after its frozen stages, got {grid!r}"
            )
            raise DataError(msg)

    def add_class_scores(self, classifier: nn.Linear) -> None:
        """Append the scores of a classifier to the cells of the last grid, before one is chosen."""
        self.class_scores = ClassScores(classifier)
        self.channels += self.class_scores.classes
        self.middle_channels = self.channels

    def checkpoint_gradients(self) -> None:
        """Recompute the features within trained stages in the backward pass, to save memory.

        Raises:
            DataError: If timm has no such option for this encoder.
        """
        try:
            self.network.set_grad_checkpointing()
        except (AssertionError, AttributeError) as error:
            msg = (
                f"expected `checkpoint_gradients=False` for {self.name!r}, whose trained stages "
                "cannot be recomputed, got True"
            )
            raise DataError(msg) from error

    def layers(self) -> list[list[nn.Parameter]]:
        """List the trained parameters by stage or block, from the input to the output.

        What precedes the stages is a layer, and so is what follows them.

        Raises:
            DataError: If the order of the encoder's stages is not known.
        """
        before, stages = stage_paths(self.network)
        if not stages:
            msg = f"expected `training.layer_decay=1` for {self.name!r}, whose stages have no order"
            raise DataError(msg)
        layers: list[list[nn.Parameter]] = [[] for _ in range(len(stages) + 2)]
        for name, parameter in self.named_parameters():
            if parameter.requires_grad:
                layers[_layer(name.removeprefix("network."), before, stages)].append(parameter)
        return [layer for layer in layers if layer]

    @abstractmethod
    def from_frozen(self, features: Tensor) -> Tensor:
        """Apply the trained stages: ``(B, C, h', w')`` -> ``(B, D, h, w)``."""

    def train(self, mode: bool = True) -> Self:  # noqa: FBT001, FBT002 (nn.Module's signature)
        """Set the training mode; frozen parts stay in evaluation mode."""
        super().train(mode)
        self.frozen.eval()
        if self.freeze_batch_norm:
            for module in self._batch_norms():
                module.eval()
        return self

    @abstractmethod
    def _frozen_features(self, images: Tensor) -> Tensor:
        """Apply the frozen stages to normalised images."""

    def _described(self, grid: Tensor) -> Tensor:
        """Append class scores to the last grid, if the settings ask for them."""
        return grid if self.class_scores is None else self.class_scores(grid)

    def _started(self, images: Images) -> Tensor:
        """Look frozen features up, or compute them."""
        if isinstance(images, FrozenFeatures):
            return images.views[ORIGINAL]
        return self.to_frozen(images)

    def _batch_norms(self) -> Iterator[nn.Module]:
        return (m for m in self.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm))


def stage_paths(network: nn.Module) -> tuple[list[str], list[str]]:
    """List the paths of the layers before a network's stages or blocks, and of those in order.

    Example:
        >>> import timm
        >>> stage_paths(timm.create_model("test_convnext", num_classes=0))
        (['stem'], ['stages.0', 'stages.1', 'stages.2', 'stages.3'])
    """
    before: list[str] = []
    stages: list[str] = []
    for name, child in network.named_children():
        if name in CONTAINERS:
            stages += [f"{name}.{place}" for place, _ in child.named_children()]
        elif name.startswith("layer") and name[5:].isdigit():
            stages.append(name)
        elif not stages:
            before.append(name)
    return before, stages


def is_depthwise(module: nn.Module) -> bool:
    """Return whether a layer is a convolution of each channel on its own.

    Example:
        >>> is_depthwise(nn.Conv2d(8, 8, 3, groups=8)), is_depthwise(nn.Conv2d(8, 8, 3))
        (True, False)
    """
    return isinstance(module, nn.Conv2d) and 1 < module.groups == module.in_channels


def too_many_stages(config: BackboneConfig, count: int) -> DataError:
    """Word the refusal of more frozen stages than an encoder has.

    Args:
        config: Name of the encoder and its frozen stages.
        count: Number of stages that can be frozen.

    Example:
        >>> from tagsight.config import BackboneConfig
        >>> str(too_many_stages(BackboneConfig(name="resnet50", frozen_stages=6), 5))[:59]
        'expected at most 5 as `system.backbone.frozen_stages`, the '
    """
    return DataError(
        f"expected at most {count} as `system.backbone.frozen_stages`, the stages of "
        f"{config.name!r} that can be frozen, got {config.frozen_stages}"
    )


def _layer(name: str, before: Sequence[str], stages: Sequence[str]) -> int:
    """Return the place of a parameter: 0 before the stages, and the last one after them."""
    for place, path in enumerate(stages, 1):
        if name.startswith(f"{path}."):
            return place
    # Parameters of the network itself are tokens and position embeddings.
    first = "." not in name or name.partition(".")[0] in before
    return 0 if first else len(stages) + 1


def _normalization(network: Any, config: BackboneConfig) -> tuple[Channels, Channels]:  # noqa: ANN401 (timm is untyped)
    if config.normalization == "none":
        return (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    if config.normalization == "imagenet":
        return IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
    return network.pretrained_cfg["mean"], network.pretrained_cfg["std"]


def _per_channel(values: Channels) -> Tensor:
    return torch.tensor(values).view(1, -1, 1, 1)
