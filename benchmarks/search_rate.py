"""How many searches an index answers a second, against a plain scan by NumPy of the same vectors.

Vectors of 1280 numbers, as many as the backbone's features: 40,000, of which an index holds the
vectors, and 100,000, of which it holds short forms; ``--all`` adds 1,000,000 (it takes 20 GB of the
disk, 10 of memory and many minutes). NumPy has them in memory and is exact; the share of equal
neighbours is said beside the ratio. The vectors are drawn as features of photos are spread.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from drawn_vectors import drawn_vectors
from numpy.typing import NDArray
from table import HEADER, alternated, row

from tagsight.search.index import Entry, Facts, SearchIndex

LENGTH, K, QUERIES, PART = 1280, 10, 20, 10_000
FACTORS = 256
TARGET = 1.0
"""An index on the disk, with conditions and versions, that is no slower than a scan in memory."""


def filled(folder: Path, count: int) -> NDArray[np.float32]:
    """Make an index of photos that look like nothing, and return their vectors."""
    index = SearchIndex.create(folder, Facts("none", "none", ("a",), (0.5,), LENGTH))
    held = np.empty((count, LENGTH), np.float32)
    for start in range(0, count, PART):
        held[start : start + PART] = drawn_vectors(PART, LENGTH, FACTORS, seed=2 + start)
        index.put([entry(start + i, held[start + i]) for i in range(PART)])
    index.tidy()
    index.speed_up()
    return held


def entry(number: int, vector: NDArray[np.float32]) -> Entry:
    """A photo of that number."""
    scores = np.array([number % 2], np.float32)
    return Entry(f"/{number}.jpg", 1, 1, number.to_bytes(32, "big"), (), scores, vector)


def scanned(held: NDArray[np.float32], query: NDArray[np.float32]) -> list[str]:
    """The nearest, by NumPy."""
    cosines = held @ query
    best = np.argpartition(-cosines, K)[:K]
    return [f"/{i}.jpg" for i in best[np.argsort(-cosines[best])]]


def measured(count: int) -> None:
    """Print the row for so many photos."""
    queries = drawn_vectors(QUERIES, LENGTH, FACTORS, seed=1)
    with TemporaryDirectory() as folder:
        held = filled(Path(folder) / "index", count)
        index = SearchIndex.open(Path(folder) / "index")  # as a search does
        found = [[str(hit.path) for hit in index.like(query, K)] for query in queries]
        expected = [scanned(held, query) for query in queries]
        equal = np.mean([len(set(f) & set(e)) / K for f, e in zip(found, expected, strict=True)])
        ours, numpy = alternated(
            [
                lambda: [index.like(query, K) for query in queries],
                lambda: [scanned(held, query) for query in queries],
            ],
            rounds=3,
        )
    row(
        f"searches among {count:,}, {equal:.1%} of the neighbours equal",
        f"{QUERIES / ours:.1f}/s",
        f"{QUERIES / numpy:.1f}/s (NumPy, in memory)",
        numpy / ours,
        TARGET,
    )


if __name__ == "__main__":
    print(HEADER)
    for size in (40_000, 100_000, *([1_000_000] if "--all" in sys.argv[1:] else [])):
        measured(size)
