"""A JSON file for each photo: LabelMe, Supervisely, V7 Darwin, SuperAnnotate and Dataloop."""

from __future__ import annotations

import logging
import re
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, NamedTuple

from tagsight.data.format import Format
from tagsight.data.json_files import outline, read_json, shortened
from tagsight.data.photo_labels import PhotoLabels, tabulate
from tagsight.data.source import clean_name, photo_path
from tagsight.data.tables.names import SPLIT_NAMES
from tagsight.errors import DataError
from tagsight.runtime.amounts import amount

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from tagsight.data.format import Labelled, ReadOptions

logger = logging.getLogger(__name__)

MOST_LOOKED_AT = 20
PLACES = ("images", "photos", "img", "items")
"""Folders of photos beside the files."""

ABSOLUTE = re.compile(r"/|[A-Za-z]+:")
NAMES = ("label", "name", "className", "classTitle")


class Program(NamedTuple):
    """Keys under which a program writes the labels of a photo.

    Attributes:
        keys: Keys of the file, each with the first character of its value.
        photo: Returns the photo's path as seen from the file, given its content and name.
        lists: Keys of lists of shapes, tags or labels.
    """

    keys: Mapping[str, str]
    photo: Callable[[dict[str, Any], str], str]
    lists: tuple[str, ...]


def _text(content: Any, *keys: str) -> str:  # noqa: ANN401 - plain-data border
    for key in keys:
        content = content.get(key) if isinstance(content, dict) else None
    return content if isinstance(content, str) else ""


def _in_folder(content: dict[str, Any], _name: str) -> str:
    folder = _text(content, "item", "path").strip("/")
    return f"{folder}/{_text(content, 'item', 'name')}".lstrip("/")


PROGRAMS = {
    "LabelMe": Program(
        {"shapes": "[", "imagePath": '"'},
        lambda content, _: _text(content, "imagePath"),
        ("shapes",),
    ),
    "Supervisely": Program(
        {"objects": "[", "tags": "[", "size": "{"},
        lambda _, name: f"../img/{name.removesuffix('.json')}",
        ("objects", "tags"),
    ),
    "V7 Darwin": Program({"item": "{", "annotations": "["}, _in_folder, ("annotations",)),
    "SuperAnnotate": Program(
        {"metadata": "{", "instances": "["},
        lambda content, _: _text(content, "metadata", "name"),
        ("instances", "tags"),
    ),
    "Dataloop": Program(
        {"filename": '"', "annotations": "["},
        lambda content, _: _text(content, "filename").lstrip("/"),
        ("annotations",),
    ),
}


def recognises(source: Path) -> bool:
    """Return whether a file begins as one of these programs writes it, or a folder has some.

    Example:
        >>> from pathlib import Path
        >>> file = Path("a.json")
        >>> _ = file.write_text('{"flags": {}, "shapes": [], "imagePath": "a.jpg"}')
        >>> recognises(file)
        True
    """
    files = _first_files(source) if source.is_dir() else [source]
    return any(map(_program, files))


def _first_files(folder: Path) -> Iterable[Path]:
    """Return a few JSON files of a folder and of its first folders."""
    inside = (one for one in islice(folder.iterdir(), 10 * MOST_LOOKED_AT) if one.is_dir())
    folders = list(islice(inside, MOST_LOOKED_AT))
    places = [folder, *folders, *(one / "ann" for one in folders)]
    return chain.from_iterable(islice(one.glob("*.json"), MOST_LOOKED_AT) for one in places)


def _program(file: Path) -> Program | None:
    top, keys, _ = outline(file)
    if top != "{":
        return None
    fits = (p for p in PROGRAMS.values() if all(keys.get(k) == v for k, v in p.keys.items()))
    return next(fits, None)


def read(source: Path, options: ReadOptions) -> list[Labelled]:
    """Read the labels of a photo's shapes and tags; a label that is not listed is absent.

    Flags of LabelMe are labels as well, where they are true.

    Args:
        source: A file, or a folder with a file for each photo, in folders or not. Folders called
            ``train``, ``val`` and ``test`` are the splits.
        options: Folder of the photos; by default they are where the files say, or in ``images``,
            ``photos``, ``img`` or ``items`` beside.

    Raises:
        DataError: If no file is of such a program, or one cannot be understood.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.data.format import DEFAULTS
        >>> _ = Path("a.json").write_text(
        ...     '{"flags": {"night": true}, "shapes": [{"label": "dog"}], "imagePath": "a.jpg"}'
        ... )
        >>> (found,) = read(Path("a.json"), DEFAULTS)
        >>> found.photos, found.names, found.targets.tolist()
        (('a.jpg',), ('dog', 'night'), [[1, 1]])
    """
    base = source if source.is_dir() else source.parent
    files = sorted(base.rglob("*.json")) if source.is_dir() else [source]
    photos, names, others = [], set[str](), 0
    for file in files:
        if (program := _program(file)) is None:
            others += 1
            continue
        content = read_json(file, dict, "an object with the labels of a photo")
        photos.append(_photo(file, base, program, content))
        names |= _flags(content, str(file)).keys()
    if not photos:
        known = ", ".join(PROGRAMS)
        msg = f"expected a JSON file for each photo, as of {known}, got none in {source}"
        raise DataError(msg)
    if others:
        logger.info("%s: %s of another form left out", source, amount(others, "JSON file"))
    folders = options.folders(base, *(base / name for name in PLACES))
    return [tabulate(source, photos, names=names, folders=folders)]


def _photo(file: Path, base: Path, program: Program, content: dict[str, Any]) -> PhotoLabels:
    where = str(file)
    parts = [*file.parent.relative_to(base).parts]
    path = _beside(program.photo(content, file.name), parts, where)
    entries = list(_entries(content, program, where))
    named = [one for one in map(_name, entries) if one is not None]
    flags = _flags(content, where)
    present = {clean_name(one, where) for one in (*named, *(n for n, yes in flags.items() if yes))}
    split = next((part for part in parts if part.lower() in SPLIT_NAMES), None)
    return PhotoLabels(path, present - {""}, split=split, has_nameless=len(named) < len(entries))


def _beside(name: str, parts: list[str], where: str) -> str:
    """Return a photo's path below the source; one that is not absolute starts at its file."""
    name = name.replace("\\", "/")
    if not ABSOLUTE.match(name):
        while name.startswith("../") and parts:
            name, parts = name.removeprefix("../"), parts[:-1]
        name = "/".join([*parts, name])
    return photo_path(name, where)


def _entries(content: dict[str, Any], program: Program, where: str) -> Iterator[Any]:
    for key in program.lists:
        entries = content.get(key) or []
        if not isinstance(entries, list) or not all(isinstance(e, dict | str) for e in entries):
            msg = f"{where}: expected a list of objects under {key!r}, got {shortened(entries)}"
            raise DataError(msg)
        yield from entries


def _name(entry: Any) -> str | None:  # noqa: ANN401 - plain-data border
    """Return the label of a shape or tag, or None if it has none."""
    if isinstance(entry, str):
        return entry or None
    found = next((entry[key] for key in NAMES if entry.get(key)), None)
    return None if found is None else str(found)


def _flags(content: dict[str, Any], where: str) -> dict[str, bool]:
    flags = content.get("flags")
    if not isinstance(flags, dict):
        return {}
    return {clean_name(name, where): bool(value) for name, value in flags.items()}


FORMAT = Format(
    "photo-json",
    "a JSON file for each photo, as LabelMe, Supervisely, V7 Darwin, SuperAnnotate and Dataloop "
    "write it",
    'a.json   {"flags": {"night": true}, "shapes": [{"label": "dog"}],\n'
    '          "imagePath": "a.jpg"}\na.jpg',
    recognises,
    read,
)
