"""Which of my labels are in this photo, and where is the evidence?"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from tagsight.runtime.version import __version__

if TYPE_CHECKING:
    from tagsight.checkpoint.decision import Decision
    from tagsight.checkpoint.folder import LoadedModel, load_model, save_model
    from tagsight.checkpoint.thresholds import fit_decision
    from tagsight.config import Recipe, SystemConfig, TrainConfig
    from tagsight.data.annotations import Annotations
    from tagsight.data.protocols import PROTOCOLS, read_protocol
    from tagsight.data.readers import READERS, read_annotations
    from tagsight.errors import DataError
    from tagsight.inference.heatmaps import overlay
    from tagsight.inference.recognizer import Recognizer
    from tagsight.inference.result import Label, Result
    from tagsight.labels.space import LabelSpace
    from tagsight.runtime.device import Runtime
    from tagsight.systems.base import Recognition, System
    from tagsight.systems.catalogue import RECIPES, SYSTEMS, build_system
    from tagsight.systems.settings import choose_recipe
    from tagsight.tagging.tagging import tag_photos
    from tagsight.training.log import RunLog
    from tagsight.training.preparation import prepare
    from tagsight.training.run import train_run
    from tagsight.visualize.explanation import explain_photos


_HOMES = {
    "Annotations": "tagsight.data.annotations",
    "DataError": "tagsight.errors",
    "Decision": "tagsight.checkpoint.decision",
    "Label": "tagsight.inference.result",
    "LabelSpace": "tagsight.labels.space",
    "LoadedModel": "tagsight.checkpoint.folder",
    "PROTOCOLS": "tagsight.data.protocols",
    "READERS": "tagsight.data.readers",
    "RECIPES": "tagsight.systems.catalogue",
    "Recipe": "tagsight.config",
    "Recognition": "tagsight.systems.base",
    "Recognizer": "tagsight.inference.recognizer",
    "Result": "tagsight.inference.result",
    "RunLog": "tagsight.training.log",
    "Runtime": "tagsight.runtime.device",
    "SYSTEMS": "tagsight.systems.catalogue",
    "System": "tagsight.systems.base",
    "SystemConfig": "tagsight.config",
    "TrainConfig": "tagsight.config",
    "build_system": "tagsight.systems.catalogue",
    "choose_recipe": "tagsight.systems.settings",
    "explain_photos": "tagsight.visualize.explanation",
    "fit_decision": "tagsight.checkpoint.thresholds",
    "load_model": "tagsight.checkpoint.folder",
    "overlay": "tagsight.inference.heatmaps",
    "prepare": "tagsight.training.preparation",
    "read_annotations": "tagsight.data.readers",
    "read_protocol": "tagsight.data.protocols",
    "save_model": "tagsight.checkpoint.folder",
    "tag_photos": "tagsight.tagging.tagging",
    "train_run": "tagsight.training.run",
}
"""Where each public name lives: it is imported when it is first used, and torch with it."""

__all__ = [
    "PROTOCOLS",
    "READERS",
    "RECIPES",
    "SYSTEMS",
    "Annotations",
    "DataError",
    "Decision",
    "Label",
    "LabelSpace",
    "LoadedModel",
    "Recipe",
    "Recognition",
    "Recognizer",
    "Result",
    "RunLog",
    "Runtime",
    "System",
    "SystemConfig",
    "TrainConfig",
    "__version__",
    "build_system",
    "choose_recipe",
    "explain_photos",
    "fit_decision",
    "load_model",
    "overlay",
    "prepare",
    "read_annotations",
    "read_protocol",
    "save_model",
    "tag_photos",
    "train_run",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
