"""Settings in a TOML file: what ``--config`` reads and ``tagsight recipes NAME`` writes."""

from __future__ import annotations

import json
import tomllib
from typing import TYPE_CHECKING, Any, NamedTuple

from tagsight.config import Settings
from tagsight.errors import DataError
from tagsight.systems.settings import Change, changes_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tagsight.config import Recipe

LARGEST_FILE = 2**20
LONGEST_LINE = 4_000


class SettingsFile(NamedTuple):
    """What a file says.

    Attributes:
        recipe: The recipe that it changes, if it names one.
        changes: Its settings.
    """

    recipe: str | None
    changes: list[Change]


def read_settings(path: Path) -> SettingsFile:
    """Read a TOML file: ``recipe = "..."``, if any, and the tables ``[system]``, ``[training]``.

    Raises:
        DataError: If it is not such a file; the settings' names are not yet looked at.
    """
    values = read_toml(path)
    recipe = values.pop("recipe", None)
    if recipe is not None and not isinstance(recipe, str):
        msg = f"{path}: expected recipe to be the name of one, got {recipe!r}"
        raise DataError(msg)
    for name, table in values.items():
        if name not in {"system", "training"} or not isinstance(table, dict):
            msg = f"{path}: expected 'recipe' and the tables [system] and [training], got {name!r}"
            raise DataError(msg)
    return SettingsFile(recipe, list(changes_in(values, f"{path}: ")))


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises:
        DataError: If it is none, or larger than a file of settings can be.
    """
    if not path.is_file() or path.stat().st_size > LARGEST_FILE:
        msg = f"expected a TOML file of at most {LARGEST_FILE:,} bytes, got {path}"
        raise DataError(msg)
    try:
        text = path.read_text(encoding="utf-8")
        # A name of a hundred thousand parts takes gigabytes.
        if any(len(line) > LONGEST_LINE for line in text.splitlines()):
            msg = f"a line of more than {LONGEST_LINE:,} characters"
            raise ValueError(msg)
        return tomllib.loads(text)
    # What is nested too deeply, and numbers of thousands of digits, have errors of their own.
    except (ValueError, RecursionError) as error:
        msg = f"{path}: expected TOML: {error}"
        raise DataError(msg) from error


def settings_text(recipe: Recipe) -> str:
    """Write a recipe as such a file, with the meaning of every setting."""
    lines = [f"# {recipe.source}", f"# {recipe.expectation}", f"recipe = {_toml(recipe.name)}"]
    lines += _table("system", recipe.settings)
    lines += _table("training", recipe.training)
    return "\n".join(lines) + "\n"


def _table(name: str, settings: Settings) -> Iterator[str]:
    yield from ("", f"[{name}]")
    below: list[tuple[str, Settings]] = []
    for key, field in type(settings).model_fields.items():
        value = getattr(settings, key)
        if isinstance(value, Settings):
            below.append((f"{name}.{key}", value))
            continue
        yield f"# {' '.join((field.description or '').split())}"
        # TOML has no word for none: such a setting is left out.
        yield f"# {key} = " if value is None else f"{key} = {_toml(value)}"
    for table, value in below:
        yield from _table(table, value)


def _toml(value: Any) -> str:  # noqa: ANN401 - a string, number, bool or list of these
    """JSON's strings, numbers, truth values and lists are TOML's too."""
    return json.dumps(value)
