import pytest

from tagsight.errors import DataError
from tagsight.experiments.variants import ALL, QUICK, chosen_entries
from tagsight.systems.catalogue import RECIPES, SYSTEMS
from tagsight.systems.settings import Change

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
def file(tmp_path):
    path = tmp_path / "variants.toml"
    path.write_text(ABLATIONS)
    return path


def test_a_system_stands_for_its_recipe_a_recipe_for_itself_and_all_for_all_systems():
    entries = chosen_entries(["resnet", "gcam-paper"])
    assert [entry.name for entry in entries] == ["resnet-cpu", "gcam-paper"]
    assert [entry.recipe for entry in entries] == [RECIPES[entry.name] for entry in entries]
    assert [entry.recipe.system for entry in chosen_entries([ALL])] == list(SYSTEMS)


def test_quick_stands_for_all_recipes_that_share_one_encoding():
    entries = chosen_entries([QUICK])
    assert {"gcam-quick", "resnet-quick", "csra-quick"} <= {entry.name for entry in entries}
    encodings = {
        (recipe.settings.backbone, recipe.training.image_size, recipe.training.resize)
        for _, recipe in entries
    }
    assert len(encodings) == 1


def test_variants_change_a_recipe_and_have_names_of_their_own(file):
    free, maximum = chosen_entries([], file)
    assert (free.name, maximum.name) == ("gcam-free", "gcam-max")
    assert free.recipe.name == "gcam-cpu, changed"
    assert free.recipe.settings.consistency.weight == 0
    assert (maximum.recipe.settings.pooling, maximum.recipe.training.epochs) == ("max", 5)


def test_changes_of_all_come_last(file):
    entries = chosen_entries(["resnet"], file, [Change(("training", "epochs"), 2, "--epochs")])
    assert [entry.recipe.training.epochs for entry in entries] == [2, 2, 2]


NAME = "expected a name of letters, digits and ._+-"


@pytest.mark.parametrize(
    ("systems", "content", "message"),
    [
        ([], None, "expected at least one of `systems` or `variants` to compare, got none"),
        (["gcam", "gcam-cpu"], None, "every system and variant once, got 'gcam-cpu'"),
        (["gcam-cup"], None, "a recipe, got 'gcam-cup'; did you mean 'gcam-cpu'?"),
        ([], '["a/b"]\nrecipe = "gcam"', NAME),
        ([], '[gcam-cpu]\nrecipe = "gcam"', NAME),
        ([], "a = 1", "[a]: expected a table with 'recipe' and changed settings, got 1"),
        ([], "[a]", "[a]: expected 'recipe', the name of the recipe to change, got None"),
        ([], '[a]\nrecipe = "gcam"\nepochs = 1', "did you mean"),
        ([], '[a]\nrecipe = "gcam"\ntraining.seed = 1', "sets the seeds itself, by `seeds`"),
    ],
)
def test_what_cannot_be_compared_is_named_with_the_file(file, systems, content, message):
    file.write_text(content or "")
    with pytest.raises(DataError) as raised:
        chosen_entries(systems, file if content else None)
    assert message in str(raised.value)
    assert content is None or "variants.toml" in str(raised.value)


def test_the_seeds_of_all_are_not_a_setting():
    with pytest.raises(DataError, match=r"--training.seed: a comparison sets the seeds"):
        chosen_entries(["resnet"], None, [Change(("training", "seed"), 2, "--training.seed")])
