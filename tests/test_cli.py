import os
import shutil
import subprocess

import pytest
import torch
from programs import ended, python
from pydantic import TypeAdapter

import tagsight.systems.catalogue
from tagsight.cli import COMMANDS, DEBUG, app, main, with_standard_output
from tagsight.errors import DataError
from tagsight.systems.catalogue import DEFAULT_RECIPE

TORCH_FREE = """
import pkgutil, sys
import tagsight.commands
from tagsight.cli import main

for command in pkgutil.walk_packages(tagsight.commands.__path__, "tagsight.commands."):
    __import__(command.name)

def code(*arguments):
    try:
        return main(arguments)
    except SystemExit as stop:
        return stop.code

for words in ("--help", "--version", "train --help", "systems", "recipes", ""):
    assert code(*words.split()) == 0, words
for words in (
    "train .",
    "train . --out run --epohcs 3",
    "train . --out run --workers x",
    "train . --out run --recipe gcam-cup",
    "data no-such.csv",
    "tag model",
    "trian",
):
    assert code(*words.split()) == 2, words
import tagsight
assert tagsight.DataError
heavy = {"torch", "torchvision", "timm", "numpy", "PIL"} & set(sys.modules)
assert not heavy, heavy
"""


ARGUMENTS = (
    *(
        "demo",
        "doctor",
        "formats",
        "systems",
        "recipes",
        "encoders",
        "encoders dinov3",
        "download nus-wide --out data",
        "data labels.csv",
    ),
    *("graph labels.csv", "vectors labels.csv --out vectors.npz", "train labels.csv --out run"),
    "convert model/model.safetensors --from csra --labels voc --out converted",
    *("evaluate model labels.csv", "calibrate model labels.csv", "compare labels.csv --out out"),
    *("reproduce figure8", "label photos", "tag model photos", "confirm photos", "runs", "undo"),
    *("explain model photos --out out", "index model photos --out index"),
    *("search index --where dog", "serve model"),
    *("export model photos --out model.onnx", "push model hf://me/birds"),
    "pull hf://me/birds --out pulled",
)
"""What each command can be started with, as far as it comes."""

FIRST_WORDS = """
import io, sys
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
for words in sys.argv[1:]:
    said = io.StringIO()
    try:
        with redirect_stderr(said), redirect_stdout(io.StringIO()):
            main(words.split())
    except Heavy:
        if not said.getvalue().strip():
            silent.append(words)
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
    python("-c", TORCH_FREE, cwd=tmp_path)


def test_every_command_says_what_it_does_before_it_loads_anything_large(tmp_path):
    assert {words.split()[0] for words in ARGUMENTS} == {one.__name__ for one in COMMANDS}
    environment = os.environ | {"XDG_DATA_HOME": str(tmp_path)}
    done = python("-c", FIRST_WORDS, *ARGUMENTS, cwd=tmp_path, env=environment)
    assert done.stdout == "[]\n"


def printed(capsys, *arguments: str) -> str:
    assert main(arguments) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out


def test_help_lists_the_commands_in_order_and_is_what_no_command_prints(capsys):
    text = printed(capsys, "--help")
    places = [text.index(f"│ {command.__name__} ") for command in COMMANDS]
    assert places == sorted(places)
    assert printed(capsys) == printed(capsys, "--debug") == text
    assert printed(capsys, "--version") == f"tagsight {tagsight.__version__}\n"
    words = printed(capsys, "train", "--help").replace("│", " ").split()
    assert f"by default {DEFAULT_RECIPE}." in " ".join(words)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("trian", 'Unknown command "trian". Did you mean "train"?'),
        ("--nonsense", "see 'tagsight --help'"),
        ("train", "see 'tagsight train --help'"),
        ("train .", "parameter --out requires an argument"),
        ("train . --out b --epohcs 3", "Did you mean --epochs?"),
        ("train . --out b --workers 0", "Must be >= 1"),
        ("train . --out b --system 3", "expected the name of a setting after a"),
        ("train . --out b --system.graph 3 --system.graph.epsilon 1", "settings of its own, got b"),
        ("train . --out b --system.graph.epsilno 1", "did you mean --system.graph.epsilon?"),
        ("train . --out b --epochs 0", "--epochs: expected a value greater than"),
        ("train . --out b --recipe gcan", "expected the name of a recipe"),
        ("data no-such.csv", 'Invalid value "no-such.csv" for DATA.'),
        ("tag . no-such.jpg", 'Invalid value for PATHS. "no-such.jpg" does not exist'),
        ("tag no-such-model .", "no-such-model, which does not exist"),
    ],
)
def test_a_users_error_is_one_line_and_exit_code_2(
    capsys, tmp_path, monkeypatch, arguments, message
):
    monkeypatch.chdir(tmp_path)
    *before, text = complaint(capsys, *arguments.split()).splitlines()
    assert before in ([], ["beginning b, reading ."])
    assert text.startswith("tagsight: ")
    assert message in text


def a_validation_error() -> Exception:
    try:
        TypeAdapter(int).validate_python("x")
    except ValueError as error:
        return error
    raise AssertionError


def too_large_a_tensor() -> Exception:
    try:
        torch.empty(2**50)
    except RuntimeError as error:
        return error
    raise AssertionError


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (DataError("expected photos"), "tagsight: expected photos\n"),
        (DataError("got a\x1b[31m\udcff.jpg"), "tagsight: got a\\x1b[31m\\udcff.jpg\n"),
        (FloatingPointError("the loss is not finite"), "tagsight: the loss is not finite\n"),
        (FileNotFoundError(2, "No such file", "a.csv"), "tagsight: a.csv: No such file\n"),
        (PermissionError("not yours"), "tagsight: not yours\n"),
        (MemoryError(), "try a lower --training.batch_size"),
        (torch.OutOfMemoryError("CUDA out of memory"), "try a lower --training.batch_size"),
        (too_large_a_tensor(), "try a lower --training.batch_size"),
        (a_validation_error(), "expected a valid integer, unable to parse string as an integer"),
    ],
)
def test_errors_that_a_user_can_mend_come_in_printable_words_without_traceback(
    capsys, monkeypatch, error, message
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


def test_ctrl_c_ends_a_command_cleanly(capsys, monkeypatch):
    failing_systems(monkeypatch, KeyboardInterrupt())
    assert main(["systems"]) == 130
    assert capsys.readouterr().err == "tagsight: interrupted\n"


def test_nobody_is_bothered_when_the_output_is_closed_early():
    reading, writing = os.pipe()
    os.close(reading)
    streams = {"capture_output": False, "stderr": subprocess.PIPE}
    with os.fdopen(writing, "wb") as closed:
        done = python("-m", "tagsight", "--help", code=1, stdout=closed, **streams)
    assert done.stderr == ""


def test_a_pipe_that_closes_under_a_command_is_no_defect(monkeypatch, capfd):
    failing_systems(monkeypatch, BrokenPipeError(32, "Broken pipe"))
    monkeypatch.setattr("tagsight.cli._drop_output", lambda: None)
    assert main(["systems"]) == 1
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("following", "is_file"),
    [("", 0), ("--top 3", 0), ("photo.jpg", 0), ("photos", 0), ("new.jsonl", 1), ("old.json", 1)],
)
def test_json_without_a_file_means_standard_output(tmp_path, monkeypatch, following, is_file):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photo.jpg").touch()
    (tmp_path / "old.json").touch()
    (tmp_path / "photos").mkdir()
    expected = ["tag", "--json" if is_file else "--json=-", *following.split()]
    assert with_standard_output(["tag", "--json", *following.split()]) == expected


@pytest.mark.parametrize("option", ["--json", "--out", "--problems"])
def test_a_dash_after_an_option_means_standard_output(option):
    assert with_standard_output(["tag", option, "-", "a"]) == ["tag", f"{option}=-", "a"]


@pytest.mark.parametrize("command", ["tag", "explain", "index"])
def test_photos_stand_before_or_after_the_options(tmp_path, command):
    photos = [tmp_path / "a.jpg", tmp_path / "b.jpg"]
    for photo in photos:
        photo.touch()
    for given in (["model", *photos, "--out", "o"], ["model", "--out", "o", *photos]):
        tokens = [command, *map(str, given)]
        _, bound, _ = app.parse_args(tokens, exit_on_error=False, print_error=False)
        assert bound.args[1:] == tuple(photos)


COMPLETED = """
source "$1"
function=$(complete -p tagsight | sed 's/.*-F \\([^ ]*\\).*/\\1/')
COMP_WORDS=(tagsight tr); COMP_CWORD=1; $function; echo "${COMPREPLY[*]}"
COMP_WORDS=(tagsight train --trac); COMP_CWORD=2; $function; echo "${COMPREPLY[*]}"
COMP_WORDS=(tagsight train --track ""); COMP_CWORD=3; $function; echo "${COMPREPLY[*]}"
"""


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_tab_completes_commands_options_and_values(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    script = tmp_path / "tagsight.bash"
    assert main(["--install-completion", "--shell", "bash", "--output", str(script)]) == 0
    done = ended("bash", "-c", COMPLETED, "bash", script)
    assert done.stdout.splitlines() == ["train", "--track", "tensorboard mlflow wandb"]
