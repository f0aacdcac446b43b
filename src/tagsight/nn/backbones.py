"""Image encoders: ``(B, 3, H, W)`` float in [0, 1] -> feature grid ``(B, D, h, w)``."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import torch
from torch import Tensor

from tagsight.config import BackboneConfig
from tagsight.errors import DataError
from tagsight.nn.class_scores import take_classifier
from tagsight.nn.encoder_weights import EMBEDDED, create_encoder, joined_names
from tagsight.nn.folding import fold_norms
from tagsight.nn.grid_encoder import GridEncoder, widen_strided_depthwise
from tagsight.nn.low_rank import add_low_rank
from tagsight.nn.token_encoder import TokenEncoder, encode_whole

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tagsight.nn.encoder_base import Backbone

log = logging.getLogger(__name__)

PROBE_CELLS = 4
"""Cells across the image that an encoder is tried on, if it accepts any size."""

REFUSALS = (AssertionError, AttributeError, RuntimeError, TypeError, ValueError)
"""What timm's models raise for images, sizes or options that they do not accept."""

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


def initial_weights_skipped() -> bool:
    """Return whether a network is being built whose weights will be replaced.

    Example:
        >>> with skip_initial_weights():
        ...     initial_weights_skipped()
        True
    """
    return _skip_initial_weights.get()


def build_backbone(config: BackboneConfig) -> Backbone:
    """Build the encoder that the settings name.

    It starts from pretrained weights unless ``weights`` is ``none``, which logs a warning. Within
    `skip_initial_weights` no weights are read, and nothing is logged.

    Args:
        config: Name, weights, frozen stages and layers, normalisation.

    Raises:
        DataError: If timm does not know the name, the encoder has no grid, its weights are not
            available, or ``frozen_stages``, ``output_stride``, ``grid`` or ``lora`` do not suit it.

    Example:
        >>> from tagsight.config import BackboneConfig
        >>> with skip_initial_weights():
        ...     backbone = build_backbone(BackboneConfig(name="test_resnet", frozen_stages=2))
        >>> backbone.channels, backbone.stride
        (96, 32)
    """
    if initial_weights_skipped():
        config = config.model_copy(update={"weights": "none"})
    elif config.weights == "none":
        log.warning("the encoder %s starts from random weights, as its settings ask", config.name)
    network = create_encoder(config)
    tried = None if config.name == EMBEDDED else _tried(network, config.name)
    classifier = None
    if config.class_scores:
        classifier = take_classifier(network, None if tried is None else (tried.image, tried.grid))
        if classifier is None or config.grid == "middle":
            return _without_class_scores(config)
    backbone = _split(network, tried, config)
    if classifier is not None:
        backbone.add_class_scores(classifier)
    backbone.choose_grid(config.grid)
    if config.lora.rank:
        backbone.requires_grad_(requires_grad=False)
        add_low_rank(backbone.network, config.lora, config.name)
    return backbone


def _without_class_scores(config: BackboneConfig) -> Backbone:
    if not initial_weights_skipped():
        log.warning(
            "the encoder %s is used without class scores: no linear classifier takes the mean of "
            "its %s grid",
            config.name,
            config.grid,
        )
    return build_backbone(config.model_copy(update={"class_scores": False}))


def _split(network: Any, tried: Tried | None, config: BackboneConfig) -> Backbone:  # noqa: ANN401 (timm is untyped)
    """Divide a network into frozen and trained stages, and check the result if it was tried."""
    if config.freeze_batch_norm:
        fold_norms(network)
    widen_strided_depthwise(network)
    network.to(memory_format=torch.channels_last)
    if tried is None:
        return GridEncoder(network, config)
    if tried.layout == "tokens":
        backbone: Backbone = TokenEncoder(network, config)
    else:
        backbone = GridEncoder(network, config, channels_last=tried.layout == "channels last")
    backbone.only_side = tried.only_side
    _check_parts(backbone, tried, config)
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
    if len(config.encoders) > 1:
        one_each = (config.model_copy(update={"name": name}) for name in joined_names(config))
        return sum(encoder_size(one) for one in one_each)
    with torch.device("meta"):
        network = create_encoder(config.model_copy(update={"weights": "none"}))
        if config.grid == "middle":  # which needs fewer stages
            network = GridEncoder(network, config)
            network.choose_grid("middle")
    return sum(tensor.numel() for tensor in network.state_dict().values())


def try_encoder(name: str) -> tuple[Any, Tried]:
    """Build an encoder with random weights, and try it on one image.

    Args:
        name: Its name. On the device ``meta`` neither weights nor images take memory.

    Raises:
        DataError: If timm does not know the name, or the encoder has no grid.

    Example:
        >>> _, tried = try_encoder("test_resnet")
        >>> tried.layout, tried.grid.shape
        ('channels first', torch.Size([1, 96, 4, 4]))
    """
    network = create_encoder(BackboneConfig(name=name, weights="none"))
    return network, _tried(network, name)


class Tried(NamedTuple):
    """An encoder tried on one image.

    Attributes:
        layout: Layout of what the network computes.
        image: ``(1, 3, H, W)`` float, normalised.
        grid: Its feature grid: ``(1, D, h, w)``.
        only_side: The only side of an image that the network accepts; None if any will do.
    """

    layout: Literal["channels first", "channels last", "tokens"]
    image: Tensor
    grid: Tensor
    only_side: int | None


def _tried(network: Any, name: str) -> Tried:  # noqa: ANN401 (timm is untyped)
    """Encode a small image, or one of the network's own size if it accepts no other.

    Raises:
        DataError: If the network offers no grid.
    """
    own = network.pretrained_cfg["input_size"][-1]
    network.eval()
    with torch.no_grad():
        try:
            image = _probe(PROBE_CELLS * network.feature_info[-1]["reduction"])
            features, only_side = network.forward_features(image), None
        except REFUSALS:
            image = _probe(own)
            features, only_side = network.forward_features(image), own
        layout, grid = _grid(network, name, image, features)
    network.train()
    return Tried(layout, image, grid, only_side)


def _probe(side: int) -> Tensor:
    """Draw a normalised image with different values everywhere."""
    return torch.linspace(-2, 2, 3 * side * side).sin().view(1, 3, side, side)


def _grid(
    network: Any,  # noqa: ANN401 (timm is untyped)
    name: str,
    image: Tensor,
    features: Any,  # noqa: ANN401 (timm is untyped)
) -> tuple[Literal["channels first", "channels last", "tokens"], Tensor]:
    """Recognise the layout of features, and arrange them in a grid.

    Raises:
        DataError: If they are neither a grid nor tokens that timm arranges in one.
    """
    channels, shape = network.num_features, tuple(getattr(features, "shape", ()))
    reason = f"returns {shape or type(features).__name__}"
    if len(shape) == 4 and shape[1] == channels:
        return "channels first", features
    if len(shape) == 4 and shape[3] == channels:
        return "channels last", features.movedim(-1, 1)
    if len(shape) == 3 and shape[2] == channels:
        try:
            grid = encode_whole(network, image)
            if grid.shape[-1] * network.feature_info[-1]["reduction"] == image.shape[-1]:
                return "tokens", grid
        except REFUSALS as error:
            reason += f" and offers no other features ({error})"
    msg = (
        f"expected an encoder with a feature grid (B, D, h, w), D = {channels}, or with a token "
        f"for each patch as `system.backbone.name`, got {name!r}, which {reason}; "
        "`tagsight.encoders()` lists those that work"
    )
    raise DataError(msg)


def _check_parts(backbone: Backbone, tried: Tried, config: BackboneConfig) -> None:
    """Check that the two parts encode the probe as the whole network did."""
    msg = (
        f"expected `system.backbone.frozen_stages=0` for {config.name!r}, whose stages are no "
        f"sequence, got {config.frozen_stages}"
    )
    try:
        with torch.no_grad():
            grid = backbone.eval()(tried.image * backbone.std + backbone.mean)
    except RuntimeError as error:
        raise DataError(msg) from error
    backbone.train()
    if not torch.allclose(grid, tried.grid, rtol=1e-3, atol=1e-4):
        raise DataError(msg)
