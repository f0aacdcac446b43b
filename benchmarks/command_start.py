"""How long a command takes to answer, or to say what it is doing, against the project's limits.

Usage errors, help and lists are answered within 0.7 s, which importing torch alone exceeds on most
machines; commands that need torch print their first line within 1 s of the start.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from table import HEADER, alternated, row

TAGSIGHT = (sys.executable, "-m", "tagsight")
ANSWER, FIRST_LINE = 0.7, 1.0
"""Seconds."""

ASKED = {
    "--version": ("--version",),
    "--help": ("--help",),
    "systems": ("systems",),
    "recipes": ("recipes",),
    "a mistyped option": ("train", ".", "--out", "run", "--epohcs", "3"),
    "a mistyped recipe": ("train", ".", "--out", "run", "--recipe", "gcam-cup"),
}
BEGUN = {
    "data": ("data", "labels.csv"),
    "train": ("train", "labels.csv", "--out", "run"),
    "evaluate": ("evaluate", "model", "labels.csv"),
    "compare": ("compare", "labels.csv", "--out", "out"),
    "tag": ("tag", "model", "photos"),
    "explain": ("explain", "model", "photos", "--out", "out"),
    "index": ("index", "model", "photos", "--out", "index"),
    "search": ("search", "index", "--where", "dog"),
    "export": ("export", "model", "photos", "--out", "model.onnx"),
    "serve": ("serve", "model"),
}


def main() -> None:
    commands = [(sys.executable, "-c", "import torch")]
    commands += [(*TAGSIGHT, *arguments) for arguments in ASKED.values()]
    torch, *answers = alternated([lambda c=command: _run(c) for command in commands])
    print(f"import torch: {torch:.2f} s")
    print(HEADER)
    for name, seconds in zip(ASKED, answers, strict=True):
        _row(f"answer to {name}", seconds, ANSWER)
    with TemporaryDirectory() as name:
        folder = Path(name)
        _write_inputs(folder)
        begun = [(*TAGSIGHT, *arguments) for arguments in BEGUN.values()]
        firsts = alternated([lambda c=command: _first_line(c, folder) for command in begun])
    for name, seconds in zip(BEGUN, firsts, strict=True):
        _row(f"first line of {name}", seconds, FIRST_LINE)


def _row(name: str, seconds: float, limit: float) -> None:
    row(name, f"{seconds:.2f} s", f"{limit} s (limit)", seconds / limit, 1, wanted="most")


def _write_inputs(folder: Path) -> None:
    """Write what commands look for before their first line: nothing of it can be read."""
    (folder / "labels.csv").write_text("image,labels\na.jpg,dog\n")
    for name in ("model", "photos", "index"):
        (folder / name).mkdir()
    for name in ("config.json", "model.safetensors"):
        (folder / "model" / name).write_text("{}")


def _run(command: tuple[str, ...]) -> None:
    subprocess.run(command, capture_output=True, check=False)


def _first_line(command: tuple[str, ...], folder: Path) -> None:
    """Wait for the first line of a command, and end the command."""
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=folder, text=True
    )
    assert process.stderr is not None
    assert process.stderr.readline()
    process.kill()
    process.wait()
    process.stderr.close()


if __name__ == "__main__":
    main()
