"""Share of the mutants of a module that its tests notice: how well the tests protect the code.

Run as ``python benchmarks/mutation/run.py [MODULE ...]``. A mutant is the module with one of the
small faults of ``faults.py``. It is killed if a test or doctest fails, or takes far longer than
without the fault.

A first run records which function each test enters. A fault in a function then runs in a fork of a
process that has collected the tests, and only the tests that enter the function, the quickest
first; its code takes the place of the function's. A fault outside functions needs a fork that
imports the package anew. Of a module with more than ``--most`` mutants, those are taken whose hash
is smallest: the same ones as long as their lines stay the same.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import inspect
import os
import pickle
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from tempfile import TemporaryDirectory
from types import CodeType, FrameType, FunctionType
from typing import Any, Generic, NamedTuple, Self, TypeVar

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"

import pytest
from faults import Mutant, mutants

T = TypeVar("T")

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "tagsight"
PATIENCE = 5
"""How many times as long a test may take with a fault, in processor time; and 2 s besides."""

COLLECTING = 60
"""Seconds of processor time that importing and collecting may take with a fault."""

TESTS = {
    "metrics/bootstrap": ["metrics/test_bootstrap.py"],
    "metrics/calibration": ["metrics/test_calibration.py"],
    "metrics/classification": ["metrics/test_classification.py", "metrics/test_bootstrap.py"],
    "metrics/localization": ["metrics/test_localization.py"],
    "metrics/measured_labels": ["metrics/test_measured_labels.py"],
    "metrics/ranking": ["metrics/test_classification.py", "metrics/test_bootstrap.py"],
    "metrics/significance": ["metrics/test_significance.py"],
    "nn/graph": ["nn/test_graph.py"],
    "nn/losses": ["nn/test_losses.py", "nn/test_consistency.py", "nn/test_one_of.py"],
    "nn/consistency": ["nn/test_consistency.py"],
    "nn/equivariance": ["nn/test_equivariance.py", "nn/test_views.py"],
    "checkpoint/decision": ["checkpoint/test_decision.py"],
    "checkpoint/thresholds": ["checkpoint/test_thresholds.py"],
    "data/splits/split": ["data/splits/test_split.py", "data/splits/test_grouping.py"],
    "tagging/sidecars/xmp": ["tagging/sidecars/test_xmp.py"],
    "tagging/sidecars/packet": ["tagging/sidecars/test_packet.py", "tagging/sidecars/test_xmp.py"],
    "tagging/sidecars/journal": ["tagging/sidecars/test_journal.py"],
    "tagging/sidecars/journal_file": ["tagging/sidecars/test_journal.py"],
}
"""The modules, and the tests of each besides its own doctests."""


class Entered(NamedTuple):
    """What a test did without a fault.

    Attributes:
        functions: Qualified names of the module's functions that it entered.
        seconds: Processor time.
    """

    functions: frozenset[str]
    seconds: float


class Record(NamedTuple):
    """What all tests did without a fault.

    Attributes:
        entered: By the tests' names.
        early: The module's functions that were entered before the first test.
        imported: Modules of other packages.
    """

    entered: dict[str, Entered]
    early: frozenset[str]
    imported: list[str]


def main() -> None:
    parser = argparse.ArgumentParser(description="Share of the mutants that the tests kill.")
    parser.add_argument("modules", nargs="*", metavar="MODULE", help=f"of {', '.join(TESTS)}")
    parser.add_argument("--most", type=int, default=150, help="mutants of a module")
    options = parser.parse_args()
    if unknown := set(options.modules) - set(TESTS):
        parser.error(f"expected modules of {', '.join(TESTS)}, got {sorted(unknown)}")
    print(
        "| module | mutants | run | killed | share | seconds |\n" + "| --- " * 6 + "|", flush=True
    )
    for module in options.modules or TESTS:
        measure(module, options.most)


def measure(module: str, most: int) -> None:
    """Print a line of the table for one module, and below it the mutants that survived."""
    started = time.monotonic()
    original = (SOURCE / f"{module}.py").read_text(encoding="utf-8")
    found, taken = mutants(original, most)
    tests = Tests(module, original)
    survivors = [mutant.place for mutant, killed in tests.judge(taken) if not killed]
    killed = len(taken) - len(survivors)
    print(
        f"| {module} | {found} | {len(taken)} | {killed} | {killed / len(taken):.1%} "
        f"| {time.monotonic() - started:.0f} |",
        flush=True,
    )
    for place in survivors:
        print(f"  survived: {place}", flush=True)


class Tests:
    """The tests of a module, and what they do without a fault."""

    def __init__(self, module: str, original: str) -> None:
        self.module = module
        self.file = SOURCE / f"{module}.py"
        self.original = original
        early = _Entering(self.file)
        found = self._run_pytest(original, lambda session: _record(session, early), watched=early)
        if found is None:
            sys.exit(f"{module}: expected tests that pass without a fault, got a failure")
        self.record: Record = found
        for name in found.imported:  # so that forks need not
            importlib.import_module(name)

    def judge(self, mutants: Sequence[Mutant]) -> Iterator[tuple[Mutant, bool]]:
        """Say of each mutant whether it is killed."""
        verdicts: list[bool | None] = [None] * len(mutants)
        patched = self._run_pytest(self.original, lambda session: self._judge_all(session, mutants))
        for number, (mutant, verdict) in enumerate(zip(mutants, patched or verdicts, strict=True)):
            verdicts[number] = verdict
            if verdict is None:
                alive = self._run_pytest(
                    mutant.source, lambda session: self._all_pass(session, self.record.entered)
                )
                verdicts[number] = not alive
            yield mutant, bool(verdicts[number])

    def _run_pytest(
        self,
        source: str,
        act: Callable[[pytest.Session], T],
        watched: _Entering | None = None,
    ) -> T | None:
        """Collect the tests in a fork that finds this source, act there; None if that fails."""

        def collect() -> T | None:
            sys.meta_path.insert(0, _Finder(self.module, source))
            sys.setprofile(watched)
            plugin = _Plugin(act)
            tests = [ROOT / "tests" / test for test in TESTS[self.module]]
            places = [f"--rootdir={ROOT}", f"--config-file={ROOT / 'pyproject.toml'}"]
            # Other assertions would have the module's own source instead of the faulty one.
            options = ["-q", "-s", "-p", "no:cacheprovider", "-m", "not slow", "--assert=plain"]
            # The plugin of the option `timeout` is not loaded: tests are ended here.
            options += ["-W", "ignore:Unknown config option:pytest.PytestConfigWarning"]
            files = [str(file) for file in (*tests, self.file)]
            pytest.main([*options, *places, "--basetemp=tests", *files], plugins=[plugin])
            return plugin.result

        return _forked(collect)

    def _judge_all(self, session: pytest.Session, mutants: Sequence[Mutant]) -> list[bool | None]:
        """Verdicts on the mutants whose code can take the place of a function's; else None."""
        _allow_seconds(3600)
        return [self._judge_here(session, mutant) for mutant in mutants]

    def _judge_here(self, session: pytest.Session, mutant: Mutant) -> bool | None:
        code = None if mutant.function is None else _code_of(mutant.source, mutant.function)
        function = _function("tagsight." + self.module.replace("/", "."), mutant.function)
        if code is None or function is None or code == function.__code__:
            return None
        if mutant.function in self.record.early:
            return None
        tests = {
            name: it for name, it in self.record.entered.items() if mutant.function in it.functions
        }
        if not tests:
            return False

        def run() -> bool:
            function.__code__ = code
            return self._all_pass(session, tests)

        return not _forked(run)

    def _all_pass(self, session: pytest.Session, tests: dict[str, Entered]) -> bool:
        items = {item.nodeid: item for item in session.items}
        if not tests.keys() <= items.keys():
            return False
        ordered = [items[name] for name in sorted(tests, key=lambda name: tests[name].seconds)]
        for item, following in zip(ordered, [*ordered[1:], None], strict=True):
            _allow_seconds(2 + PATIENCE * tests[item.nodeid].seconds)
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if session.testsfailed:
                return False
        return True


class _Entering:
    """Notes the functions of a file that are entered while it is on."""

    def __init__(self, file: Path) -> None:
        self.file = str(file)
        self.functions: set[str] = set()

    def __call__(self, frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code.co_filename == self.file:
            self.functions.add(frame.f_code.co_qualname.partition(".<locals>")[0])

    def __enter__(self) -> Self:
        sys.setprofile(self)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)


def _record(session: pytest.Session, early: _Entering) -> Record | None:
    sys.setprofile(None)
    entered = {}
    for item in session.items:
        _allow_seconds(600)
        started = time.process_time()
        with _Entering(Path(early.file)) as watched:
            # Without a next test all fixtures are made anew: each test enters their functions.
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
        if session.testsfailed:  # perhaps only as it took too long under watch
            session.testsfailed = 0
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
            if session.testsfailed:
                return None
        seconds = time.process_time() - started
        entered[item.nodeid] = Entered(frozenset(watched.functions), seconds)
    return Record(entered, frozenset(early.functions), list(_imported()))


class _Plugin(Generic[T]):
    """Does something else with the collected tests than to run them."""

    def __init__(self, act: Callable[[pytest.Session], T]) -> None:
        self.act = act
        self.result: T | None = None

    def pytest_configure(self) -> None:
        _settle_hypothesis()  # after the profile of conftest.py

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        if not session.testsfailed:
            self.result = self.act(session)
        return True


def _allow_seconds(seconds: float) -> None:
    """End this process when it has used more processor time than so many seconds from now on."""
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(time.process_time() + seconds) + 1, hard))
    signal.alarm(int(20 * seconds) + 60)  # whoever waits uses no processor time


def _forked(act: Callable[[], T]) -> T | None:
    """Result of a function in a fork, in a folder of its own; None if it fails or is ended."""
    with TemporaryDirectory() as folder:
        result = Path(folder) / "result"
        child = os.fork()
        if child == 0:
            _act_in_child(act, Path(folder), result)
        os.waitpid(child, 0)
        return pickle.loads(result.read_bytes()) if result.exists() else None


def _act_in_child(act: Callable[[], object], folder: Path, result: Path) -> None:
    try:
        _allow_seconds(COLLECTING)
        os.chdir(folder)  # a faulty module may write anywhere
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nowhere, stream)
        value = act()
        part = result.with_suffix(".part")
        part.write_bytes(pickle.dumps(value))
        part.rename(result)
    finally:
        os._exit(0)


def _code_of(source: str, name: str) -> CodeType | None:
    waiting = [compile(source, str(SOURCE), "exec")]
    while waiting:
        code = waiting.pop()
        if code.co_qualname == name:
            return code
        waiting += [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    return None


def _function(module: str, name: str | None) -> FunctionType | None:
    """Find the function that carries a name in a module, behind its decorators."""
    found: Any = sys.modules[module]
    for part in (name or "").split("."):
        found = inspect.getattr_static(found, part, None)
    if isinstance(found, property):
        found = found.fget
    found = inspect.unwrap(getattr(found, "__func__", found)) if found is not None else None
    return found if isinstance(found, FunctionType) else None


def _settle_hypothesis() -> None:
    """Let a failure be told as it is found, whatever the machine's load."""
    from hypothesis import Phase, settings

    settings.register_profile(
        "mutation",
        phases=(Phase.explicit, Phase.generate),
        database=None,
        deadline=None,
        derandomize=True,
    )
    settings.load_profile("mutation")


def _imported() -> Iterator[str]:
    """Name the modules of other packages that are imported by now."""
    for name, module in list(sys.modules.items()):
        file, spec = getattr(module, "__file__", None), getattr(module, "__spec__", None)
        ours = file is None or (Path(file).is_relative_to(ROOT) and "site-packages" not in file)
        if not ours and spec is not None and spec.name == name:
            yield name


class _Finder(MetaPathFinder):
    """Finds one module of tagsight with another source; all else is found as ever."""

    def __init__(self, module: str, source: str) -> None:
        self.name = "tagsight." + module.replace("/", ".")
        self.file = SOURCE / f"{module}.py"
        self.source = source

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        del path, target
        if name != self.name:
            return None
        loader = _Loader(name, str(self.file))
        loader.code = compile(self.source, str(self.file), "exec")
        return importlib.util.spec_from_file_location(name, self.file, loader=loader)


class _Loader(SourceFileLoader):
    code: CodeType

    def get_code(self, fullname: str) -> CodeType:
        del fullname
        return self.code


if __name__ == "__main__":
    main()
