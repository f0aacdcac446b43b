from __future__ import annotations

import json
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest

from tagsight.systems.catalogue import DEFAULT_RECIPE, HOMES, RECIPES, SYSTEMS, installed, listing
from tagsight.systems.page import listing_text, systems_page

RECORDS = Path(__file__).parents[2] / "docs" / "results" / "voc-animals"


def test_the_listing_says_what_the_systems_say():
    text = files("tagsight.systems") / "listing.json"
    assert text.read_text(encoding="utf-8") == listing_text(), "run 'make docs'"
    assert [one.name for one in listing().systems] == list(HOMES)


def test_every_recipe_is_found_by_its_name_which_begins_with_that_of_its_system():
    for one in listing().recipes:
        assert one.name.startswith(one.system)
        assert RECIPES[one.name].name == one.name
        assert RECIPES[one.name].system == one.system
    assert len(RECIPES) == len(listing().recipes)
    assert {f"{name}-cpu" for name in HOMES} <= set(RECIPES)


def test_the_default_comes_first_in_the_list_then_the_recipes_for_processors():
    first, *rest = [one.name for one in installed().recipes]
    assert first == DEFAULT_RECIPE
    assert sorted([first, *rest]) == sorted(RECIPES)
    assert [name.endswith("-cpu") for name in rest] == sorted(
        (name.endswith("-cpu") for name in rest), reverse=True
    )


def test_minutes_are_those_of_the_faster_recorded_run_and_there_are_no_others():
    measured = {
        name: min(
            json.loads(file.read_text())["minutes"] for file in RECORDS.glob(f"{name}-?.json")
        )
        for name in RECIPES
        if list(RECORDS.glob(f"{name}-?.json"))
    }
    listed = {one.name: one.minutes for one in listing().recipes if one.minutes is not None}
    assert listed == {name: round(minutes, 1) for name, minutes in measured.items()}


def test_looking_a_recipe_up_imports_its_system_and_no_other():
    code = (
        "import sys; from tagsight.systems.catalogue import RECIPES, SYSTEMS; "
        "RECIPES['csra-cpu']; SYSTEMS['csra']; "
        "print([m for m in sys.modules if m.startswith('tagsight.systems.')])"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    others = {HOMES[name].partition(":")[0] for name in HOMES} - {"tagsight.systems.csra"}
    assert not [module for module in others if f"{module!r}" in told.stdout]


@pytest.mark.parametrize("name", SYSTEMS)
def test_the_page_says_what_a_system_is_whose_it_is_what_its_maps_are_and_what_deviates(name: str):
    _, _, after = systems_page().partition(f"\n## {name}\n")
    summary, citation, maps, deviations, *rest = after.partition("\n## ")[0].strip().split("\n\n")
    assert summary.endswith(".")
    assert ("Zero-shot" in summary) == SYSTEMS[name].takes_new_labels
    assert SYSTEMS[name].paper.rpartition("/")[2] in citation
    assert maps.startswith("Maps: ")
    assert deviations.startswith("Deviations: ")
    assert not any("\n" in paragraph for paragraph in (summary, citation, maps, deviations))
    recipes, published = rest[-2:]
    own = [recipe for recipe in RECIPES.values() if recipe.system == name]
    assert len(recipes.splitlines()) == 2 + len(own)
    assert all(f"| `{one.name}` | {one.source} | {one.expectation} |" in recipes for one in own)
    assert len(published.strip().splitlines()) == 2 + len(SYSTEMS[name].published)
    assert all(0 < one.score <= 100 for one in SYSTEMS[name].published)
