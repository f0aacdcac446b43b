"""How time and memory grow with photos and labels: python benchmarks/growth.py [--case NAME]

Every case draws its data at several sizes, each in a process of its own of at most two threads,
whose processor time and peak memory the system tells. Printed are the seconds by the clock and of
processors at the largest size, its peak memory, and the exponent of the growth, fitted to processor
time, each against its target. `--quick` leaves the larger sizes out. The seconds by the clock, and
so their target, need a machine that does nothing else; processor time is the safer figure.
"""

from __future__ import annotations

import argparse
import importlib
import json
import math
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from table import HEADER, row

if TYPE_CHECKING:
    from growing.case import Case, Size

GROUPS = ("tables", "labels", "collections")
THREADS = 2
LARGEST_EXPONENT = 1.15
"""N log N has about 1.1 over the sizes measured; the rest is for noise."""

KIBIBYTES = 2**10 if sys.platform != "darwin" else 1


def cases() -> dict[str, Case]:
    modules = [importlib.import_module(f"growing.{group}") for group in GROUPS]
    return {name: case for module in modules for name, case in module.CASES.items()}


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--case", action="append", help="one of the cases; by default all")
    parser.add_argument("--quick", action="store_true", help="leave the larger sizes out")
    parser.add_argument("--one", nargs="+", help=argparse.SUPPRESS)
    options, _ = parser.parse_known_args(arguments)
    known = cases()
    if options.one:
        name, *size = options.one
        print(json.dumps(measured(known[name], tuple(map(int, size)))))
        return 0
    if strange := sorted({*(options.case or ())} - {*known}):
        parser.error(f"expected cases among {', '.join(known)}, got {', '.join(strange)}")
    print(HEADER)
    for name in options.case or known:
        sizes = known[name].sizes
        told(known[name], [apart(name, size) for size in (sizes[:-2] if options.quick else sizes)])
    return 0


def apart(name: str, size: Size) -> dict[str, float]:
    """Measure a case at a size in a process of its own."""
    command = [sys.executable, __file__, "--one", name, *map(str, size)]
    environment = os.environ | {"OMP_NUM_THREADS": str(THREADS)}
    done = subprocess.run(command, capture_output=True, check=False, text=True, env=environment)
    if done.returncode:
        raise SystemExit(f"{name} {size}: {done.stderr}")
    *said, last = done.stdout.splitlines()
    found: dict[str, float] = json.loads(last)
    for line in said:
        print(f"  {line}", file=sys.stderr)
    print(
        f"  {name} {' x '.join(f'{n:,}' for n in size)}: {found['seconds']:.1f} s, "
        f"{found['processor']:.1f} s of processors, {found['bytes'] / 1e9:.2f} GB",
        file=sys.stderr,
        flush=True,
    )
    return found | {"size": size[0]}


def measured(case: Case, size: Size) -> dict[str, float]:
    with TemporaryDirectory() as folder:
        work = case.draw(Path(folder), size)
        started, before = time.perf_counter(), processor()
        work()
        found = {"seconds": time.perf_counter() - started, "processor": processor() - before}
        return found | {"bytes": peak()}


def processor() -> float:
    """Seconds of processors that this process and the ones it waited for have taken."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def peak() -> int:
    """Largest memory of this process, in bytes, or of a process that it waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return max(one.ru_maxrss for one in used) * KIBIBYTES


def told(case: Case, found: list[dict[str, float]]) -> None:
    last = found[-1]
    full = last["size"] == case.sizes[-1][0]
    what = f"{case.what}: {last['size']:,}"
    taken = f"{last['seconds']:.1f} s, {last['processor']:.1f} s of processors"
    if case.seconds is not None:
        limit = case.seconds if full else None
        row(what, taken, f"{case.seconds:g} s", last["seconds"] / case.seconds, limit and 1,
            wanted="most")  # fmt: skip
    if case.gigabytes is not None:
        used = last["bytes"] / 1e9
        bound = 1 if full else None
        row(f"{what}, peak memory", f"{used:.2f} GB", f"{case.gigabytes:g} GB",
            used / case.gigabytes, bound, wanted="most")  # fmt: skip
    if len(found) > 1:
        power = exponent(found)
        row(f"{what}, exponent of its growth", f"{power:.2f}", "N log N", power, LARGEST_EXPONENT,
            wanted="most")  # fmt: skip


def exponent(found: list[dict[str, float]]) -> float:
    """Slope of the logarithm of processor time over that of the size, by least squares."""
    sizes = [math.log(one["size"]) for one in found]
    times = [math.log(max(one["processor"], 1e-3)) for one in found]
    middle = sum(sizes) / len(sizes)
    spread = sum((size - middle) ** 2 for size in sizes)
    return sum((size - middle) * time for size, time in zip(sizes, times, strict=True)) / spread


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
