"""``tagsight systems``: the systems that can be trained, in a table."""

from __future__ import annotations

from tagsight.commands.output import print_table


def systems() -> None:
    """List the systems: name, what it is, paper.

    ```console
    tagsight systems
    ```
    """
    from tagsight.systems.catalogue import installed

    print_table(("system", "what it is", "paper"), installed().systems)
