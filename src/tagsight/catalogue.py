"""What there is, as text: lines for the terminal and the page ``docs/systems.md``."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING

from tagsight.recipes import RECIPES
from tagsight.systems import SYSTEMS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tagsight.systems import System


def system_lines() -> Iterator[str]:
    """One line a system: name, what it is, paper."""
    for name, system in SYSTEMS.items():
        yield f"{name:15} {_summary(system)} {system.paper}"


def recipe_lines() -> Iterator[str]:
    """One line a recipe: name, source, what to expect."""
    for name, recipe in RECIPES.items():
        yield f"{name:20} {recipe.source}; {recipe.expectation}"


def systems_page() -> str:
    """The page on all systems, in Markdown."""
    parts = [
        "# Systems",
        "Written by `make docs` from the systems themselves; a test compares the two.",
        "mAP is in percent. Published numbers differ in resolution, split and the kind of average "
        "precision; what is known of each stands beside it.",
    ]
    for name, system in SYSTEMS.items():
        parts += [f"## {name}", *_section(name, system)]
    return "\n\n".join(parts) + "\n"


def _section(name: str, system: type[System]) -> Iterator[str]:
    _, *rest = _module_doc(system).split("\n\n")
    citation = next(part for part in rest if not part.startswith("Maps:"))
    maps = next(part for part in rest if part.startswith("Maps:"))
    yield _summary(system)
    yield _one_line(citation)
    yield _one_line(maps)
    yield "Deviations: " + _deviations(system)
    yield "\n".join(
        ["| recipe | source | what to expect |", "| --- | --- | --- |"]
        + [
            f"| `{recipe.name}` | {recipe.source} | {recipe.expectation} |"
            for recipe in RECIPES.values()
            if recipe.system == name
        ]
    )
    yield "\n".join(
        ["| published on | mAP | setting | source |", "| --- | --- | --- | --- |"]
        + [f"| {p.data} | {p.score} | {p.setting} | {p.source} |" for p in system.published]
    )


def _summary(system: type[System]) -> str:
    title = _one_line(_module_doc(system).split("\n\n")[0])
    return f"{title} Zero-shot: it takes new labels." if system.takes_new_labels else title


def _module_doc(system: type[System]) -> str:
    return inspect.getdoc(inspect.getmodule(system)) or ""


def _deviations(system: type[System]) -> str:
    return _one_line((inspect.getdoc(system) or "").partition("Deviations:")[2])


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()
