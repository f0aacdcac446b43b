"""What an index of compressed vectors misses: by its size, and in shards that are merged.

    python benchmarks/trials/sharded_recall.py [--sizes 10000 30000 100000] [--shards 10]

IVF-PQ of LanceDB: 48 bytes a vector of 384 numbers, partitions of 2,000 vectors, of which a fixed
fraction is searched. Recall is the share of the ten nearest by exact search that are found; the
queries are not in the index. The vectors are drawn as features of photos are spread.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import lancedb
import numpy as np
import pyarrow as pa
from lancedb.index import IvfPq
from lancedb.table import Table
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[1]))

from drawn_vectors import drawn_vectors

LENGTH, BYTES, PARTITION = 384, 48, 2_000
K, QUERIES = 10, 100
FACTORS = 128

Vectors = NDArray[np.float32]


class Way(NamedTuple):
    """How an index is searched: fraction of its partitions, and candidates compared exactly."""

    fraction: float
    refined: int


WAYS = (Way(0.1, 0), Way(0.1, 10), Way(0.3, 10), Way(1.0, 0), Way(1.0, 10), Way(1.0, 50))


def indexed(folder: Path, vectors: Vectors, first: int) -> Table:
    """Write vectors, whose rows are counted from ``first``, and index them."""
    column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), LENGTH)
    rows = np.arange(first, first + len(vectors))
    table = lancedb.connect(folder).create_table(
        f"from-{first}", pa.table({"row": rows, "vector": column})
    )
    table.create_index(
        "vector",
        config=IvfPq(
            distance_type="dot",
            num_partitions=ceil(len(vectors) / PARTITION),
            num_sub_vectors=BYTES,
        ),
    )
    return table


def searched(table: Table, query: Vectors, way: Way) -> list[tuple[float, int]]:
    """Search one index: distance and row of the nearest."""
    probes = max(1, round(way.fraction * ceil(table.count_rows() / PARTITION)))
    search = table.search(query, vector_column_name="vector").distance_type("dot").limit(K)
    search = search.nprobes(probes).select(["row", "_distance"])
    if way.refined:
        search = search.refine_factor(way.refined)
    found = search.to_arrow()
    return list(zip(found["_distance"].to_pylist(), found["row"].to_pylist(), strict=True))


def recall(tables: Sequence[Table], queries: Vectors, exact: Vectors, way: Way) -> float:
    """Search all shards and merge; return the share of the exactly nearest that are found."""
    hits = 0
    for query, nearest in zip(queries, exact, strict=True):
        merged = sorted(hit for table in tables for hit in searched(table, query, way))[:K]
        hits += len({row for _, row in merged} & set(nearest.tolist()))
    return hits / exact.size


def print_rows(name: str, tables: Sequence[Table], queries: Vectors, exact: Vectors) -> None:
    """Print recall and time of every way."""
    for way in WAYS:
        started = time.perf_counter()
        found = recall(tables, queries, exact, way)
        milliseconds = 1000 * (time.perf_counter() - started) / len(queries)
        refined = f"{way.refined}" if way.refined else "-"
        print(
            f"| {name} | {way.fraction:.0%} | {refined} | {found:.3f} | {milliseconds:.1f} |",
            flush=True,
        )


def measured(size: int, shards: int, folder: Path) -> None:
    """Print what one index of so many vectors finds, and as many shards of it."""
    vectors, queries = (
        drawn_vectors(count, LENGTH, FACTORS, seed) for count, seed in ((size, 2), (QUERIES, 1))
    )
    exact = np.argsort(-(queries @ vectors.T), axis=1)[:, :K]
    parts: Iterable[int] = (1, shards) if size // shards >= PARTITION else (1,)
    for count in parts:
        edges = np.linspace(0, size, count + 1).astype(int)
        place = folder / f"{size}-{count}"
        started = time.perf_counter()
        tables = [indexed(place, vectors[first:end], int(first)) for first, end in pairwise(edges)]
        built = time.perf_counter() - started
        name = f"{size:,}" if count == 1 else f"{size:,} in {count} shards"
        print_rows(f"{name} (built in {built:.0f} s)", tables, queries, exact)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 30_000, 100_000])
    parser.add_argument("--shards", type=int, default=10)
    arguments = parser.parse_args()
    print("| vectors | partitions searched | compared exactly, times K | recall | ms a query |")
    print("| --- | --- | --- | --- | --- |")
    with TemporaryDirectory() as folder:
        for size in arguments.sizes:
            measured(size, arguments.shards, Path(folder))


if __name__ == "__main__":
    main()
