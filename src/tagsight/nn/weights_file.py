"""Initial weights of an encoder from a file: timm's names, or those of the original project."""

from __future__ import annotations

import logging
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import timm

from tagsight.errors import DataError
from tagsight.nn.tensor_file import read_tensor_file

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from torch import Tensor, nn

log = logging.getLogger(__name__)

FILTERS = ("checkpoint_filter_fn", "_filter_fn", "_filter_torchvision_pretrained")
"""Names of the functions by which timm's modules translate the names of original projects."""

CLASSIFIER_ADVICE = ", or `system.backbone.class_scores=False` if only the classifier is missing"

SHOWN = 3
"""How many names a message lists."""


def read_weights(
    network: Any,  # noqa: ANN401 (timm is untyped)
    name: str,
    path: str,
) -> None:
    """Read an encoder's weights from a file.

    Tensors that the encoder does not need, apart from a classifier, are reported as a warning.

    Args:
        network: A timm model, with the classifier if that is to be read; changed in place.
        name: Its name.
        path: A ``.safetensors`` file, or one that ``torch.load`` reads with ``weights_only=True``,
            with the tensors or with a ``state_dict`` or ``model`` of them.

    Raises:
        DataError: If the file cannot be read, or does not have all tensors of the network.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from safetensors.torch import save_file
        >>> network = timm.create_model("test_resnet", num_classes=0)
        >>> with TemporaryDirectory() as folder:
        ...     save_file(network.state_dict(), f"{folder}/resnet.safetensors")
        ...     read_weights(network, "test_resnet", f"{folder}/resnet.safetensors")
    """
    tensors = _tensors(Path(path))
    if not network.num_classes:
        heads = tuple(f"{head}." for head in _classifiers(network))
        tensors = {n: tensor for n, tensor in tensors.items() if not n.startswith(heads)}
    fit = fitted(network, name, tensors)
    if not fit.complete:
        msg = (
            f"expected the weights of {name!r} in {path}, got a file in which {fit.description}; "
            "choose the `system.backbone.name` that the file was made for"
            f"{CLASSIFIER_ADVICE if network.num_classes else ''}"
        )
        raise DataError(msg)
    network.load_state_dict(fit.tensors, strict=False)
    if fit.left_over:
        log.warning("of %s the encoder %s does not use %s", path, name, _listed(fit.left_over))


class Fit(NamedTuple):
    """Comparison of the tensors of a file with those of a network.

    Attributes:
        tensors: Those that fit, by name.
        missing: Names that are needed and not there.
        reshaped: Names whose tensor has another shape than the wanted one, with both.
        left_over: Names that are not wanted.
    """

    tensors: dict[str, Tensor]
    missing: list[str]
    reshaped: list[str]
    left_over: list[str]

    @property
    def complete(self) -> bool:
        """Whether all that is needed is there."""
        return not self.missing and not self.reshaped

    @property
    def description(self) -> str:
        """The names that do not fit, as the end of a sentence.

        Example:
            >>> Fit({}, missing=["head.weight"], reshaped=[], left_over=["a", "b"]).description
            'head.weight is missing and a, b are left over'
        """
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


def match(
    tensors: Mapping[str, Tensor],
    wanted: Mapping[str, tuple[int, ...]],
    needed: Collection[str] | None = None,
) -> Fit:
    """Compare tensors with wanted names and shapes.

    Args:
        tensors: Tensors by name.
        wanted: Shapes by name.
        needed: Those of the wanted names that must be there; by default all.

    Example:
        >>> import torch
        >>> match({"a": torch.ones(2), "b": torch.ones(3)}, {"a": (2,), "b": (2,), "c": ()})[1:]
        (['c'], ['b (3,) instead of (2,)'], [])
    """
    reshaped = [
        f"{name} {tuple(tensors[name].shape)} instead of {tuple(shape)}"
        for name, shape in wanted.items()
        if name in tensors and tensors[name].shape != shape
    ]
    fitting = {name: tensor for name, tensor in tensors.items() if wanted.get(name) == tensor.shape}
    missing = sorted(set(wanted if needed is None else needed) - tensors.keys())
    return Fit(fitting, missing, reshaped, [name for name in tensors if name not in wanted])


def fitted(network: nn.Module, name: str, tensors: Mapping[str, Tensor]) -> Fit:
    """Match tensors to an encoder, if need be translated as timm does for its releases.

    Args:
        network: A timm model.
        name: Its name.
        tensors: Tensors by timm's names or those of the original project.

    Example:
        >>> network = timm.create_model("test_resnet", num_classes=0)
        >>> fitted(network, "test_resnet", network.state_dict()).complete
        True
    """
    fit = _fit(network, tensors)
    return fit if fit.complete else _fit(network, _translated(network, name, tensors))


def _fit(network: nn.Module, tensors: Mapping[str, Tensor]) -> Fit:
    wanted = {name: tensor.shape for name, tensor in network.state_dict().items()}
    learned = {name for name, _ in network.named_parameters()}
    # Other buffers follow from the architecture, and files may lack them.
    learned |= {name for name in wanted if name.endswith(("running_mean", "running_var"))}
    return match(tensors, wanted, learned)


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
    return read_tensor_file(path).tensors


def _translated(
    network: nn.Module, name: str, tensors: Mapping[str, Tensor]
) -> Mapping[str, Tensor]:
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
