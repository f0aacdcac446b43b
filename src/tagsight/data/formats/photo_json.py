"""A JSON file for each photo: LabelMe, Supervisely, V7 Darwin, SuperAnnotate, Eagle, scripts."""

from __future__ import annotations

import logging
import re
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, NamedTuple

from tagsight.data.format import Format
from tagsight.data.formats.record_keys import LABEL_KEYS, first_key
from tagsight.data.json_files import beginning, outline, read_json, shortened
from tagsight.data.json_values import first_record
from tagsight.data.photo_labels import PhotoLabels, is_unfinished, tabulate
from tagsight.data.photos.suffixes import PHOTO_SUFFIXES
from tagsight.data.source import clean_name, first_of, is_file, photo_path
from tagsight.data.tables.names import SPLIT_NAMES, is_number, is_photo, target_of
from tagsight.data.tables.said import is_denied
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

EMPTY = re.compile(r"\[\s*\]\s*")
ABSOLUTE = re.compile(r"/|[A-Za-z]+:")
NAMES = ("label", "name", "className", "classTitle", "tag", "category", "class")
LONGEST_VALUE = 60
"""Characters of the value of a tag; longer ones are texts, not labels."""


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
    item = content.get("item", content.get("image"))
    folder = _text(item, "path").strip("/")
    return f"{folder}/{_text(item, 'name') or _text(item, 'filename')}".lstrip("/")


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
    "V7 Darwin 1.0": Program({"image": "{", "annotations": "["}, _in_folder, ("annotations",)),
    "SuperAnnotate": Program(
        {"metadata": "{", "instances": "["},
        lambda content, _: _text(content, "metadata", "name"),
        ("instances", "tags"),
    ),
    "Eagle": Program(
        {"name": '"', "ext": '"', "tags": "["},
        lambda content, _: f"{_text(content, 'name')}.{_text(content, 'ext')}",
        ("tags",),
    ),
    "Dataloop": Program(
        {"filename": '"', "annotations": "["},
        lambda content, _: _text(content, "filename").lstrip("/"),
        ("annotations",),
    ),
}
OWN = {
    key: Program({key: "["}, lambda _, name: name.removesuffix(".json"), (key,))
    for key in ("labels", "tags", "keywords", "classes", "categories")
}
"""Lists of labels, as scripts and downloaders write them, in a file beside its photo."""


LISTED = Program({}, lambda _, name: name.removesuffix(".json"), ("labels",))
"""A list of labels alone, or one object in a list, as exiftool writes it."""


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
    inside = (one for one in first_of(folder.iterdir(), 10 * MOST_LOOKED_AT) if one.is_dir())
    folders = list(islice(inside, MOST_LOOKED_AT))
    is_library = is_file(folder / "metadata.json")
    items = first_of((folder / "images").glob("*.info"), MOST_LOOKED_AT) if is_library else ()
    places = [folder, *folders, *(one / "ann" for one in folders), *items]
    return chain.from_iterable(first_of(one.glob("*.json"), MOST_LOOKED_AT) for one in places)


def _program(file: Path) -> Program | None:
    top, keys, _ = outline(file)
    if top == "[":
        is_alone = first_key(LABEL_KEYS, keys) is not None or _lists_texts(file)
        return LISTED if is_alone and _is_beside_photo(file) else None
    if top != "{":
        return None
    known = [*PROGRAMS.values(), *(OWN.values() if _is_beside_photo(file) else ())]
    return next((p for p in known if all(keys.get(k) == v for k, v in p.keys.items())), None)


def _is_beside_photo(file: Path) -> bool:
    """Return whether a photo lies beside ``a.jpg.json`` or ``a.json``."""
    names = [file.stem, *(f"{file.stem}{ending}" for ending in PHOTO_SUFFIXES)]
    return any(is_photo(name) and is_file(file.with_name(name)) for name in names)


def read(source: Path, options: ReadOptions) -> list[Labelled]:
    """Read the labels of a photo's shapes and tags; a label that is not listed is absent.

    Flags of LabelMe are labels as well, where they are true. A tag with a value, or a choice of a
    tag, is a label such as ``weather: sunny``; if the value is yes, the tag is, and with a number
    as well. Photos that nobody has finished, by their state, are left out if they have no label.

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
    photos, names, others, unfinished = [], set[str](), 0, 0
    for file in files:
        if (program := _program(file)) is None:
            others += 1
            continue
        content = _content(file, program)
        photo = _photo(file, base, program, content)
        names |= _flags(content, str(file)).keys()
        if not photo.present and is_unfinished(_text(content, "metadata", "status")):
            unfinished += 1
        else:
            photos.append(photo)
    if not photos:
        known = ", ".join(PROGRAMS)
        of = f" of {unfinished:,} that nobody has finished" if unfinished else ""
        msg = f"expected a JSON file for each photo, as of {known}, got none in {source}{of}"
        raise DataError(msg)
    if others:
        logger.info("%s: %s of another form left out", source, amount(others, "JSON file"))
    if unfinished:
        count = amount(unfinished, "photo")
        logger.info("%s: %s left out that nobody has finished", source, count)
    folders = options.folders(base, *(base / name for name in PLACES))
    return [tabulate(source, photos, names=names, folders=folders)]


def _lists_texts(file: Path) -> bool:
    is_empty = EMPTY.fullmatch(beginning(file)) is not None
    return is_empty or (not outline(file).keys and isinstance(first_record(file), str))


def _content(file: Path, program: Program) -> dict[str, Any]:
    """Return the object of a file, or one of the list of labels that a file is, or has."""
    if program is not LISTED:
        return read_json(file, dict, "an object with the labels of a photo")
    listed = read_json(file, list, "a list of the labels of a photo, or of one object with them")
    if not any(isinstance(one, dict) for one in listed):
        return {"labels": listed}
    if len(listed) > 1 or (key := first_key(LABEL_KEYS, listed[0])) is None:
        msg = f"{file}: expected a list of labels, or of one object with some, got {len(listed)}"
        raise DataError(msg)
    value = listed[0][key]
    return {"labels": [value] if isinstance(value, str) else value}


def _photo(file: Path, base: Path, program: Program, content: dict[str, Any]) -> PhotoLabels:
    where = str(file)
    parts = [*file.parent.relative_to(base).parts]
    path = _beside(program.photo(content, file.name), parts, where)
    entries = list(_entries(content, program, where))
    named = [name for entry in entries for name in _labels(entry)]
    flags = _flags(content, where)
    present = {clean_name(one, where) for one in (*named, *(n for n, yes in flags.items() if yes))}
    split = next((part for part in parts if part.lower() in SPLIT_NAMES), None)
    has_nameless = any(_name(entry) is None for entry in entries)
    return PhotoLabels(path, present - {""}, split=split, has_nameless=has_nameless)


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


def _labels(entry: Any) -> list[str]:  # noqa: ANN401 - plain-data border
    """Return the labels that a shape or tag makes: with the value, or the choices, of a tag."""
    name = _name(entry)
    if name is None or isinstance(entry, str):
        return [name] if name else []
    if is_denied(entry):
        return []
    choices = entry.get("attributes") if entry.get("type") == "tag" else None
    choices = [_text(one, "name") for one in choices] if isinstance(choices, list) else []
    values = [one for one in (entry.get("value"), *choices) if isinstance(one, str) and one]
    texts = [one for one in values if len(one) <= LONGEST_VALUE and not is_number(one)]
    if 0 in map(target_of, texts):
        return []
    return [f"{name}: {one}" for one in texts if target_of(one) is None] or [name]


def _flags(content: dict[str, Any], where: str) -> dict[str, bool]:
    flags = content.get("flags")
    if not isinstance(flags, dict):
        return {}
    return {clean_name(name, where): bool(value) for name, value in flags.items()}


FORMAT = Format(
    "photo-json",
    "a JSON file for each photo, as LabelMe, Supervisely, V7 Darwin, SuperAnnotate, Dataloop and "
    "Eagle write it, or with a list of labels",
    'a.json   {"flags": {"night": true}, "shapes": [{"label": "dog"}],\n'
    '          "imagePath": "a.jpg"}\na.jpg',
    recognises,
    read,
)
