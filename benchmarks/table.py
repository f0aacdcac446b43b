"""The table of all benchmarks: what a row is, how two ways are timed, and all scripts in one go.

Run as ``python benchmarks/table.py [DATA]``: every script beside this one runs in a process of its
own, says its rows as it goes, and all rows stand together at the end. DATA is a labels file, for
the scripts that need photos. A script can be run alone just as well.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

HEADER = "| benchmark | ours | peer | ratio | target | met |\n| --- | --- | --- | --- | --- | --- |"
OWN_TARGET = "-"

Clock = Callable[[], float]


def row(
    name: str,
    ours: str,
    peer: str,
    ratio: float,
    target: float | None = None,
    *,
    wanted: Literal["least", "most"] = "least",
) -> None:
    """Print a line of the table.

    Args:
        name: What is measured; its unit is said with the values.
        ours: Our value.
        peer: That of a peer, a baseline or a limit, measured in the same run.
        ratio: Of the two, the way round that the target asks.
        target: What the ratio should be, or None if it is only to be known.
        wanted: Whether the target is the least or the most that the ratio may be.
    """
    bound, met = OWN_TARGET, OWN_TARGET
    if target is not None:
        bound = f"{'>=' if wanted == 'least' else '<='} {target:.3g}"
        met = "yes" if (ratio >= target if wanted == "least" else ratio <= target) else "no"
    print(f"| {name} | {ours} | {peer} | {ratio:.3g} | {bound} | {met} |", flush=True)


def alternated(
    ways: Sequence[Callable[[], object]], *, rounds: int = 5, clock: Clock = time.perf_counter
) -> list[float]:
    """Best time of each way, in seconds: a turn each, round after round, on a machine with noise.

    A round that nobody counts comes first.
    """
    times: list[list[float]] = [[] for _ in ways]
    for _ in range(rounds + 1):
        for way, taken in zip(ways, times, strict=True):
            started = clock()
            way()
            taken.append(clock() - started)
    return [min(taken[1:]) for taken in times]


def main(arguments: Sequence[str]) -> int:
    """Run every script and print one table; the exit code is 1 if one of them failed."""
    rows, failed = [], []
    for script in sorted(Path(__file__).parent.glob("*.py")):
        if script == Path(__file__):
            continue
        print(f"\n{script.name}", flush=True)
        command = [sys.executable, str(script), *arguments]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            for line in process.stdout or ():
                print(line, end="", flush=True)
                if line.startswith("| ") and line.strip() not in HEADER:
                    rows.append(line.rstrip())
        if process.returncode:
            failed.append(script.name)
    print("", HEADER, *rows, sep="\n")
    if failed:
        print(f"\nfailed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
