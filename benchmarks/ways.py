"""How far it is from a command to its equation: python benchmarks/ways.py [SOURCE]

Prints the files in the root of the package, its lines and those of the tests, the seconds that
importing it takes, the files of ours that `tag` runs through, the base classes of each system,
and the calls that lie between three commands and an equation of the paper, counted by tracing
real commands on six drawn photos. SOURCE is another checkout to measure, such as an older commit.
"""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import FrameType

ROOT = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[1]).resolve()
SOURCE = ROOT / "src"
sys.path.insert(0, str(SOURCE))

EQUATIONS = {
    "train to Eq. 12": ("map_consistency",),
    "--system.graph.epsilon to Eq. 5": ("edge_probability",),
    "tag to Eq. 10": ("class_maps",),
}
"""The functions of the equations."""


class Tracer:
    """Counts the frames of the package between a command and a function, where it is first met."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names
        self.calls: list[str] = []
        self.files: set[str] = set()

    def __call__(self, frame: FrameType, event: str, _argument: object) -> None:
        file = frame.f_code.co_filename
        if event != "call" or not file.startswith(str(SOURCE)):
            return
        self.files.add(file)
        if frame.f_code.co_name not in self.names or self.calls:
            return
        self._add(frame)
        if threading.current_thread() is not threading.main_thread():  # which waits for this one
            self._add(sys._current_frames()[threading.main_thread().ident])

    def _add(self, frame: FrameType | None) -> None:
        while frame is not None:
            file = frame.f_code.co_filename
            if file.startswith(str(SOURCE)) and not frame.f_code.co_name.startswith("<"):
                self.calls.append(f"{Path(file).relative_to(SOURCE)}:{frame.f_code.co_name}")
            frame = frame.f_back


def traced(names: tuple[str, ...], arguments: list[str]) -> Tracer:
    from tagsight.cli import main

    tracer = Tracer(names)
    threading.setprofile(tracer)
    sys.setprofile(tracer)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            main(arguments)
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    return tracer


def lines(folder: Path) -> int:
    return sum(len(path.read_bytes().splitlines()) for path in folder.rglob("*.py"))


def bases() -> dict[str, int]:
    """Classes of ours above each system, `System` and `nn.Module` counted not."""
    try:
        from tagsight.systems.catalogue import SYSTEMS
    except ImportError:  # older commits
        from tagsight.systems import SYSTEMS

    return {
        name: len([base for base in kind.__mro__[1:] if base.__module__.startswith("tagsight")])
        for name, kind in SYSTEMS.items()
    }


def main() -> None:
    package = SOURCE / "tagsight"
    print(f"files in the root: {sum(path.is_file() for path in package.iterdir())}")
    print(f"folders in the root: {sum(p.is_dir() and p.name[0] != '_' for p in package.iterdir())}")
    print(f"lines of the package: {lines(package):,}, of the tests: {lines(ROOT / 'tests'):,}")
    started = time.perf_counter()
    environment = {"PYTHONPATH": str(SOURCE), "PATH": "/usr/bin:/bin"}
    code = (
        "import sys, time; t = time.perf_counter(); import tagsight; print(time.perf_counter() - t)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    print(f"import tagsight: {float(done.stdout):.3f} s")
    found = bases()
    most = max(found.values())
    print(f"base classes above a system: at most {most}, of gcam {found['gcam']}")
    sys.path.insert(0, str(ROOT / "tests"))
    with tempfile.TemporaryDirectory() as folder:
        ways(Path(folder))
    print(f"in {time.perf_counter() - started:.0f} s")


def ways(folder: Path) -> None:
    from collection import TINY_OPTIONS, write_collection

    labels = write_collection(folder / "photos")
    run = folder / "run"
    train = ["train", str(labels), "--system.graph.epsilon", "0.3", *TINY_OPTIONS]
    for place, name in enumerate(list(EQUATIONS)[:2]):
        out = run if not place else folder / "second"
        told(name, traced(EQUATIONS[name], [*train, "--out", str(out)]))
    tagged = traced(EQUATIONS["tag to Eq. 10"], ["tag", str(run / "model"), str(folder / "photos")])
    told("tag to Eq. 10", tagged)
    print(f"files of the package with code that tag runs through: {len(tagged.files)}")


def told(name: str, tracer: Tracer) -> None:
    calls = [call for call in reversed(tracer.calls) if not call.endswith((":main", ":_run"))]
    print(f"{name}: {len(calls)} calls: {' > '.join(calls)}")


if __name__ == "__main__":
    main()
