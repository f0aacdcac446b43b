"""Apple's Create ML: a list of photos with labels or objects, also as Roboflow exports it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tagsight.data.format import Format
from tagsight.data.formats.record_keys import PHOTO_KEYS, first_key
from tagsight.data.json_files import outline, read_json, shortened
from tagsight.data.photo_labels import PhotoLabels, tabulate
from tagsight.data.source import clean_name, files_that, photo_path
from tagsight.data.tables.names import NAME_KEYS
from tagsight.data.tables.said import is_denied
from tagsight.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from tagsight.data.format import Labelled, ReadOptions


def recognises(source: Path) -> bool:
    """Return whether a file begins as Create ML's, or a folder or its splits have such files.

    Example:
        >>> from pathlib import Path
        >>> file = Path("rows.json")
        >>> _ = file.write_text('[{"image": "a.jpg", "annotations": [{"label": "dog"}]}]')
        >>> recognises(file)
        True
    """
    return bool(_files(source))


def _files(source: Path) -> list[Path]:
    if not source.is_dir():
        return [source] if _is_createml(source) else []
    for pattern in ("*.json", "*/_annotations.createml.json"):
        if found := files_that(_is_createml, source.glob(pattern)):
            return found
    return []


def _is_createml(file: Path) -> bool:
    top, keys, _ = outline(file)
    photo = first_key(PHOTO_KEYS, (key for key, mark in keys.items() if mark == '"'))
    return top == "[" and photo is not None and "annotations" in keys


def read(source: Path, options: ReadOptions) -> list[Labelled]:
    """Read the labels of a photo, or of its objects; a label that is not listed is absent.

    Args:
        source: The file; a folder with one; or Roboflow's folders ``train``, ``valid`` and
            ``test``, which are the splits.
        options: Folder of the photos; by default that of the file.

    Raises:
        DataError: If a file cannot be understood.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.data.format import DEFAULTS
        >>> file = Path("rows.json")
        >>> _ = file.write_text('[{"image": "a.jpg", "annotations": [{"label": "dog"}]}]')
        >>> (found,) = read(file, DEFAULTS)
        >>> found.photos, found.names, found.targets.tolist()
        (('a.jpg',), ('dog',), [[1]])
    """
    files = _files(source)
    if not files:
        msg = f"expected Create ML's list of objects with 'image' and 'annotations', got {source}"
        raise DataError(msg)
    if len(files) > 1 and any(file.parent == source for file in files):
        msg = f"expected one JSON file of labels in {source}, got {[file.name for file in files]!r}"
        raise DataError(msg)
    inside = files[0].parent != source and source.is_dir()
    photos = [photo for file in files for photo in _photos(file, inside=inside)]
    base = source if source.is_dir() else source.parent
    folders = options.folders_around(base)
    return [tabulate(source, photos, folders=folders)]


def _photos(file: Path, *, inside: bool) -> list[PhotoLabels]:
    photos = []
    for number, given in enumerate(read_json(file, list, "a list of photos")):
        where = f"{file}: [{number}]"
        entry = given if isinstance(given, dict) else {}
        key = first_key(PHOTO_KEYS, entry)
        name = None if key is None else entry[key]
        labels = entry.get("annotations") or []
        labels = [labels] if isinstance(labels, str) else labels
        if not isinstance(name, str) or not isinstance(labels, list):
            msg = f"{where}: expected 'image' and a list of 'annotations', got {shortened(given)}"
            raise DataError(msg)
        folder = f"{file.parent.name}/" if inside else ""
        named = [label for label in labels if not _is_nameless(label)]
        photos.append(
            PhotoLabels(
                photo_path(folder + name, where),
                {name for label in named if not is_denied(label) for name in _names(label, where)},
                split=file.parent.name if inside else None,
                has_nameless=len(named) < len(labels),
            )
        )
    return photos


def _value(label: Any) -> Any:  # noqa: ANN401 - plain-data border
    """Return the name, or names, of a label or an object."""
    if not isinstance(label, dict):
        return label
    return next((label[key] for key in (*NAME_KEYS, "labels") if label.get(key)), None)


def _is_nameless(label: Any) -> bool:  # noqa: ANN401 - plain-data border
    return isinstance(label, dict) and "coordinates" in label and not _value(label)


def _names(label: Any, where: str) -> list[str]:  # noqa: ANN401 - plain-data border
    value = _value(label)
    listed = value if isinstance(value, list) else [value]
    names = [clean_name(name, where) for name in listed if isinstance(name, str)]
    if len(names) == len(listed) and all(names):
        return names
    msg = f"{where}: expected a label as text, got {shortened(label)}"
    raise DataError(msg)


FORMAT = Format(
    "createml",
    "Create ML's JSON: a list of photos with their labels or objects",
    '[{"image": "a.jpg", "annotations": [{"label": "dog", "coordinates": {"x": 50, "y": 40}}]}]',
    recognises,
    read,
)
