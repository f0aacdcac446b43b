"""COCO instances: a JSON file, or a folder with ``annotations/instances_*.json``."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

import torch

from tagsight.data.annotations import Annotations
from tagsight.data.formats.coco_json import read_instances
from tagsight.data.source import photo_folder
from tagsight.data.targets import target_table
from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SPLIT = re.compile(r"(?:^|[^a-z])(train|val|test)(?:val|idation|ing)?(?![a-z])")
KEY = re.compile(rb'"(images|annotations|categories)"\s*:\s*\[')


def recognises(source: Path) -> bool:
    """Whether a file begins as a JSON object with COCO's lists, or a folder holds such files."""
    if source.is_dir():
        return bool(_files_in(source))
    if not source.is_file():
        return False
    with source.open("rb") as handle:
        start = handle.read(2**20).lstrip(b"\xef\xbb\xbf \t\r\n")
    return start.startswith(b"{") and KEY.search(start) is not None


def read(source: Path, *, images: Path | None = None, labels_only: bool = False) -> Annotations:
    """Read the labels of a photo as the categories of its objects.

    The labels are put in alphabetical order: names decide it, never ids or positions. A photo
    without objects has no label. A label that only another of the files knows is unknown.

    Args:
        source: A file, or a folder with one file per split, ``instances_train*.json`` and so on.
        images: Where the photos are, or the folders of the splits that hold them; by default they
            are looked for beside the folder of the file, under ``train2017`` and the like, or
            under ``images``.
        labels_only: Whether it is no error that none of the photos exists.

    Raises:
        DataError: If a file cannot be understood, or none of the photos exists.
    """
    files = _files_in(source) if source.is_dir() else [source]
    if not files:
        msg = f"expected instances_*.json in {source} or {source / 'annotations'}, got none"
        raise DataError(msg)
    _require_a_split_each(files)
    parts = [_read_file(file, images, labels_only=labels_only) for file in files]
    if len(parts) == 1:
        return parts[0]
    names = sorted(set().union(*(part.names for part in parts)))
    paths = [path for part in parts for path in part.paths]
    if len(set(paths)) < len(paths):
        repeated = next(path for path, count in Counter(paths).items() if count > 1)
        msg = f"expected each photo in one file of {source}, got {repeated} in several"
        raise DataError(msg)
    return Annotations(
        names=tuple(names),
        paths=tuple(paths),
        targets=torch.cat([part.matched_to(names).targets for part in parts]),
        splits=tuple(split for part in parts for split in part.splits or ()),
        format="coco",
    )


def _read_file(file: Path, images: Path | None, *, labels_only: bool) -> Annotations:
    photos, categories, objects = read_instances(file)
    row = {key: index for index, key in enumerate(photos)}
    names = sorted(set(categories.values()))
    column = {key: names.index(name) for key, name in categories.items()}
    targets = target_table(len(row), len(names), value=0, source=file)
    rows = torch.tensor([row[entry["image_id"]] for entry in objects], dtype=torch.long)
    columns = torch.tensor([column[entry["category_id"]] for entry in objects], dtype=torch.long)
    targets[rows, columns] = 1
    file_names = [photo["file_name"] for photo in photos.values()]
    folder = photo_folder(file_names, _folders(file, images), source=file, labels_only=labels_only)
    split = _split(file)
    return Annotations(
        names=tuple(names),
        paths=tuple(folder / name for name in file_names),
        targets=targets,
        splits=(split,) * len(row) if split else None,
        format="coco",
        root=folder,
    )


def _files_in(folder: Path) -> list[Path]:
    for place in (folder / "annotations", folder):
        if files := sorted(place.glob("instances_*.json")):
            return files
    return []


def _folders(file: Path, images: Path | None) -> list[Path]:
    name = file.stem.removeprefix("instances_")
    if images:
        return [images / name, images]
    base = file.parent.parent if file.parent.name == "annotations" else file.parent
    return [base / name, base / "images" / name, base / "images", base]


def _split(file: Path) -> str | None:
    found = SPLIT.search(file.stem.lower())
    return found[1] if found else None


def _require_a_split_each(files: Sequence[Path]) -> None:
    splits = [_split(file) for file in files]
    if len(files) > 1 and (None in splits or len(set(splits)) < len(splits)):
        names = [file.name for file in files]
        msg = (
            f"expected one file for each of train, val and test in {files[0].parent}, "
            f"got {names!r}; give a file instead of the folder"
        )
        raise DataError(msg)
