"""The catalogue: every system by name. A new one is a file here and a line in `SYSTEMS`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tagsight.systems.a_gcn import AGCN
from tagsight.systems.base import Recognition, System
from tagsight.systems.f_gcn import FGCN
from tagsight.systems.gcam import GCAM
from tagsight.systems.ml_gcn import MLGCN
from tagsight.systems.ml_zsl import MLZSL
from tagsight.systems.resnet import ResNet
from tagsight.systems.vac import VAC

if TYPE_CHECKING:
    from tagsight.config import Recipe
    from tagsight.labels import LabelSpace

__all__ = ["SYSTEMS", "Recognition", "System", "build_system"]

SYSTEMS: dict[str, type[System]] = {
    "resnet": ResNet,
    "ml-gcn": MLGCN,
    "a-gcn": AGCN,
    "f-gcn": FGCN,
    "ml-zsl": MLZSL,
    "vac": VAC,
    "gcam": GCAM,
}


def build_system(recipe: Recipe, labels: LabelSpace) -> System:
    """Make the system that a recipe describes for these labels."""
    return SYSTEMS[recipe.system](recipe.settings, labels)
