"""Peak memory of training on 10,000 photos, and of tagging and indexing 100,000, against 1,000; and
whether caches keep to their budget.

The photos are small, and lie in one folder. Each run is a process of its own, whose peak resident
memory the system tells. Training keeps few photos in memory, once from pixels and once from frozen
features. Tagging writes lines, and sidecars of which each is noted in a journal.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image
from table import HEADER, row

FEW, MANY, VERY_MANY = 1_000, 10_000, 100_000
LABELS = 12
LARGEST_GROWTH = 1.10
MEMORY, SPACE = 0.01, 0.004  # GiB
LEARNING_RATE = 1e-5
"""So low that noise does not take from the encoder what it knows."""
SETTINGS = {
    "epochs": 1,
    "training.image_size": 32,
    "training.batch_size": 64,
    "training.lr": LEARNING_RATE,
    "workers": 2,
}


def write_collection(folder: Path, count: int) -> Path:
    """JPEGs of 96 x 72 pixels and a column per label; the last tenth is for validation."""
    folder.mkdir()
    chance = np.random.default_rng(0)
    lines = [",".join(["image", "split", *(f"label {number}" for number in range(LABELS))])]
    for number in range(count):
        path = folder / f"{number:06}.jpg"
        blocks = chance.integers(0, 256, (9, 12, 3), dtype=np.uint8)
        Image.fromarray(blocks).resize((96, 72), Image.Resampling.BICUBIC).save(path)
        split = "val" if number % 10 == 9 else "train"
        lines.append(",".join([path.name, split, *map(str, chance.integers(0, 2, LABELS))]))
    (folder / "labels.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def peak(*arguments: object) -> float:
    """Peak resident memory of a command, in MiB."""
    command = [sys.executable, "-m", "tagsight", *map(str, arguments)]
    with Path(os.devnull).open("wb") as nowhere:
        process = subprocess.Popen(command, stdout=nowhere, stderr=subprocess.PIPE)
        said = process.stderr.read() if process.stderr else b""
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(said.decode())
    return usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def train(folder: Path, out: Path, **options: object) -> float:
    given = [part for name, value in (SETTINGS | options).items() for part in (f"--{name}", value)]
    recipe = ("--recipe", "resnet-quick", "--photo-memory", MEMORY)
    return peak("train", folder / "labels.csv", "--out", out, *recipe, *given)


def main() -> None:
    with TemporaryDirectory() as temporary:
        place = Path(temporary)
        few, many = (write_collection(place / f"{n}", n) for n in (FEW, MANY))
        print(HEADER)
        cache = place / "cache"
        kept = {"cache": cache, "cache-space": SPACE}
        for name, options in {"pixels": {"cache-space": 0}, "frozen features": kept}.items():
            peaks = [
                train(folder, place / f"run {name} {folder.name}", **options)
                for folder in (few, many)
            ]
            compare(f"training from {name}", MANY, *peaks)
        size = sum(file.stat().st_size for file in cache.glob("**/*") if file.is_file()) / 2**30
        taken, budget = f"{1024 * size:.1f} MiB", f"{1024 * SPACE:.1f} MiB (--cache-space)"
        row("cache of frozen features", taken, budget, size / SPACE, 1, wanted="most")
        collection(place, place / "run pixels 1000" / "model", few)


def collection(place: Path, model: Path, few: Path) -> None:
    """What is done with whole collections."""
    folders = few, write_collection(place / f"{VERY_MANY}", VERY_MANY)
    # What runs the network is measured before the first collection that is large enough, in more
    # memory than tagging takes.
    first = peak("tag", model, folders[1], "--write", "csv", "--out", place / "first.csv")
    print(f"The first run, which measures runtimes: {first:,.0f} MiB.", file=sys.stderr)
    peaks = [
        peak("tag", model, folder, "--write", "csv", "--out", place / f"{folder.name}.csv")
        for folder in folders
    ]
    compare("tagging, lines of CSV", VERY_MANY, *peaks)
    sidecars = ("--write", "xmp", "--journal", place / "journal.sqlite")
    peaks = [peak("tag", model, folder, *sidecars) for folder in folders]
    compare("tagging, sidecars in XMP", VERY_MANY, *peaks)
    peaks = [
        peak("index", model, folder, "--out", place / f"index {folder.name}") for folder in folders
    ]
    compare("indexing", VERY_MANY, *peaks)


def compare(name: str, count: int, few: float, many: float) -> None:
    row(
        f"peak memory of {name}, {count:,} photos",
        f"{many:,.0f} MiB",
        f"{few:,.0f} MiB ({FEW:,} photos)",
        many / few,
        LARGEST_GROWTH,
        wanted="most",
    )


if __name__ == "__main__":
    main()
