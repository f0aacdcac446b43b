from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tagsight.errors import DataError
from tagsight.experiments.variants import ALL, chosen_entries
from tagsight.systems.catalogue import RECIPES, SYSTEMS
from tagsight.systems.settings import Change

if TYPE_CHECKING:
    from pathlib import Path

ABLATIONS = """
[gcam-free]
recipe = "gcam"
system.consistency.weight = 0

[gcam-max]
recipe = "gcam-paper"
system.pooling = "max"
training.epochs = 5
"""


@pytest.fixture
def file(tmp_path) -> Path:
    path = tmp_path / "variants.toml"
    path.write_text(ABLATIONS)
    return path


def test_a_system_stands_for_its_recipe_and_a_recipe_for_itself():
    entries = chosen_entries(["resnet", "gcam-paper"])
    assert [entry.name for entry in entries] == ["resnet-cpu", "gcam-paper"]
    assert [entry.recipe for entry in entries] == [RECIPES[entry.name] for entry in entries]


def test_all_are_all_systems():
    assert [entry.recipe.system for entry in chosen_entries([ALL])] == list(SYSTEMS)


def test_variants_change_a_recipe_and_have_names_of_their_own(file: Path):
    free, maximum = chosen_entries([], file)
    assert (free.name, maximum.name) == ("gcam-free", "gcam-max")
    assert free.recipe.name == "gcam-cpu, changed"
    assert free.recipe.settings.consistency.weight == 0
    assert maximum.recipe.settings.pooling == "max"
    assert maximum.recipe.training.epochs == 5


def test_changes_of_all_come_last(file: Path):
    entries = chosen_entries(["resnet"], file, [Change(("training", "epochs"), 2, "--epochs")])
    assert [entry.recipe.training.epochs for entry in entries] == [2, 2, 2]


@pytest.mark.parametrize(
    ("systems", "message"),
    [
        ([], "expected at least one of `systems` or `variants` to compare, got none"),
        (["gcam", "gcam-cpu"], "expected every system and variant once, got 'gcam-cpu'"),
        (["gcam-cup"], "expected the name of a recipe, got 'gcam-cup'; did you mean 'gcam-cpu'?"),
    ],
)
def test_systems_that_cannot_be_compared_are_named(systems: list[str], message: str):
    with pytest.raises(DataError) as raised:
        chosen_entries(systems)
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('["a/b"]\nrecipe = "gcam"', "expected a name of letters, digits and ._+-"),
        ('[gcam-cpu]\nrecipe = "gcam"', "expected a name of letters, digits and ._+-"),
        ("a = 1", "[a]: expected a table with 'recipe' and changed settings, got 1"),
        ("[a]", "[a]: expected 'recipe', the name of the recipe to change, got None"),
        ('[a]\nrecipe = "gcam"\nepochs = 1', "did you mean"),
        ('[a]\nrecipe = "gcam"\ntraining.seed = 1', "sets the seeds itself, by `seeds`"),
    ],
)
def test_variants_that_are_none_are_named_with_the_file(tmp_path, content: str, message: str):
    file = tmp_path / "v.toml"
    file.write_text(content)
    with pytest.raises(DataError) as raised:
        chosen_entries([], file)
    assert message in str(raised.value)
    assert "v.toml" in str(raised.value)


def test_the_seeds_of_all_are_not_a_setting():
    with pytest.raises(DataError, match=r"--training.seed: a comparison sets the seeds"):
        chosen_entries(["resnet"], None, [Change(("training", "seed"), 2, "--training.seed")])
