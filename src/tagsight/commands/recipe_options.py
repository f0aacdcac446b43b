"""Options for the recipe and its settings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Group, Parameter

if TYPE_CHECKING:
    from cyclopts import Token

    from tagsight.config import Recipe
    from tagsight.systems.settings import Change

RECIPE = Group("Recipe and settings", sort_key=1)
"""Comes after a command's own options, before the groups of `commands.options`."""


def nested_settings(_kind: object, tokens: Any) -> dict[str, Any]:  # noqa: ANN401 - dictionaries of these or lists
    """Convert ``--system.graph.epsilon 0.3`` to nested tables, and several values to a list.

    Args:
        tokens: Lists of tokens in nested dictionaries, keyed by the parts of the name.

    Example:
        >>> from cyclopts import Token
        >>> nested_settings(dict, {"graph": {"epsilon": [Token(value="0.3")]}})
        {'graph': {'epsilon': '0.3'}}
    """
    if not isinstance(tokens, dict):
        msg = "expected the name of a setting after a dot, as in --training.lr 0.001"
        raise ValueError(msg)
    return {
        name.replace("-", "_"): nested_settings(_kind, value)
        if isinstance(value, dict)
        else _joined(value)
        for name, value in tokens.items()
    }


def _joined(tokens: list[Token]) -> str:
    return ",".join(token.value for token in tokens)


SettingsOption = Annotated[dict[str, Any] | None, Parameter(converter=nested_settings)]


@Parameter(name="*", group=RECIPE)
@dataclass(frozen=True)
class RecipeOptions:
    """The recipe, with changes from a file and from flags."""

    recipe: str | None = None
    """Name of a recipe or of a system ('tagsight recipes' lists them); by default gcam-cpu.
    'quick' trains heads only, on one encoder; 'best-cpu' sees more pixels."""

    epochs: int | None = None
    """Number of passes over the training photos."""

    seed: int | None = None
    """Seed of the split, if one has to be drawn, and of training."""

    config: Path | None = None
    """TOML file of settings, as 'tagsight recipes NAME' prints it."""

    system: SettingsOption = None
    """A setting of the system, as in --system.graph.epsilon 0.3."""

    training: SettingsOption = None
    """A setting of the training, as in --training.lr 0.001."""

    def chosen(self) -> Recipe:
        """Return the recipe with the changes of file and flags.

        Example:
            >>> options = RecipeOptions(recipe="resnet", system={"pooling": "max"}, epochs=3)
            >>> recipe = options.chosen()
            >>> recipe.name, recipe.settings.pooling, recipe.training.epochs
            ('resnet-cpu, changed', 'max', 3)
        """
        from tagsight.systems.catalogue import DEFAULT_RECIPE
        from tagsight.systems.settings import choose_recipe
        from tagsight.systems.settings_file import SettingsFile, read_settings

        file = read_settings(self.config) if self.config else SettingsFile(None, [])
        flags = setting_flags(self.system, self.training, epochs=self.epochs, seed=self.seed)
        return choose_recipe(self.recipe or file.recipe or DEFAULT_RECIPE, [*file.changes, *flags])


def setting_flags(
    system: dict[str, Any] | None, training: dict[str, Any] | None, **short: int | None
) -> list[Change]:
    """Collect the changes made by flags, including the short flags of training settings.

    Example:
        >>> changes = setting_flags({"graph": {"epsilon": "0.3"}}, None, epochs=5)
        >>> [(change.spelled, change.value) for change in changes]
        [('--system.graph.epsilon', '0.3'), ('--epochs', 5)]
    """
    from tagsight.systems.settings import Change, changes_in

    return [
        *changes_in({"system": system or {}, "training": training or {}}, "--"),
        *(
            Change(("training", name), value, f"--{name}")
            for name, value in short.items()
            if value is not None
        ),
    ]
