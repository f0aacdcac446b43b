"""Every system and every recipe by name, each imported when it is first used.

A system of this package has a line in `HOMES`; one of another package is found by its entry point
in the group ``tagsight.systems``. What the listings print of all of them is in ``listing.json``,
which `make docs` writes, so that printing it imports no system.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.resources import files
from typing import TYPE_CHECKING, NamedTuple

from tagsight.config import Recipe
from tagsight.errors import DataError

if TYPE_CHECKING:
    from tagsight.labels.space import LabelSpace
    from tagsight.systems.base import System

GROUP = "tagsight.systems"
"""The entry points of other packages: ``name = "package.module:Class"``."""

HOMES: dict[str, str] = {
    "resnet": "tagsight.systems.resnet:ResNet",
    "ml-gcn": "tagsight.systems.ml_gcn:MLGCN",
    "a-gcn": "tagsight.systems.a_gcn:AGCN",
    "f-gcn": "tagsight.systems.f_gcn:FGCN",
    "ml-zsl": "tagsight.systems.ml_zsl:MLZSL",
    "vac": "tagsight.systems.vac:VAC",
    "gcam": "tagsight.systems.gcam:GCAM",
    "warp": "tagsight.systems.warp:WARP",
    "csra": "tagsight.systems.csra:CSRA",
    "cnn-rnn": "tagsight.systems.cnn_rnn:CNNRNN",
    "order-free-rnn": "tagsight.systems.order_free_rnn:OrderFreeRNN",
    "srn": "tagsight.systems.srn:SRN",
    "query2label": "tagsight.systems.query2label:Query2Label",
    "ml-decoder": "tagsight.systems.ml_decoder:MLDecoder",
    "knn": "tagsight.systems.knn:KNN",
    "rnn-attention": "tagsight.systems.rnn_attention:RNNAttention",
    "multi-evidence": "tagsight.systems.multi_evidence:MultiEvidence",
}
"""Where each system of this package is: module and class."""


class ListedRecipe(NamedTuple):
    """What a listing says of a recipe.

    Attributes:
        name: What ``--recipe`` calls it.
        system: A key of `SYSTEMS`.
        source: Where its settings come from.
        expectation: What to expect of it.
    """

    name: str
    system: str
    source: str
    expectation: str


class ListedSystem(NamedTuple):
    """What a listing says of a system.

    Attributes:
        name: A key of `SYSTEMS`.
        summary: What it is, in a sentence.
        paper: DOI or URL.
    """

    name: str
    summary: str
    paper: str


class Listing(NamedTuple):
    """Systems and recipes as the commands print them."""

    systems: tuple[ListedSystem, ...]
    recipes: tuple[ListedRecipe, ...]


@cache
def listing() -> Listing:
    """Read what is printed of all systems and recipes of this package, without importing one."""
    text = (files("tagsight.systems") / "listing.json").read_text(encoding="utf-8")
    values = json.loads(text)
    return Listing(
        tuple(ListedSystem(*row) for row in values["systems"]),
        tuple(ListedRecipe(*row) for row in values["recipes"]),
    )


def installed() -> Listing:
    """What is printed of all systems and recipes: this package's, and those of other packages.

    Those of other packages are imported.
    """
    systems, recipes = listing()
    for name in _plug_ins():
        title = " ".join(
            (import_module(SYSTEMS[name].__module__).__doc__ or "").split("\n\n")[0].split()
        )
        systems = (*systems, ListedSystem(name, title, SYSTEMS[name].paper))
        recipes = (
            *recipes,
            *(ListedRecipe(r.name, name, r.source, r.expectation) for r in recipes_of(name)),
        )
    return Listing(systems, recipes)


class _Systems(Mapping[str, "type[System]"]):
    def __getitem__(self, name: str) -> type[System]:
        if name in HOMES:
            module, _, kind = HOMES[name].partition(":")
            system: type[System] = getattr(import_module(module), kind)
            return system
        return _plug_in(_plug_ins()[name])

    def __iter__(self) -> Iterator[str]:
        yield from HOMES
        yield from _plug_ins()

    def __len__(self) -> int:
        return len(HOMES) + len(_plug_ins())

    def __contains__(self, name: object) -> bool:
        return name in HOMES or name in _plug_ins()


class _Recipes(Mapping[str, Recipe]):
    def __getitem__(self, name: str) -> Recipe:
        for system in _systems_with(name):
            for recipe in recipes_of(system):
                if recipe.name == name:
                    return recipe
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        yield from (recipe.name for recipe in listing().recipes)
        for name in _plug_ins():
            yield from (recipe.name for recipe in recipes_of(name))

    def __len__(self) -> int:
        return sum(1 for _ in self)


SYSTEMS: Mapping[str, type[System]] = _Systems()
"""Every system by name; looking one up imports it."""

RECIPES: Mapping[str, Recipe] = _Recipes()
"""Every recipe by name; looking one up imports its system, and looking for one that is not there
imports no system of this package."""


def recipes_of(system: str) -> tuple[Recipe, ...]:
    """The recipes of a system, which stand in its file as ``RECIPES``."""
    module = import_module(SYSTEMS[system].__module__)
    found: tuple[Recipe, ...] = getattr(module, "RECIPES", ())
    return found


def system_class(name: str) -> type[System]:
    """Look a system up.

    Raises:
        DataError: If there is no system of that name.
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
    kind = system_class(str(values.get("system"))).Config
    settings = kind.model_validate(values.get("settings", {}))
    return Recipe.model_validate({**values, "settings": settings})


def _systems_with(recipe: str) -> list[str]:
    """The systems that may have a recipe: the one of the listing, or those of other packages."""
    listed = [one.system for one in listing().recipes if one.name == recipe]
    return listed or list(_plug_ins())


@cache
def _plug_ins() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP) if point.name not in HOMES}


def _plug_in(point: EntryPoint) -> type[System]:
    from tagsight.systems.base import System

    found = point.load()
    if not (isinstance(found, type) and issubclass(found, System)):
        msg = f"the entry point {point.name!r}: expected a tagsight.System, got {found!r}"
        raise DataError(msg)
    return found
