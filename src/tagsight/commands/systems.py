"""``tagsight systems``: what can be trained, a line each."""

from __future__ import annotations

from tagsight.commands.output import print_result


def systems() -> None:
    """List the systems: name, what it is, paper."""
    from tagsight.systems.catalogue import installed

    print_result(f"{one.name:15} {one.summary} {one.paper}" for one in installed().systems)
