"""Tagging into XMP sidecars, against lines of CSV: what the sidecars and their journal cost.

4,000 JPEGs of 96 x 72 pixels and the untrained `resnet-quick` of 12 labels at 32 pixels, so that
the network takes little time; then 512 of them at 224 pixels, the smallest that people use. Every
photo gets a new sidecar with some tags, each of which is on the disk before the journal calls it
made. Rounds in turns; the one with the median ratio is shown.

Each round also writes the same sidecars by system calls alone: what the file system takes for a
file that is created, synced and renamed. Sidecars stay until the end, in folders for each round:
ext4 without a journal takes up to 0.5 ms more to create a file where many were deleted in the last
minutes. TMPDIR names another file system.
"""

from __future__ import annotations

import io
import os
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple, Self

import numpy as np
import torch
from memory import LABELS, write_collection
from table import HEADER, row

from tagsight.checkpoint.decision import Decision
from tagsight.checkpoint.folder import LoadedModel
from tagsight.data.photos.finding import find_photos
from tagsight.inference.networks.trained import TrainedNetwork
from tagsight.inference.recognizer import Recognizer
from tagsight.labels.space import empty_label_space
from tagsight.runtime.device import Runtime
from tagsight.runtime.threads import batched
from tagsight.systems.catalogue import RECIPES, build_system
from tagsight.tagging.sidecars.journal import Journal
from tagsight.tagging.sidecars.places import Places
from tagsight.tagging.sidecars.writing import Manner, Writer
from tagsight.tagging.tagging import TOGETHER, Lines, Selection, tag_photos, tag_sidecars

SIZES = {32: 4000, 224: 512}
"""Photos by the pixels that the network sees."""

ROUNDS, TOP = 5, 3
TARGET = 0.8
OWN = 0.25
"""Milliseconds of a processor for a sidecar, besides a line's and those of the file system."""


class Rates(NamedTuple):
    """Photos per second, and seconds of the processors for a photo."""

    rate: float
    busy: float

    @classmethod
    def since(cls, started: float, busy: float, photos: int) -> Self:
        taken, processor = time.perf_counter() - started, time.process_time() - busy
        return cls(photos / taken, processor / photos)


class Round(NamedTuple):
    """Lines and sidecars in turns, and seconds of the processors for a file by system calls."""

    lines: Rates
    sidecars: Rates
    file: float

    @property
    def ratio(self) -> float:
        return self.sidecars.rate / self.lines.rate


def build_recognizer(side: int) -> Recognizer:
    recipe = RECIPES["resnet-quick"]
    training = recipe.training.model_copy(update={"image_size": side})
    recipe = recipe.model_copy(update={"training": training})
    labels = empty_label_space([f"label {number}" for number in range(LABELS)])
    decision = Decision(thresholds=np.full(LABELS, 0.5), temperature=1.0)
    system = build_system(recipe, labels).eval()
    model = LoadedModel(system, labels, decision, recipe, {}, "0" * 64)
    return Recognizer(TrainedNetwork(model, Runtime.choose("cpu", "float32")))


def lines_rate(recognizer: Recognizer, folder: Path) -> Rates:
    started, busy = time.perf_counter(), time.process_time()
    selected = Lines("csv", Selection(top=TOP))
    tagged = tag_photos(recognizer, find_photos([folder]), io.StringIO(), selected)
    return Rates.since(started, busy, tagged.photos)


def sidecars_rate(recognizer: Recognizer, folder: Path, out: Path) -> Rates:
    """The same, of new sidecars in an empty folder."""
    with Journal(out / "journal.sqlite") as journal:
        writer = Writer(Manner("xmp"), Places(".xmp", out, [folder]), "model", journal)
        started, busy = time.perf_counter(), time.process_time()
        selection, photos = Selection(top=TOP), find_photos([folder])
        tagged = tag_sidecars(recognizer, photos, writer, selection)
        assert tagged.changed == tagged.photos
        return Rates.since(started, busy, tagged.photos)


def files_cost(sidecars: Path, out: Path) -> float:
    """Seconds of the processor for a file of these, written anew by system calls alone."""
    contents = [(file.name, file.read_bytes()) for file in sidecars.glob("*.xmp")]
    busy = time.process_time()
    for some in batched(contents, TOGETHER):
        for name, content in some:
            handle = os.open(out / f".{name}", os.O_WRONLY | os.O_CREAT | os.O_EXCL)
            os.write(handle, content)
            os.close(handle)
        for name, _ in some:
            handle = os.open(out / f".{name}", os.O_RDONLY)
            os.fsync(handle)
            os.close(handle)
        for name, _ in some:
            (out / f".{name}").rename(out / name)
    return (time.process_time() - busy) / len(contents)


def middle_round(side: int, photos: int, temporary: Path) -> Round:
    """The round of median ratio, after one that warms up."""
    torch.manual_seed(0)
    recognizer = build_recognizer(side)
    folder = write_collection(temporary / f"photos {side}", photos)
    rounds = []
    for number in range(ROUNDS + 1):
        out, alone = (temporary / f"{what} {side} {number}" for what in ("sidecars", "files"))
        out.mkdir()
        alone.mkdir()
        lines = lines_rate(recognizer, folder)
        sidecars = sidecars_rate(recognizer, folder, out)
        rounds.append(Round(lines, sidecars, files_cost(out, alone)))
    return sorted(rounds[1:], key=lambda one: one.ratio)[ROUNDS // 2]


def main() -> None:
    torch.set_num_threads(os.cpu_count() or 1)
    with TemporaryDirectory() as temporary:
        found = {side: middle_round(side, n, Path(temporary)) for side, n in SIZES.items()}
    print(HEADER)
    for side, (lines, sidecars, _) in found.items():
        name = f"tagging into XMP sidecars, {side} pixels"
        alone = f"{lines.rate:.0f} photos/s (lines of CSV)"
        row(name, f"{sidecars.rate:.0f} photos/s", alone, found[side].ratio, TARGET)
    lines, sidecars, file = found[min(found)]
    own = 1000 * (sidecars.busy - lines.busy - file)
    row("the same, processor time besides", f"{own:.2f} ms", f"{OWN} ms", own / OWN, 1,
        wanted="most")  # fmt: skip
    print(f"processor time of a photo: {1000 * lines.busy:.2f} ms with a line, ", end="")
    print(f"{1000 * sidecars.busy:.2f} ms with a sidecar, of which {1000 * file:.2f} ", end="")
    print(f"for its file by system calls alone; load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
