"""Time and memory of one update of the labelling loop, and of each queue, on drawn embeddings.

    python benchmarks/label_update.py

An update fits heads to 5,000 judged photos with 30 labels, all of them named after classes of the
encoder, embeddings of length 2,280, and the label graph, on all photos and without each of five
folds, with thresholds, calibration, and the quality of each label. The first one also computes the
principal directions; later ones have five more judgements and begin with the heads before. Queues
order 100,000 photos.
The limit is on CPU seconds, over all threads, as other work on the machine hardly changes them; on
an idle machine the seconds are no more.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from table import HEADER, row

from tagsight.tagging.labelling.queues import QUEUES, Pool, like_region, order
from tagsight.training.heads import FittedHeads, fit_heads
from tagsight.training.label_prior import LabelPrior

JUDGED, LABELS, LENGTH, CLASSES, COLLECTION = 5_000, 30, 2_280, 1_000, 100_000
SLOWEST = 1.0
"""Seconds of an update, and of a queue."""

LARGEST = 500.0
"""MiB by which an update may raise the peak of the process."""


class Drawn(NamedTuple):
    """Embeddings ``(N, 2280)`` and targets ``(N, 30)``, one in five of which is unknown."""

    embeddings: NDArray[np.float32]
    targets: NDArray[np.int8]


def drawn(photos: int) -> Drawn:
    """Draw embeddings in which a few directions have most of the variance, as an encoder's."""
    random = np.random.default_rng(0)
    spread = (np.arange(1, LENGTH + 1) ** -0.5).astype(np.float32)
    embeddings = random.standard_normal((photos, LENGTH), np.float32) * spread
    classifiers = random.standard_normal((LABELS, LENGTH), np.float32) * spread**0.5
    logits = 3 * embeddings @ classifiers.T
    logits += random.standard_normal(logits.shape, np.float32) - np.linspace(4, 10, LABELS)
    targets = (logits > 0).astype(np.int8)
    targets[random.random(targets.shape, np.float32) < 0.2] = -1
    return Drawn(embeddings, targets)


def timed(function: Callable[[], object], rounds: int) -> tuple[float, float]:
    """Return the least seconds and the least CPU seconds of some rounds."""
    seconds, cpu = [], []
    for _ in range(rounds):
        began, worked = time.perf_counter(), time.process_time()
        function()
        seconds.append(time.perf_counter() - began)
        cpu.append(time.process_time() - worked)
    return min(seconds), min(cpu)


def told(name: str, function: Callable[[], object], rounds: int = 3) -> None:
    """Print the row of a way that has a limit of time."""
    seconds, cpu = timed(function, rounds)
    row(name, f"{seconds:.2f} s, {cpu:.2f} CPU s", "-", cpu, SLOWEST, wanted="most")


def peak() -> float:
    """Peak memory of this process, in MiB."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (2**20 if sys.platform == "darwin" else 2**10)


def updates() -> None:
    """Print the rows of the heads."""
    photos = drawn(JUDGED)
    random = torch.Generator().manual_seed(0)
    matches = torch.rand(LABELS, CLASSES, generator=random) < 0.01
    prior = LabelPrior(matches, LENGTH - CLASSES, torch.randn(LABELS, 300, generator=random))
    before = peak()
    kept: list[FittedHeads] = []

    def update(start: FittedHeads | None) -> None:
        heads = None if start is None else start.heads
        kept[:] = [fit_heads(*photos, prior=prior, start=heads)]

    told(f"first update: {JUDGED:,} photos, {LABELS} labels", lambda: update(None), rounds=1)
    photos.targets[:5] = 1 - photos.targets[:5].clip(0)
    told("an update after it, with five judgements changed", lambda: update(kept[0]))
    grown = peak() - before
    row(
        "memory of updates, besides the embeddings",
        f"{grown:.0f} MiB",
        "-",
        grown,
        LARGEST,
        wanted="most",
    )


def queues() -> None:
    """Print the rows of the queues."""
    random = np.random.default_rng(0)
    photos = drawn(COLLECTION)
    photos.targets[JUDGED:] = -1
    scores = random.random(photos.targets.shape, np.float32)
    twins = random.integers(0, COLLECTION // 2, COLLECTION)
    pool = Pool(photos.targets, photos.embeddings, None, scores, scores, twins)
    for queue in QUEUES:
        label = 0 if queue.needs_label else None
        told(f"{queue.name}: {COLLECTION:,} photos", lambda: order(queue.name, pool, label))  # noqa: B023
    cells = random.integers(-127, 127, (COLLECTION, 49, 64), np.int8)
    everything = np.arange(COLLECTION)
    told(
        f"like a region: {COLLECTION:,} photos of 49 cells",
        lambda: like_region(cells, cells[0, 0].astype(np.float32), rows=everything),
    )


if __name__ == "__main__":
    print(HEADER)
    updates()
    queues()
