"""The catalogue: every system by name. A new one is a file here and a line in `SYSTEMS`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tagsight.config import Recipe
from tagsight.errors import DataError
from tagsight.systems.base import Recognition, System
from tagsight.systems.gcam import GCAM
from tagsight.systems.ml_gcn import MLGCN
from tagsight.systems.resnet import ResNet
from tagsight.systems.vac import VAC

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tagsight.labels import LabelSpace

__all__ = ["SYSTEMS", "Recognition", "System", "build_system", "parse_recipe", "system_class"]

SYSTEMS: dict[str, type[System]] = {
    "resnet": ResNet,
    "ml-gcn": MLGCN,
    "vac": VAC,
    "gcam": GCAM,
}


def system_class(name: str) -> type[System]:
    """Look a system up.

    Raises:
        DataError: If there is none of that name.
    """
    if name not in SYSTEMS:
        msg = f"expected one of the systems {', '.join(SYSTEMS)}, got {name!r}"
        raise DataError(msg)
    return SYSTEMS[name]


def build_system(recipe: Recipe, labels: LabelSpace) -> System:
    """Make the system that a recipe describes for these labels."""
    return system_class(recipe.system)(recipe.settings, labels)


def parse_recipe(values: Mapping[str, object]) -> Recipe:
    """Make a recipe from plain values, such as a model folder's JSON holds.

    Raises:
        ValueError: If a setting is unknown or out of its range (pydantic's ``ValidationError``).
    """
    system = system_class(str(values.get("system")))
    settings = system.Config.model_validate(values.get("settings", {}))
    return Recipe.model_validate({**values, "settings": settings})
