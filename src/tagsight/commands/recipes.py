"""``tagsight recipes``: the recipes in a table, or one with all its settings."""

from __future__ import annotations

from tagsight.commands.output import print_info, print_result, print_table


def recipes(name: str | None = None, /) -> None:
    """List the recipes, or write one with all its settings.

    ```console
    tagsight recipes
    tagsight recipes gcam-cpu > gcam.toml
    ```

    What is written is a file for 'tagsight train --config'.

    Args:
        name: The recipe to write.
    """
    if name is None:
        from tagsight.systems.catalogue import installed

        print_table(
            ("recipe", "system", "encoder", "pixels", "minutes", "when to use it"),
            (
                (
                    one.name,
                    one.system,
                    one.encoder,
                    str(one.pixels),
                    "-" if one.minutes is None else f"{one.minutes:.1f}",
                    one.use,
                )
                for one in installed().recipes
            ),
        )
        print_info(
            "minutes: training on 2,000 photos with two CPU cores, where we measured it; "
            "sources and expected scores: docs/systems.md"
        )
        return
    from tagsight.systems.settings import known_recipe
    from tagsight.systems.settings_file import settings_text

    print_result(settings_text(known_recipe(name)).splitlines())
