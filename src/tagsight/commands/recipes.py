"""``tagsight recipes``: settings that reproduce a result, a line each or one in full."""

from __future__ import annotations

from tagsight.commands.output import print_result


def recipes(name: str | None = None, /) -> None:
    """List the recipes, or write one with all its settings as a file for 'train --config'.

    Args:
        name: The recipe to write.
    """
    if name is None:
        from tagsight.systems.catalogue import installed

        print_result(
            f"{one.name:20} {one.source}; {one.expectation}" for one in installed().recipes
        )
        return
    from tagsight.systems.settings import known_recipe
    from tagsight.systems.settings_file import settings_text

    print_result(settings_text(known_recipe(name)).splitlines())
