import pytest
from pydantic import BaseModel, Field, ValidationError

from tagsight.errors import DataError, settings_sentence
from tagsight.systems.catalogue import RECIPES
from tagsight.systems.settings import Change, changes_in, choose_recipe
from tagsight.systems.settings_file import read_settings, settings_text


def flags(**tables):
    return list(changes_in(tables, "--"))


def test_every_recipe_survives_being_written_as_toml_and_read(tmp_path):
    path = tmp_path / "recipe.toml"
    for name in RECIPES:
        path.write_text(settings_text(RECIPES[name]), encoding="utf-8")
        recipe, changes = read_settings(path)
        assert choose_recipe(recipe, changes) == RECIPES[name]


def test_a_written_recipe_explains_every_setting():
    lines = settings_text(RECIPES["gcam-paper"]).splitlines()
    settings = [i for i, line in enumerate(lines) if " = " in line and line.split()[0] != "recipe"]
    assert len(settings) > 30
    assert all(lines[i - 1].startswith("# ") for i in settings)


def test_strings_are_parsed_as_their_settings_ask_and_the_others_stay():
    base, backbone = RECIPES["gcam-paper"], {"frozen_stages": "2", "freeze_batch_norm": "true"}
    consistency = {"weight": "0.25", "transforms": "flip, quarter_turn"}
    system = {"pooling": "max", "backbone": backbone, "consistency": consistency}
    training = {"clip_norm": "none", "epochs": "3"}
    recipe = choose_recipe("gcam-paper", flags(system=system, training=training))
    expected = base.settings.model_dump() | {"pooling": "max"}
    expected["backbone"] |= {"frozen_stages": 2, "freeze_batch_norm": True}
    expected["consistency"] |= {"weight": 0.25, "transforms": ("flip", "quarter_turn")}
    assert recipe.settings.model_dump() == expected
    assert recipe.training == base.training.model_copy(update={"clip_norm": None, "epochs": 3})


def as_text(value):
    """Each setting as one types it: lists by commas, nothing as ``none``."""
    if isinstance(value, dict):
        return {name: as_text(part) for name, part in value.items()}
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return str(value).lower() if isinstance(value, bool | None) else str(value)


@pytest.mark.parametrize("name", RECIPES)
def test_every_setting_can_be_typed(name):
    recipe = RECIPES[name]
    system, training = (as_text(part.model_dump()) for part in (recipe.settings, recipe.training))
    typed = choose_recipe(name, flags(system=system, training=training))
    assert (typed.settings, typed.training) == (recipe.settings, recipe.training)


def test_flags_come_before_the_file_and_the_file_before_the_recipe(tmp_path):
    path = tmp_path / "my.toml"
    path.write_text("[training]\nlr = 0.25\nepochs = 7\n")
    changes = [*read_settings(path).changes, *flags(training={"lr": "0.5"})]
    expected = RECIPES["gcam-paper"].training.model_copy(update={"lr": 0.5, "epochs": 7})
    assert choose_recipe("gcam-paper", changes).training == expected


def test_a_changed_recipe_says_so_but_another_seed_is_the_same_recipe():
    seeded = choose_recipe("gcam-paper", flags(training={"seed": "3"}))
    changed = choose_recipe("gcam-paper", flags(system={"graph": {"epsilon": "0.3"}}))
    assert (seeded.name, changed.name) == ("gcam-paper", "gcam-paper, changed")
    assert changed.source == "gcam-paper with system.graph.epsilon = 0.3"
    assert changed.expectation == "not known: the recipe was changed"


CHANGED = [
    (
        "system.consistency.wieght",
        "1",
        r"no setting {}; did you mean --system.consistency.weight\?",
    ),
    ("system.epsilon", "1", r"no setting {}; did you mean --system.graph.epsilon\?"),
    ("system.lr", "1", r"did you mean --training.lr\?"),
    ("system.qqqqqqqqqqqq", "1", r"'gcam-paper' in `tagsight.recipes\(\)` lists them"),
    ("system.graph", "1", "{}: expected one of its settings, such as --system.graph.hidden"),
    ("training.lr", "fast", "{}: expected a valid number, unable to parse .*, got 'fast'"),
    ("training.lr", "0", "{}: expected a value greater than 0, got '0'"),
    ("training.crop", "0", "^{}: expected a value greater than 0 or 'multi_scale', got '0'$"),
    ("training.optimizer", "lion", "{}: expected 'sgd', 'adam' or 'adamw', got 'lion'"),
    ("system.consistency.transforms", "flip,turn", "{}: expected 'flip', .* or .*, got 'turn'"),
    ("system.consistency.transforms", "", "consistency.transforms: expected at least one"),
]


@pytest.mark.parametrize(("name", "value", "message"), CHANGED)
def test_a_wrong_setting_is_named_as_the_user_wrote_it(name, value, message):
    change = Change(tuple(name.split(".")), value, f"--{name}")
    with pytest.raises(DataError, match=message.format(f"--{name}")):
        choose_recipe("gcam-paper", [change])


def test_a_wrong_setting_of_a_file_is_named_with_the_file_and_a_short_flag_as_it_is(tmp_path):
    path = tmp_path / "my.toml"
    path.write_text("[system.graph]\nepsilon = 2\n")
    with pytest.raises(DataError, match=r"my.toml: system.graph.epsilon: expected a value less"):
        choose_recipe("gcam-paper", read_settings(path).changes)
    with pytest.raises(DataError, match=r"^--epochs: expected a value greater than or equal to 1"):
        choose_recipe("gcam-paper", [Change(("training", "epochs"), 0, "--epochs")])


def test_an_unknown_recipe_is_answered_with_the_nearest_or_all_there_are():
    with pytest.raises(DataError, match=r"got 'gcam-papr'; did you mean 'gcam-paper'\?"):
        choose_recipe("gcam-papr")
    with pytest.raises(DataError, match=f"there are {', '.join(RECIPES)}"):
        choose_recipe("qqq")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"expected a TOML file .*, got .*my.toml"),
        (b"[training", "expected TOML"),
        (b"\xff\xfe", "expected TOML"),
        (b"recipe = 3", "expected recipe to be the name of one, got 3"),
        (b"lr = 3", r"expected 'recipe' and the tables \[system\] and \[training\], got 'lr'"),
        (b"training = 3", "got 'training'"),
        (b"lr = " + b"9" * 10_000, "expected TOML: a line of more than 4,000 characters"),
        (b".".join([b"a"] * 100_000) + b" = 1", "a line of more than 4,000 characters"),
        (b"lr = " + b"[\n" * 3_000, "expected TOML"),
    ],
)
def test_a_file_that_is_no_settings_file_is_refused(content, message, tmp_path):
    path = tmp_path / "my.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_settings(path)


class Server(BaseModel):
    port: int = Field(ge=1)


class Everything(BaseModel):
    server: Server


def test_any_other_setting_is_named_by_its_place():
    with pytest.raises(ValidationError) as raised:
        Everything.model_validate({"server": {"port": 0}})
    expected = "server.port: expected a value greater than or equal to 1, got 0"
    assert settings_sentence(raised.value) == expected
