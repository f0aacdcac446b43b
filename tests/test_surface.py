"""What the package shows to those who import it."""

from __future__ import annotations

import ast
import inspect
from importlib import import_module
from pathlib import Path

import pytest

import tagsight
from tagsight.cli import COMMANDS

SOURCE = Path(tagsight.__file__)


def names_for_type_checkers() -> dict[str, str]:
    """The imports that only a type checker sees: name and module."""
    tree = ast.parse(SOURCE.read_text(encoding="utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    return {alias.name: node.module or "" for node in imports for alias in node.names}


def test_the_public_names_are_these():
    assert set(tagsight.__all__) - {"__version__"} == {
        *("PROTOCOLS", "READERS", "RECIPES", "SYSTEMS"),
        *("Annotations", "DataError", "Decision", "Label", "LabelSpace", "LoadedModel"),
        *("Recipe", "Recognition", "Recognizer", "Result", "RunLog", "Runtime"),
        *("System", "SystemConfig", "TrainConfig"),
        *("build_system", "choose_recipe", "explain_photos", "fit_decision", "load_model"),
        *("overlay", "prepare", "read_annotations", "read_protocol"),
        *("save_model", "tag_photos", "train_run"),
    }


@pytest.mark.parametrize("name", tagsight.__all__)
def test_every_public_name_is_there_and_documented(name: str):
    value = getattr(tagsight, name)
    if inspect.isclass(value) or inspect.isfunction(value):
        assert inspect.getdoc(value)


def test_type_checkers_see_the_same_names_in_the_same_places():
    assert names_for_type_checkers() == tagsight._HOMES
    assert set(tagsight.__all__) == {*tagsight._HOMES, "__version__"}


def test_a_public_name_is_the_one_of_its_module():
    for name, module in tagsight._HOMES.items():
        assert getattr(tagsight, name) is getattr(import_module(module), name)


def test_public_names_are_listed_by_dir():
    assert set(tagsight.__all__) <= set(dir(tagsight))


def test_other_names_are_missing_as_usual():
    with pytest.raises(AttributeError, match="module 'tagsight' has no attribute 'nothing'"):
        _ = tagsight.nothing


def test_no_public_name_is_that_of_a_module():
    modules = {path.stem for path in SOURCE.parent.iterdir()}
    assert not modules & set(tagsight.__all__)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_its_file(command):
    assert command.__module__ == f"tagsight.commands.{command.__name__}"
