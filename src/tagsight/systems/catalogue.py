"""Every system and every recipe by name, each imported when it is first used.

A system of this package has a line in `HOMES`; one of another package is found by its entry point
in the group ``tagsight.systems``; one of a notebook or script is added by `register`. The listings
print ``listing.json``, which `make docs` writes, so that no system of this package is imported.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING

from tagsight.config import Recipe
from tagsight.errors import DataError
from tagsight.systems.listing_file import ListedRecipe, ListedSystem, Listing, listing

if TYPE_CHECKING:
    from tagsight.labels.space import LabelSpace
    from tagsight.systems.base import System

GROUP = "tagsight.systems"
"""The entry points of other packages: ``name = "package.module:Class"``."""

DEFAULT_RECIPE = "gcam-cpu"
"""The recipe on every device: one that we have measured ourselves."""
QUICK_RECIPE = "gcam-quick"
SHORT_NAMES = {"quick": QUICK_RECIPE, "best-cpu": "gcam-best-cpu"}
"""Further names of recipes: the default in less time, and in more."""

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


def installed() -> Listing:
    """List all systems and recipes: this package's, registered ones and those of other packages.

    Those of other packages are imported.

    Example:
        >>> installed().recipes[0].name
        'gcam-cpu'
    """
    systems, recipes = listing()
    for name in (*_registered, *_plug_ins()):
        kind = SYSTEMS[name]
        systems = (*systems, ListedSystem(name, summary(kind), kind.paper))
        recipes = (
            *recipes,
            *(ListedRecipe.of(recipe) for recipe in recipes_of(name)),
        )
    return Listing(systems, tuple(sorted(recipes, key=_rank)))


def _rank(recipe: ListedRecipe) -> tuple[bool, bool, bool]:
    """Sort the default first, then the recipes for CPUs, the quick ones, and those of papers."""
    name = recipe.name
    return (
        name != DEFAULT_RECIPE,
        not name.endswith(("-cpu", "-quick")),
        not name.endswith("-cpu"),
    )


def summary(kind: type[System]) -> str:
    """Return a system's title: the first paragraph of its module's docstring, or of its own.

    The module of a registered system is a notebook or script, which may be about anything.

    Example:
        >>> summary(SYSTEMS["rnn-attention"])
        'An LSTM that attends to one region of the photo after another.'
    """
    module = inspect.getmodule(kind)
    described = kind if kind in _registered.values() or module is None else module
    title = " ".join((inspect.getdoc(described) or "").partition("\n\n")[0].split())
    return f"{title} Zero-shot: it takes new labels." if kind.takes_new_labels else title


def register(kind: type[System]) -> str:
    """Add a system of one's own to `SYSTEMS` until this process ends.

    It is checked first, and tried on two random images. A class with the module and name of one
    that is registered already takes its place, as when a notebook's cell runs again.

    Args:
        kind: A class at the top level of a module, script or notebook. Its ``name``, or else its
            own name with hyphens (``my-system`` for ``MySystem``), becomes the key.

    Returns:
        The key. A system of this or an installed package has one already and keeps it.

    Raises:
        DataError: If the class cannot be a system, or its name is taken or malformed.

    Example:
        >>> from tagsight.systems.resnet import ResNet
        >>> register(ResNet)
        'resnet'
    """
    from tagsight.systems.own_system import check_system, try_system

    check_system(kind)
    home = _home(kind)
    known = HOMES | {name: point.value for name, point in _plug_ins().items()}
    for name, place in known.items():
        if place == home:
            return name
    name = _name(kind)
    taken = known | {other: _home(own) for other, own in _registered.items()}
    if taken.get(name, home) != home:
        msg = (
            f"expected a name for {kind.__name__} that no other system has, got {name!r}, which is "
            f"that of {taken[name]}; give the class another name = '...'"
        )
        raise DataError(msg)
    try_system(kind)
    _registered[name] = kind
    return name


class _Systems(Mapping[str, "type[System]"]):
    def __getitem__(self, name: str) -> type[System]:
        if name in HOMES:
            module, _, kind = HOMES[name].partition(":")
            system: type[System] = getattr(import_module(module), kind)
            return system
        return _registered[name] if name in _registered else _plug_in(_plug_ins()[name])

    def __iter__(self) -> Iterator[str]:
        yield from (*HOMES, *_registered, *_plug_ins())

    def __len__(self) -> int:
        return len(HOMES) + len(_registered) + len(_plug_ins())

    def __contains__(self, name: object) -> bool:
        return name in HOMES or name in _registered or name in _plug_ins()


class _Recipes(Mapping[str, Recipe]):
    def __getitem__(self, name: str) -> Recipe:
        for system in _systems_with(name):
            for recipe in recipes_of(system):
                if recipe.name == name:
                    return recipe
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        yield from (recipe.name for recipe in listing().recipes)
        for name in (*_registered, *_plug_ins()):
            yield from (recipe.name for recipe in recipes_of(name))

    def __len__(self) -> int:
        return sum(1 for _ in self)


_registered: dict[str, type[System]] = {}

SYSTEMS: Mapping[str, type[System]] = _Systems()
"""Every system by name; looking one up imports it."""

RECIPES: Mapping[str, Recipe] = _Recipes()
"""Every recipe by name; looking one up imports its system, and looking for one that is not there
imports no system of this package."""


def recipes_of(system: str | type[System]) -> tuple[Recipe, ...]:
    """Find the recipes of a system, which stand in its module as ``RECIPES``.

    A system without any has one: its default settings, trained as our recipes for CPUs are.

    Args:
        system: A key of `SYSTEMS`, or a class that has one.

    Example:
        >>> [recipe.name for recipe in recipes_of("vac")]
        ['vac-cpu', 'vac-paper']
    """
    from tagsight.systems.recipes import cpu_recipe

    name = system if isinstance(system, str) else register(system)
    kind = SYSTEMS[name]
    beside = getattr(inspect.getmodule(kind), "RECIPES", ())
    # A notebook may have imported the mapping of all recipes under this name.
    listed: Sequence[Recipe] = beside if isinstance(beside, tuple | list) else ()
    return tuple(recipe for recipe in listed if recipe.system == name) or (
        cpu_recipe(
            name,
            kind.Config(),
            source=f"the default settings of {kind.__name__}, trained as gcam-cpu is",
            expectation="not measured by us",
            use="a system of your own",
        ),
    )


def system_class(name: str) -> type[System]:
    """Look a system up.

    Raises:
        DataError: If there is no system of that name.

    Example:
        >>> system_class("gcam").__name__
        'GCAM'
    """
    if name not in SYSTEMS:
        msg = f"expected one of the systems {', '.join(SYSTEMS)}, got {name!r}"
        raise DataError(msg)
    return SYSTEMS[name]


def build_system(recipe: Recipe, labels: LabelSpace) -> System:
    """Make the system that a recipe describes for these labels.

    Raises:
        DataError: If its image size is not a multiple of its encoder's stride, or as
            `check_recipe`.

    Example:
        >>> from tagsight.labels.space import empty_label_space
        >>> build_system(RECIPES["resnet-cpu"], empty_label_space(["dog", "sky"])).passes
        1
    """
    check_recipe(recipe)
    system = system_class(recipe.system)(recipe.settings, labels)
    side, stride = recipe.training.image_size, system.backbone.stride
    if side % stride:
        below = side - side % stride
        msg = (
            f"expected a multiple of {stride} as `training.image_size`, the stride in pixels of "
            f"{recipe.settings.backbone.name!r}, got {side}; the nearest are {below} and "
            f"{below + stride}"
        )
        raise DataError(msg)
    return system


def check_recipe(recipe: Recipe) -> None:
    """Check that the system of a recipe can be trained as its settings of training say.

    Raises:
        DataError: If it cannot.

    Example:
        >>> recipe = RECIPES["rnn-attention-cpu"]
        >>> check_recipe(recipe)
        >>> padding = recipe.training.model_copy(update={"resize": "fit"})
        >>> check_recipe(recipe.model_copy(update={"training": padding}))  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        tagsight.errors.DataError: expected `training.resize` to be 'warp' or 'crop' for ...
    """
    kind = system_class(recipe.system)
    if recipe.training.resize == "fit" and not kind.takes_padding:
        msg = (
            f"expected `training.resize` to be 'warp' or 'crop' for {recipe.system}, whose maps "
            "depend on the whole square, got 'fit', which pads it"
        )
        raise DataError(msg)
    if recipe.training.unjudged == "consistency" and not recipe.settings.takes_unjudged:
        msg = (
            f"expected `training.unjudged=ignore` for {recipe.system} as it is set, which has no "
            "consistency loss to train on photos of which no label is known; gcam and vac have one "
            "if `system.consistency.weight` is above 0, got 'consistency'"
        )
        raise DataError(msg)
    mixing = [name for name in ("mixup", "cutmix") if getattr(recipe.training, name)]
    if mixing and not recipe.settings.takes_soft_targets:
        msg = (
            f"expected `training.{mixing[0]}=0` for {recipe.system}, whose loss takes a label as "
            f"present or absent and not in between, got {getattr(recipe.training, mixing[0]):g}"
        )
        raise DataError(msg)


def parse_recipe(values: Mapping[str, object]) -> Recipe:
    """Make a recipe from plain values, such as a model folder's JSON holds.

    Raises:
        ValueError: If a setting is unknown or out of its range (pydantic's ``ValidationError``).

    Example:
        >>> parse_recipe(RECIPES["vac-cpu"].model_dump(mode="json")) == RECIPES["vac-cpu"]
        True
    """
    kind = system_class(str(values.get("system"))).Config
    settings = kind.model_validate(values.get("settings", {}))
    return Recipe.model_validate({**values, "settings": settings})


def _systems_with(recipe: str) -> list[str]:
    """List the systems that may have a recipe: its own if it is listed, else all that are not."""
    listed = [one.system for one in listing().recipes if one.name == recipe]
    return listed or [*_registered, *_plug_ins()]


@cache
def _plug_ins() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP) if point.name not in HOMES}


def _plug_in(point: EntryPoint) -> type[System]:
    from tagsight.systems.own_system import check_system

    try:
        return check_system(point.load())
    except DataError as error:
        msg = f"the entry point {point.name!r}: {error}"
        raise DataError(msg) from error


def _home(kind: type[System]) -> str:
    return f"{kind.__module__}:{kind.__qualname__}"


def _name(kind: type[System]) -> str:
    # A subclass of a named system is another one: only the class's own attribute counts.
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|_+", "-", kind.__name__).lower()
    given = vars(kind).get("name") or words.strip("-")
    if not (isinstance(given, str) and re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", given)):
        msg = (
            f"expected a name for {kind.__name__} of lower-case letters, digits and hyphens, such "
            f"as 'my-system', got {given!r}; give the class a name = '...'"
        )
        raise DataError(msg)
    return given
