"""Initial weights of an encoder from a file: timm's names, or those of the original project."""

from __future__ import annotations

import logging
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import timm

from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from torch import Tensor, nn

log = logging.getLogger(__name__)

FILTERS = ("checkpoint_filter_fn", "_filter_fn", "_filter_torchvision_pretrained")
"""Names of the functions by which timm's modules translate the names of original projects."""

SHOWN = 3
"""How many names a message lists."""


def read_weights(network: nn.Module, name: str, path: str) -> None:
    """Read an encoder's weights from a file.

    Tensors that the encoder does not need, apart from its classifier, are reported as a warning.

    Args:
        network: A timm model without a classifier; changed in place.
        name: Its name.
        path: A ``.safetensors`` file, or one that ``torch.load`` reads with ``weights_only=True``,
            with the tensors or with a ``state_dict`` or ``model`` of them.

    Raises:
        DataError: If the file cannot be read, or does not have all tensors of the network.
    """
    tensors = _tensors(Path(path))
    fit = _fit(network, tensors)
    if not fit.complete:
        fit = _fit(network, _translated(network, name, tensors))
    if not fit.complete:
        msg = (
            f"expected the weights of {name!r} in {path}, got a file in which {fit.description}; "
            "choose the `system.backbone.name` that the file was made for"
        )
        raise DataError(msg)
    network.load_state_dict(fit.tensors, strict=False)
    if fit.left_over:
        log.warning("of %s the encoder %s does not use %s", path, name, _listed(fit.left_over))


class _Fit(NamedTuple):
    """How tensors fit a network.

    Attributes:
        tensors: Those that fit, by name.
        missing: Names that the network has and the tensors do not.
        reshaped: Names whose tensor has another shape than the network's, with both.
        left_over: Names that the network does not have.
    """

    tensors: dict[str, Tensor]
    missing: list[str]
    reshaped: list[str]
    left_over: list[str]

    @property
    def complete(self) -> bool:
        return not self.missing and not self.reshaped

    @property
    def description(self) -> str:
        parts = {
            "of another shape": self.reshaped,
            "missing": self.missing,
            "left over": self.left_over,
        }
        return " and ".join(
            f"{_listed(names)} {'is' if len(names) == 1 else 'are'} {what}"
            for what, names in parts.items()
            if names
        )


def _fit(network: nn.Module, tensors: Mapping[str, Tensor]) -> _Fit:
    wanted = network.state_dict()
    learned = {name for name, _ in network.named_parameters()}
    # Other buffers follow from the architecture, and files may lack them.
    learned |= {name for name in wanted if name.endswith(("running_mean", "running_var"))}
    reshaped = [
        f"{name} {tuple(tensors[name].shape)} instead of {tuple(wanted[name].shape)}"
        for name in wanted
        if name in tensors and tensors[name].shape != wanted[name].shape
    ]
    fitting = {
        name: tensor
        for name, tensor in tensors.items()
        if name in wanted and tensor.shape == wanted[name].shape
    }
    classifiers = _classifiers(network)
    left_over = [
        name
        for name in tensors
        if name not in wanted and not any(name.startswith(f"{head}.") for head in classifiers)
    ]
    return _Fit(fitting, sorted(learned - tensors.keys()), reshaped, left_over)


def _classifiers(network: Any) -> Iterable[str]:  # noqa: ANN401 (timm is untyped)
    named = network.pretrained_cfg.get("classifier") or ()
    return (named,) if isinstance(named, str) else named


def _tensors(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        msg = (
            "expected imagenet, embedded, hub, none or a file of weights as "
            f"`system.backbone.weights`, got {str(path)!r}: no such file"
        )
        raise DataError(msg)
    try:
        return timm.models.load_state_dict(str(path), weights_only=True)
    except Exception as error:  # a damaged file raises errors of any kind
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        msg = (
            f"expected a file of tensors by name as `system.backbone.weights`, got {path}, which "
            f"cannot be read: {reason:.120}"
        )
        raise DataError(msg) from error


def _translated(network: nn.Module, name: str, tensors: dict[str, Tensor]) -> Mapping[str, Tensor]:
    """Rename and resample tensors by the function that timm has for this encoder's releases."""
    module = import_module(timm.models.model_entrypoint(name).__module__)
    found = [getattr(module, known) for known in FILTERS if hasattr(module, known)]
    if not found:
        return tensors
    try:
        try:
            return found[0](dict(tensors), network)
        except TypeError:  # some take the tensors alone
            return found[0](dict(tensors))
    except Exception:  # the file is of another project than the function expects
        return tensors


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:SHOWN])
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{shown}{more}"
