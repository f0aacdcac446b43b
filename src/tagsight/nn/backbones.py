"""Image encoders: ``(B, 3, H, W)`` float in [0, 1] -> feature grid ``(B, D, h, w)``."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Self, TypeAlias

import torch
from torch import Tensor, nn

from tagsight.errors import DataError
from tagsight.nn.encoder_weights import EMBEDDED, create_encoder
from tagsight.nn.folding import fold_norms, multiply_out
from tagsight.nn.views import ORIGINAL, FrozenFeatures
from tagsight.runtime.precision import full_precision, widened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tagsight.config import BackboneConfig
    from tagsight.nn.views import Images

log = logging.getLogger(__name__)

Channels: TypeAlias = tuple[float, float, float]
"""One number each for red, green and blue."""

_skip_initial_weights = ContextVar("skip_initial_weights", default=False)


@contextmanager
def skip_initial_weights() -> Iterator[None]:
    """Build encoders without initial weights, because those of a saved model replace them.

    Example:
        >>> from tagsight.config import BackboneConfig
        >>> with skip_initial_weights():
        ...     backbone = build_backbone(BackboneConfig(name="test_resnet"))
    """
    token = _skip_initial_weights.set(True)
    try:
        yield
    finally:
        _skip_initial_weights.reset(token)


class Backbone(nn.Module):
    """An image encoder that normalises its input, split into frozen stages and trained ones.

    Args:
        network: A timm model whose ``forward_features`` returns a grid ``(B, D, h, w)``; its
            frozen stages are moved out of it.
        config: Frozen stages, frozen layers and normalisation of the input.

    Attributes:
        channels: ``D`` of the feature grid.
        stride: Side of a grid cell, in pixels.
        middle_channels: ``D'`` of the grid of half that stride, which `grids` returns; ``D`` if
            the last grid replaces it.
        frozen: The frozen stages in order, possibly none.
        network: The trained stages.

    Example:
        >>> from tagsight.config import BackboneConfig
        >>> with skip_initial_weights():
        ...     backbone = build_backbone(BackboneConfig(name="test_resnet")).eval()
        >>> backbone(torch.rand(1, 3, 64, 96)).shape
        torch.Size([1, 96, 2, 3])
    """

    mean: Tensor
    std: Tensor

    def __init__(self, network: Any, config: BackboneConfig) -> None:  # noqa: ANN401 (timm is untyped)
        super().__init__()
        self.frozen = nn.Sequential(*_extract_frozen(network, config)).eval()
        self.network = network
        self.channels: int = network.num_features
        self.stride: int = network.feature_info[-1]["reduction"]
        self._middle = _middle_grid(network, config)
        self.middle_channels: int = (
            self.channels if self._middle is None else network.feature_info[self._middle]["num_chs"]
        )
        self.freeze_batch_norm = config.freeze_batch_norm
        mean, std = _normalization(network, config)
        self.register_buffer("mean", _per_channel(mean), persistent=False)
        self.register_buffer("std", _per_channel(std), persistent=False)
        kept: list[nn.Module] = [self.frozen]
        if config.freeze_depthwise:
            kept += [module for module in network.modules() if _is_depthwise(module)]
        if config.freeze_batch_norm:
            kept += self._batch_norms()
        for module in kept:
            module.requires_grad_(requires_grad=False)
        multiply_out(self)

    def forward(self, images: Images, middle: list[Tensor] | None = None) -> Tensor:
        """Encode images: ``(B, 3, H, W)`` float in [0, 1] -> ``(B, D, h, w)``.

        Of frozen features, the original view is encoded. If ``middle`` is given, the grid of half
        the stride is appended to it.
        """
        if isinstance(images, FrozenFeatures):
            features = images.views[ORIGINAL]
        else:
            features = self.to_frozen(images)
        if middle is None:
            return self.from_frozen(features)
        if self._middle is None:
            middle.append(self.from_frozen(features))
            return middle[0]
        last, found = self.network.forward_intermediates(features, indices=[self._middle])
        middle += found
        return last

    def grids(self, images: Images) -> tuple[Tensor, Tensor]:
        """Encode images once into two grids: ``(B, D', 2h, 2w)`` and ``(B, D, h, w)``.

        The first comes from an earlier stage and has half the stride. If an encoder has no such
        stage, or the stage is frozen, both results are the last grid.
        """
        middle: list[Tensor] = []
        last = self(images, middle)
        return middle[0], last

    def to_frozen(self, images: Tensor) -> Tensor:
        """Apply the frozen stages: ``(B, 3, H, W)`` float in [0, 1] -> ``(B, C, h', w')``."""
        images = ((images - self.mean) / self.std).contiguous(memory_format=torch.channels_last)
        return self.frozen(images)

    def from_frozen(self, features: Tensor) -> Tensor:
        """Apply the trained stages: ``(B, C, h', w')`` -> ``(B, D, h, w)``."""
        return self.network.forward_features(features)

    def train(self, mode: bool = True) -> Self:  # noqa: FBT001, FBT002 (nn.Module's signature)
        """Set the training mode; frozen parts stay in evaluation mode."""
        super().train(mode)
        self.frozen.eval()
        if self.freeze_batch_norm:
            for module in self._batch_norms():
                module.eval()
        return self

    def _batch_norms(self) -> Iterator[nn.Module]:
        return (m for m in self.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm))


class FullPrecision(nn.Module):
    """A layer that computes in float32 or more, also under autocast, if its input needs a gradient.

    Args:
        layer: The layer to wrap.
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


def build_backbone(config: BackboneConfig) -> Backbone:
    """Build the encoder that the settings name.

    It starts from ImageNet weights unless ``weights`` is ``none``, which logs a warning. Within
    `skip_initial_weights` no weights are read, and nothing is logged.

    Args:
        config: Name, weights, frozen stages and layers, normalisation.

    Raises:
        DataError: If timm does not know the name, the encoder returns no grid, its weights are not
            available, or ``frozen_stages`` does not suit it.

    Example:
        >>> from tagsight.config import BackboneConfig
        >>> with skip_initial_weights():
        ...     backbone = build_backbone(BackboneConfig(name="test_resnet", frozen_stages=2))
        >>> backbone.channels, backbone.stride
        (96, 32)
    """
    if _skip_initial_weights.get():
        config = config.model_copy(update={"weights": "none"})
    elif config.weights == "none":
        log.warning("the encoder %s starts from random weights, as its settings ask", config.name)
    network = create_encoder(config)
    expected = None if config.name == EMBEDDED else _probed_grid(network, config.name)
    if config.freeze_batch_norm:
        fold_norms(network)
    _widen_strided_depthwise(network)
    network.to(memory_format=torch.channels_last)
    backbone = Backbone(network, config)
    if expected is not None:
        _check_parts(backbone, expected, config)
    return backbone


def encoder_size(config: BackboneConfig) -> int:
    """Count the numbers in the weights and buffers of an encoder, without allocating them.

    Args:
        config: Its name; the weights are not read.

    Raises:
        DataError: If timm does not know its name.

    Example:
        >>> from tagsight.config import BackboneConfig
        >>> encoder_size(BackboneConfig())
        3413073
    """
    with torch.device("meta"):
        network = create_encoder(config.model_copy(update={"weights": "none"}))
    return sum(tensor.numel() for tensor in network.state_dict().values())


def _probe(network: Any) -> Tensor:  # noqa: ANN401 (timm is untyped)
    """Draw a normalised image of the network's own input size, with different values everywhere."""
    _, height, width = network.pretrained_cfg["input_size"]
    return torch.linspace(-2, 2, 3 * height * width).sin().view(1, 3, height, width)


def _probed_grid(network: Any, name: str) -> Tensor:  # noqa: ANN401 (timm is untyped)
    """Encode the probe and check that the result is a grid."""
    with torch.no_grad():
        features = network.eval().forward_features(_probe(network))
    network.train()
    got = tuple(features.shape) if isinstance(features, Tensor) else type(features).__name__
    if not isinstance(got, tuple) or len(got) != 4 or got[1] != network.num_features:
        msg = (
            f"expected an encoder with a feature grid (B, D, h, w), D = {network.num_features}, "
            f"as `system.backbone.name`, got {name!r}, which returns {got}; choose a convolutional "
            "encoder such as a resnet, convnext or efficientnet"
        )
        raise DataError(msg)
    return features


def _check_parts(backbone: Backbone, expected: Tensor, config: BackboneConfig) -> None:
    """Check that the two parts encode the probe as the whole network did."""
    msg = (
        f"expected `system.backbone.frozen_stages=0` for {config.name!r}, whose stages are no "
        f"sequence, got {config.frozen_stages}"
    )
    try:
        with torch.no_grad():
            features = backbone.eval().from_frozen(backbone.frozen(_probe(backbone.network)))
    except RuntimeError as error:
        raise DataError(msg) from error
    backbone.train()
    if not torch.allclose(features, expected, rtol=1e-3, atol=1e-4):
        raise DataError(msg)


def _extract_frozen(network: nn.Module, config: BackboneConfig) -> list[nn.Module]:
    """Move the first stages, and the layers before them, out of the network."""
    if config.frozen_stages == 0:
        return []
    before, stages = _stages(network)
    if config.frozen_stages > len(stages):
        msg = (
            f"expected at most {len(stages)} as `system.backbone.frozen_stages`, the stages of "
            f"{config.name!r} that can be frozen, got {config.frozen_stages}"
        )
        raise DataError(msg)
    frozen = []
    for path in [*before, *stages[: config.frozen_stages]]:
        parent, _, name = path.rpartition(".")
        frozen.append(network.get_submodule(path))
        setattr(network.get_submodule(parent), name, nn.Identity())
    return frozen


def _stages(network: nn.Module) -> tuple[list[str], list[str]]:
    """List the paths of the layers before the stages, and of the stages that can be frozen."""
    before: list[str] = []
    stages: list[str] = []
    for name, child in network.named_children():
        if name in {"blocks", "stages"}:
            stages += [f"{name}.{place}" for place, _ in child.named_children()]
        elif name.startswith("layer") and name[5:].isdigit():
            stages.append(name)
        elif not stages:
            before.append(name)
    return before, stages


def _middle_grid(network: Any, config: BackboneConfig) -> int | None:  # noqa: ANN401 (timm is untyped)
    """Find the index of timm's grid of half the last stride; None if the encoder offers none."""
    grids = network.feature_info
    found = [i for i, grid in enumerate(grids) if grid["reduction"] * 2 == grids[-1]["reduction"]]
    if not found or not hasattr(network, "forward_intermediates"):
        return None
    _, stages = _stages(network)
    path = grids[found[-1]]["module"]
    last = stages.index(path) + 1 if path in stages else 0
    return found[-1] if config.frozen_stages <= last else None


def _is_depthwise(module: nn.Module) -> bool:
    return isinstance(module, nn.Conv2d) and 1 < module.groups == module.in_channels


def _widen_strided_depthwise(network: nn.Module) -> None:
    """Keep strided depthwise convolutions in float32.

    On CPUs their bfloat16 gradient uses a reference kernel that is about 50 times slower and takes
    more time than the rest of a training step (benchmarks/depthwise_gradient.py).
    """
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if _is_depthwise(child) and child.stride != (1, 1):
                setattr(parent, name, FullPrecision(child))


def _normalization(network: Any, config: BackboneConfig) -> tuple[Channels, Channels]:  # noqa: ANN401 (timm is untyped)
    if config.normalization == "none":
        return (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    return network.pretrained_cfg["mean"], network.pretrained_cfg["std"]


def _per_channel(values: Channels) -> Tensor:
    return torch.tensor(values).view(1, -1, 1, 1)
