"""FiftyOne's exports: ``labels.json`` of classifications, and ``samples.json`` of a dataset."""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING, Any

from tagsight.data.format import Format
from tagsight.data.json_files import outline, read_json, shortened
from tagsight.data.photo_labels import PhotoLabels, log_confidences, tabulate
from tagsight.data.source import clean_name, photo_path
from tagsight.data.tables.names import SPLIT_NAMES
from tagsight.errors import DataError
from tagsight.runtime.amounts import amount

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tagsight.data.format import Labelled, ReadOptions

logger = logging.getLogger(__name__)

FILES = ("labels.json", "samples.json")
USUAL_FIELDS = ("ground_truth", "ground_truths", "labels", "tags")
LISTS = ("classifications", "detections", "polylines", "keypoints")


def recognises(source: Path) -> bool:
    """Return whether a path is such a file, or a folder with one.

    Example:
        >>> from pathlib import Path
        >>> file = Path("samples.json")
        >>> _ = file.write_text('{"samples": [{"filepath": "data/a.jpg"}]}')
        >>> recognises(file), recognises(Path())
        (True, True)
    """
    return _file(source) is not None


def _file(source: Path) -> Path | None:
    files = [source / name for name in FILES] if source.is_dir() else [source]
    return next((file for file in files if _is_labels(file) or _is_samples(file)), None)


def _is_labels(file: Path) -> bool:
    top, keys, lines = outline(file)
    return top == "{" and not lines and keys.get("labels") == "{" and "classes" in keys


def _is_samples(file: Path) -> bool:
    top, keys, lines = outline(file)
    return top == "{" and not lines and keys.get("samples") == "["


def read(source: Path, options: ReadOptions) -> list[Labelled]:
    """Read classifications, and labels of objects, as labels of the photo.

    A label that is not listed is absent. A photo without an entry, or with null, is left out. Of
    the fields of a dataset ``ground_truth`` is read, else the only one that holds labels. A sample
    tagged ``train``, ``val`` or ``test`` is in this split, if all are.

    Args:
        source: ``labels.json`` or ``samples.json``, or the folder with it.
        options: Folder of the photos, by default ``data`` beside the file.

    Raises:
        DataError: If the file cannot be understood, or several fields might be the labels.

    Example:
        >>> import json
        >>> from pathlib import Path
        >>> from tagsight.data.format import DEFAULTS
        >>> truth = {"classifications": [{"label": "dog"}]}
        >>> sample = {"filepath": "data/a.jpg", "tags": ["train"], "ground_truth": truth}
        >>> _ = Path("samples.json").write_text(json.dumps({"samples": [sample]}))
        >>> (found,) = read(Path(), DEFAULTS)
        >>> found.photos, found.names, found.splits
        (('a.jpg',), ('dog',), ('train',))
    """
    file = _file(source)
    if file is None:
        msg = f"expected FiftyOne's labels.json or samples.json, got {source}"
        raise DataError(msg)
    content = read_json(file, dict, "an object with 'labels' or 'samples'")
    is_samples = isinstance(content.get("samples"), list)
    photos = _of_samples(file, content["samples"]) if is_samples else _of_labels(file, content)
    names = () if is_samples else _classes(file, content)
    base = file.parent
    folders = options.folders(base / "data", base)
    return [tabulate(file, photos, names=names, folders=folders)]


def _classes(file: Path, content: dict[str, Any]) -> list[str]:
    classes = content.get("classes") or []
    if not isinstance(classes, list) or not all(isinstance(name, str) for name in classes):
        msg = f"{file}: expected 'classes', a list of names, got {shortened(classes)}"
        raise DataError(msg)
    return [clean_name(name, str(file)) for name in classes]


def _of_labels(file: Path, content: dict[str, Any]) -> list[PhotoLabels]:
    labels = content.get("labels")
    if not isinstance(labels, dict):
        msg = f"{file}: expected 'labels', an object with a photo's labels by its name"
        raise DataError(msg)
    classes = _classes(file, content)
    if any(_has_confidence(value) for value in labels.values()):
        log_confidences(file, "labels")
    return [
        PhotoLabels(
            _photo(name, f"{file}: labels[{name!r}]"),
            _names(value, classes, f"{file}: labels[{name!r}]"),
        )
        for name, value in labels.items()
        if value is not None
    ]


def _photo(name: str, where: str) -> str:
    """Return a photo's name; FiftyOne leaves out its ending, which is then looked for."""
    return photo_path(name, where)


def _names(value: object, classes: Sequence[str], where: str) -> set[str]:
    listed = value if isinstance(value, list) else [value]
    return {_name(one, classes, where) for one in listed}


def _name(value: object, classes: Sequence[str], where: str) -> str:
    if isinstance(value, dict):  # of an object
        value = value.get("label")
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(classes):
        return classes[value]
    if isinstance(value, str) and (name := clean_name(value, where)):
        return name
    msg = f"{where}: expected a label, or its number among 'classes', got {shortened(value)}"
    raise DataError(msg)


def _of_samples(file: Path, samples: Sequence[Any]) -> list[PhotoLabels]:
    for number, sample in enumerate(samples):
        if not isinstance(sample, dict) or not isinstance(sample.get("filepath"), str):
            msg = f"{file}: samples[{number}]: expected an object with 'filepath'"
            raise DataError(msg)
    field = _field(file, samples)
    photos = []
    for number, sample in enumerate(samples):
        value = sample.get(field)
        if value is not None:
            where = f"{file}: samples[{number}]"
            path = sample["filepath"].replace("\\", "/").lstrip("/").removeprefix("data/")
            objects = _objects(value)
            photos.append(
                PhotoLabels(
                    photo_path(path, where),
                    _of_field(value, where),
                    split=_split(sample),
                    has_nameless=any(map(_is_nameless, objects)),
                )
            )
    if left := len(samples) - len(photos):
        logger.info("%s: %s left out, without %r", file, amount(left, "sample"), field)
    if any(photo.split is None for photo in photos):
        photos = [photo._replace(split=None) for photo in photos]
    return photos


def _field(file: Path, samples: Sequence[dict[str, Any]]) -> str:
    counts = Counter(key for sample in samples for key in sample if _holds_labels(sample[key]))
    usual = next((field for field in USUAL_FIELDS if counts[field]), None)
    if usual is None and len(counts) != 1:
        shown = ", ".join(map(repr, sorted(counts))) or "none"
        msg = f"{file}: expected one field of labels, or one called 'ground_truth', got {shown}"
        raise DataError(msg)
    field = usual or next(iter(counts))
    if _is_of_model(field, samples):
        log_confidences(file, f"labels of {field!r}")
    if others := ", ".join(sorted(counts.keys() - {field})):
        logger.info("%s: labels are those of %r, not of %s", file, field, others)
    return field


def _is_of_model(field: str, samples: Sequence[dict[str, Any]]) -> bool:
    values = (sample.get(field) for sample in samples)
    return "predict" in field.lower() or any(
        _has_confidence([*_objects(value), value]) for value in values
    )


def _has_confidence(value: object) -> bool:
    """Return whether a label, or one of a list, has a confidence."""
    labels = value if isinstance(value, list) else [value]
    return any(isinstance(one, dict) and one.get("confidence") is not None for one in labels)


def _holds_labels(value: object) -> bool:
    if not isinstance(value, dict):
        return False
    return value.get("_cls") == "Classification" or any(key in value for key in LISTS)


def _objects(value: object) -> list[object]:
    lists = (value.get(key) for key in LISTS) if isinstance(value, dict) else ()
    return next((one for one in lists if isinstance(one, list)), [])


def _is_nameless(entry: object) -> bool:
    return isinstance(entry, dict) and not entry.get("label")


def _of_field(value: object, where: str) -> set[str]:
    if isinstance(value, dict) and "label" in value:
        return _names(value, (), where)
    for key in LISTS:
        if isinstance(value, dict) and isinstance(value.get(key), list):
            return {_name(one, (), where) for one in value[key] if not _is_nameless(one)}
    msg = f"{where}: expected a classification or a list of objects, got {shortened(value)}"
    raise DataError(msg)


def _split(sample: dict[str, Any]) -> str | None:
    tags = sample.get("tags") or []
    words = [tag for tag in tags if isinstance(tag, str) and tag.lower() in SPLIT_NAMES]
    return words[0] if len(words) == 1 else None


FORMAT = Format(
    "fiftyone",
    "an export of FiftyOne: labels.json or samples.json, and photos in data",
    'labels.json   {"classes": ["cat", "dog"], "labels": {"a": [0, 1], "b": ["dog"]}}\ndata/a.jpg',
    recognises,
    read,
    ("labels.json", "samples.json"),
)
