"""YOLO's settings files: classes, and the places of the photos of each split."""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from tagsight.data.source import clean_name, first_of, is_file, is_folder
from tagsight.data.tables.names import SPLIT_NAMES
from tagsight.data.tables.text import text_of
from tagsight.data.yaml_files import parse_yaml
from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

LARGEST_FILE = 2**20
MOST_LOOKED_AT = 20
SPLITS = ("train", "val", "test")
NAMES = "classes.txt"
DARKNET = "_darknet.labels"
"""Roboflow's list of classes, beside the photos of each split."""

BOX = re.compile(rb"\d+(?:[ \t]+[\d.eE+-]+){4,}\s*$")
LONGEST_BOX = 2**16


class Settings(NamedTuple):
    """Settings of a collection.

    Attributes:
        classes: Name of each class by its number.
        splits: Folders, or lists of photos that end in ``.txt``, of each split; of no split under
            an empty name.
        path: Folder that they start from, below that of the file or absolute.

    Example:
        >>> Settings({0: "dog", 7: "sky"}, {"train": ["images"]}).names
        ['dog', 'sky']
    """

    classes: dict[int, str]
    splits: dict[str, list[str]]
    path: str = ""

    @property
    def names(self) -> list[str]:
        """Names of all classes."""
        return list(self.classes.values())

    @property
    def places(self) -> list[str]:
        """Places of all splits."""
        return [place for places in self.splits.values() for place in places]


def settings_file(source: Path) -> Path | None:
    r"""Return the file of settings that a path is, or that a folder has, or None.

    Example:
        >>> from pathlib import Path
        >>> _ = Path("data.yaml").write_text("train: images\nnames: [dog, sky]\n")
        >>> str(settings_file(Path()))
        'data.yaml'
    """
    if not source.is_dir():
        return source if _is_settings(source) else None
    usual = [source / name for name in ("data.yaml", "obj.data", NAMES, f"labels/{NAMES}")]
    others = first_of(source.glob("*.y*ml"), MOST_LOOKED_AT)
    lists = [source / DARKNET, *first_of(source.glob(f"*/{DARKNET}"), MOST_LOOKED_AT)]
    return next((file for file in (*usual, *others, *lists) if _is_settings(file)), None)


def _is_settings(file: Path) -> bool:
    if not is_file(file):
        return False
    if file.name == NAMES:
        return _of_names({}, file).places != ["."] or _has_boxes(file.parent)
    if file.name == DARKNET:
        return True
    if file.suffix.lower() not in {".yaml", ".yml", ".data"}:
        return False
    with file.open("rb") as handle:
        start = handle.read(LARGEST_FILE)
    names = re.search(rb"^names\s*[:=]", start, re.MULTILINE)
    are_placed = re.search(rb"^(train|val)\s*[:=]", start, re.M) is not None
    return names is not None and (are_placed or _are_near(file))


def _are_near(file: Path) -> bool:
    """Return whether files of objects lie where settings without places have them."""
    folders = (file.parent / place for place in _of_names({}, file).places)
    twins = (folder.parent / "labels" for folder in folders)
    return any(map(_has_boxes, (*twins, file.parent)))


def _has_boxes(folder: Path) -> bool:
    """Return whether files of objects lie in the folder itself, as labelImg writes them."""
    files = (one for one in folder.glob("*.txt") if one.name != NAMES and is_file(one))
    for file in islice(files, MOST_LOOKED_AT):
        with file.open("rb") as handle:
            if BOX.match(handle.readline(LONGEST_BOX)):
                return True
    return False


def read_settings(file: Path, encoding: str | None = None) -> Settings:
    r"""Read ``data.yaml`` of Ultralytics, ``obj.data`` of Darknet, or a list of classes.

    Args:
        file: The file.
        encoding: The encoding if it is not UTF-8, where the user names it.

    Raises:
        DataError: If it is malformed, or says nothing of classes or photos.

    Example:
        >>> from pathlib import Path
        >>> _ = Path("data.yaml").write_text("train: train/images\nnames: [dog, sky]\n")
        >>> settings = read_settings(Path("data.yaml"))
        >>> settings.classes, settings.splits["train"]
        ({0: 'dog', 1: 'sky'}, ['train/images'])
    """
    text = text_of(file, largest=LARGEST_FILE, otherwise=encoding)
    if file.name == NAMES:
        return _of_names(_classes(text.splitlines(), file), file)
    if file.name == DARKNET:
        return _of_roboflow(file, text, encoding)
    if file.suffix == ".data":
        return _of_darknet(file, text, encoding)
    content = parse_yaml(text, str(file))
    splits = {split: _places(content.get(split)) for split in SPLITS}
    splits["val"] = splits["val"] or _places(content.get("valid"))
    if content.keys().isdisjoint((*SPLITS, "valid")):  # as supervision writes them
        return _of_names(_classes(content.get("names"), file), file)
    if not any(splits.values()):
        msg = f"{file}: expected folders of photos as 'train', 'val' or 'test', got none"
        raise DataError(msg)
    path = content.get("path")
    return Settings(
        _classes(content.get("names"), file),
        {split: places for split, places in splits.items() if places},
        path if isinstance(path, str) else "",
    )


def _of_names(classes: dict[int, str], file: Path) -> Settings:
    """Return the settings of a list of classes: beside photos, above ``labels``, or in there."""
    base = file.parent
    if base.name == "labels" and is_folder(base.parent / "images"):
        return Settings(classes, {"": ["images"]}, str(base.parent.absolute()))
    if is_folder(base / "labels"):
        return Settings(classes, {"": ["images"]})
    splits: dict[str, list[str]] = {}
    for labels in sorted(base.glob("*/labels")):
        if split := SPLIT_NAMES.get(labels.parent.name.lower()):
            splits.setdefault(split, []).append(f"{labels.parent.name}/images")
    return Settings(classes, splits or {"": ["."]})


def _of_roboflow(file: Path, text: str, encoding: str | None) -> Settings:
    """Return the settings of a list of classes in the folder of a split, or in the only folder."""
    classes = _classes(text.splitlines(), file)
    places = sorted(file.parent.parent.glob(f"*/{DARKNET}"))
    splits = {
        split: [place.parent.name]
        for place in places
        if (split := SPLIT_NAMES.get(place.parent.name.lower()))
    }
    if file.parent.name.lower() not in SPLIT_NAMES or not splits:
        return Settings(classes, {"": ["."]})
    for place in places:
        lines = text_of(place, largest=LARGEST_FILE, otherwise=encoding)
        if _classes(lines.splitlines(), place) != classes:
            msg = f"{place}: expected the same classes as in {file}, got others"
            raise DataError(msg)
    return Settings(classes, splits, str(file.parent.parent.absolute()))


def _of_darknet(file: Path, text: str, encoding: str | None) -> Settings:
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line)
    content = {key.strip(): value.strip() for key, _, value in pairs}
    stated = content.get("names", "")
    names = next(
        (
            one
            for one in (file.parent / stated, file.parent / stated.rpartition("/")[2])
            if is_file(one)
        ),
        file.parent / stated,
    )
    lines = text_of(names, largest=LARGEST_FILE, otherwise=encoding)
    splits = {"train": "train", "val": "valid", "test": "test"}
    places = {split: _places(content.get(key)) for split, key in splits.items()}
    places["val"] = places["val"] or _places(content.get("val"))
    return Settings(_classes(lines.splitlines(), file), {k: v for k, v in places.items() if v})


def _places(value: object) -> list[str]:
    if isinstance(value, str):
        return [value] if value.strip() else []
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _classes(value: object, file: Path) -> dict[int, str]:
    pairs: Iterable[tuple[object, object]] = ()
    if isinstance(value, dict):
        pairs = value.items()
    elif isinstance(value, list):
        pairs = enumerate(value)
    classes: dict[int, str] = {}
    for number, name in pairs:
        if not isinstance(name, str) or not re.fullmatch("[0-9]{1,9}", str(number)):
            msg = f"{file}: expected names of classes, by number or as a list, got {name!r:.80}"
            raise DataError(msg)
        if clean := clean_name(name, str(file)):
            classes[int(str(number))] = clean
    if not classes:
        msg = f"{file}: expected 'names' of classes, by number or as a list, got {value!r:.80}"
        raise DataError(msg)
    return classes
