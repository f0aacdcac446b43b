"""Rectangles around evidence against boxes that people drew, by the share at which maps are cut.

    python benchmarks/evidence_boxes.py MODEL PHOTOS BOXES.json LABELS.csv

Counted are labels that are present in a photo of the split and have boxes. A label is hit if its
first rectangle and one of its boxes have an intersection over union of at least 0.5. The rectangle
of the whole photo is the peer. Shares are chosen on `train`; `val` is for the documents.
"""

from __future__ import annotations

import csv
import json
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np

import tagsight as ts
from tagsight.inference import evidence_parts
from tagsight.inference.evidence_boxes import EvidenceBox, evidence_boxes

SHARES = (0.2, 0.3, 0.4, 0.5, 0.6)
MOST_PHOTOS = 60
WHOLE_PHOTO = EvidenceBox(0.0, 0.0, 1.0, 1.0)


def overlap(one: EvidenceBox, other: EvidenceBox) -> float:
    """Intersection over union."""
    sides = [
        max(0.0, min(a + wide, b + wider) - max(a, b))
        for a, wide, b, wider in (
            (one.left, one.width, other.left, other.width),
            (one.top, one.height, other.top, other.height),
        )
    ]
    both = sides[0] * sides[1]
    return both / (one.width * one.height + other.width * other.height - both)


def drawn_boxes(file: Path) -> dict[tuple[str, str], list[EvidenceBox]]:
    coco = json.loads(file.read_text())
    images = {image["id"]: image for image in coco["images"]}
    names = {category["id"]: category["name"] for category in coco["categories"]}
    found = defaultdict(list)
    for one in coco["annotations"]:
        image, (left, top, width, height) = images[one["image_id"]], one["bbox"]
        across, down = image["width"], image["height"]
        box = EvidenceBox(left / across, top / down, width / across, height / down)
        found[image["file_name"], names[one["category_id"]]].append(box)
    return found


def main() -> None:
    model, photos, boxes, table = map(Path, sys.argv[1:])
    drawn = drawn_boxes(boxes)
    with table.open() as file:
        rows = list(csv.DictReader(file))
    recognizer = ts.load(model)
    print("| split | labels | share | mean overlap | hit | whole photo | rectangles a label |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for split in ("train", "val"):
        chosen = [row["image"] for row in rows if row["split"] == split][:MOST_PHOTOS]
        results = list(recognizer.recognize(photos / name for name in chosen))
        pairs = [
            (result, label, drawn[name, label])
            for name, result in zip(chosen, results, strict=True)
            for label in recognizer.labels
            if drawn.get((name, label))
        ]
        whole = [max(overlap(WHOLE_PHOTO, box) for box in true) for _, _, true in pairs]
        for share in SHARES:
            evidence_parts.SHARE = share
            found = [evidence_boxes(result.map(label), result.frame) for result, label, _ in pairs]
            first = [
                max((overlap(made[0], box) for box in true), default=0.0) if made else 0.0
                for made, (_, _, true) in zip(found, pairs, strict=True)
            ]
            hit = np.mean([one >= 0.5 for one in first])
            peer = np.mean([one >= 0.5 for one in whole])
            many = np.mean([len(made) for made in found if made])
            print(
                f"| {split} | {len(pairs)} | {share} | {np.mean(first):.3f} | {hit:.3f} | "
                f"{peer:.3f} | {many:.2f} |"
            )


if __name__ == "__main__":
    main()
