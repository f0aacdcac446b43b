"""What the package shows to those who import it."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import tagsight
from tagsight.cli import COMMANDS

ROOT = Path(tagsight.__file__).parent


def test_the_public_names_are_these():
    assert set(dir(tagsight)) == {
        *("train", "evaluate", "calibrate", "compare", "load", "explain", "index", "search"),
        *("export", "label_graph", "metrics", "systems", "recipes", "read_annotations"),
        *("read_protocol", "tag_photos", "explain_photos", "overlay", "build_system"),
        *("Annotations", "Comparison", "DataError", "Decision", "Label", "LabelSpace"),
        *("LoadedModel", "Recipe", "Recognition", "Recognizer", "Result", "Run", "Runtime"),
        *("System", "SystemConfig", "TrainConfig"),
    }


@pytest.mark.parametrize("name", dir(tagsight))
def test_every_public_name_is_there_and_documented(name: str):
    value = getattr(tagsight, name)
    assert inspect.getdoc(value)
    if callable(value) and not inspect.isclass(value):
        assert inspect.signature(value)


def test_functions_with_the_name_of_a_room_can_be_called_whatever_was_imported_before():
    import tagsight.search.index
    import tagsight.systems.base

    assert tagsight.systems()["gcam"].__name__ == "GCAM"
    assert tagsight.systems.base.System is tagsight.System
    with pytest.raises(tagsight.DataError, match="expected `like` with a photo"):
        tagsight.search("index")


def test_importing_the_package_imports_neither_torch_nor_a_system():
    code = (
        "import sys, tagsight; print(*(m for m in sys.modules if 'torch' in m or 'systems.' in m))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_other_names_are_missing_as_usual():
    with pytest.raises(AttributeError, match="nothing"):
        _ = tagsight.nothing


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_its_file(command):
    assert command.__module__ == f"tagsight.commands.{command.__name__}"
