"""Where a label's score comes from: python evidence.py runs/first/model photo.jpg dog dog.png"""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image, ImageOps

import tagsight as ts


def main(model: Path, photo: Path, label: str, picture: Path) -> None:
    result = ts.Recognizer.load(model)(photo)
    evidence = result.map(label)

    # With average pooling the map is an exact account: its mean is the logit.
    logit = result.logits[result.index(label)]
    print(f"{label}: logit {logit:.2f}, mean of the map {evidence.mean():.2f}")
    share = evidence.clip(min=0) / max(evidence.clip(min=0).sum(), 1e-9)
    for row in share:
        print(" ".join(f"{100 * cell:3.0f}%" for cell in row))

    upright = ImageOps.exif_transpose(Image.open(photo)).convert("RGB")
    ts.overlay(upright, evidence, top=float(evidence.max())).save(picture)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], Path(sys.argv[4]))
