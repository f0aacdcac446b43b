"""Processor time of finding near vectors among many, by lists and by comparing all with all.

Draws vectors of which a third are near another, at cosines from 0.7 to 1, as of an encoder: few
directions hold most of their length. The pairs that lists miss are counted; comparing all with all
is left out with the word `lists`.

    python benchmarks/alike_vectors.py VECTORS WIDTH [lists]
"""

from __future__ import annotations

import sys
import time

import numpy as np

from tagsight.data.splits.alike import alike_pairs
from tagsight.data.splits.near_twins import NEAREST


def drawn(count: int, width: int) -> np.ndarray:
    """Draw unit vectors."""
    random = np.random.default_rng(0)
    scales = (np.arange(width, dtype=np.float32) + 1) ** -0.5

    def units(number: int) -> np.ndarray:
        found = random.standard_normal((number, width), np.float32) * scales
        return found / np.linalg.norm(found, axis=1, keepdims=True)

    vectors = units(count)
    copies = count // 3
    cosines = random.uniform(0.7, 1, (copies, 1)).astype(np.float32)
    vectors[:copies] = cosines * vectors[copies : 2 * copies]
    vectors[:copies] += np.sqrt(1 - cosines**2) * units(copies)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def main() -> None:
    """Print the seconds of both ways, and what the lists miss."""
    count, width, *words = sys.argv[1:]
    units = drawn(int(count), int(width))
    seconds, found = [], []
    for limit in (0, *([] if words else [len(units)])):
        start = time.process_time()
        pairs = alike_pairs(units, NEAREST, compared_with_all=limit)
        seconds.append(time.process_time() - start)
        found.append(pairs[:, 0] * len(units) + pairs[:, 1])
    print(f"{len(units):,} vectors of {width}: lists {seconds[0]:.1f} s, {len(found[0]):,} pairs")
    if not words:
        missed = len(np.setdiff1d(found[1], found[0]))
        print(f"all with all {seconds[1]:.1f} s; lists miss {missed:,} of {len(found[1]):,} pairs")


if __name__ == "__main__":
    main()
