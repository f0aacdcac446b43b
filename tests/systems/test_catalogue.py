import json
from importlib.resources import files
from pathlib import Path

import pytest
from programs import python

from tagsight.systems.catalogue import (
    DEFAULT_RECIPE,
    HOMES,
    RECIPES,
    SHORT_NAMES,
    SYSTEMS,
    installed,
)
from tagsight.systems.listing_file import listing
from tagsight.systems.page import listing_text, systems_page

RECORDS = Path(__file__).parents[2] / "docs" / "results" / "voc-animals-cpu"


def test_the_listing_says_what_the_systems_say():
    text = files("tagsight.systems") / "listing.json"
    assert text.read_text(encoding="utf-8") == listing_text(), "run 'make docs'"
    assert [one.name for one in listing().systems] == list(HOMES)


def test_recipes_are_found_by_name_the_default_first_then_those_for_processors():
    listed = {one.name: one.system for one in listing().recipes}
    assert {name: recipe.system for name, recipe in RECIPES.items()} == listed
    assert all(RECIPES[name].name == name and name.startswith(listed[name]) for name in listed)
    assert {f"{name}-cpu" for name in HOMES} <= set(listed)
    first, *rest = [one.name for one in installed().recipes]
    assert (first, sorted([first, *rest])) == (DEFAULT_RECIPE, sorted(listed))
    on_cpu = [name.endswith("-cpu") for name in rest]
    assert on_cpu == sorted(on_cpu, reverse=True)


def test_minutes_are_those_of_the_faster_recorded_run_and_there_are_no_others():
    measured = {name: [] for name in RECIPES}
    for file in RECORDS.glob("*-?.json"):
        name = file.stem[:-2]
        measured[SHORT_NAMES.get(name, name)].append(json.loads(file.read_text())["minutes"])
    expected = {name: round(min(runs), 1) for name, runs in measured.items() if runs}
    assert {one.name: one.minutes for one in listing().recipes if one.minutes} == expected


def test_looking_a_recipe_up_imports_its_system_and_no_other():
    code = (
        "import sys; from tagsight.systems.catalogue import RECIPES, SYSTEMS; "
        "RECIPES['csra-cpu']; SYSTEMS['csra']; "
        "print([m for m in sys.modules if m.startswith('tagsight.systems.')])"
    )
    told = python("-c", code)
    others = {HOMES[name].partition(":")[0] for name in HOMES} - {"tagsight.systems.csra"}
    assert not [module for module in others if f"{module!r}" in told.stdout]


@pytest.fixture(scope="module")
def page() -> str:
    return systems_page()


@pytest.mark.parametrize("name", SYSTEMS)
def test_the_page_says_what_a_system_is_whose_it_is_what_its_maps_are_and_what_deviates(name, page):
    _, _, after = page.partition(f"\n## {name}\n")
    parts, system = after.partition("\n## ")[0].strip().split("\n\n"), SYSTEMS[name]
    summary, citation, maps, deviations, *_, recipes, published = parts
    assert ("Zero-shot" in summary) == system.takes_new_labels
    assert system.paper.rpartition("/")[2] in citation
    assert (maps[:6], deviations[:12]) == ("Maps: ", "Deviations: ")
    rows = [
        f"| `{one.name}` | {one.source} | {one.expectation} |"
        for one in RECIPES.values()
        if one.system == name
    ]
    assert recipes.splitlines()[2:] == rows
    assert len(published.strip().splitlines()) == 2 + len(system.published)
    assert all(0 < one.score <= 100 for one in system.published)
