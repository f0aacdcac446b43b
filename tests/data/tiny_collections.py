"""A tiny collection, written in every format."""

from __future__ import annotations

import csv
import json
import tarfile
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tagsight.data.formats import mirflickr
from tagsight.data.formats.mirflickr import POTENTIAL, RELEVANT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

NAMES = ("bird", "dining table", "person")
TARGETS = ((1, 0, 1), (0, 1, 0), (0, 0, 0), (-1, 0, 1), (1, 1, -1))
SPLITS = ("train", "train", "val", "train", "val")
PHOTOS = ("a.jpg", "b c.jpg", "d.jpg", "e.jpg", "f.jpg")


class Example(NamedTuple):
    """A tiny collection in one format, and what a reader should say of it."""

    format: str
    source: Path
    photos: Path
    targets: tuple[tuple[int, ...], ...]
    names: tuple[str, ...] = NAMES
    files: tuple[str, ...] = PHOTOS
    splits: tuple[str, ...] | None = SPLITS

    @property
    def label_files(self) -> list[Path]:
        inside = [p for p in self.source.rglob("*") if p.suffix in {".txt", ".json", ".tar"}]
        return inside or [self.source]

    def path_of(self, photo: str) -> Path:
        """Where a photo is: shards hold those of their split."""
        if self.format != "shards":
            return self.photos / photo
        return self.photos / f"{SPLITS[PHOTOS.index(photo)]}-000.tar" / photo


def write_csv_columns(folder: Path, photos: Sequence[str]) -> Example:
    rows = zip(photos, SPLITS, *zip(*TARGETS, strict=True), strict=True)
    _write_csv(folder / "labels.csv", ["image", "split", *NAMES], rows)
    return Example("csv-columns", folder / "labels.csv", folder, TARGETS)


def write_csv_list(folder: Path, photos: Sequence[str]) -> Example:
    rows = zip(photos, map(";".join, _present()), SPLITS, strict=True)
    _write_csv(folder / "labels.csv", ["image", "labels", "split"], rows)
    return Example("csv-list", folder / "labels.csv", folder / "images", _unknown_as_absent())


def write_coco(folder: Path, photos: Sequence[str]) -> Example:
    ids = {name: 90 - 7 * index for index, name in enumerate(NAMES)}
    for split in ("train", "val"):
        rows = [row for row, of in enumerate(SPLITS) if of == split]
        objects = [(row, name) for row in rows for name in 2 * _present()[row]]
        content = {
            "images": [{"id": row, "file_name": photos[row]} for row in rows],
            "categories": [{"id": number, "name": name} for name, number in ids.items()],
            "annotations": [
                {"id": index, "image_id": row, "category_id": ids[name], "bbox": [0, 0, 1, 1]}
                for index, (row, name) in enumerate(objects)
            ],
        }
        file = folder / "annotations" / f"instances_{split}2017.json"
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(content))
    return Example("coco", folder, folder / "images", _unknown_as_absent())


def write_voc(folder: Path, photos: Sequence[str]) -> Example:
    main = folder / "VOC2012" / "ImageSets" / "Main"
    main.mkdir(parents=True)
    marks = {1: " 1", 0: "-1", -1: " 0"}
    for column, name in enumerate(NAMES):
        for split in ("train", "val"):
            rows = [row for row, of in enumerate(SPLITS) if of == split]
            lines = [f"{Path(photos[r]).with_suffix('')} {marks[TARGETS[r][column]]}" for r in rows]
            (main / f"{name}_{split}.txt").write_text("\n".join(lines) + "\n")
    return Example("voc", folder, folder / "VOC2012" / "JPEGImages", TARGETS)


def write_mirflickr(folder: Path, photos: Sequence[str]) -> Example:
    lists = folder / "mirflickr25k_annotations_v080"
    lists.mkdir()
    (lists / "README.txt").write_text("12 topics, or 24?\n")
    shown = {"bird": (1, 5), "food": (2, 5), "people": (1, 4)}
    for topic in (*POTENTIAL, *RELEVANT):
        numbers = shown.get(topic, (mirflickr.PHOTOS,))
        (lists / f"{topic}.txt").write_text("".join(f"{number}\n" for number in numbers))
    targets = [[0] * len(POTENTIAL) for _ in range(mirflickr.PHOTOS)]
    for column, topic in enumerate(POTENTIAL):
        for number in shown.get(topic, (mirflickr.PHOTOS,)):
            targets[number - 1][column] = 1
    return Example(
        "mirflickr",
        folder,
        folder / "mirflickr",
        tuple(map(tuple, targets)),
        POTENTIAL,
        tuple(f"im{number}.jpg" for number in range(1, mirflickr.PHOTOS + 1)),
        None,
    )


def write_nus_wide(folder: Path, photos: Sequence[str]) -> Example:
    marks = folder / "Groundtruth" / "TrainTestLabels"
    for place in (marks, folder / "ImageList", folder / "ConceptsList"):
        place.mkdir(parents=True)
    (folder / "ConceptsList" / "Concepts81.txt").write_text("\n".join(reversed(NAMES)) + "\n")
    splits = tuple("test" if split == "val" else split for split in SPLITS)
    for split, part in (("train", "Train"), ("test", "Test")):
        rows = [row for row, of in enumerate(splits) if of == split]
        lines = "".join(f"{photos[row]}\n" for row in rows)
        (folder / "ImageList" / f"{part}Imagelist.txt").write_text(lines)
        for column, name in enumerate(NAMES):
            values = "".join(f"{_unknown_as_absent()[row][column]} \n" for row in rows)
            (marks / f"Labels_{name}_{part}.txt").write_text(values)
    return Example(
        "nus-wide", folder, folder / "Flickr", _unknown_as_absent(), NAMES, PHOTOS, splits
    )


def write_shards(folder: Path, photos: Sequence[str]) -> Example:
    values = {1: 1, 0: 0, -1: None}
    for split in ("train", "val"):
        with tarfile.open(folder / f"{split}-000.tar", "w") as shard:
            for photo, of, row in zip(photos, SPLITS, TARGETS, strict=True):
                if of == split:
                    labels = {n: values[v] for n, v in zip(NAMES, row, strict=True)}
                    add_member(shard, photo, b"a photo")
                    sidecar = Path(photo).with_suffix(".json").as_posix()
                    add_member(shard, sidecar, json.dumps({"labels": labels}).encode())
    return Example("shards", folder, folder, TARGETS)


def add_member(shard: tarfile.TarFile, name: str, content: bytes) -> None:
    """Put a file into a tar."""
    member = tarfile.TarInfo(name)
    member.size = len(content)
    shard.addfile(member, BytesIO(content))


PHOTOS_INSIDE = {"shards"}
"""Formats whose photos are no files of their own."""

EXAMPLES: dict[str, Callable[[Path, Sequence[str]], Example]] = {
    "csv-columns": write_csv_columns,
    "csv-list": write_csv_list,
    "coco": write_coco,
    "voc": write_voc,
    "mirflickr": write_mirflickr,
    "nus-wide": write_nus_wide,
    "shards": write_shards,
}

NUMBERED = frozenset({"mirflickr"})
"""Formats in which the files give no names of photos."""


def _present() -> list[list[str]]:
    return [[name for name, value in zip(NAMES, row, strict=True) if value == 1] for row in TARGETS]


def _unknown_as_absent() -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(max(value, 0) for value in row) for row in TARGETS)


def _write_csv(file: Path, header: Sequence[str], rows) -> None:
    with file.open("w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(header)
        writer.writerows(rows)
