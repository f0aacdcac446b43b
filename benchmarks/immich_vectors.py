"""How well folded embeddings keep which photos look alike, for the lengths that Immich expects.

    python benchmarks/immich_vectors.py embeddings.npz

Takes embeddings that ``encoded.py`` wrote. For every photo its nearest other photo by the cosine of
whole embeddings is looked for among the nearest by that of folded ones, without the scores of
labels. Printed are the shares of photos where it is the first, and among the first five, and the
standard deviation of the difference of the two cosines.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from encoded import read
from numpy.typing import NDArray

from tagsight.server.bridges.immich import LENGTHS, folded


def cosines(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Compare all photos with all: ``(N, D) -> (N, N)``, -1 with themselves."""
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    found = unit @ unit.T
    np.fill_diagonal(found, -1)
    return found


def main() -> None:
    photos = read(Path(sys.argv[1]))
    whole = cosines(photos.embeddings)
    nearest, labels = whole.argmax(1), len(photos.names)
    print(f"{len(whole):,} photos, embeddings of {photos.embeddings.shape[1]:,}, {labels} labels\n")
    print("| length | nearest is first | among five | deviation of the cosine |")
    print("| --- | --- | --- | --- |")
    for length in LENGTHS.values():
        look = np.stack([folded(one, length - labels) for one in photos.embeddings])
        found = cosines(look)
        five = np.argpartition(-found, 5, axis=1)[:, :5]
        first = (found.argmax(1) == nearest).mean()
        among = (five == nearest[:, None]).any(1).mean()
        print(f"| {length} | {first:.1%} | {among:.1%} | {(found - whole).std():.3f} |")


if __name__ == "__main__":
    main()
