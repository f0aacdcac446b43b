"""The generated texts: ``listing.json``, which commands print, and the page ``docs/systems.md``."""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

from tagsight.systems.catalogue import HOMES, SYSTEMS, recipes_of, summary
from tagsight.systems.listing_file import ListedRecipe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tagsight.systems.base import System


OF_PAPERS = """\
Recipes that are named after papers follow released code where it exists: that of ML-GCN, VAC, \
CSRA, ML-Decoder and Query2Label, and ports of others. *Deviations* lists the differences of each \
system and recipe. All recipes differ from the released code in three ways:

- An epoch consists of whole batches. The photos left over (of COCO's 82,081 with a label: 1 for \
batches of 16 or 32, 41 for batches of 56) wait for the next epoch; the code of ML-GCN, CSRA and \
ML-Decoder makes a smaller batch of them.
- Released code selects the epoch with the best result on the test photos. Here the last epoch is \
kept, and training uses all training photos as the released code does. The exception is \
`rnn-attention-paper`: its scores only rank, so photos are held out to fit thresholds and to \
select the epoch.
- The code of ML-GCN, VAC and CSRA computes in float32, that of ML-Decoder and Query2Label in \
float16 with a scaled loss. Here `--precision` decides, and is bfloat16 where the device supports \
it; pooling, classifiers and losses are in float32.\
"""
"""Deviations that all recipes of papers share."""


def listing_text() -> str:
    """Write all systems and recipes of this package as JSON, for ``listing.json``.

    Example:
        >>> sorted(json.loads(listing_text()))
        ['recipes', 'systems']
    """
    values = {
        "systems": [(name, summary(SYSTEMS[name]), SYSTEMS[name].paper) for name in HOMES],
        "recipes": [ListedRecipe.of(recipe) for name in HOMES for recipe in recipes_of(name)],
    }
    return json.dumps(values, indent=1, ensure_ascii=False) + "\n"


def systems_page() -> str:
    """Write the page of all systems in Markdown.

    Example:
        >>> systems_page().splitlines()[0]
        '# Systems'
    """
    parts = [
        "# Systems",
        "Generated from the systems by `make docs`; a test keeps the two in step.",
        "mAP is in percent. Published figures differ in resolution, split and definition of "
        "average precision; each is listed with what is known of its conditions.",
        OF_PAPERS,
    ]
    for name in HOMES:
        system = SYSTEMS[name]
        parts += [f"## {name}", *_section(name, system)]
    return "\n\n".join(parts) + "\n"


def _section(name: str, system: type[System]) -> Iterator[str]:
    _, *rest = _module_doc(system).split("\n\n")
    citation = next(part for part in rest if not part.startswith("Maps:"))
    maps = next(part for part in rest if part.startswith("Maps:"))
    yield summary(system)
    yield _one_line(citation)
    yield _one_line(maps)
    yield from _deviations(system)
    yield "\n".join(
        ["| recipe | source | what to expect |", "| --- | --- | --- |"]
        + [
            f"| `{recipe.name}` | {recipe.source} | {recipe.expectation} |"
            for recipe in recipes_of(name)
        ]
    )
    yield "\n".join(
        ["| published on | mAP | setting | source |", "| --- | --- | --- | --- |"]
        + [f"| {p.data} | {p.score} | {p.setting} | {p.source} |" for p in system.published]
    )


def _module_doc(system: type[System]) -> str:
    return inspect.getdoc(inspect.getmodule(system)) or ""


def _deviations(system: type[System]) -> Iterator[str]:
    """Yield the deviations of the method, then those of its recipes as a list."""
    text = (inspect.getdoc(system) or "").partition("Deviations:")[2]
    method, *recipes = (_one_line(part) for part in text.strip().split("\n\n"))
    yield "Deviations: " + method
    if recipes:
        yield "\n".join(f"- {recipe}" for recipe in recipes)


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


if __name__ == "__main__":
    Path("docs/systems.md").write_text(systems_page(), encoding="utf-8")
    Path("src/tagsight/systems/listing.json").write_text(listing_text(), encoding="utf-8")
