"""Tagging into XMP sidecars, against lines of CSV: what the sidecars and their journal cost.

4,000 JPEGs of 96 x 72 pixels and the untrained `resnet-quick` of 12 labels at 32 pixels, so that
the network takes little time. Every photo gets a new sidecar with some tags, each of which is on
the disk before the journal calls it made. Rounds in turns; the one with the median ratio is shown.

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

PHOTOS, SIDE, ROUNDS, TOP = 4000, 32, 5, 3
TARGET = 0.8
OWN = 0.25
"""Milliseconds of a processor for a sidecar, besides a line's and those of the file system."""


def build_recognizer() -> Recognizer:
    recipe = RECIPES["resnet-quick"]
    training = recipe.training.model_copy(update={"image_size": SIDE})
    recipe = recipe.model_copy(update={"training": training})
    labels = empty_label_space([f"label {number}" for number in range(LABELS)])
    decision = Decision(thresholds=np.full(LABELS, 0.5), temperature=1.0)
    system = build_system(recipe, labels).eval()
    model = LoadedModel(system, labels, decision, recipe, {}, "0" * 64)
    return Recognizer(TrainedNetwork(model, Runtime.choose("cpu", "float32")))


def lines_rate(recognizer: Recognizer, folder: Path) -> tuple[float, float]:
    """Photos per second, and seconds of the processors for a photo."""
    started, busy = time.perf_counter(), time.process_time()
    selected = Lines("csv", Selection(top=TOP))
    tagged = tag_photos(recognizer, find_photos([folder]), io.StringIO(), selected)
    return _rates(tagged.photos, started, busy)


def sidecars_rate(recognizer: Recognizer, folder: Path, out: Path) -> tuple[float, float]:
    """The same, of new sidecars in an empty folder."""
    with Journal(out / "journal.sqlite") as journal:
        writer = Writer(Manner("xmp"), Places(".xmp", out, [folder]), "model", journal)
        started, busy = time.perf_counter(), time.process_time()
        selection, photos = Selection(top=TOP), find_photos([folder])
        tagged = tag_sidecars(recognizer, photos, writer, selection)
        assert tagged.changed == PHOTOS
        return _rates(tagged.photos, started, busy)


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


def _rates(photos: int, started: float, busy: float) -> tuple[float, float]:
    taken, processor = time.perf_counter() - started, time.process_time() - busy
    return photos / taken, processor / photos


def main() -> None:
    torch.set_num_threads(os.cpu_count() or 1)
    torch.manual_seed(0)
    recognizer = build_recognizer()
    rounds = []
    with TemporaryDirectory() as temporary:
        folder = write_collection(Path(temporary) / "photos", PHOTOS)
        for number in range(ROUNDS + 1):
            out, alone = (Path(temporary) / f"{what} {number}" for what in ("sidecars", "files"))
            out.mkdir()
            alone.mkdir()
            lines = lines_rate(recognizer, folder)
            sidecars = sidecars_rate(recognizer, folder, out)
            rounds.append((lines, sidecars, files_cost(out, alone)))
    # The first round warms up.
    middle = sorted(rounds[1:], key=lambda one: one[1][0] / one[0][0])[ROUNDS // 2]
    (lines, lines_busy), (sidecars, sidecars_busy), file = middle
    print(f"processor time of a photo: {1000 * lines_busy:.2f} ms with a line, ", end="")
    print(f"{1000 * sidecars_busy:.2f} ms with a sidecar, of which {1000 * file:.2f} ", end="")
    print(f"for its file by system calls alone; load {os.getloadavg()[0]:.1f}")
    print(HEADER)
    name = "tagging into XMP sidecars"
    alone = f"{lines:.0f} photos/s (lines of CSV)"
    row(name, f"{sidecars:.0f} photos/s", alone, sidecars / lines, TARGET)
    own = 1000 * (sidecars_busy - lines_busy - file)
    row("the same, processor time besides", f"{own:.2f} ms", f"{OWN} ms", own / OWN, 1,
        wanted="most")  # fmt: skip


if __name__ == "__main__":
    main()
