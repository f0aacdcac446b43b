"""Docstrings for the site: an ``Example:`` is a section of code, not of text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from griffe import Extension

if TYPE_CHECKING:
    from griffe import Object


class ExampleSections(Extension):
    """Call examples by the name that the parser of docstrings knows."""

    def on_object(self, *, obj: Object, **_: object) -> None:
        """Rename the section of one object."""
        if obj.docstring is not None:
            obj.docstring.value = obj.docstring.value.replace("\nExample:\n", "\nExamples:\n")
