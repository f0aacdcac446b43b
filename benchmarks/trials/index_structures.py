"""What an index could hold to be searched by: how fast each is, and what it misses.

    python benchmarks/trials/index_structures.py [--index INDEX]

The vectors of an index that `tagsight index` made, or random ones, which are all about equally far
from one another. Each structure is searched in all its parts; some times as many as are wanted are
compared exactly. The queries are other vectors of the same kind.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import lancedb
import numpy as np
import pyarrow as pa
from lancedb.index import IvfFlat, IvfRq, IvfSq
from lancedb.table import Table
from numpy.typing import NDArray

COUNT, LENGTH, QUERIES, K, PARTS, ALL = 100_000, 1280, 20, 10, 13, 1_000
SHAPE = {"distance_type": "dot", "num_partitions": PARTS}
WAYS = {
    "nothing": (None, "float32", (1,)),
    "the vectors": (IvfFlat(**SHAPE), "float32", (1,)),
    "the vectors in float16": (IvfFlat(**SHAPE), "float16", (1,)),
    "8 bits": (IvfSq(**SHAPE), "float32", (1, 5)),
    "4 bits": (IvfRq(**SHAPE, num_bits=4), "float32", (1, 5)),
    "1 bit": (IvfRq(**SHAPE, num_bits=1), "float32", (5, 20)),
}
"""What is held, the type of the table's vectors, and how many times as many are compared."""


def read_vectors(index: Path | None) -> NDArray[np.float32]:
    """``(N, D)`` of length 1, in an order of chance."""
    chance = np.random.default_rng(0)
    if index is None:
        drawn = chance.standard_normal((COUNT + QUERIES, LENGTH), dtype=np.float32)
        return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    table = lancedb.connect(index).open_table("photos").search().select(["vector"]).limit(None)
    rows = table.to_arrow()["vector"].combine_chunks()
    return chance.permutation(rows.flatten().to_numpy().reshape(len(rows), -1))


def filled(folder: Path, vectors: NDArray[np.float32], kind: str) -> Table:
    flat = pa.array(vectors.astype(kind).ravel())
    rows = pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])
    columns = {"row": np.arange(len(vectors)), "vector": rows}
    return lancedb.connect(folder).create_table(kind, pa.table(columns), mode="overwrite")


def search(table: Table, query: NDArray[np.float32], times: int) -> set[int]:
    found = table.search(query, vector_column_name="vector").distance_type("dot").limit(K)
    rows = found.nprobes(ALL).refine_factor(times).select(["row", "_distance"]).to_list()
    return {row["row"] for row in rows}


def rate(table: Table, queries: NDArray[np.float32], times: int, exact: Sequence[set[int]]) -> str:
    search(table, queries[0], times)
    started = time.perf_counter()
    found = [search(table, query, times) for query in queries]
    seconds = time.perf_counter() - started
    equal = np.mean([len(some & all_) / K for some, all_ in zip(found, exact, strict=True)])
    return f"{len(queries) / seconds:.1f} | {equal:.1%}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--index", type=Path)
    every = read_vectors(parser.parse_args().index)
    queries, vectors = every[:QUERIES], every[QUERIES:]
    exact = [set(np.argsort(-(vectors @ query))[:K].tolist()) for query in queries]
    print("| held | compared exactly | searches/s | neighbours equal |\n| --- | --- | --- | --- |")
    with TemporaryDirectory() as temporary:
        for held, (structure, kind, compared) in WAYS.items():
            table = filled(Path(temporary), vectors, kind)
            if structure is not None:
                table.create_index("vector", config=structure)
            for times in compared:
                print(f"| {held} | {times} x {K} | {rate(table, queries, times, exact)} |")


if __name__ == "__main__":
    main()
