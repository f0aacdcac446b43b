"""Checks of a system of one's own, made before the first photo is opened."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from pydantic import ValidationError
from pydantic_core import PydanticSerializationError
from torch import Tensor

from tagsight.config import SystemConfig, TrainConfig
from tagsight.errors import DataError, settings_sentence
from tagsight.labels.space import LabelSpace
from tagsight.nn.backbones import skip_initial_weights
from tagsight.systems.base import Recognition, System

if TYPE_CHECKING:
    from collections.abc import Iterator


def check_system(kind: object) -> type[System]:
    """Check that a class can be a system, without building one.

    Raises:
        DataError: If it is no subclass of `System`, leaves a method undefined, is defined within a
            function, or has a ``Config`` that is no `SystemConfig`, lacks a default or cannot be
            stored as JSON.

    Example:
        >>> from tagsight.systems.resnet import ResNet
        >>> check_system(ResNet) is ResNet
        True
    """
    if not (isinstance(kind, type) and issubclass(kind, System)):
        msg = f"expected a subclass of tagsight.System, got {kind!r:.200}"
        raise DataError(msg)
    if undefined := sorted(kind.__abstractmethods__):
        msg = f"expected {kind.__name__} to define {' and '.join(undefined)}, got no definition"
        raise DataError(msg)
    if "<locals>" in kind.__qualname__:
        msg = (
            f"expected {kind.__name__} at the top level of a module or notebook, where a model "
            f"folder can name it, got {kind.__qualname__} in {kind.__module__}"
        )
        raise DataError(msg)
    _check_config(kind)
    return kind


def try_system(kind: type[System]) -> None:
    """Build a system for two labels and let it recognise, and learn from, two random images.

    It takes less than a second with the default encoder, whose weights are not read. What the class
    itself raises passes through with a note.

    Raises:
        DataError: If it does not return a `Recognition` of the right shapes or named scalar losses,
            if nothing is trained, or if two names of its state share one tensor.

    Example:
        >>> from tagsight.systems.resnet import ResNet
        >>> try_system(ResNet)  # says nothing, as there is nothing wrong
    """
    side = TrainConfig().image_size
    # The random numbers of the caller are not used up.
    with skip_initial_weights(), torch.random.fork_rng(devices=[]), _tried(kind):
        torch.manual_seed(0)
        images, targets = torch.rand(2, 3, side, side), torch.tensor([[1, 0], [0, 1]])
        labels = LabelSpace.from_targets(("first", "second"), targets, torch.randn(2, 300))
        system = kind(kind.Config(), labels).eval()
        with torch.no_grad():
            _check_recognition(kind.__name__, system(images))
        if not system.remembers:
            _check_losses(kind.__name__, system.train().losses(images, targets))
    _check_state(system)


@contextmanager
def _tried(kind: type[System]) -> Iterator[None]:
    try:
        yield
    except DataError:
        raise
    except Exception as error:
        error.add_note(f"raised when {kind.__name__} was tried on two random images")
        raise


def _check_config(kind: type[System]) -> None:
    config = kind.Config
    if not (isinstance(config, type) and issubclass(config, SystemConfig)):
        msg = (
            f"expected {kind.__name__}.Config to be a subclass of tagsight.SystemConfig, "
            f"got {config!r:.200}"
        )
        raise DataError(msg)
    for base in kind.__mro__[1:]:
        needed = getattr(base, "Config", None)
        if isinstance(needed, type) and not issubclass(config, needed):
            msg = (
                f"expected {kind.__name__}.Config to be a subclass of {needed.__name__}, whose "
                f"settings {base.__name__} reads, got {config.__name__}"
            )
            raise DataError(msg)
    if required := [name for name, field in config.model_fields.items() if field.is_required()]:
        msg = (
            f"expected a default for every setting of {kind.__name__}.Config, "
            f"got none for {', '.join(required)}"
        )
        raise DataError(msg)
    try:
        settings = config()
        again = config.model_validate_json(settings.model_dump_json())
    except ValidationError as error:
        msg = f"the defaults of {kind.__name__}.Config: {settings_sentence(error)}"
        raise DataError(msg) from error
    except PydanticSerializationError as error:
        msg = f"expected settings of {kind.__name__}.Config that JSON can hold: {error}"
        raise DataError(msg) from error
    if again != settings:
        msg = f"expected {kind.__name__}.Config to be the same after a round trip through JSON"
        raise DataError(msg)


def _check_recognition(name: str, found: object) -> None:
    if not isinstance(found, Recognition):
        msg = f"expected {name}.forward to return a tagsight.Recognition, got {type(found)!r}"
        raise DataError(msg)
    shapes = [tuple(tensor.shape) for tensor in found]
    wanted = {"logits": "(2, 2)", "maps": "(2, 2, h, w)", "embedding": "(2, D)"}
    right = (
        shapes[0] == (2, 2),
        shapes[1][:2] == (2, 2) and len(shapes[1]) == 4,
        shapes[2][:1] == (2,) and len(shapes[2]) == 2,
    )
    for (part, shape), good, came in zip(wanted.items(), right, shapes, strict=True):
        if not good:
            msg = (
                f"expected {name}.forward to return {part} of shape {shape} for 2 images and "
                f"2 labels, got {came}"
            )
            raise DataError(msg)


def _check_losses(name: str, found: object) -> None:
    if not isinstance(found, dict) or not found:
        msg = f"expected {name}.losses to return a dict of named terms, got {found!r:.100}"
        raise DataError(msg)
    for term, value in found.items():
        if not isinstance(value, Tensor) or value.ndim or not bool(value.isfinite()):
            came = f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else repr(value)
            if isinstance(value, Tensor) and not value.ndim:
                came = str(value.item())
            msg = f"expected {name}.losses to return finite scalar tensors, got {term!r}: {came}"
            raise DataError(msg)
    if not any(value.requires_grad for value in found.values()):
        msg = (
            f"expected {name}.losses to depend on trainable parameters, got terms without gradient"
        )
        raise DataError(msg)


def _check_state(system: System) -> None:
    """Refuse tied tensors, which a model folder cannot hold."""
    names: dict[int, str] = {}
    for name, tensor in system.state_dict().items():
        if not tensor.numel():
            continue
        first = names.setdefault(tensor.untyped_storage().data_ptr(), name)
        if first != name:
            msg = (
                f"expected each tensor of {type(system).__name__}'s state under one name, got one "
                f"tensor as {first} and {name}"
            )
            raise DataError(msg)
