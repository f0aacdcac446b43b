"""How fast, and in how much memory, the nearest of 100,000 photos are found (`knn`).

A search for the 50 nearest of each of 1,000 photos, against the bare matrix product of the same
sizes, which it cannot be faster than, and for the photos of one batch. Its peak memory is what it
holds besides the photos, against the products of all with all.
"""

from __future__ import annotations

import resource
import subprocess
import sys
from functools import partial

import torch
from table import HEADER, alternated, row
from torch import Tensor

from tagsight.nn.neighbours import nearest

PHOTOS, QUERIES, LENGTH, K, BATCH = 100_000, 1_000, 1280, 50, 16
SLOWEST = 0.5
"""Of the speed of the product alone."""
LARGEST = 0.5
"""Of the memory of all products."""


def photos() -> tuple[Tensor, Tensor]:
    """Queries and what is remembered."""
    torch.manual_seed(0)
    return torch.randn(QUERIES, LENGTH), torch.randn(PHOTOS, LENGTH)


def held_besides() -> float:
    """MiB by which the peak of this process grows in a search."""
    queries, remembered = photos()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    nearest(queries, remembered, K)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return grown / (2**20 if sys.platform == "darwin" else 2**10)


if __name__ == "__main__":
    if sys.argv[1:] == ["--memory"]:
        print(held_besides())
        sys.exit()
    print(HEADER)
    # First, while this process is small: a new one begins with its parent's peak.
    command = [sys.executable, __file__, "--memory"]
    besides = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    products = 4 * QUERIES * PHOTOS / 2**20
    row(
        f"memory of the search for {QUERIES:,}, besides the photos",
        f"{besides:.0f} MiB",
        f"{products:.0f} MiB (all products)",
        besides / products,
        LARGEST,
        wanted="most",
    )
    queries, remembered = photos()
    for some in (queries, queries[:BATCH]):
        ways = [partial(nearest, some, remembered, K), partial(torch.matmul, some, remembered.T)]
        ours, bare = alternated(ways, rounds=3)
        name = f"{len(some):,} photos' {K} nearest of {PHOTOS:,} x {LENGTH}, speed"
        row(name, f"{ours:.2f} s", f"{bare:.2f} s (the product alone)", bare / ours, SLOWEST)
