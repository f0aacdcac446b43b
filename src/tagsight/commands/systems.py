"""``tagsight systems``: what can be trained, a line each."""

from __future__ import annotations

from tagsight.commands.output import say


def systems() -> None:
    """List the systems: name, what it is, paper."""
    from tagsight.systems.catalogue import listing

    say(f"{one.name:15} {one.summary} {one.paper}" for one in listing().systems)
