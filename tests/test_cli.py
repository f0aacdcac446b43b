from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
import torch
from pydantic import TypeAdapter

import tagsight.systems.catalogue
from tagsight.cli import COMMANDS, DEBUG, main, with_standard_output
from tagsight.errors import DataError
from tagsight.systems.catalogue import DEFAULT_RECIPE

TORCH_FREE = """
import sys
from tagsight.cli import main

def code(*arguments):
    try:
        return main(arguments)
    except SystemExit as stop:
        return stop.code

assert code("--help") == 0
assert code("--version") == 0
assert code("train", "--help") == 0
assert code("train", ".") == 2
assert code("train", ".", "--out", "run", "--epohcs", "3") == 2
assert code("train", ".", "--out", "run", "--workers", "x") == 2
assert code("data", "no-such.csv") == 2
assert code("tag", "model") == 2
assert code("train", ".", "--out", "run", "--recipe", "gcam-cup") == 2
assert code("trian") == 2
assert code() == 0
assert code("systems") == 0
assert code("recipes") == 0
import tagsight
assert tagsight.DataError
heavy = {"torch", "torchvision", "timm", "numpy", "PIL"} & set(sys.modules)
assert not heavy, heavy
"""


ARGUMENTS = {
    "demo": [],
    "systems": [],
    "recipes": [],
    "download": ["nus-wide", "--out", "data"],
    "data": ["labels.csv"],
    "graph": ["labels.csv"],
    "vectors": ["labels.csv", "--out", "vectors.npz"],
    "train": ["labels.csv", "--out", "run"],
    "evaluate": ["model", "labels.csv"],
    "calibrate": ["model", "labels.csv"],
    "compare": ["labels.csv", "--out", "out"],
    "reproduce": ["figure8"],
    "tag": ["model", "photos"],
    "runs": [],
    "undo": [],
    "explain": ["model", "photos", "--out", "out"],
    "index": ["model", "photos", "--out", "index"],
    "search": ["index", "--where", "dog"],
    "serve": ["model"],
    "export": ["model", "photos", "--out", "model.onnx"],
}
"""What each command can be started with, as far as it comes."""

FIRST_WORDS = """
import io, json, sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from tagsight.cli import main

class Heavy(BaseException):
    pass

HEAVY = {"torch", "torchvision", "timm", "onnxruntime", "openvino", "lancedb", "uvicorn"}

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name in HEAVY:
            raise Heavy(name)

sys.meta_path.insert(0, Finder())
Path("labels.csv").write_text("image,labels\\na.jpg,dog\\n")
for folder in ("model", "photos", "index"):
    Path(folder).mkdir()
for file in ("config.json", "model.safetensors"):
    Path("model", file).write_text("{}")
silent = []
for name, arguments in json.loads(sys.argv[1]).items():
    said = io.StringIO()
    try:
        with redirect_stderr(said), redirect_stdout(io.StringIO()):
            main([name, *arguments])
    except Heavy:
        if not said.getvalue().strip():
            silent.append(name)
print(silent)
"""


def failing_systems(monkeypatch, error: BaseException) -> None:
    """Let ``tagsight systems`` fail."""

    def fail() -> None:
        raise error

    monkeypatch.setattr(tagsight.systems.catalogue, "installed", fail)


def complaint(capsys, *arguments: str) -> str:
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err


def test_help_version_and_errors_of_usage_do_not_wait_for_torch(tmp_path):
    subprocess.run([sys.executable, "-c", TORCH_FREE], check=True, cwd=tmp_path, timeout=60)


def test_every_command_says_what_it_does_before_it_loads_anything_large(tmp_path):
    assert ARGUMENTS.keys() == {command.__name__ for command in COMMANDS}
    program = [sys.executable, "-c", FIRST_WORDS, json.dumps(ARGUMENTS)]
    environment = os.environ | {"XDG_DATA_HOME": str(tmp_path)}
    done = subprocess.run(
        program, check=True, stdout=subprocess.PIPE, text=True, cwd=tmp_path, env=environment
    )
    assert done.stdout == "[]\n"


def test_the_version_is_that_of_the_package(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"tagsight {tagsight.__version__}\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_its_arguments(capsys, command):
    assert main([command.__name__, "--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    summary = (command.__doc__ or "").splitlines()[0].split()
    assert " ".join(summary[:3]) in text
    positional = [name for name in command.__annotations__ if f" {name.upper()} " in text]
    for name in positional:
        assert f"{name.upper()} " in text


def test_the_help_names_the_default_recipe(capsys):
    assert main(["train", "--help"]) == 0
    words = capsys.readouterr().out.replace("│", " ").split()
    assert f"by default {DEFAULT_RECIPE}." in " ".join(words)


def test_help_lists_the_commands_in_the_order_of_the_table(capsys):
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    places = [text.index(f"│ {command.__name__} ") for command in COMMANDS]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["trian"], 'Unknown command "trian". Did you mean "train"?'),
        (["train", "."], "parameter --out requires an argument"),
        (["train", ".", "--out", "b", "--epohcs", "3"], "Did you mean --epochs?"),
        (["train", ".", "--out", "b", "--workers", "0"], "Must be >= 1"),
        (["train", ".", "--out", "b", "--system", "3"], "expected the name of a setting after a"),
        (
            ["train", ".", "--out", "b", "--system.graph", "3", "--system.graph.epsilon", "1"],
            "expected a setting to have either a value or settings of its own, got both",
        ),
        (
            ["train", ".", "--out", "b", "--system.graph.epsilno", "1"],
            "did you mean --system.graph.epsilon?",
        ),
        (["train", ".", "--out", "b", "--epochs", "0"], "--epochs: expected a value greater than"),
        (["train", ".", "--out", "b", "--recipe", "gcan"], "expected the name of a recipe"),
        (["data", "no-such.csv"], 'Invalid value "no-such.csv" for DATA.'),
        (["tag", "no-such-model", "."], "no-such-model, which does not exist"),
    ],
)
def test_a_users_error_is_one_line_and_exit_code_2(
    capsys, tmp_path, monkeypatch, arguments: list[str], message: str
):
    monkeypatch.chdir(tmp_path)
    *before, text = complaint(capsys, *arguments).splitlines()
    assert before in ([], ["beginning b, reading ."])
    assert text.startswith("tagsight: ")
    assert message in text


def test_an_error_of_usage_points_to_the_help_of_the_command(capsys):
    assert "see 'tagsight train --help'" in complaint(capsys, "train")
    assert "see 'tagsight --help'" in complaint(capsys, "--nonsense")


def a_validation_error() -> Exception:
    try:
        TypeAdapter(int).validate_python("x")
    except ValueError as error:
        return error
    raise AssertionError


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (DataError("expected photos"), "tagsight: expected photos\n"),
        (FloatingPointError("the loss is not finite"), "tagsight: the loss is not finite\n"),
        (
            FileNotFoundError(2, "No such file or directory", "a.csv"),
            "tagsight: a.csv: No such file or directory\n",
        ),
        (PermissionError("not yours"), "tagsight: not yours\n"),
        (
            a_validation_error(),
            "expected a valid integer, unable to parse string as an integer, got 'x'",
        ),
    ],
)
def test_errors_that_a_user_can_mend_come_without_traceback(
    capsys, monkeypatch, error: Exception, message: str
):
    failing_systems(monkeypatch, error)
    text = complaint(capsys, "systems")
    assert message in text
    assert "Traceback" not in text


@pytest.mark.parametrize(("option", "variable"), [("--debug", ""), (None, "1")])
def test_the_traceback_is_shown_to_those_who_ask(capsys, monkeypatch, option, variable):
    monkeypatch.setenv(DEBUG, variable)
    failing_systems(monkeypatch, DataError("expected photos"))
    text = complaint(capsys, "systems", *([option] if option else []))
    assert "Traceback" in text
    assert text.endswith("tagsight: expected photos\n")


def test_a_defect_of_ours_keeps_its_traceback(monkeypatch):
    failing_systems(monkeypatch, ValueError("a defect"))
    with pytest.raises(ValueError, match="a defect"):
        main(["systems"])


def test_a_terminal_does_not_obey_what_a_message_holds(capsys, monkeypatch):
    failing_systems(monkeypatch, DataError("expected a photo, got a\x1b[31m\udcff.jpg"))
    assert complaint(capsys, "systems") == "tagsight: expected a photo, got a\\x1b[31m\\udcff.jpg\n"


def test_ctrl_c_ends_a_command_cleanly(capsys, monkeypatch):
    failing_systems(monkeypatch, KeyboardInterrupt())
    assert main(["systems"]) == 130
    assert capsys.readouterr().err == "tagsight: interrupted\n"


def test_nobody_is_bothered_when_the_output_is_closed_early(tmp_path):
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as closed:
        done = subprocess.run(
            [sys.executable, "-m", "tagsight", "--help"],
            stdout=closed,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.stderr == ""
    assert done.returncode == 1


def test_a_pipe_that_closes_under_a_command_is_no_defect(monkeypatch, capfd):
    failing_systems(monkeypatch, BrokenPipeError(32, "Broken pipe"))
    monkeypatch.setattr("tagsight.cli.drop_output", lambda: None)
    assert main(["systems"]) == 1
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("following", "is_file"),
    [
        ([], False),
        (["--top", "3"], False),
        (["photo.jpg"], False),
        (["photos"], False),
        (["new.jsonl"], True),
        (["new"], True),
        (["old.json"], True),
    ],
)
def test_json_without_a_file_means_standard_output(
    tmp_path, monkeypatch, following: list[str], *, is_file: bool
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photo.jpg").touch()
    (tmp_path / "old.json").touch()
    (tmp_path / "photos").mkdir()
    expected = ["tag", "--json" if is_file else "--json=-", *following]
    assert with_standard_output(["tag", "--json", *following]) == expected


@pytest.mark.parametrize("option", ["--json", "--out", "--problems"])
def test_a_dash_after_an_option_means_standard_output(option: str):
    assert with_standard_output(["tag", option, "-", "a"]) == ["tag", f"{option}=-", "a"]


@pytest.mark.parametrize("arguments", [[], ["--debug"]])
def test_without_a_command_the_help_is_printed(capsys, arguments: list[str]):
    assert main(["--help"]) == 0
    expected = capsys.readouterr().out
    assert main(arguments) == 0
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == (expected, "")


@pytest.mark.parametrize("error", [MemoryError(), torch.OutOfMemoryError("CUDA out of memory")])
def test_a_full_memory_is_a_sentence(monkeypatch, capsys, error):
    failing_systems(monkeypatch, error)
    assert "try a lower --training.batch_size" in complaint(capsys, "systems")
