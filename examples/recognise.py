"""Recognise photos, and find the one most alike: python recognise.py runs/first/model *.jpg"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import tagsight as ts


def main(model: Path, photos: list[Path]) -> None:
    recognizer = ts.Recognizer.load(model)
    # Photos are read while the network works; one that cannot be read does not stop the others.
    results = list(recognizer.recognize(photos, on_error=lambda _, error: print(error)))

    embeddings = np.stack([result.embedding for result in results])
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    alike = embeddings @ embeddings.T
    np.fill_diagonal(alike, -np.inf)

    for result, nearest in zip(results, alike.argmax(1), strict=True):
        found = ", ".join(f"{label.name} {label.score:.2f}" for label in result.labels)
        print(f"{result.path}: {found or 'no label found'}; most like {results[nearest].path}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(photo) for photo in sys.argv[2:]])
