"""Initialisation from a trained model, with labels matched by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from tagsight.errors import DataError
from tagsight.runtime.amounts import amount

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor

    from tagsight.checkpoint.folder import LoadedModel
    from tagsight.systems.base import System


def start_from(model: LoadedModel, system: System, names: Sequence[str]) -> str:
    """Copy a model's weights into a new system.

    In parameters with one row per label, labels are matched by name: rows of labels that the model
    does not have keep their initial values, and rows of its other labels are not used. Label graph
    and word vectors are not copied. From a model of another system, or of one that stores photos,
    only the backbone is copied.

    Args:
        model: Source of the weights.
        system: Changed in place.
        names: The ``L`` labels of the system.

    Returns:
        A sentence on what was copied.

    Raises:
        DataError: If the backbones differ, or a tensor has another shape.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.checkpoint.folder import load_model
        >>> from tagsight.labels.space import empty_label_space
        >>> from tagsight.systems.catalogue import build_system
        >>> model, names = load_model(Path("runs/first/model")), ("dog", "sea")
        >>> start_from(model, build_system(model.recipe, empty_label_space(names)), names)
        "backbone and 1 of 2 labels start from a model; new: 'sea'"
    """
    _check_backbones(model, system)
    known = {name: row for row, name in enumerate(model.labels.names)}
    shared = [name for name in names if name in known]
    rows = torch.tensor([row for row, name in enumerate(names) if name in known], dtype=torch.long)
    source = torch.tensor([known[name] for name in shared], dtype=torch.long)
    alike = type(system) is type(model.system) and not system.remembers
    with torch.no_grad():
        for name, to, weights in _pairs(model.system, system, alike=alike):
            if name in system.label_parameters:
                to[rows.to(to.device)] = weights[source.to(weights.device)].to(to.device)
            else:
                _check_shape(name, weights, to)
                to.copy_(weights)
    if not alike:
        return f"the backbone starts from a model of {model.recipe.system}"
    added = [name for name in names if name not in known]
    new = f"; new: {', '.join(map(repr, added))}" if added else ""
    return f"backbone and {len(shared)} of {amount(len(names), 'label')} start from a model{new}"


def _pairs(old: System, new: System, *, alike: bool) -> Iterator[tuple[str, Tensor, Tensor]]:
    backbone = old.backbone.state_dict()
    for name, tensor in new.backbone.state_dict().items():
        yield f"backbone.{name}", tensor, backbone[name]
    weights = dict(old.named_parameters())
    for name, parameter in new.named_parameters():
        if alike and not name.startswith("backbone.") and name in weights:
            yield name, parameter, weights[name]


def _check_backbones(model: LoadedModel, system: System) -> None:
    theirs, ours = model.recipe.settings.backbone, system.config.backbone
    for field in ("name", "frozen_stages"):
        if getattr(theirs, field) != getattr(ours, field):
            msg = (
                f"expected system.backbone.{field} = {getattr(theirs, field)!r} as in the model "
                f"to start from, got {getattr(ours, field)!r}"
            )
            raise DataError(msg)


def _check_shape(name: str, weights: Tensor, to: Tensor) -> None:
    if weights.shape != to.shape:
        msg = (
            f"expected {name} of shape {tuple(to.shape)} in the model to start from, got "
            f"{tuple(weights.shape)}; train with its settings and word vectors, or start without it"
        )
        raise DataError(msg)
