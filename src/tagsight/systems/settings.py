"""Recipes with changed settings, and messages that name the setting as the user wrote it."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from types import NoneType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args, get_origin

from pydantic import ValidationError

from tagsight.config import Recipe, Settings, TrainConfig
from tagsight.errors import DataError, Place, settings_sentence
from tagsight.systems.catalogue import (
    DEFAULT_RECIPE,
    RECIPES,
    SHORT_NAMES,
    SYSTEMS,
    check_recipe,
    recipes_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tagsight.systems.base import System


EPOCHS: Place = ("training", "epochs")
LEAST_STEPS: Place = ("training", "least_steps")


class Change(NamedTuple):
    """A changed setting.

    Attributes:
        path: Path of the setting, from ``system`` or ``training`` on.
        value: New value. A string is parsed by the setting's type; ``a,b`` is a list.
        spelled: The setting as the user wrote it, such as ``--system.graph.epsilon``.
    """

    path: Place
    value: object
    spelled: str


def changes_in(values: Mapping[str, Any], prefix: str, path: Place = ()) -> Iterator[Change]:
    """Flatten nested tables into changes.

    Args:
        values: Settings and tables by name.
        prefix: Prefix of the names as the user wrote them: ``--``, or a file's name.
        path: Path of the table ``values``.

    Example:
        >>> next(changes_in({"system": {"pooling": "max"}}, "--"))
        Change(path=('system', 'pooling'), value='max', spelled='--system.pooling')
    """
    for name, value in values.items():
        here = (*path, name)
        if isinstance(value, Mapping):
            yield from changes_in(value, prefix, here)
        else:
            yield Change(here, value, prefix + ".".join(here))


def changes_of(settings: Mapping[str, object]) -> Iterator[Change]:
    """Read settings as Python users give them: dotted names, those of the system without a prefix.

    Example:
        >>> [change.spelled for change in changes_of({"graph.epsilon": 0.3, "training.lr": 0.001})]
        ['system.graph.epsilon', 'training.lr']
    """
    for name, value in settings.items():
        path = tuple(name.split("."))
        if path[0] not in {"system", "training"}:
            path = ("system", *path)
        if isinstance(value, Mapping):
            yield from changes_in(value, "", path)
        else:
            yield Change(path, value, ".".join(path))


def choose_recipe(name: str, changes: Iterable[Change] = ()) -> Recipe:
    """Look a recipe up and change it.

    Args:
        name: A key of `RECIPES`.
        changes: Changed settings; the last one of a setting counts.

    Raises:
        DataError: If a recipe or setting is unknown, or a value is out of its range.

    Example:
        >>> choose_recipe("gcam-cpu", changes_of({"graph.epsilon": 0.3})).settings.graph.epsilon
        0.3
    """
    return changed(known_recipe(name), changes)


def changed(base: Recipe, changes: Iterable[Change]) -> Recipe:
    """Change a recipe; of several changes of a setting the last one holds.

    Epochs that are chosen hold for any number of photos: ``least_steps`` is 0 then, unless it is
    chosen too. A recipe that differs from its base in more than its seed says so in its name.

    Raises:
        DataError: If a setting is unknown, a value is out of its range, or the system does not
            take a setting of training (`check_recipe`).

    Example:
        >>> changed(known_recipe("vac"), changes_of({"training.lr": 0.001})).name
        'vac-cpu, changed'
    """
    kinds: dict[str, type[Settings]] = {
        "system": SYSTEMS[base.system].Config,
        "training": TrainConfig,
    }
    known = {path: kind for table in kinds for path, kind in _fields(kinds[table], (table,))}
    values = {"system": base.settings.model_dump(), "training": base.training.model_dump()}
    spelled: dict[Place, str] = {}
    for change in changes:
        if change.path not in known:
            raise DataError(_unknown(change, list(known), base))
        _assign(values, change.path, _parsed(change.value, known[change.path]))
        spelled[change.path] = change.spelled
    if EPOCHS in spelled and LEAST_STEPS not in spelled:
        _assign(values, LEAST_STEPS, 0)
    chosen = {table: _validated(kinds[table], table, values[table], spelled) for table in kinds}
    recipe = base.model_copy(update={"settings": chosen["system"], "training": chosen["training"]})
    check_recipe(recipe)
    return _named_for(recipe, base, known)


def known_recipe(name: str) -> Recipe:
    """Look a recipe up; the name of a system is that of its first recipe, for a processor.

    ``quick`` and ``best-cpu`` are forms of the default: the first trains heads alone, the second
    sees more pixels.

    Raises:
        DataError: If there is none of that name.

    Example:
        >>> known_recipe("vac").name, known_recipe("quick").name
        ('vac-cpu', 'gcam-quick')
    """
    if name in RECIPES:
        return RECIPES[name]
    if name in SYSTEMS:
        return recipes_of(name)[0]
    if name in SHORT_NAMES:
        return RECIPES[SHORT_NAMES[name]]
    hint = suggestion(name, RECIPES, also=[*SYSTEMS, *SHORT_NAMES])
    msg = f"expected the name of a recipe, got {name!r}; {hint}"
    raise DataError(msg)


def suggestion(name: str, known: Iterable[str], *, also: Iterable[str] = ()) -> str:
    """Suggest the name that a wrong one may mean, or list the known names.

    Args:
        name: The wrong name.
        known: The names to list.
        also: Further names that may be meant.

    Example:
        >>> suggestion("vacc", ["gcam", "vac"]), suggestion("x", ["gcam", "vac"])
        ("did you mean 'vac'?", 'there are gcam, vac')
    """
    listed = list(known)
    nearest = get_close_matches(name, [*listed, *also], n=1)
    return f"did you mean {nearest[0]!r}?" if nearest else f"there are {', '.join(listed)}"


def _fields(kind: type[Settings], path: Place) -> Iterator[tuple[Place, Any]]:
    for name, field in kind.model_fields.items():
        annotation = field.annotation
        if isinstance(annotation, type) and issubclass(annotation, Settings):
            yield from _fields(annotation, (*path, name))
        else:
            yield (*path, name), annotation


def _unknown(change: Change, known: Sequence[Place], base: Recipe) -> str:
    start = change.spelled.removesuffix(".".join(change.path))
    below = [path for path in known if path[: len(change.path)] == change.path]
    if below:
        such = start + ".".join(below[0])
        return f"{change.spelled}: expected one of its settings, such as {such}"
    dotted = [".".join(path) for path in known]
    alike = [name for name in dotted if name.rpartition(".")[2] == change.path[-1]]
    nearest = alike or get_close_matches(".".join(change.path), dotted, n=1, cutoff=0.6)
    hint = (
        f"did you mean {start}{nearest[0]}?"
        if nearest
        else f"{base.name!r} in `tagsight.recipes()` lists them"
    )
    return f"{base.system} has no setting {change.spelled}; {hint}"


def _parsed(value: object, annotation: object) -> object:
    if not isinstance(value, str):
        return value
    if get_origin(annotation) is tuple:
        return [part.strip() for part in value.split(",") if part.strip()]
    if value.lower() == "none" and NoneType in get_args(annotation):
        return None
    if get_origin(annotation) is Literal:  # numbers among its values are typed as text
        return next((known for known in get_args(annotation) if str(known) == value), value)
    return value


def _assign(values: dict[str, Any], path: Place, value: object) -> None:
    *tables, name = path
    for table in tables:
        values = values[table]
    values[name] = value


def _validated(
    kind: type[Settings], table: str, values: Mapping[str, Any], spelled: Mapping[Place, str]
) -> Settings:
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise DataError(settings_sentence(error, spelled, (table,))) from error


def chosen_recipe(
    recipe: str | Recipe,
    system: type[System] | None,
    epochs: int | None,
    seed: int,
    settings: Mapping[str, object] | None,
) -> Recipe:
    """Choose the recipe of a run, with a system and settings of one's own.

    Args:
        recipe: The name of a recipe, or a recipe.
        system: A system that is trained in place of the recipe's, if any.
        epochs: Passes over the training photos; None for the recipe's.
        seed: Seed of the run.
        settings: Changes of the recipe, by dotted names.

    Raises:
        DataError: If there is no such recipe or setting, or the system cannot be trained.

    Example:
        >>> chosen_recipe("gcam-cpu", None, 3, 0, {"graph.epsilon": 0.3}).training.epochs
        3
    """
    if not isinstance(settings, Mapping | None):
        msg = (
            "expected settings as names and values, such as {'graph.epsilon': 0.3}, got "
            f"{settings!r}"
        )
        raise DataError(msg)
    base = recipe if isinstance(recipe, Recipe) else known_recipe(recipe)
    if system is not None:
        base = _recipe_for(system, base)
    short = {"training.seed": seed, **({} if epochs is None else {"training.epochs": epochs})}
    return changed(base, changes_of({**(settings or {}), **short}))


def _recipe_for(system: type[System], base: Recipe) -> Recipe:
    """Return the system's own recipe, or one that trains the system as another recipe its own."""
    own = recipes_of(system)[0]
    if base.name == DEFAULT_RECIPE or base.system == own.system:
        return own if base.system != own.system else base
    return own.model_copy(
        update={
            "name": f"{own.system} by {base.name}",
            "training": base.training,
            "source": f"default settings of {system.__name__}, trained as {base.name}",
        }
    )


def _named_for(recipe: Recipe, base: Recipe, known: Iterable[Place]) -> Recipe:
    now, before = _values(recipe), _values(base)
    changed = [
        path
        for path in known
        if _value_at(now, path) != _value_at(before, path) and path != ("training", "seed")
    ]
    if EPOCHS in changed and not recipe.training.least_steps:
        changed = [path for path in changed if path != LEAST_STEPS]
    if not changed:
        return recipe
    listed = ", ".join(f"{'.'.join(path)} = {_value_at(now, path)!r}" for path in changed)
    return recipe.model_copy(
        update={
            "name": f"{base.name}, changed",
            "source": f"{base.name} with {listed}",
            "expectation": "not known: the recipe was changed",
            "use": "",
            "minutes": None,
        }
    )


def _values(recipe: Recipe) -> dict[str, Any]:
    return {"system": recipe.settings.model_dump(), "training": recipe.training.model_dump()}


def _value_at(values: Mapping[str, Any], path: Place) -> object:
    found: Any = values
    for name in path:
        found = found[name]
    return found
