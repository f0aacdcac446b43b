"""Settings in a TOML file: read to train with, written from a recipe."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tagsight.config import Settings
from tagsight.errors import DataError
from tagsight.runtime.toml_file import read_toml, toml_value
from tagsight.systems.settings import Change, changes_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tagsight.config import Recipe


class SettingsFile(NamedTuple):
    """Content of a settings file.

    Attributes:
        recipe: Name of the recipe to change, if the file names one.
        changes: The settings in the file.
    """

    recipe: str | None
    changes: list[Change]


def read_settings(path: Path) -> SettingsFile:
    r"""Read a TOML file with the tables ``[system]`` and ``[training]``, and maybe ``recipe``.

    Names and values of settings are not checked here.

    Raises:
        DataError: If it is not such a file.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     file = Path(folder) / "my.toml"
        ...     _ = file.write_text('recipe = "vac-cpu"\n[training]\nepochs = 3\n')
        ...     read_settings(file).recipe
        'vac-cpu'
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


def settings_text(recipe: Recipe) -> str:
    """Write a recipe as a settings file in which a comment explains every setting.

    Example:
        >>> from tagsight.systems.catalogue import RECIPES
        >>> "[training]" in settings_text(RECIPES["vac-cpu"]).splitlines()
        True
    """
    lines = [f"# {recipe.source}", f"# {recipe.expectation}", f"recipe = {toml_value(recipe.name)}"]
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
        # TOML has no null: the setting stands in a comment.
        yield f"# {key} = " if value is None else f"{key} = {toml_value(value)}"
    for table, value in below:
        yield from _table(table, value)
