"""How long the answer to a usage error takes, against importing torch alone.

Ratios below 1 mean that a user who mistypes an argument is answered before torch could even have
been imported. The bound of the project is 0.7 s.
"""

from __future__ import annotations

import subprocess
import sys

from table import HEADER, alternated, row

TAGSIGHT = (sys.executable, "-m", "tagsight")
ASKED = {
    "--version": ("--version",),
    "--help": ("--help",),
    "a mistyped option": ("train", ".", "--out", "run", "--epohcs", "3"),
    "a mistyped recipe": ("train", ".", "--out", "run", "--recipe", "gcam-cup"),
    "a mistyped setting": ("train", ".", "--out", "run", "--training.lr", "fast"),
}


def main() -> None:
    commands = [(sys.executable, "-c", "import torch")]
    commands += [(*TAGSIGHT, *arguments) for arguments in ASKED.values()]
    torch, *answers = alternated([lambda c=command: _run(c) for command in commands])
    print(HEADER)
    for name, seconds in zip(ASKED, answers, strict=True):
        theirs = f"{torch:.2f} s (import torch)"
        row(f"answer to {name}", f"{seconds:.2f} s", theirs, seconds / torch, 1, wanted="most")


def _run(command: tuple[str, ...]) -> None:
    subprocess.run(command, capture_output=True, check=False)


if __name__ == "__main__":
    main()
