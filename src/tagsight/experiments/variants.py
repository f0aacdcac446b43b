"""The recipes to compare: named by system or recipe, or defined in a file of variants."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from tagsight.errors import DataError
from tagsight.runtime.toml_file import read_toml
from tagsight.systems.catalogue import RECIPES, SYSTEMS
from tagsight.systems.settings import Change, changes_in, choose_recipe

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tagsight.config import Recipe

ALL = "all"
QUICK = "quick"
NAME = r"[A-Za-z0-9][A-Za-z0-9._+-]{0,79}"
"""Pattern of a variant's name, which is also the name of its files and folders."""


class Entry(NamedTuple):
    """A recipe to compare.

    Attributes:
        name: Name in tables and of files.
        recipe: System and settings; the seed is set for each run.
    """

    name: str
    recipe: Recipe


def chosen_entries(
    systems: Sequence[str | Entry], variants: Path | None = None, changes: Sequence[Change] = ()
) -> list[Entry]:
    """Choose the recipes to compare.

    Args:
        systems: Names of recipes, or of systems, which stand for their recipes ``NAME-cpu``; `ALL`
            stands for all systems, and `QUICK` for all recipes ``NAME-quick``. Entries stay as they
            are.
        variants: A TOML file with a table for each variant: its ``recipe`` and changed settings.
        changes: Changes of all recipes, applied after those of the file.

    Raises:
        DataError: If a name is unknown or occurs twice, a setting is wrong, or the seed is changed.

    Example:
        >>> [entry.name for entry in chosen_entries(["gcam", "resnet101-gap"])]
        ['gcam-cpu', 'resnet101-gap']
    """
    entries = [
        *(entry for entry in systems if isinstance(entry, Entry)),
        *(
            Entry(name, choose_recipe(name, changes))
            for name in _recipe_names([name for name in systems if isinstance(name, str)])
        ),
        *(_variants(variants, changes) if variants else []),
    ]
    _check_seeds([*changes])
    names = [entry.name for entry in entries]
    if not names:
        msg = "expected at least one of `systems` or `variants` to compare, got none"
        raise DataError(msg)
    if twice := sorted({name for name in names if names.count(name) > 1}):
        msg = f"expected every system and variant once, got {twice[0]!r} more than once"
        raise DataError(msg)
    return entries


def _recipe_names(systems: Sequence[str]) -> Iterator[str]:
    for name in systems:
        if name == ALL:
            yield from (f"{system}-cpu" for system in SYSTEMS)
        elif name == QUICK:
            yield from (recipe for recipe in RECIPES if recipe.endswith(f"-{QUICK}"))
        else:
            yield f"{name}-cpu" if name in SYSTEMS else name


def _variants(file: Path, changes: Sequence[Change]) -> Iterator[Entry]:
    for name, table in read_toml(file).items():
        where = f"{file}: [{name}]"
        if not re.fullmatch(NAME, name) or name in RECIPES:
            msg = (
                f"{where}: expected a name of letters, digits and ._+- that is not a recipe's, "
                f"got {name!r}"
            )
            raise DataError(msg)
        recipe = _table(table, where).pop("recipe", None)
        if not isinstance(recipe, str):
            msg = f"{where}: expected 'recipe', the name of the recipe to change, got {recipe!r}"
            raise DataError(msg)
        own = {key: value for key, value in table.items() if key != "recipe"}
        changed = list(changes_in(own, f"{where}: "))
        _check_seeds(changed)
        base = f"{recipe}-cpu" if recipe in SYSTEMS else recipe
        yield Entry(name, choose_recipe(base, [*changed, *changes]))


def _table(table: object, where: str) -> dict[str, Any]:
    if not isinstance(table, dict):
        msg = f"{where}: expected a table with 'recipe' and changed settings, got {table!r}"
        raise DataError(msg)
    return dict(table)


def _check_seeds(changes: Sequence[Change]) -> None:
    for change in changes:
        if change.path == ("training", "seed"):
            msg = f"{change.spelled}: a comparison sets the seeds itself, by `seeds`; leave it out"
            raise DataError(msg)
