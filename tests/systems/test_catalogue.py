from __future__ import annotations

import re
import subprocess
import sys
from importlib.resources import files

import pytest

from tagsight.systems.catalogue import HOMES, RECIPES, SYSTEMS, listing, recipes_of
from tagsight.systems.page import listing_text, systems_page

RELEASED = {
    *("resnet101-gap", "resnet101-gmp", "ml-gcn-paper", "a-gcn-paper", "f-gcn-paper", "vac-paper"),
    *("csra-paper", "ml-decoder-paper", "query2label-paper", "rnn-attention-paper"),
}
"""Recipes after code that somebody released."""

every_system = pytest.mark.parametrize("name", SYSTEMS)


def section_of(name: str) -> list[str]:
    _, _, after = systems_page().partition(f"\n## {name}\n")
    return after.partition("\n## ")[0].strip().split("\n\n")


def cells(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip("|").split("|")]


def test_the_listing_says_what_the_systems_say():
    text = files("tagsight.systems") / "listing.json"
    assert text.read_text(encoding="utf-8") == listing_text(), "run 'make docs'"


def test_every_system_is_listed_with_what_it_is_and_its_paper():
    assert [one.name for one in listing().systems] == list(HOMES)
    for name, summary, paper in listing().systems:
        assert summary.endswith(".")
        assert "\n" not in summary
        assert paper == SYSTEMS[name].paper


def test_every_recipe_is_found_by_its_name_and_begins_with_that_of_its_system():
    assert list(RECIPES) == [recipe.name for name in HOMES for recipe in recipes_of(name)]
    for one in listing().recipes:
        assert one.name.startswith(one.system)
        assert RECIPES[one.name].name == one.name
        assert RECIPES[one.name].system == one.system


def test_looking_a_recipe_up_imports_its_system_and_no_other():
    code = (
        "import sys; from tagsight.systems.catalogue import RECIPES, SYSTEMS; "
        "RECIPES['csra-cpu']; SYSTEMS['csra']; "
        "print([m for m in sys.modules if m.startswith('tagsight.systems.')])"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    others = {HOMES[name].partition(":")[0] for name in HOMES} - {"tagsight.systems.csra"}
    assert not [module for module in others if f"{module!r}" in told.stdout]


def test_a_name_that_no_recipe_has_is_no_key():
    assert "gcam-gpu" not in RECIPES
    assert "gcn" not in SYSTEMS


@every_system
def test_the_page_says_what_a_system_is_whose_it_is_and_what_its_maps_are(name: str):
    summary, citation, maps, deviations, *_ = section_of(name)
    assert summary.endswith(".")
    assert SYSTEMS[name].paper.rpartition("/")[2] in citation
    assert maps.startswith("Maps: ")
    assert deviations.startswith("Deviations: ")
    assert len(deviations) > 50
    assert not any("\n" in paragraph for paragraph in (summary, citation, maps, deviations))


@every_system
def test_the_page_says_what_recipes_of_papers_do_otherwise(name: str):
    named = re.findall(r"``([a-z0-9-]+)``", " ".join(section_of(name)[4:-2]))
    own = {recipe.name for recipe in RECIPES.values() if recipe.system == name}
    assert own & RELEASED <= set(named)


@every_system
def test_zero_shot_systems_are_called_so_and_no_other(name: str):
    (listed,) = (one.summary for one in listing().systems if one.name == name)
    for text in (listed, section_of(name)[0]):
        assert ("Zero-shot" in text) == SYSTEMS[name].takes_new_labels


@every_system
def test_the_page_lists_the_recipes_of_a_system(name: str):
    head, rule, *rows = section_of(name)[-2].splitlines()
    assert len(cells(head)) == len(cells(rule)) == 3
    expected = [
        [f"`{recipe.name}`", recipe.source, recipe.expectation]
        for recipe in RECIPES.values()
        if recipe.system == name
    ]
    assert [cells(row) for row in rows] == expected
    assert f"`{name}-cpu`" in {row[0] for row in expected}


@every_system
def test_the_page_has_every_published_number_with_its_setting_and_source(name: str):
    head, rule, *rows = section_of(name)[-1].splitlines()
    assert len(cells(head)) == len(cells(rule)) == 4
    expected = [
        [one.data, str(one.score), one.setting, one.source] for one in SYSTEMS[name].published
    ]
    assert [cells(row) for row in rows] == expected
    assert all(0 < one.score <= 100 for one in SYSTEMS[name].published)


def test_the_page_ends_with_one_line_break():
    assert systems_page().endswith("|\n")
