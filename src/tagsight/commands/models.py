"""Checks the model argument of a command before anything is loaded."""

from __future__ import annotations

import shlex
from inspect import Parameter, signature
from pathlib import Path
from typing import TYPE_CHECKING

from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

EXPORTED = {".onnx", ".xml"}
"""File extensions of exported models."""


def check_model(command: Callable[..., object], arguments: Mapping[str, object]) -> None:
    """Reject a missing model, and a model given in place of photos or labels.

    Args:
        command: The command; only those whose first argument is a model are checked.
        arguments: Its arguments by name.

    Raises:
        DataError: If there is no model. If a later argument is one, the message shows the right
            order.

    Example:
        >>> from tagsight.commands.explain import explain
        >>> given = {"model": Path("photos"), "photos": [Path("runs/first/model")]}
        >>> check_model(explain, given)  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        tagsight.errors.DataError: expected the model before the photos, got photos; ...
    """
    parameters = signature(command).parameters.values()
    kinds = Parameter.POSITIONAL_ONLY, Parameter.VAR_POSITIONAL
    first, *others = [p.name for p in parameters if p.kind in kinds] or [""]
    if first != "model":
        return
    model = arguments["model"]
    rest = [path for name in others for path in _paths(arguments.get(name))]
    assert isinstance(model, Path)
    if _is_model(model):
        return
    later = next((path for path in rest if _is_model(path)), None)
    if later is not None:
        ordered = [later, model, *(path for path in rest if path != later)]
        right = shlex.join(["tagsight", command.__name__, *map(str, ordered)])
        msg = f"expected the model before the {others[0]}, got {model}; did you mean: {right}"
        raise DataError(msg)
    if model.suffix.lower() not in EXPORTED:
        from tagsight.checkpoint.config import model_folder

        model_folder(model)


def _paths(value: object) -> list[Path]:
    values = value if isinstance(value, list | tuple) else [value]
    return [path for path in values if isinstance(path, Path)]


def _is_model(path: Path) -> bool:
    """Whether a path is a model folder, a run with one, or an exported model, by its files."""
    from tagsight.checkpoint.config import CONFIG, WEIGHTS

    if path.is_dir():
        folders = (path, path / "model")
        return any((one / CONFIG).is_file() and (one / WEIGHTS).is_file() for one in folders)
    if path.suffix.lower() == ".xml":
        return path.with_suffix(".bin").is_file()
    return path.suffix.lower() == ".onnx" and path.is_file()
