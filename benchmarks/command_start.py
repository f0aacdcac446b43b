"""How long the answer to a usage error takes, against importing torch alone.

Run as ``python benchmarks/command_start.py``; ratios below 1 mean that a user who mistypes an
argument is answered before torch could even have been imported. The bound of the project is 0.7 s.
"""

from __future__ import annotations

import subprocess
import sys
import time

TAGSIGHT = (sys.executable, "-m", "tagsight")
ASKED = {
    "--version": ("--version",),
    "--help": ("--help",),
    "a mistyped option": ("train", ".", "--out", "run", "--epohcs", "3"),
    "a mistyped recipe": ("train", ".", "--out", "run", "--recipe", "gcam-cup"),
    "a mistyped setting": ("train", ".", "--out", "run", "--training.lr", "fast"),
}


def main() -> None:
    """Print the best of five of each."""
    torch = _seconds(sys.executable, "-c", "import torch")
    print(f"{'import torch':22} {torch:6.2f} s")
    for name, arguments in ASKED.items():
        seconds = _seconds(*TAGSIGHT, *arguments)
        print(f"{name:22} {seconds:6.2f} s, {seconds / torch:4.2f} of importing torch")


def _seconds(*command: str) -> float:
    best = float("inf")
    for _ in range(5):
        start = time.perf_counter()
        subprocess.run(command, capture_output=True, check=False)
        best = min(best, time.perf_counter() - start)
    return best


if __name__ == "__main__":
    main()
