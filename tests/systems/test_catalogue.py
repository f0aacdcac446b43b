from __future__ import annotations

import inspect
import re

import pytest

from tagsight.systems.catalogue import RECIPES, SYSTEMS, recipe_lines, system_lines, systems_page

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


def test_every_system_has_one_line_with_its_name_and_paper():
    lines = list(system_lines())
    assert [line.split()[0] for line in lines] == list(SYSTEMS)
    for line, system in zip(lines, SYSTEMS.values(), strict=True):
        assert "\n" not in line
        title = " ".join(inspect.getdoc(inspect.getmodule(system)).split("\n\n")[0].split())
        zero_shot = " Zero-shot: it takes new labels." if system.takes_new_labels else ""
        assert line.split(maxsplit=1)[1] == f"{title}{zero_shot} {system.paper}"


def test_every_recipe_has_one_line_with_its_name_source_and_expectation():
    lines = list(recipe_lines())
    assert [line.split()[0] for line in lines] == list(RECIPES)
    for line, recipe in zip(lines, RECIPES.values(), strict=True):
        assert "\n" not in line
        assert line.endswith(f"{recipe.source}; {recipe.expectation}")


def test_names_never_run_into_what_follows():
    for line in (*system_lines(), *recipe_lines()):
        assert line.partition(" ")[0] in {*SYSTEMS, *RECIPES}


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
    (line,) = (line for line in system_lines() if line.split()[0] == name)
    for text in (line, section_of(name)[0]):
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
