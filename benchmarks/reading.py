"""Seconds and memory that reading labels takes, each beside its limit.

Draws one table or COCO file after the other, reads each in a process of its own, and prints how
much of the limits was used. A limit of memory is for what reading adds to the imported package.

    python benchmarks/reading.py [columns list long coco]
"""

from __future__ import annotations

import json
import random
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

MIB = 2**20


class Case(NamedTuple):
    """A file to draw, and what reading it may take."""

    file: str
    lines: Callable[[random.Random], Iterator[str]]
    seconds: float
    times_size: float | None = None  # of memory, in sizes of the file
    gib: float | None = None  # of memory


def columns(draw: random.Random) -> Iterator[str]:
    """Yield a million photos with a target for each of 80 labels."""
    yield "image," + ",".join(f"label{label}" for label in range(80))
    for photo in range(1_000_000):
        targets = ["0"] * 80
        for _ in range(3):
            targets[draw.randrange(80)] = "1"
        yield f"{photo:012d}.jpg," + ",".join(targets)


def lists(draw: random.Random) -> Iterator[str]:
    """Yield 100,000 photos with 40 of 2,000 labels each."""
    yield "image,labels"
    names = [f"word{label:04d}" for label in range(2000)]
    for photo in range(100_000):
        yield f"{photo:06d}.jpg," + ";".join(draw.sample(names, 40))


def rows(draw: random.Random) -> Iterator[str]:
    """Yield a million rows of a photo, a label and a confidence."""
    yield "image,label,confidence"
    for row in range(1_000_000):
        yield f"{row // 4:06d}.jpg,label{draw.randrange(500)},{draw.randrange(2)}"


def coco(draw: random.Random) -> Iterator[str]:
    """Yield a COCO file of 135 MB, most of which are outlines."""
    outline = [[round(600 * draw.random(), 2) for _ in range(40)]]
    box = {"bbox": [1.5, 2.5, 30.25, 40.75], "area": 1233.5, "iscrowd": 0, "segmentation": outline}
    objects = [
        {"id": key, "image_id": key % 40_000, "category_id": key % 80, **box}
        for key in range(300_000)
    ]
    photos = [
        {"id": key, "file_name": f"{key:012d}.jpg", "width": 640, "height": 480}
        for key in range(40_000)
    ]
    names = [{"id": key, "name": f"label{key}"} for key in range(80)]
    yield json.dumps({"images": photos, "categories": names, "annotations": objects})


CASES = {
    "columns": Case("columns.csv", columns, 20, gib=1),
    "list": Case("list.csv", lists, 8, gib=1),
    "long": Case("long.csv", rows, 20, gib=1),
    "coco": Case("coco.json", coco, 5, times_size=4),
}


def read(file: Path) -> None:
    """Read a file and print seconds, seconds of the processor, and bytes of memory."""
    from tagsight.data.readers import read_annotations

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    wall, processor = time.perf_counter(), time.process_time()
    read_annotations(file, labels_only=True)
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps([wall, processor, 1024 * (after - before)]))


def measure(case: Case) -> str:
    """Draw a file, read it, and say what that took."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / case.file
        with file.open("w", encoding="utf-8") as handle:
            handle.writelines(f"{line}\n" for line in case.lines(random.Random(0)))
        size = file.stat().st_size
        command = [sys.executable, __file__, "--read", str(file)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        wall, processor, memory = json.loads(done.stdout.splitlines()[-1])
    limit = case.times_size * size if case.times_size else (case.gib or 0) * 2**30
    return (
        f"{case.file}, {size / MIB:.0f} MiB: {wall:.1f} s, {processor:.1f} s of the processor "
        f"({wall / case.seconds:.0%} of {case.seconds:g} s); {memory / MIB:.0f} MiB "
        f"({memory / limit:.0%} of {limit / MIB:.0f} MiB)"
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--read"]:
        read(Path(sys.argv[2]))
    else:
        for name in sys.argv[1:] or CASES:
            print(measure(CASES[name]), flush=True)
