"""Photos per second from shards, against the same photos as files and webdataset's own reader.

Run as ``python benchmarks/shard_reading.py``. All decode the same JPEGs with `open_photo` in this
thread; webdataset reads its shards from beginning to end, the others in a random order. A ratio
near 1 means that a tar costs no more than a folder.
"""

from __future__ import annotations

import tarfile
import tempfile
import time
from collections.abc import Callable, Iterable
from io import BytesIO
from pathlib import Path

import numpy as np
import webdataset
from PIL import Image

from tagsight.data.photos.reading import open_photo
from tagsight.data.photos.tar_members import members

PHOTOS, PER_SHARD, SIDE, ROUNDS = 600, 200, 256, 7


def write(folder: Path) -> tuple[list[Path], list[Path]]:
    """Photos as files and in shards; some noise makes them as large as real ones."""
    random = np.random.default_rng(0)
    coarse = random.integers(0, 256, (PHOTOS, 32, 32, 3), dtype=np.uint8)
    files, inside = [], []
    for start in range(0, PHOTOS, PER_SHARD):
        shard = folder / f"train-{start // PER_SHARD:03}.tar"
        with tarfile.open(shard, "w") as tar:
            for row in range(start, start + PER_SHARD):
                content = BytesIO()
                Image.fromarray(coarse[row]).resize((SIDE, SIDE)).save(content, "JPEG")
                files.append(folder / f"{row:06}.jpg")
                files[-1].write_bytes(content.getvalue())
                inside.append(shard / files[-1].name)
                tar.add(files[-1], arcname=files[-1].name)
    return files, inside


def rates(ways: dict[str, Callable[[], Iterable[Path | bytes]]]) -> dict[str, float]:
    """Photos per second, the best of some rounds in which the ways take turns."""
    best = dict.fromkeys(ways, 0.0)
    for _ in range(ROUNDS):
        for name, photos in ways.items():
            started = time.perf_counter()
            done = sum(1 for photo in photos() if open_photo(photo))
            best[name] = max(best[name], done / (time.perf_counter() - started))
    return best


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        files, inside = write(Path(name))
        shards = sorted({str(path.parent) for path in inside})
        order = np.random.default_rng(1).permutation(PHOTOS).tolist()
        started = time.perf_counter()
        known = sum(len(members(Path(shard))) for shard in shards)
        index = (time.perf_counter() - started) / known
        found = rates(
            {
                "files": lambda: (files[row] for row in order),
                "shards": lambda: (inside[row] for row in order),
                "webdataset": lambda: (
                    sample["jpg"] for sample in webdataset.WebDataset(shards, shardshuffle=False)
                ),
            }
        )
    print(f"index: {1e6 * index:.0f} microseconds a member, once")
    for name, rate in found.items():
        print(f"{name}: {rate:.0f} photos per second")
    print(f"shards / files: {found['shards'] / found['files']:.2f}")
    print(f"shards / webdataset in sequence: {found['shards'] / found['webdataset']:.2f}")


if __name__ == "__main__":
    main()
