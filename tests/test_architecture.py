"""The shape of the package: what its contract of imports does not say."""

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "tagsight"
MODULES = sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py"))
ROOMS = sorted(path.name for path in PACKAGE.iterdir() if (path / "__init__.py").is_file())
LARGEST_FILE, LONGEST_BODY = 400, 45
MOST_FILES, MOST_ROOMS = 8, 18
TESTS_OF_THE_WHOLE = {
    *("ablations", "architecture", "browser", "commands", "containers", "contract", "distributed"),
    *("documents", "distribution", "examples", "hostile_models", "hostile_names"),
    *("buckets", "journey", "label_studio", "own_tags", "refused_runs"),
    *("paper_recipes", "plug_in", "programs", "ray", "recipes", "refusals", "released_losses"),
    *("serve", "site", "surface", "training_on_formats"),
}


def source_of(module: str) -> str:
    return (PACKAGE / module).read_text(encoding="utf-8")


@cache
def tree_of(module: str) -> ast.Module:
    return ast.parse(source_of(module))


def test_the_root_shows_the_architecture():
    files = [path for path in PACKAGE.iterdir() if path.is_file()]
    assert len(files) <= MOST_FILES
    assert len(ROOMS) <= MOST_ROOMS


def test_a_room_says_what_lives_there_and_what_it_may_import():
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    for room in ROOMS:
        assert "May import" in (ast.get_docstring(tree_of(f"{room}/__init__.py")) or ""), room
        assert re.search(rf"^{room}/ ", page, re.MULTILINE), room


def test_only_the_runtime_touches_distribution():
    for module in MODULES:
        if "distributed" not in source_of(module):
            continue
        nodes = list(ast.walk(tree_of(module)))
        names = {ast.unparse(node) for node in nodes if isinstance(node, ast.Attribute)}
        names |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
        names |= {a.name for node in nodes if isinstance(node, ast.Import) for a in node.names}
        distributed = [name for name in names if name.startswith("torch.distributed")]
        assert module == "runtime/processes.py" or not distributed, module


def test_every_file_is_short_and_says_what_it_is():
    for module in MODULES:
        assert len(source_of(module).splitlines()) <= LARGEST_FILE, module
        assert ast.get_docstring(tree_of(module)), module


def test_every_function_is_read_in_one_look():
    """Its signature and its docstring count not: those of a command are its syntax."""
    for module in MODULES:
        for node in ast.walk(tree_of(module)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                body = node.body[ast.get_docstring(node) is not None :] or node.body
                lines = body[-1].end_lineno - body[0].lineno + 1
                assert lines <= LONGEST_BODY, f"{module}: {node.name}"


def test_no_file_has_a_name_for_everything():
    vague = {"utils", "helpers", "common", "misc", "base_classes", "manager", "engine"}
    assert not {Path(module).stem for module in MODULES} & vague


def test_tests_stand_in_the_room_of_what_they_test():
    """Where two rooms have a module of one name, the tests of one of them begin with its room."""
    tests = ROOT / "tests"
    names = [path.name for path in tests.rglob("test_*.py")]
    assert sorted(set(names)) == sorted(names), "pytest takes two files of one name for one module"
    for path in tests.rglob("test_*.py"):
        room, stem = path.parent.relative_to(tests), path.stem.removeprefix("test_")
        if not (PACKAGE / room / stem).with_suffix(".py").is_file():
            stem = stem.removeprefix(f"{room.name}_")
        if stem in TESTS_OF_THE_WHOLE or room.name == "web":
            continue
        tested = PACKAGE / room / stem
        assert tested.is_dir() or tested.with_suffix(".py").is_file(), path.relative_to(ROOT)
