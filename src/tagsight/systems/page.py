"""What there is, as text: the listing that commands print, and the page ``docs/systems.md``."""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

from tagsight.systems.catalogue import HOMES, SYSTEMS, ListedRecipe, recipes_of, summary

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tagsight.systems.base import System


OF_PAPERS = """\
The recipes that are named after papers follow released code where there is some: that of ML-GCN, \
VAC, CSRA, ML-Decoder and Query2Label, and ports and relatives of others. What a recipe does \
otherwise stands under *Deviations*; what all of them do otherwise is this:

- An epoch is of whole batches; photos that are left wait for the next. Of COCO's 82,081 photos \
with a label that is 1 at batches of 16 or 32, and 41 at 56, which the code of ML-GCN, CSRA and \
ML-Decoder takes as a smaller batch.
- All released code compares its epochs on the test photos and reports the best. Here they train \
on all photos for training, as it does, and the last epoch is kept; `rnn-attention-paper`, whose \
scores only rank, holds photos out to fit thresholds, and the epoch is chosen on them.
- The code of ML-GCN, VAC and CSRA computes in float32, that of ML-Decoder and Query2Label in \
float16 with a scaled loss. Here `--precision` says it, bfloat16 where the device has it; \
poolings, classifiers and losses are in float32.\
"""
"""What all recipes of papers have in common."""


def listing_text() -> str:
    """What ``listing.json`` should say: all systems and recipes of this package, as JSON."""
    values = {
        "systems": [(name, summary(SYSTEMS[name]), SYSTEMS[name].paper) for name in HOMES],
        "recipes": [ListedRecipe.of(recipe) for name in HOMES for recipe in recipes_of(name)],
    }
    return json.dumps(values, indent=1, ensure_ascii=False) + "\n"


def systems_page() -> str:
    """The page on all systems, in Markdown."""
    parts = [
        "# Systems",
        "Written by `make docs` from the systems themselves; a test compares the two.",
        "mAP is in percent. Published numbers differ in resolution, split and the kind of average "
        "precision; what is known of each stands beside it.",
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
    """Those of the method, then a list of those of its recipes."""
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
