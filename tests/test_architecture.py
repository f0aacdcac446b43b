"""``docs/architecture.md`` against the disk: the tree, and who may import whom."""

from __future__ import annotations

import ast
import re
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "tagsight"
PAGE = ROOT / "docs" / "architecture.md"
MODULES = sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py"))
LARGEST_FILE = 400
TESTS_WITHOUT_MODULE = {
    *(
        "test_ablations",
        "test_architecture",
        "test_browser",
        "test_commands",
        "test_contract",
        "test_distributed",
        "test_documents",
    ),
    *("test_examples", "test_hostile_models", "test_hostile_names"),
    *("test_journey", "test_paper_recipes", "test_released_losses", "test_surface"),
}


@cache
def groups() -> dict[str, list[str]]:
    """The layout on the page: entries of each group, in their order."""
    layout = PAGE.read_text(encoding="utf-8").partition("## Layout")[2]
    blocks = re.findall(r"^### ([^\n]+)\n\n```\n(.*?)^```", layout, re.MULTILINE | re.DOTALL)
    return {name: [line.split()[0] for line in block.splitlines()] for name, block in blocks}


def entry_of(module: str) -> str | None:
    """The page's entry that a module belongs to: its own, or that of a folder."""
    entries = {entry for group in groups().values() for entry in group}
    if module in entries:
        return module
    folders = [entry for entry in entries if entry.endswith("/") and module.startswith(entry)]
    return max(folders, key=len, default=None)


@cache
def imports(module: str, *, types_too: bool) -> set[str]:
    """What a file imports: whole names of modules, also inside functions."""
    tree = ast.parse((PACKAGE / module).read_text(encoding="utf-8"))
    found: set[str] = set()
    pending: list[ast.AST] = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING" and not types_too:
            continue
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        pending.extend(ast.iter_child_nodes(node))
    return found


def own_imports(module: str, *, types_too: bool = False) -> set[str]:
    """The files of the package that a file imports."""
    found = set()
    for name in imports(module, types_too=types_too):
        path = name.replace(".", "/").removeprefix("tagsight/")
        candidates = {f"{path}.py", f"{path}/__init__.py"}
        if name.startswith("tagsight."):
            found |= candidates & set(MODULES)
    return found


def test_the_tree_on_the_page_is_the_tree_on_the_disk():
    listed = [entry for group in groups().values() for entry in group]
    assert len(listed) == len(set(listed))
    missing = [module for module in MODULES if entry_of(module) is None]
    assert not missing, "on the disk, not on the page"
    gone = [entry for entry in listed if not (PACKAGE / entry).exists()]
    assert not gone, "on the page, not on the disk"


def test_a_file_imports_from_its_own_group_and_those_before():
    order = {entry: rank for rank, group in enumerate(groups().values()) for entry in group}
    rank = {module: order[entry_of(module) or ""] for module in MODULES}
    against = [
        f"{module} imports {other}"
        for module in MODULES
        for other in sorted(own_imports(module))
        if rank[other] > rank[module] and module != "__init__.py"
    ]
    assert not against


@pytest.mark.parametrize(("folder", "other"), [("data/", "systems/"), ("systems/", "data/")])
def test_data_and_systems_do_not_know_each_other(folder: str, other: str):
    for module in MODULES:
        if module.startswith(folder):
            known = own_imports(module, types_too=True)
            assert not [name for name in known if name.startswith(other)], module


@pytest.mark.parametrize(
    "module",
    ["metrics.py", "graph.py", "losses.py", "equivariance.py", "labels.py", "evidence.py"],
)
def test_the_mathematics_needs_torch_and_the_ground_only(module: str):
    allowed = {"torch", "numpy", "tagsight", *sys.stdlib_module_names}
    assert {name.split(".")[0] for name in imports(module, types_too=True)} <= allowed
    ground = {
        "amounts.py",
        "config.py",
        "errors.py",
        "label_constants.py",
        "labels.py",
        "precision.py",
    }
    assert own_imports(module, types_too=True) <= ground


def test_metrics_know_nobody():
    assert not own_imports("metrics.py", types_too=True)


def test_only_the_runtime_touches_distribution():
    for module in MODULES:
        nodes = ast.walk(ast.parse((PACKAGE / module).read_text(encoding="utf-8")))
        attributes = {ast.unparse(node) for node in nodes if isinstance(node, ast.Attribute)}
        names = attributes | imports(module, types_too=True)
        distributed = [name for name in names if name.startswith("torch.distributed")]
        assert module == "processes.py" or not distributed, module


@pytest.mark.parametrize(
    "module", ["cli.py", "__main__.py", *(m for m in MODULES if m.startswith("commands/"))]
)
def test_commands_import_nothing_heavy_before_they_run(module: str):
    tree = ast.parse((PACKAGE / module).read_text(encoding="utf-8"))
    names = [node.module or "" for node in tree.body if isinstance(node, ast.ImportFrom)]
    names += [a.name for node in tree.body if isinstance(node, ast.Import) for a in node.names]
    light = {"cyclopts", "rich", "tagsight", *sys.stdlib_module_names}
    assert {name.split(".")[0] for name in names} <= light
    own = {name for name in names if name.startswith("tagsight.")}
    light_own = ("amounts", "cli", "errors", "escaping", "launch", "runlog")
    known = {f"tagsight.{name}" for name in light_own}
    assert not [name for name in own - known if not name.startswith("tagsight.commands.")]


def test_every_file_is_short_and_says_what_it_is():
    for module in MODULES:
        text = (PACKAGE / module).read_text(encoding="utf-8")
        assert len(text.splitlines()) <= LARGEST_FILE, module
        assert ast.get_docstring(ast.parse(text)), module


def test_no_file_has_a_name_for_everything():
    vague = {"utils", "helpers", "common", "misc", "base_classes", "manager", "engine"}
    assert not {Path(module).stem for module in MODULES} & vague


def test_every_test_file_is_named_after_what_it_tests():
    stems = {Path(module).stem for module in MODULES}
    packages = {Path(module).parent.name for module in MODULES}
    tests = {path.stem for path in (ROOT / "tests").rglob("test_*.py")}
    named = {test.removeprefix("test_") for test in tests - TESTS_WITHOUT_MODULE}
    assert named <= stems | packages | {"readers"}
