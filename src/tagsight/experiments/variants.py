"""What is compared: recipes by the name of their system, by their own, and changed in a file."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from tagsight.errors import DataError
from tagsight.systems.catalogue import RECIPES, SYSTEMS
from tagsight.systems.settings import Change, changes_in, choose_recipe
from tagsight.systems.settings_file import read_toml

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tagsight.config import Recipe

ALL = "all"
NAME = r"[A-Za-z0-9][A-Za-z0-9._+-]{0,79}"
"""What a variant may be called: results and runs are files and folders of that name."""


class Entry(NamedTuple):
    """One of those that are compared.

    Attributes:
        name: What tables and files call it.
        recipe: System and settings; the seed is given by the run.
    """

    name: str
    recipe: Recipe


def chosen_entries(
    systems: Sequence[str], variants: Path | None = None, changes: Sequence[Change] = ()
) -> list[Entry]:
    """Choose what is compared.

    Args:
        systems: Names of systems, which stand for their recipes for a processor, or of recipes;
            `ALL` stands for all systems.
        variants: A TOML file: a table for each variant, with the ``recipe`` and its changes.
        changes: Of all entries; they come after those of a file.

    Raises:
        DataError: If a name is not known or twice, a setting is wrong, or the seed is changed.
    """
    entries = [
        *(Entry(name, choose_recipe(name, changes)) for name in _recipe_names(systems)),
        *(_variants(variants, changes) if variants else []),
    ]
    _check_seeds([*changes])
    names = [entry.name for entry in entries]
    if not names:
        msg = "expected systems to compare, got none"
        raise DataError(msg)
    if twice := sorted({name for name in names if names.count(name) > 1}):
        msg = f"expected every system and variant once, got {twice[0]!r} more than once"
        raise DataError(msg)
    return entries


def _recipe_names(systems: Sequence[str]) -> Iterator[str]:
    for name in systems:
        if name == ALL:
            yield from (f"{system}-cpu" for system in SYSTEMS)
        else:
            yield f"{name}-cpu" if name in SYSTEMS else name


def _variants(file: Path, changes: Sequence[Change]) -> Iterator[Entry]:
    for name, table in read_toml(file).items():
        where = f"{file}: [{name}]"
        if not re.fullmatch(NAME, name) or name in RECIPES:
            msg = (
                f"{where}: expected a name of a variant's own, of letters, digits and ._+-, "
                f"got {name!r}"
            )
            raise DataError(msg)
        recipe = _table(table, where).pop("recipe", None)
        if not isinstance(recipe, str):
            msg = f"{where}: expected 'recipe', the name of the one that is changed, got {recipe!r}"
            raise DataError(msg)
        own = {key: value for key, value in table.items() if key != "recipe"}
        changed = list(changes_in(own, f"{where}: "))
        _check_seeds(changed)
        (base,) = _recipe_names([recipe])
        yield Entry(name, choose_recipe(base, [*changed, *changes]))


def _table(table: object, where: str) -> dict[str, Any]:
    if not isinstance(table, dict):
        msg = f"{where}: expected a table with 'recipe' and its changes, got {table!r}"
        raise DataError(msg)
    return dict(table)


def _check_seeds(changes: Sequence[Change]) -> None:
    for change in changes:
        if change.path == ("training", "seed"):
            msg = f"{change.spelled}: a comparison has its seeds from --seeds; leave it out"
            raise DataError(msg)
