"""What the package shows to those who import it."""

import ast
import inspect
import io
import re
import shlex
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from programs import python
from rich.console import Console

import tagsight
from tagsight.cli import COMMANDS, app, with_standard_output

ROOT = Path(tagsight.__file__).parent


def test_every_public_name_is_documented_and_shown_by_an_example_that_runs():
    for name in dir(tagsight):
        value = getattr(tagsight, name)
        shown = ">>>" in (inspect.getdoc(value) or "")
        assert shown or name in {"metrics", "search", "systems"}, name  # rooms


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
    assert python("-c", code).stdout.strip() == ""


def test_other_names_are_missing_as_usual():
    with pytest.raises(AttributeError, match="nothing"):
        _ = tagsight.nothing


ROOMS = sorted(
    path.name for path in ROOT.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()
)

WITHOUT_EXAMPLE = {
    "checkpoint": {"matrix_in", "read"},
    "commands": {"examine"},
    "demo": {"run_demo"},
    "evaluation": {"measure_faithfulness"},
    "labels": {"installed_wordnet"},
    "training": {"Examiner"},
}
"""Four take long; the others need WordNet, or files as authors released them."""

RECORDS = re.compile(
    "overload|NamedTuple|Protocol|dataclass|Config|Settings|Error|Exception|BaseModel"
)
"""Decorators and bases of definitions that have no behaviour of their own to show."""

DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def offered(room: str) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    """Yield a room's public functions, classes, and records with methods; no abstract ones."""
    for path in sorted([*(ROOT / room).rglob("*.py")] or ROOT.glob(room)):
        records: set[str] = set()
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if not isinstance(node, DEFINITIONS):
                continue
            above = [*map(ast.unparse, [*node.decorator_list, *getattr(node, "bases", ())])]
            acts = re.search("NamedTuple|dataclass", " ".join(above)) and any(
                isinstance(one, ast.FunctionDef) and one.name[0] != "_" for one in node.body
            )
            if any(RECORDS.search(one) or one in records for one in above):
                records.add(node.name)
            else:
                acts = True
            if acts and node.name[0] != "_" and "@abstractmethod" not in ast.unparse(node):
                yield node


def test_what_a_room_offers_is_shown_by_an_example_that_runs():
    for room in ROOMS:
        bare = {node.name for node in offered(room) if ">>>" not in ast.unparse(node)}
        if room == "commands":  # a command shows command lines instead
            bare -= {command.__name__ for command in COMMANDS}
        assert not bare - WITHOUT_EXAMPLE.get(room, set()), room


def example_lines(command: Callable[..., object]) -> list[str]:
    """The command lines in the help of a command."""
    return re.findall(r"^    (tagsight .*)$", command.__doc__ or "", re.MULTILINE)


def test_the_help_of_a_command_shows_command_lines_that_it_understands(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    for name in ("photos/dog.jpg", "labels.csv", "coco.pth", "glove.6B.300d.txt"):
        (tmp_path / name).touch()
    for command in COMMANDS:
        lines = example_lines(command)
        assert 1 <= len(lines) <= 2, command
        for line in lines:
            _, *tokens = shlex.split(line.partition(" > ")[0])
            understood, *_ = app.parse_args(
                with_standard_output(tokens), exit_on_error=False, print_error=False
            )
            assert understood is command


def test_helps_show_a_summary_and_unbroken_command_lines_in_a_terminal_and_on_the_site():
    page = app.generate_docs(flatten_commands=True, heading_level=2)
    for command in COMMANDS:
        terminal = io.StringIO()
        app.help_print([command.__name__], console=Console(file=terminal, width=80))
        shown = [line.strip() for line in terminal.getvalue().splitlines()]
        summary = (command.__doc__ or "").splitlines()[0].split()
        assert " ".join(summary[:3]) in " ".join(" ".join(shown).split())
        block = "\n".join(["```console", *example_lines(command), "```"])
        assert block in page
        assert set(example_lines(command)) <= set(shown)


PRINTED_COMMANDS = ("tagsight ", "--ink", "--seed", "--recipe", "--out", "--images", "--protocol")
"""Parts of command lines that are printed to be copied, and of style sheets."""


@cache
def messages(path: Path) -> list[str]:
    """The texts of a module but its docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    documentation = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and id(node) not in documentation
    ]


def test_the_library_speaks_of_arguments_and_only_commands_of_flags():
    wrong = [
        (path.name, text)
        for path in ROOT.rglob("*.py")
        if path.relative_to(ROOT).parts[0] not in {"commands", "cli.py", "server", "demo"}
        for text in messages(path)
        if re.search(r"(?<![\w`-])--[a-z]", text) and not any(p in text for p in PRINTED_COMMANDS)
    ]
    assert not wrong


def test_an_argument_that_a_message_names_is_a_flag_of_some_command():
    named = {
        found[1].replace("_", "-")
        for path in ROOT.rglob("*.py")
        if path.parent.name != "demo"  # writes Markdown
        for text in messages(path)
        for found in re.finditer(r"(?<![^\s(])`([a-z]\w*)(?:=[^`\s]+)?`(?![^\s.,;:)])", text)
    }
    buffer = io.StringIO()
    for command in COMMANDS:
        app.help_print([command.__name__], console=Console(file=buffer, width=1000))
    flags = set(re.findall(r"--([a-z0-9-]+)", buffer.getvalue()))
    assert not named - flags


def test_every_command_has_its_file():
    for command in COMMANDS:
        assert command.__module__ == f"tagsight.commands.{command.__name__}"
