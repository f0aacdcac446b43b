"""Whether exported files decide as their model does, on photos.

Run as ``python benchmarks/trials/same_decisions.py MODEL PHOTOS FILE...`` with files that `tagsight
export` wrote of the model. Compared are the decisions on the first 500 photos: with torch in
float32 and as it tags by default, and with each file as it tags.
"""

from __future__ import annotations

import sys
from itertools import islice
from pathlib import Path

import numpy as np

from tagsight.data.photos.finding import find_photos
from tagsight.inference.recognizer import Recognizer

PHOTOS = 500


def main(model: Path, folder: Path, *files: Path) -> None:
    photos = list(islice(find_photos([folder]), PHOTOS))
    reference = list(Recognizer.load(model, "cpu", precision="float32").recognize(photos))
    expected = np.stack([result.predicted for result in reference])
    scores = np.stack([result.scores for result in reference])
    print(f"{expected.sum():,} labels on {len(photos)} photos, torch in float32")
    for name, recognizer in (
        ("torch, as it tags", Recognizer.load(model, "cpu")),
        *((str(file), Recognizer.load(file)) for file in files),
    ):
        results = list(recognizer.recognize(photos))
        said = np.stack([result.predicted for result in results])
        apart = np.abs(np.stack([result.scores for result in results]) - scores)
        differing = int((said != expected).sum())
        print(
            f"{name}: {differing} of {said.size:,} decisions differ "
            f"({(said == expected).mean():.2%} alike), scores by {apart.max():.4f} at most"
        )


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
