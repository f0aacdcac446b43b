"""The settings of every system, by the system's name: a class here, used by the system's file.

They stand apart from the systems so that a mistyped setting is answered without importing torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tagsight.config import ConsistencyConfig, GraphConfig, Pooling, Recipe, SystemConfig
from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping


class ResNetConfig(SystemConfig):
    """The baseline's settings: those that every system has."""


class MLGCNConfig(SystemConfig):
    """ML-GCN's settings."""

    pooling: Pooling = "max"
    """From feature grid to embedding; most of the gain over ResNet-101 comes from ``max``."""

    graph: GraphConfig = GraphConfig()
    """The label graph and the network over it."""


class VACConfig(SystemConfig):
    """VAC's settings."""

    consistency: ConsistencyConfig = ConsistencyConfig()
    """How the maps of the views are held together."""


class GCAMConfig(MLGCNConfig):
    """G-CAM's settings."""

    pooling: Pooling = "average"
    """From feature grid to embedding; section 3.1 pools by average."""

    consistency: ConsistencyConfig = ConsistencyConfig()
    """How the maps of the views are held together."""


SYSTEM_CONFIGS: dict[str, type[SystemConfig]] = {
    "resnet": ResNetConfig,
    "ml-gcn": MLGCNConfig,
    "vac": VACConfig,
    "gcam": GCAMConfig,
}


def system_config(name: str) -> type[SystemConfig]:
    """Look the settings of a system up.

    Raises:
        DataError: If there is no system of that name.
    """
    if name not in SYSTEM_CONFIGS:
        msg = f"expected one of the systems {', '.join(SYSTEM_CONFIGS)}, got {name!r}"
        raise DataError(msg)
    return SYSTEM_CONFIGS[name]


def parse_recipe(values: Mapping[str, object]) -> Recipe:
    """Make a recipe from plain values, such as a model folder's JSON holds.

    Raises:
        ValueError: If a setting is unknown or out of its range (pydantic's ``ValidationError``).
    """
    kind = system_config(str(values.get("system")))
    settings = kind.model_validate(values.get("settings", {}))
    return Recipe.model_validate({**values, "settings": settings})
