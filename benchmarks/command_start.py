"""How long a command takes to answer, or to say what it is doing, against the project's limits.

Usage errors, help and lists are answered within 0.7 s, which importing torch alone exceeds on most
machines; commands that need torch print their first line within 1 s of the start. One photo is
tagged by the untrained `resnet-quick` of 20 labels at 224 pixels, from an exported file and from a
model folder whose runtime is known or is torch; what counts is the time of all processors together.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from table import HEADER, alternated, row
from tag_rate import HEIGHT, WIDTH, build_recognizer, draw_photo

from tagsight.checkpoint.folder import save_model
from tagsight.cli import main as tagsight
from tagsight.inference.exporting import delivering, written_onnx

TAGSIGHT = (sys.executable, "-m", "tagsight")
ANSWER, FIRST_LINE = 0.7, 1.0
FROM_FILE, FROM_FOLDER = 2.0, 4.0
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
    with TemporaryDirectory() as name:
        _tag_one(Path(name))


def _tag_one(folder: Path) -> None:
    """Measure the processor time of tagging one photo, in each way that a model can be opened."""
    model, photo = folder / "model", folder / "photo.jpg"
    draw_photo(0, WIDTH, HEIGHT).save(photo)
    loaded = build_recognizer().network.model
    save_model(model, loaded.system, loaded.labels, loaded.decision, loaded.recipe, {})
    limits = {}
    with written_onnx(loaded) as graph:
        for ending in (".onnx", ".xml"):
            with delivering(graph, folder / f"model{ending}"):
                limits[(f"model{ending}",)] = FROM_FILE
    for runtime in ("onnx", "openvino", "torch"):
        limits["model", "--runtime", runtime] = FROM_FOLDER
    for way, limit in limits.items():
        command = ["tag", str(folder / way[0]), str(photo), *way[1:], "--out", os.devnull]
        assert tagsight(command) == 0  # exports what is needed
        seconds = min(_processor_time((*TAGSIGHT, *command)) for _ in range(3))
        shown, bound = f"{seconds:.2f} s of processors", f"{limit} s (limit)"
        row(f"tag a photo: {' '.join(way)}", shown, bound, seconds / limit, 1, wanted="most")


def _processor_time(command: tuple[str, ...]) -> float:
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        _, _, usage = os.wait4(process.pid, 0)
        process.returncode = 0
    return usage.ru_utime + usage.ru_stime


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
