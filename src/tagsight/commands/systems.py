"""``tagsight systems``: what can be trained, a line each."""

from __future__ import annotations

from tagsight.commands.output import say


def systems() -> None:
    """List the systems: name, what it is, paper."""
    from tagsight.systems.catalogue import system_lines

    say(system_lines())
