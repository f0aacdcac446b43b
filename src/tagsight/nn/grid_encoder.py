"""Encoders whose stages pass a feature grid on: convolutional ones, and Swin and its relatives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from tagsight.nn.encoder_base import Backbone, is_depthwise, stage_paths, too_many_stages
from tagsight.nn.padding import filled, resized
from tagsight.runtime.precision import full_precision, widened

if TYPE_CHECKING:
    from tagsight.config import BackboneConfig, FeatureGrid
    from tagsight.nn.views import Images


class GridEncoder(Backbone):
    """An encoder from pixels to a grid, stage by stage.

    Args:
        network: A timm model whose ``forward_features`` returns a grid; its frozen stages are
            moved out of it.
        config: Frozen stages, frozen layers and normalisation of the input.
        channels_last: Whether its grids are ``(B, h, w, D)``, as Swin's are, instead of
            ``(B, D, h, w)``.

    Example:
        >>> import torch
        >>> from tagsight.config import BackboneConfig
        >>> from tagsight.nn.backbones import build_backbone, skip_initial_weights
        >>> with skip_initial_weights():
        ...     backbone = build_backbone(BackboneConfig(name="test_resnet")).eval()
        >>> backbone(torch.rand(1, 3, 64, 96)).shape
        torch.Size([1, 96, 2, 3])
    """

    def __init__(
        self,
        network: Any,  # noqa: ANN401 (timm is untyped)
        config: BackboneConfig,
        *,
        channels_last: bool = False,
    ) -> None:
        super().__init__(network, _extract_frozen(network, config), network, config)
        self.channels_last = channels_last
        self.grid: FeatureGrid = "last"
        self._middle = _middle_grid(network, config)
        if self._middle is not None:
            self.middle_channels = network.feature_info[self._middle]["num_chs"]

    def forward(self, images: Images, middle: list[Tensor] | None = None) -> Tensor:
        """Encode images: ``(B, C, H, W)`` float in [0, 1] -> ``(B, D, h, w)`` (`Backbone.forward`).

        If ``middle`` is given, the grid of half the stride is appended to it.
        """
        if middle is None:
            return super().forward(images)
        if self._middle is None or self.grid != "last":
            middle.append(super().forward(images))
            return middle[0]
        found, last = self._middle_and_last(self._started(images))
        on_photo = self.on_photo(images)
        middle.append(filled(found, resized(on_photo, found)))
        return filled(last, on_photo)

    def grids(self, images: Images) -> tuple[Tensor, Tensor]:
        """Encode images once into two grids (`Backbone.grids`)."""
        middle: list[Tensor] = []
        last = self(images, middle)
        return middle[0], last

    def from_frozen(self, features: Tensor) -> Tensor:
        """Apply the trained stages: ``(B, C, h', w')`` -> ``(B, D, h, w)``."""
        if self.grid == "last":
            last = self.network.forward_features(self._as_network(features))
            return self._described(self._as_grid(last))
        if self.grid == "middle":
            (found,) = self.network.forward_intermediates(
                self._as_network(features),
                indices=[self._middle],
                stop_early=True,
                intermediates_only=True,
            )
            return found
        middle, last = self._middle_and_last(features)
        return torch.cat((interpolate(last, size=middle.shape[-2:], mode="bilinear"), middle), 1)

    def choose_grid(self, grid: FeatureGrid) -> None:
        """Choose the feature grid that the encoder computes (`Backbone.choose_grid`).

        For the middle grid alone, the stages after it are removed. The fused grid has the channels
        of both; each of its cells still is a cell of one grid, so that with average pooling a
        label's map averages to its logit.
        """
        if grid == "last" or self._middle is None:
            super().choose_grid(grid)
            return
        self.grid = grid
        self.stride //= 2
        if grid == "fused":
            self.channels += self.middle_channels
        else:
            self.channels = self.middle_channels
            if hasattr(self.network, "prune_intermediate_layers"):
                self.network.prune_intermediate_layers([self._middle], prune_norm=True)
        self.middle_channels = self.channels

    def add_class_scores(self, classifier: nn.Linear) -> None:
        """Append the scores of a classifier to the last grid (`Backbone.add_class_scores`)."""
        middle = self.middle_channels
        super().add_class_scores(classifier)
        if self._middle is not None:
            self.middle_channels = middle

    def _middle_and_last(self, features: Tensor) -> tuple[Tensor, Tensor]:
        # timm's intermediate grids are channels first.
        last, (middle,) = self.network.forward_intermediates(
            self._as_network(features), indices=[self._middle]
        )
        return middle, self._described(self._as_grid(last))

    def _frozen_features(self, images: Tensor) -> Tensor:
        features = self.frozen(images)
        return self._as_grid(features) if len(self.frozen) else features

    def _as_grid(self, features: Tensor) -> Tensor:
        return features.movedim(-1, 1) if self.channels_last else features

    def _as_network(self, features: Tensor) -> Tensor:
        # Without frozen stages these are pixels, whose channels are first in every network.
        return features.movedim(1, -1) if self.channels_last and len(self.frozen) else features


class FullPrecision(nn.Module):
    """A layer that computes in float32 or more, also under autocast, if its input needs a gradient.

    Args:
        layer: The layer to wrap.

    Example:
        >>> layer, features = FullPrecision(nn.Linear(2, 1)), torch.ones(1, 2, requires_grad=True)
        >>> with torch.autocast("cpu", torch.bfloat16):
        ...     layer(features).dtype, layer.layer(features).dtype
        (torch.float32, torch.bfloat16)
    """

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, features: Tensor) -> Tensor:
        """Apply the layer."""
        if not features.requires_grad:
            return self.layer(features)
        with full_precision(features.device):
            return self.layer(widened(features))


def widen_strided_depthwise(network: nn.Module) -> None:
    """Keep strided depthwise convolutions in float32.

    On CPUs their bfloat16 gradient uses a reference kernel that is about 50 times slower and takes
    more time than the rest of a training step (benchmarks/depthwise_gradient.py).

    Args:
        network: Changed in place.

    Example:
        >>> network = nn.Sequential(nn.Conv2d(8, 8, 3, stride=2, groups=8))
        >>> widen_strided_depthwise(network)
        >>> type(network[0]).__name__
        'FullPrecision'
    """
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if is_depthwise(child) and child.stride != (1, 1):
                setattr(parent, name, FullPrecision(child))


def _extract_frozen(network: nn.Module, config: BackboneConfig) -> list[nn.Module]:
    """Move the first stages, and the layers before them, out of the network."""
    if config.frozen_stages == 0:
        return []
    before, stages = stage_paths(network)
    if config.frozen_stages > len(stages):
        raise too_many_stages(config, len(stages))
    frozen = []
    for path in [*before, *stages[: config.frozen_stages]]:
        parent, _, name = path.rpartition(".")
        frozen.append(network.get_submodule(path))
        # Some networks iterate over the blocks of a stage: an empty sequence is an identity.
        setattr(network.get_submodule(parent), name, nn.Sequential())
    return frozen


def _middle_grid(network: Any, config: BackboneConfig) -> int | None:  # noqa: ANN401 (timm is untyped)
    """Find the index of timm's grid of half the last stride; None if the encoder offers none."""
    grids = network.feature_info
    found = [i for i, grid in enumerate(grids) if grid["reduction"] * 2 == grids[-1]["reduction"]]
    if not found or not hasattr(network, "forward_intermediates"):
        return None
    _, stages = stage_paths(network)
    path = grids[found[-1]]["module"]
    last = stages.index(path) + 1 if path in stages else 0
    return found[-1] if config.frozen_stages <= last else None
