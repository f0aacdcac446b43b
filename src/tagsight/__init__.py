"""Which of my labels are in this photo, and where is the evidence?"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tagsight.checkpoint import LoadedModel, load_model, save_model
    from tagsight.config import Recipe, SystemConfig, TrainConfig
    from tagsight.data.annotations import Annotations
    from tagsight.data.protocols import PROTOCOLS, read_protocol
    from tagsight.data.readers import READERS, read_annotations
    from tagsight.decision import Decision
    from tagsight.errors import DataError
    from tagsight.explanation import explain_photos
    from tagsight.heatmaps import overlay
    from tagsight.labels import LabelSpace
    from tagsight.preparation import prepare
    from tagsight.recipes import RECIPES
    from tagsight.recognizer import Recognizer
    from tagsight.result import Label, Result
    from tagsight.run import train_run
    from tagsight.runlog import RunLog
    from tagsight.runtime import Runtime
    from tagsight.settings import choose_recipe
    from tagsight.systems import SYSTEMS, build_system
    from tagsight.systems.base import Recognition, System
    from tagsight.tagging import tag_photos
    from tagsight.threshold_fitting import fit_decision

__version__ = "0.1.0"

_HOMES = {
    "Annotations": "tagsight.data.annotations",
    "DataError": "tagsight.errors",
    "Decision": "tagsight.decision",
    "Label": "tagsight.result",
    "LabelSpace": "tagsight.labels",
    "LoadedModel": "tagsight.checkpoint",
    "PROTOCOLS": "tagsight.data.protocols",
    "READERS": "tagsight.data.readers",
    "RECIPES": "tagsight.recipes",
    "Recipe": "tagsight.config",
    "Recognition": "tagsight.systems.base",
    "Recognizer": "tagsight.recognizer",
    "Result": "tagsight.result",
    "RunLog": "tagsight.runlog",
    "Runtime": "tagsight.runtime",
    "SYSTEMS": "tagsight.systems",
    "System": "tagsight.systems.base",
    "SystemConfig": "tagsight.config",
    "TrainConfig": "tagsight.config",
    "build_system": "tagsight.systems",
    "choose_recipe": "tagsight.settings",
    "explain_photos": "tagsight.explanation",
    "fit_decision": "tagsight.threshold_fitting",
    "load_model": "tagsight.checkpoint",
    "overlay": "tagsight.heatmaps",
    "prepare": "tagsight.preparation",
    "read_annotations": "tagsight.data.readers",
    "read_protocol": "tagsight.data.protocols",
    "save_model": "tagsight.checkpoint",
    "tag_photos": "tagsight.tagging",
    "train_run": "tagsight.run",
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
